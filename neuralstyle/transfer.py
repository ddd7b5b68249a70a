"""The loop: pictures and a recipe in, a picture and its history out."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, require
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import Masks, Pictures, TiledLoss, WholeLoss, as_images, network_for, open_loss
from neuralstyle.loss.memory import check_optimizer_fits
from neuralstyle.networks import Network, load_network
from neuralstyle.optimizers import minimize
from neuralstyle.pictures.colours import keep_colours, luminance, match_colours, match_luminance
from neuralstyle.pictures.reading import (
    SMALLEST_SIDE,
    as_image,
    fit_height,
    fit_longer_side,
    fit_width,
    resize,
)
from neuralstyle.recipes import Recipe, find_recipe
from neuralstyle.runs.history import Step
from neuralstyle.runs.interrupts import stopping_on_ctrl_c
from neuralstyle.runs.state import Checkpoint

_FITS = {"width": fit_width, "height": fit_height, "longer side": fit_longer_side}


@dataclass(frozen=True)
class Result:
    """What `stylize` gives back.

    Attributes
    ----------
    image : ndarray
        H×W×3, uint8, RGB.
    history : list of Step
        From iteration 0, the start, to the last.
    picture : ndarray
        The same picture before rounding, float32, 0..255.
    step : Step
        The step whose picture this is.
    state : Checkpoint
        What the run needs to go on from its last step.
    interrupted : bool
        Whether Ctrl-C ended the run early.
    """

    image: np.ndarray
    history: list[Step]
    picture: np.ndarray
    step: Step
    state: Checkpoint
    interrupted: bool = False


def stylize(
    content: np.ndarray | str | Path,
    styles: Pictures,
    recipe: Recipe | str = "cookbook",
    network: Network | None = None,
    *,
    seed: int = 0,
    masks: Masks = None,
    style_masks: Masks = None,
    on_step: Callable[[Step], None] | None = None,
    on_checkpoint: Callable[[Step], None] | None = None,
    on_state: Callable[[Checkpoint], None] | None = None,
    on_loss: Callable[[WholeLoss | TiledLoss], None] | None = None,
    resume: Checkpoint | None = None,
    tile: int | str | None = "auto",
    machine: Machine | None = None,
) -> Result:
    """Render a content picture in the style of other pictures.

    Parameters
    ----------
    content : ndarray or path
        H×W×3, uint8 or float32, RGB, 0..255.
    styles : ndarray or path, or a sequence of them
        Style pictures.
    recipe : Recipe or str
        A published system's name, or a recipe of your own; ``dataclasses.replace`` varies one.
    network : Network, optional
        Default: `neuralstyle.load_network`'s.
    seed : int
        Of the noise. The same seed gives the same picture on the same machine.
    masks : sequence of (ndarray or None), optional
        For each style, H×W, 0..1: where in the result it is wanted. Any size; it is resized.
    style_masks : sequence of (ndarray or None), optional
        For each style, which part of the style picture counts.
    on_step : callable, optional
        Called with each `Step`, its picture as the optimiser has it.
    on_checkpoint : callable, optional
        Called with every `checkpoint_every`-th step after the start, its picture as the result would be.
    on_state : callable, optional
        Called at every step with what the run needs to go on from there; its arrays are overwritten by
        the next step, its record is empty.
    on_loss : callable, optional
        Called with the loss, once for each of the recipe's scales; its graph and its tile are told there.
    resume : Checkpoint, optional
        Go on from there instead of starting. With Adam and gradient descent the result is, bit for bit,
        that of the run that was never stopped.
    tile : int, "auto" or None
        As in `neuralstyle.loss.losses.open_loss`.
    machine : Machine, optional
        How many threads and which device; default: all cores, and a GPU where there is one.

    Returns
    -------
    Result
        Ctrl-C ends the run after the step that it falls into, or between two scales, with what there is
        so far; pressed once more, or before the first step, it raises KeyboardInterrupt at once.

    Raises
    ------
    InputError
        If a picture or the recipe cannot be used.
    """
    recipe = find_recipe(recipe).in_force()
    content, styles = as_image(content), as_images(styles)
    network = network_for(recipe, network or load_network())
    unit = np.float32(recipe.unit)
    bounds = (0.0, 255.0 / recipe.unit) if recipe.clip else None
    least = min(stage.iterations for stage in stages(recipe))
    require(least >= 1, "--iterations", least, "1 or more")
    largest = max(stages(recipe), key=lambda stage: stage.content_size or 0)
    check_optimizer_fits(recipe.optimizer, *result_size(replace(largest, scales=()), content))
    run = _Run(recipe, on_step, on_checkpoint, on_state, resume)
    picture, interrupted = None, False
    for scale, stage in enumerate(stages(recipe)):
        if resume and scale < resume.scale:
            continue
        here = resume if resume and scale == resume.scale else None
        try:
            fitted, fitted_styles = fit_pictures(stage, content, styles)
            seen, seen_styles = match_pictures(stage, fitted, fitted_styles)
            if here:
                start = here.picture
            elif picture is None:
                start = starting_picture(stage, network, fitted, fitted_styles, seed) / unit
                start = luminance(start) if stage.match_colours == "luminance" else start
            else:
                start = resize(picture, *fitted.shape[:2], "bicubic") / unit
            opened = open_loss(
                network,
                stage,
                seen,
                seen_styles,
                _fit_masks(masks, [seen] * len(styles)),
                _fit_masks(style_masks, seen_styles),
                tile,
                machine,
            )
        except KeyboardInterrupt:
            if picture is None:
                raise
            interrupted = True  # the smaller picture is what there is
            break
        run.begin(scale, stage, fitted if stage.keep_colours else None)
        # A large picture is not kept for nothing while the optimiser works.
        del fitted, fitted_styles, seen, seen_styles
        with stopping_on_ctrl_c(run.stop), opened as loss:
            if on_loss is not None:
                on_loss(loss)
            try:
                minimize(
                    stage.optimizer,
                    _InUnits(loss, unit),
                    start,
                    stage.iterations,
                    run.report,
                    bounds,
                    here and here.state,
                    here.iteration if here else 0,
                )
            except _Stopped:
                interrupted = True
            step, picture = run.end()
            picture = picture * unit
        if interrupted or (run.stop.is_set() and scale + 1 < len(stages(recipe))):
            interrupted = True
            break
    picture = run.finished(picture)
    return Result(np.rint(picture).astype(np.uint8), run.history, picture, step, run.state, interrupted)


def match_pictures(
    recipe: Recipe, content: np.ndarray, styles: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The content and style pictures as the network sees them: with the colours that a recipe gives them.

    Parameters
    ----------
    recipe : Recipe
    content : ndarray
        H×W×3, float32, RGB, 0..255.
    styles : list of ndarray

    Returns
    -------
    content : ndarray
        Grey where the transfer is on luminance alone, and otherwise as it is.
    styles : list of ndarray
    """
    if not recipe.match_colours:
        return content, styles
    if recipe.match_colours == "luminance":
        return luminance(content), [match_luminance(style, content) for style in styles]
    return content, [match_colours(style, content, recipe.match_colours) for style in styles]


def result_size(recipe: Recipe, content: np.ndarray) -> tuple[int, int]:
    """The height and width of the picture that a recipe makes of a content picture."""
    return fit_pictures(replace(stages(recipe)[-1], style_scales=()), content, [])[0].shape[:2]


def stages(recipe: Recipe) -> list[Recipe]:
    """The runs that a recipe consists of: one, or one for each of its scales, from coarse to fine."""
    if not recipe.scales:
        return [recipe]
    counts = recipe.scale_iterations or (recipe.iterations,) * len(recipe.scales)
    return [
        replace(recipe, content_size=size, iterations=count)
        for size, count in zip(recipe.scales, counts, strict=True)
    ]


class _InUnits:
    """A loss of pixel values 0..255, as a function of the range that a recipe is optimised in."""

    def __init__(self, loss: WholeLoss | TiledLoss, unit: np.float32) -> None:
        self._loss, self._unit = loss, unit

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        return self._loss.losses(self._times_unit(picture))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        losses, gradient = self._loss.losses_and_gradient(self._times_unit(picture))
        return losses, self._times_unit(gradient)

    def _times_unit(self, array: np.ndarray) -> np.ndarray:
        # A large picture is not copied where there is nothing to change.
        return array if self._unit == 1 else array * self._unit


class _Stopped(Exception):
    """Ends the optimiser between two steps, where everything fits together."""


class _Run:
    """What is kept while the optimiser works: the history, the last picture, the best checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        on_step: Callable[[Step], None] | None,
        on_checkpoint: Callable[[Step], None] | None,
        on_state: Callable[[Checkpoint], None] | None,
        resume: Checkpoint | None,
    ) -> None:
        self.history = list(resume.history) if resume else []
        self.stop = threading.Event()
        self._unit = np.float32(recipe.unit)
        self._on_step, self._on_checkpoint, self._on_state = on_step, on_checkpoint, on_state
        self._resume = resume
        self._began = time.perf_counter() - (self.history[-1].seconds if self.history else 0)

    def begin(self, scale: int, stage: Recipe, content: np.ndarray | None) -> None:
        """Start a stage: iterations go on counting, the best picture is looked for anew."""
        self._scale, self._stage, self._content = scale, stage, content
        self._first = self.history[-1].iteration if self.history else 0
        self._best: np.ndarray | None = None
        self._best_step: Step | None = None
        self._best_total = np.inf
        if self._resume and self._resume.scale == scale:
            if self._resume.iteration:
                # The history ends before the step that is about to be made again.
                self._first -= self._resume.iteration - 1
            self._best, self._best_total = self._resume.best, self._resume.best_total
            self._best_step = next(
                (step for step in self.history[::-1] if step.total == self._best_total), None
            )

    def report(
        self, iteration: int, losses: dict[str, float], picture: np.ndarray, state: dict[str, np.ndarray]
    ) -> None:
        """Take note of a picture in the optimiser's range, and pass it on in pixel values."""
        step = Step(self._first + iteration, time.perf_counter() - self._began, **losses)
        if state.get("best", picture) is picture:  # not a worse trial of L-BFGS's line search
            self._last, self._last_step = picture, step
        every = self._stage.checkpoint_every
        checkpoint = bool(every) and iteration > 0 and iteration % every == 0
        self.state = Checkpoint(
            iteration, picture, state, self.history[:], {}, self._best, self._best_total, self._scale
        )
        if self._on_state is not None:
            self._on_state(self.state)
        self.history.append(step)
        if self._stage.keep_best and checkpoint and step.total < self._best_total:
            self._best, self._best_total, self._best_step = picture.copy(), step.total, step
        try:
            if self._on_step is not None:
                self._on_step(replace(step, picture=picture * self._unit))
            if self._on_checkpoint is not None and checkpoint:
                self._on_checkpoint(replace(step, picture=self.finished(picture * self._unit)))
        except KeyboardInterrupt:
            self.stop.set()
        if self.stop.is_set():
            raise _Stopped

    def end(self) -> tuple[Step, np.ndarray]:
        """What a stage comes to: its last picture, or the best of its checkpoints if that is better."""
        if self._best is not None and self._best_total <= self._last_step.total:
            return self._best_step or self._last_step, self._best
        return self._last_step, self._last

    def finished(self, picture: np.ndarray) -> np.ndarray:
        """A picture as the user gets it: within 0..255, with the content's colours if wanted."""
        picture = np.clip(picture, 0, 255)
        if self._stage.keep_colours:
            picture = keep_colours(picture, self._content, self._stage.keep_colours)
        return picture


def _fit_masks(masks: Masks, pictures: list[np.ndarray]) -> Masks:
    if masks is None:
        return None
    if len(masks) != len(pictures):
        raise InputError(f"there are {len(masks)} masks for {len(pictures)} style pictures")
    return [
        mask if mask is None else _resize_mask(mask, *picture.shape[:2])
        for mask, picture in zip(masks, pictures, strict=True)
    ]


def _resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    mask = np.asarray(mask, np.float32)
    if not mask.any():
        raise InputError("a mask is black everywhere; it needs white where the style is wanted")
    return resize(np.repeat(mask[..., np.newaxis], 3, axis=2), height, width)[..., 0]


def fit_pictures(
    recipe: Recipe, content: np.ndarray, styles: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Give the content and style pictures the sizes that a recipe asks for.

    Parameters
    ----------
    recipe : Recipe
    content : ndarray
        H×W×3, float32, RGB, 0..255.
    styles : list of ndarray

    Returns
    -------
    content : ndarray
    styles : list of ndarray

    Raises
    ------
    InputError
        If a picture would come out under 16 pixels, or there are more style scales than styles.
    """
    method = recipe.resampling
    if recipe.content_fit not in _FITS:
        raise InputError(f"unknown content_fit {recipe.content_fit!r}; choose one of {', '.join(_FITS)}")
    fit = _FITS[recipe.content_fit]
    if recipe.content_size is not None:
        content = fit(content, recipe.content_size, method)
    height, width = content.shape[:2]
    if recipe.style_fit not in ("stretch", "width", "alone"):
        raise InputError(f"unknown style_fit {recipe.style_fit!r}; choose stretch, width or alone")
    scales = recipe.style_scales or (1.0,) * len(styles)
    if len(scales) != len(styles):
        raise InputError(f"--style-scales has {len(scales)} scales for {len(styles)} style pictures")

    def at_least_one(pixels: float) -> int:
        return max(1, round(pixels))  # what comes out too small is refused below

    def fit_style(style: np.ndarray, scale: float) -> np.ndarray:
        if recipe.style_fit == "stretch":
            return resize(style, at_least_one(scale * height), at_least_one(scale * width), method)
        if recipe.style_fit == "width":
            return fit_width(style, at_least_one(scale * width), method)
        size = recipe.content_size
        return style if size is None else fit(style, at_least_one(scale * size), method)

    styles = [fit_style(style, scale) for style, scale in zip(styles, scales, strict=True)]
    for what, picture in [("content", content), *(("style", style) for style in styles)]:
        if min(picture.shape[:2]) < SMALLEST_SIDE:
            raise InputError(
                f"the {what} picture would be {picture.shape[1]}×{picture.shape[0]} pixels; "
                f"it needs {SMALLEST_SIDE} in each direction"
            )
    return content, styles


def starting_picture(
    recipe: Recipe, network: Network, content: np.ndarray, styles: list[np.ndarray], seed: int
) -> np.ndarray:
    """The picture that the optimiser starts from.

    Noise is normal around the mean pixel; it is blended with a picture as neural-style does it
    (stylize.py, ``--initial-noiseblend``).

    Parameters
    ----------
    recipe : Recipe
    network : Network
        For its mean pixel.
    content : ndarray
        H×W×3, float32, RGB, 0..255.
    styles : list of ndarray
    seed : int

    Returns
    -------
    ndarray
        Of the content's shape, float32, 0..255.
    """
    noise = np.random.default_rng(seed).normal(scale=recipe.noise, size=content.shape)
    noise = network.mean_pixel + noise.astype(np.float32)
    if recipe.start == "noise":
        return noise
    given = {"content": content, "style": styles[0]}
    picture = given[recipe.start] if recipe.start in given else as_image(recipe.start)
    picture = resize(picture, *content.shape[:2], recipe.resampling)
    share = np.float32(recipe.noise_blend)
    return (1 - share) * picture + share * noise

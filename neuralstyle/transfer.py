"""The loop: pictures and a recipe in, a picture and its history out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuralstyle.colours import keep_colours, match_colours
from neuralstyle.files import InputError
from neuralstyle.history import Step
from neuralstyle.images import as_image, fit_height, fit_longer_side, fit_width, resize
from neuralstyle.loss import Masks, Pictures, WholeLoss, as_images, measure_targets, network_for
from neuralstyle.networks import Network, load_network
from neuralstyle.optimizers import minimize
from neuralstyle.recipes import Recipe, find_recipe

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
    interrupted : bool
        Whether Ctrl-C ended the run early.
    """

    image: np.ndarray
    history: list[Step]
    picture: np.ndarray
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

    Returns
    -------
    Result
        Ctrl-C ends the run early, with what there is so far.

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
    run = _Run(recipe, on_step, on_checkpoint)
    picture = None
    for stage in stages(recipe):
        if stage.iterations < 1:
            raise InputError(f"--iterations is {stage.iterations}; it must be 1 or more")
        fitted, fitted_styles = fit_pictures(stage, content, styles)
        if picture is None:
            picture = starting_picture(stage, network, fitted, fitted_styles, seed)
        else:
            picture = resize(picture, *fitted.shape[:2], "bicubic")
        if stage.match_colours:
            fitted_styles = [match_colours(style, fitted, stage.match_colours) for style in fitted_styles]
        targets = measure_targets(
            network,
            stage,
            fitted,
            fitted_styles,
            _fit_masks(masks, [fitted] * len(styles)),
            _fit_masks(style_masks, fitted_styles),
        )
        run.begin(stage, fitted, picture)
        with WholeLoss(network, stage, targets) as loss:
            try:
                last = minimize(
                    stage.optimizer,
                    _InUnits(loss, unit),
                    picture / unit,
                    stage.iterations,
                    run.report,
                    bounds,
                )
                interrupted = False
            except KeyboardInterrupt:
                last, interrupted = run.last, True
        picture = (last if run.best is None else run.best) * unit
        if interrupted:
            break
    picture = run.finished(picture)
    return Result(np.rint(picture).astype(np.uint8), run.history, picture, interrupted)


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

    def __init__(self, loss: WholeLoss, unit: np.float32) -> None:
        self._loss, self._unit = loss, unit

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        return self._loss.losses(picture * self._unit)

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        losses, gradient = self._loss.losses_and_gradient(picture * self._unit)
        return losses, gradient * self._unit


class _Run:
    """What is kept while the optimiser works: the history, the last picture, the best checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        on_step: Callable[[Step], None] | None,
        on_checkpoint: Callable[[Step], None] | None,
    ) -> None:
        self.history: list[Step] = []
        self._unit = np.float32(recipe.unit)
        self._on_step, self._on_checkpoint = on_step, on_checkpoint
        self._began = time.perf_counter()

    def begin(self, stage: Recipe, content: np.ndarray, picture: np.ndarray) -> None:
        """Start a stage: iterations go on counting, the best picture is looked for anew."""
        self._stage, self._content = stage, content
        self._first = self.history[-1].iteration if self.history else 0
        self.last = picture / self._unit
        self.best: np.ndarray | None = None
        self._best_total = np.inf

    def report(
        self, iteration: int, losses: dict[str, float], picture: np.ndarray, state: dict[str, np.ndarray]
    ) -> None:
        """Take note of a picture in the optimiser's range, and pass it on in pixel values."""
        step = Step(self._first + iteration, time.perf_counter() - self._began, **losses)
        self.history.append(step)
        self.last = picture
        every = self._stage.checkpoint_every
        checkpoint = bool(every) and iteration > 0 and iteration % every == 0
        if self._stage.keep_best and (checkpoint or iteration == self._stage.iterations):
            if step.total < self._best_total:
                self.best, self._best_total = picture.copy(), step.total
        if self._on_step is not None:
            self._on_step(replace(step, picture=picture * self._unit))
        if self._on_checkpoint is not None and checkpoint:
            self._on_checkpoint(replace(step, picture=self.finished(picture * self._unit)))

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
    fit = _FITS[recipe.content_fit]
    if recipe.content_size is not None:
        content = fit(content, recipe.content_size, method)
    height, width = content.shape[:2]
    scales = recipe.style_scales or (1.0,) * len(styles)
    if len(scales) != len(styles):
        raise InputError(f"--style-scales has {len(scales)} scales for {len(styles)} style pictures")

    def fit_style(style: np.ndarray, scale: float) -> np.ndarray:
        if recipe.style_fit == "stretch":
            return resize(style, round(scale * height), round(scale * width), method)
        if recipe.style_fit == "width":
            return fit_width(style, round(scale * width), method)
        size = recipe.content_size
        return style if size is None else fit(style, round(scale * size), method)

    styles = [fit_style(style, scale) for style, scale in zip(styles, scales, strict=True)]
    for what, picture in [("content", content), *(("style", style) for style in styles)]:
        if min(picture.shape[:2]) < 16:
            raise InputError(
                f"the {what} picture would be {picture.shape[1]}×{picture.shape[0]} pixels; "
                "it needs 16 in each direction"
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

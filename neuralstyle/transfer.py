"""The loop: pictures and a recipe in, a picture and its history out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.history import Step
from neuralstyle.images import as_image, fit_height, fit_longer_side, fit_width, resize
from neuralstyle.loss import Pictures, WholeLoss, as_images, measure_targets, network_for
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
    on_step: Callable[[Step], None] | None = None,
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
    on_step : callable, optional
        Called with each `Step`, its picture included.

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
    if recipe.iterations < 1:
        raise InputError(f"--iterations is {recipe.iterations}; it must be 1 or more")
    content, styles = fit_pictures(recipe, as_image(content), as_images(styles))
    network = network_for(recipe, network or load_network())
    unit = np.float32(recipe.unit)
    picture = starting_picture(recipe, network, content, styles, seed) / unit
    run = _Run(recipe, on_step, picture)
    with WholeLoss(network, recipe, measure_targets(network, recipe, content, styles)) as loss:
        try:
            picture = minimize(
                recipe.optimizer,
                _InUnits(loss, unit),
                picture,
                recipe.iterations,
                run.report,
                bounds=(0.0, 255.0 / recipe.unit) if recipe.clip else None,
            )
            interrupted = False
        except KeyboardInterrupt:
            picture, interrupted = run.last, True
    if run.best is not None:
        picture = run.best
    picture = np.clip(picture * unit, 0, 255)
    return Result(np.rint(picture).astype(np.uint8), run.history, picture, interrupted)


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

    def __init__(self, recipe: Recipe, on_step: Callable[[Step], None] | None, start: np.ndarray) -> None:
        self.history: list[Step] = []
        self.last = start
        self.best: np.ndarray | None = None
        self._best_total = np.inf
        self._recipe, self._on_step = recipe, on_step
        self._began = time.perf_counter()

    def report(
        self, iteration: int, losses: dict[str, float], picture: np.ndarray, state: dict[str, np.ndarray]
    ) -> None:
        step = Step(iteration, time.perf_counter() - self._began, **losses)
        self.history.append(step)
        self.last = picture
        every = self._recipe.checkpoint_every
        checkpoint = iteration == self._recipe.iterations or (every and iteration and iteration % every == 0)
        if self._recipe.keep_best and checkpoint and step.total < self._best_total:
            self.best, self._best_total = picture.copy(), step.total
        if self._on_step is not None:
            self._on_step(replace(step, picture=picture * np.float32(self._recipe.unit)))


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

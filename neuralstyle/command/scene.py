"""The pictures that a run is made from, read; and what is done to its result before it is written."""

from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralstyle.command.terminal import quiet_import
from neuralstyle.files import InputError
from neuralstyle.pictures.reading import Picture, read_mask, read_picture
from neuralstyle.pictures.regions import read_regions
from neuralstyle.pictures.sizes import resize
from neuralstyle.pictures.transparency import fitted_plane, laid_over, on_white, softened
from neuralstyle.pictures.writing import write_image
from neuralstyle.recipes import Recipe, check_styles, shares
from neuralstyle.runs.history import Step
from neuralstyle.runs.repeating import Inputs
from neuralstyle.runs.state import State
from neuralstyle.runs.watching import Beginning, Watcher

if TYPE_CHECKING:
    from neuralstyle.preparation import Scene


@dataclass(frozen=True, eq=False)
class Finish:
    """What becomes of a painted picture: the photograph around it, and how transparent it is.

    Attributes
    ----------
    content : Picture
    mask : ndarray or None
        H×W, 0..1: where the photograph is painted; None for everywhere.
    resampling : str
        How the photograph is brought to the painted picture's size.
    """

    content: Picture
    mask: np.ndarray | None
    resampling: str

    def picture(self, painted: np.ndarray) -> np.ndarray:
        """A painted picture of any size, H×W×3, with the photograph where it was not to be painted."""
        if self.mask is None:
            return painted
        photograph = resize(self.content.pixels, *painted.shape[:2], self.resampling)
        return laid_over(painted, photograph, softened(fitted_plane(self.mask, painted)))

    def shown(self, painted: np.ndarray) -> np.ndarray:
        """The same as a picture without transparency: laid on white."""
        picture, alpha = self.picture(painted), self._alpha(painted)
        return picture if alpha is None else on_white(np.clip(picture, 0, 255), alpha)

    def write(
        self, options: Namespace, path: Path, painted: np.ndarray, text: Mapping[str, str] | None = None
    ) -> None:
        """Write a painted picture as the options say; only a PNG carries the text."""
        write_image(
            path,
            self.picture(painted),
            bits=options.bits,
            quality=options.quality,
            text=text if path.suffix.lower() == ".png" else None,
            alpha=self._alpha(painted),
        )

    def _alpha(self, painted: np.ndarray) -> np.ndarray | None:
        return None if self.content.alpha is None else fitted_plane(self.content.alpha, painted)


class Finished(Watcher):
    """Shows another watcher the pictures on the way as they would be written.

    Parameters
    ----------
    watcher : Watcher
    finish : Finish
    """

    def __init__(self, watcher: Watcher, finish: Finish) -> None:
        self._watcher, self._finish = watcher, finish

    def begin(self, beginning: Beginning) -> None:
        """Pass it on."""
        self._watcher.begin(beginning)

    def state(self, state: State) -> None:
        """Pass it on."""
        self._watcher.state(state)

    def step(self, step: Step) -> None:
        """Pass it on, with the picture as the optimiser has it."""
        self._watcher.step(step)

    def snapshot(self, step: Step) -> None:
        """Pass it on with the finished picture."""
        self._watcher.snapshot(replace(step, picture=self._finish.shown(step.picture)))


@dataclass(frozen=True, eq=False)
class Given:
    """What a run is made from.

    Attributes
    ----------
    styles : list of Picture
    scene : Scene
        The same, each style once for every region that it is wanted in.
    recipe : Recipe
        With the weights of those styles.
    finish : Finish
    """

    styles: list[Picture]
    scene: "Scene"
    recipe: Recipe
    finish: Finish


@dataclass(frozen=True, eq=False)
class Shared:
    """What the content pictures of a folder have in common.

    Attributes
    ----------
    styles : list of Picture
    places : list
        Where each style is wanted.
    regions : bool
        Whether pictures of regions say so.
    mask : ndarray or None
        H×W, 0..1: where the photograph is painted.
    mask_path : pathlib.Path or None
    """

    styles: list[Picture]
    places: "list[_Place]"
    regions: bool
    mask: np.ndarray | None
    mask_path: Path | None


def read_shared(inputs: Inputs, recipe: Recipe, tell: Callable[[str], None]) -> Shared:
    """Read the pictures of a run, but for the content picture.

    Parameters
    ----------
    inputs : Inputs
    recipe : Recipe
        As it was asked for.
    tell : callable
        As in `neuralstyle.pictures.reading.read_picture`.

    Raises
    ------
    InputError
        If one of them cannot be used.
    """
    styles = [read_picture(path, tell) for path in inputs.styles]
    places = _regions(inputs, recipe) if inputs.regions else _whole_styles(inputs, recipe)
    mask = None if inputs.content_mask is None else read_content_mask(inputs.content_mask)
    return Shared(styles, places, bool(inputs.regions), mask, inputs.content_mask)


def given_for(content: Picture, shared: Shared, recipe: Recipe) -> Given:
    """What a run of one content picture is made from.

    Parameters
    ----------
    content : Picture
    shared : Shared
    recipe : Recipe
        As it was asked for.

    Raises
    ------
    InputError
        If its styles and masks do not go together.
    """
    styles, places, mask = shared.styles, shared.places, shared.mask
    if mask is not None:
        places = _within(mask, places, recipe, content.pixels, shared.mask_path)
    if shared.regions or mask is not None:
        recipe = _placed(recipe, places)
        check_styles(recipe, len(places), masked=shared.regions)
    with quiet_import():
        from neuralstyle.preparation import Scene, Style
    scene = Scene(
        content.pixels,
        tuple(Style(styles[place.style].pixels, place.mask, place.own_mask) for place in places),
    )
    return Given(styles, scene, recipe, Finish(content, mask, recipe.resampling))


def read_content_mask(path: str | Path) -> np.ndarray:
    """Read the mask that says where a photograph is painted, H×W, 0..1.

    Raises
    ------
    InputError
        If it cannot be read, or is black everywhere.
    """
    mask = read_mask(path)
    if not mask.any():
        raise InputError(f"{path}: is black everywhere; it needs white where the photograph is to be painted")
    return mask


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a style is wanted.

    Attributes
    ----------
    style : int
        Which of the style pictures.
    mask, own_mask : ndarray or None
        As in `neuralstyle.preparation.Style`.
    weight : float
        Its part of the style loss. All are 1 together where the whole picture is painted.
    """

    style: int
    mask: np.ndarray | None
    own_mask: np.ndarray | None
    weight: float


def _whole_styles(inputs: Inputs, recipe: Recipe) -> list[_Place]:
    """The style pictures with the masks that each was given."""
    masks, own_masks = (
        [None if path is None else read_mask(path) for path in paths]
        for paths in (inputs.masks, inputs.style_masks)
    )
    numbers = range(len(inputs.styles))
    return list(map(_Place, numbers, masks, own_masks, shares(recipe, len(inputs.styles))))


def _regions(inputs: Inputs, recipe: Recipe) -> list[_Place]:
    """A place for every region and style picture that has it, which counts as much as it is large."""
    found = read_regions(inputs.regions[0], inputs.regions[1:])
    own = shares(recipe, len(inputs.styles))
    together = defaultdict(float)
    for region in found:
        together[region.colour] += own[region.style]
    places = []
    for region in found:
        weight = own[region.style] * float(region.mask.mean())
        if weight:
            weight /= together[region.colour]
        places.append(_Place(region.style, region.mask, region.own_mask, weight))
    return places


def _within(
    mask: np.ndarray, places: Sequence[_Place], recipe: Recipe, content: np.ndarray, path: Path
) -> list[_Place]:
    """The places within a mask, each with the part of its weight that its area keeps.

    A style's loss compares it at one scale however small its mask is (`neuralstyle.loss.styles.style`); with
    the part of the weight every pixel is painted as strongly as without the mask.
    """
    if recipe.style_blending == "targets" and len(places) > 1:
        return list(places)  # one target of all styles, which goes with no mask
    mask, kept = fitted_plane(mask, content), []
    for place in places:
        own = np.ones_like(mask) if place.mask is None else fitted_plane(place.mask, content)
        both = own * mask
        if both.any():
            kept.append(replace(place, mask=both, weight=place.weight * float(both.mean() / own.mean())))
    if not kept:
        raise InputError(f"{path}: leaves nothing of the places where styles are wanted; make it larger")
    return kept


def _placed(recipe: Recipe, places: Sequence[_Place]) -> Recipe:
    """The recipe with the weights and scales of styles that may stand in several places."""
    weights = tuple(place.weight for place in places)
    total = sum(weights)
    return replace(
        recipe,
        style_blend=weights if total else (),
        style_weight=recipe.style_weight * total,
        style_scales=tuple(recipe.style_scales[place.style] for place in places if recipe.style_scales),
    )

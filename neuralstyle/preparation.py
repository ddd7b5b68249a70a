"""What a recipe makes of the pictures that it is given: their sizes, colours, masks, and where it starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from neuralstyle.files import InputError
from neuralstyle.graphs import Machine
from neuralstyle.networks import Network
from neuralstyle.networks.normalize import normalized_network
from neuralstyle.pictures.colours import luminance, match_colours, match_luminance
from neuralstyle.pictures.cut_outs import as_cut_out
from neuralstyle.pictures.reading import AnyPicture, as_image, as_mask
from neuralstyle.pictures.sizes import SMALLEST_SIDE, blocks_of_rows, fitted_size, resize
from neuralstyle.recipes import Recipe, check_styles, shares, stages
from neuralstyle.validity import RANDOM_STARTS


@dataclass(frozen=True)
class Style:
    """A style picture, and where it counts.

    Attributes
    ----------
    picture : ndarray or path
        H×W×3, RGB, 0..255.
    mask : ndarray, picture, path or None
        H×W, 0..1, or a picture that is white there, of any size: where in the result the style is wanted;
        None for everywhere.
    own_mask : ndarray, picture, path or None
        The same: which part of the style picture counts; None for all of it.
    """

    picture: AnyPicture
    mask: AnyPicture | None = None
    own_mask: AnyPicture | None = None


@dataclass(frozen=True)
class Scene:
    """The pictures that a result is made from.

    Attributes
    ----------
    content : ndarray
        H×W×3, float32, RGB, 0..255.
    styles : tuple of Style
        Each with a picture like `content`.
    alpha : ndarray or None
        H×W, 0..1: how transparent the content is, and the result will be.
    """

    content: np.ndarray
    styles: tuple[Style, ...]
    alpha: np.ndarray | None = None


def scene_of(content: AnyPicture, styles: AnyPicture | Style | Sequence[AnyPicture | Style]) -> Scene:
    """Read the pictures that are files, and check those that are arrays.

    Parameters
    ----------
    content : ndarray or path
    styles : ndarray, path or Style, or a sequence of them

    Raises
    ------
    InputError
        If a picture cannot be used, or there is no style picture.
    """
    if not isinstance(styles, list | tuple) and not (isinstance(styles, np.ndarray) and styles.ndim == 4):
        styles = [styles]
    if not len(styles):
        raise InputError("there is no style picture; give at least one")
    styles = [style if isinstance(style, Style) else Style(style) for style in styles]
    content, alpha = as_cut_out(content)
    styles = tuple(replace(style, picture=as_image(style.picture)) for style in styles)
    return Scene(content, styles, alpha)


def network_for(recipe: Recipe, network: Network, machine: Machine | None = None) -> Network:
    """The network as a recipe computes with it: how it pools and pads; normalised, mirrored or divided."""
    if recipe.normalized_network:
        network = normalized_network(network, machine=machine)
    if recipe.transpose_kernels:
        network = network.transposed()
    if recipe.activation_unit != 1:
        network = network.divided(recipe.activation_unit)
    return replace(network, pooling=recipe.pooling, padding=recipe.padding, border=recipe.border)


@dataclass(frozen=True)
class Prepared:
    """What a run at one size is made from.

    Attributes
    ----------
    scene : Scene
        The pictures as the network is to see them, with masks of their sizes.
    start : ndarray
        The picture to start from, H×W×3, float32, 0..255.
    colours : ndarray or None
        The content picture, where the result is to keep its colours.
    """

    scene: Scene
    start: np.ndarray
    colours: np.ndarray | None


def prepare(
    recipe: Recipe, network: Network, scene: Scene, seed: int, before: np.ndarray | None = None
) -> Prepared:
    """Give the pictures sizes and colours as a recipe asks for them, and find the picture to start from.

    Parameters
    ----------
    recipe : Recipe
        Of one size: one of `neuralstyle.recipes.stages`.
    network : Network
        For its mean pixel.
    scene : Scene
        The pictures as they were given.
    seed : int
        Of the noise.
    before : ndarray, optional
        The result of a coarser scale, 0..255, which then is the start.

    Raises
    ------
    InputError
        If a picture would come out under 16 pixels, a mask is black everywhere, or there are not as many
        style scales as styles.
    """
    fitted = fit_pictures(recipe, scene)
    if before is not None:
        start = resize(before, *fitted.content.shape[:2], "bicubic")
    else:
        start = starting_picture(recipe, network, fitted, seed)
        start = luminance(start) if recipe.match_colours == "luminance" else start
    seen = fit_masks(in_range(recipe, match_pictures(recipe, fitted)))
    return Prepared(seen, start, fitted.content if recipe.keep_colours else None)


def result_size(recipe: Recipe, height: int, width: int) -> tuple[int, int]:
    """The height and width of the picture that a recipe makes of a content picture of a size."""
    return content_size(stages(recipe)[-1], height, width)


def content_size(recipe: Recipe, height: int, width: int) -> tuple[int, int]:
    """The height and width that a recipe of one size gives a content picture."""
    return (height, width) if recipe.content_size is None else _fitted_size(recipe, height, width, 1.0)


def _fitted_size(recipe: Recipe, height: int, width: int, scale: float) -> tuple[int, int]:
    """The size of a picture whose side is to have the recipe's content size times a scale."""
    size = max(1, round(scale * recipe.content_size))
    return fitted_size(height, width, recipe.content_fit, size)


def fit_pictures(recipe: Recipe, scene: Scene) -> Scene:
    """Give the content and style pictures the sizes that a recipe of one size asks for.

    Parameters
    ----------
    recipe : Recipe
    scene : Scene

    Returns
    -------
    Scene
        With the same masks.

    Raises
    ------
    InputError
        If a picture would come out under 16 pixels, or there are not as many style scales as styles.
    """
    method = recipe.resampling
    height, width = content_size(recipe, *scene.content.shape[:2])
    content = resize(scene.content, height, width, method)
    masked = any(style.mask is not None for style in scene.styles)
    check_styles(recipe, len(scene.styles), masked)
    scales = recipe.style_scales or (1.0,) * len(scene.styles)
    pictures = [
        resize(style.picture, *_style_size(recipe, style.picture, scale, (height, width)), method)
        for style, scale in zip(scene.styles, scales, strict=True)
    ]
    for what, picture in [("content", content), *(("style", picture) for picture in pictures)]:
        if min(picture.shape[:2]) < SMALLEST_SIDE:
            raise InputError(
                f"the {what} picture would be {picture.shape[1]}×{picture.shape[0]} pixels; "
                f"it needs {SMALLEST_SIDE} in each direction"
            )
    styles = zip(scene.styles, pictures, strict=True)
    return Scene(content, tuple(replace(style, picture=picture) for style, picture in styles))


def _style_size(recipe: Recipe, style: np.ndarray, scale: float, content: tuple[int, int]) -> tuple[int, int]:
    """The height and width of a style picture, from its scale and the content picture's size."""
    height, width = style.shape[:2]

    def at_least_one(pixels: float) -> int:
        return max(1, round(pixels))  # what comes out too small is refused later

    if recipe.style_fit == "stretch":
        return at_least_one(scale * content[0]), at_least_one(scale * content[1])
    if recipe.style_fit == "longer-side":
        longest = at_least_one(scale * max(content))
        return (
            (height, width)
            if max(height, width) <= longest
            else fitted_size(height, width, "longer side", longest)
        )
    if recipe.style_fit == "width":
        return fitted_size(height, width, "width", at_least_one(scale * content[1]))
    if recipe.style_fit == "area":  # artistic_video_core.lua, getStyleImages
        factor = scale * (content[0] * content[1] / (height * width)) ** 0.5
        return at_least_one(factor * height), at_least_one(factor * width)
    if recipe.content_size is None:  # by itself, and as it is
        return fitted_size(height, width, "width", at_least_one(scale * width))
    return _fitted_size(recipe, height, width, scale)


def match_pictures(recipe: Recipe, scene: Scene) -> Scene:
    """The pictures with the colours that a recipe gives them before the transfer.

    Returns
    -------
    Scene
        The content grey where the transfer is on luminance alone, and otherwise as it is; the styles with
        the content's colours, or its luminance.
    """
    content, method = scene.content, recipe.match_colours
    if not method:
        return scene
    if method == "luminance":
        grey = (replace(style, picture=match_luminance(style.picture, content)) for style in scene.styles)
        return Scene(luminance(content), tuple(grey))
    matched = (
        replace(style, picture=match_colours(style.picture, content, method)) for style in scene.styles
    )
    return Scene(content, tuple(matched))


def in_range(recipe: Recipe, scene: Scene) -> Scene:
    """The style pictures in the range of values in which a recipe shows them to the network."""
    if recipe.style_range == 255:
        return scene
    factor = np.float32(recipe.style_range / 255)
    styles = (replace(style, picture=style.picture * factor) for style in scene.styles)
    return replace(scene, styles=tuple(styles))


def fit_masks(scene: Scene) -> Scene:
    """Give each mask the size of the picture that it is for.

    Raises
    ------
    InputError
        If a mask is black everywhere.
    """
    styles = (
        replace(
            style,
            mask=_fit_mask(style.mask, scene.content),
            own_mask=_fit_mask(style.own_mask, style.picture),
        )
        for style in scene.styles
    )
    return replace(scene, styles=tuple(styles))


def _fit_mask(mask: AnyPicture | None, picture: np.ndarray) -> np.ndarray | None:
    if mask is None:
        return None
    mask = as_mask(mask)
    if not mask.any():
        raise InputError("a mask is black everywhere; it needs white where the style is wanted")
    return resize(mask[..., np.newaxis], *picture.shape[:2])[..., 0]


def starting_picture(recipe: Recipe, network: Network, scene: Scene, seed: int) -> np.ndarray:
    """The picture that the optimiser starts from.

    "noise" is normal around the mean pixel; it is blended with a picture as neural-style does it
    (stylize.py, ``--initial-noiseblend``). The other random starts are those of `random_picture`.

    Parameters
    ----------
    recipe : Recipe
    network : Network
        For its mean pixel.
    scene : Scene
        Fitted to the recipe's sizes.
    seed : int

    Returns
    -------
    ndarray
        Of the content's shape, float32, 0..255.
    """
    shape = scene.content.shape

    def noise() -> np.ndarray:
        generator, picture = np.random.default_rng(seed), np.empty(shape, np.float32)
        for rows in blocks_of_rows(picture):  # the numbers are drawn one after the other in any case
            values = generator.normal(scale=recipe.noise, size=picture[rows].shape)
            picture[rows] = network.mean_pixel + values.astype(np.float32)
        return picture

    if recipe.start == "noise":
        return noise()
    if recipe.start in RANDOM_STARTS:
        return random_picture(recipe, scene, seed)
    given = {"content": scene.content, "style": scene.styles[0].picture}
    picture = given[recipe.start] if recipe.start in given else as_image(recipe.start)
    picture = resize(picture, *shape[:2], recipe.resampling)
    share = np.float32(recipe.noise_blend)
    return (1 - share) * picture + share * noise() if share else picture


def random_picture(recipe: Recipe, scene: Scene, seed: int) -> np.ndarray:
    """A start that is drawn at random, as style-transfer-pytorch does it (style_transfer.py, stylize).

    - "grey": uniform in the one pixel value from the middle of the range, 127.5, on
    - "uniform": over all values
    - "truncated-normal": with the mean in the middle and a quarter of the range as its standard deviation,
      within the range
    - "style-statistics": the same with each channel's mean and variance in the styles, by their shares

    Parameters
    ----------
    recipe : Recipe
        Its start is one of these.
    scene : Scene
        Fitted to the recipe's sizes.
    seed : int

    Returns
    -------
    ndarray
        Of the content's shape, float32, 0..255.
    """
    uniform = np.random.default_rng(seed).uniform(size=scene.content.shape)
    if recipe.start == "grey":
        return np.float32(127.5 + uniform)
    if recipe.start == "uniform":
        return np.float32(255 * uniform)
    mean, deviation = np.full(3, 127.5), np.full(3, 255 / 4)
    if recipe.start == "style-statistics":
        pictures = [style.picture.astype(np.float64) for style in scene.styles]
        weights = shares(recipe, len(pictures))
        mean = sum(share * picture.mean((0, 1)) for share, picture in zip(weights, pictures, strict=True))
        variance = sum(share * picture.var((0, 1)) for share, picture in zip(weights, pictures, strict=True))
        deviation = np.sqrt(np.maximum(variance, 1e-6))
    # The inverse of the normal distribution, of a share of what of it lies in the range.
    below, above = ndtr((0 - mean) / deviation), ndtr((255 - mean) / deviation)
    values = mean + deviation * ndtri(below + (above - below) * uniform)
    return np.clip(values, 0, 255).astype(np.float32)

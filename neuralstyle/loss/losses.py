"""The loss of a picture and its gradient, for a recipe: the objective on the picture's own graph."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, held, new_graph, open_session
from neuralstyle.loss.memory import choose_tile
from neuralstyle.loss.objectives import Piece, layers_in_use, objective
from neuralstyle.loss.targets import Targets, measure
from neuralstyle.loss.tiles import TileInput, cut
from neuralstyle.networks import Network, load_network, vgg
from neuralstyle.networks.normalize import normalized_network
from neuralstyle.pictures.reading import as_image
from neuralstyle.recipes import Recipe, find_recipe

Pictures = np.ndarray | str | Path | Sequence[np.ndarray | str | Path]
Masks = Sequence[np.ndarray | None] | None


def measure_targets(
    network: Network,
    recipe: Recipe,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    masks: Masks = None,
    style_masks: Masks = None,
    tile: int | None = None,
    style_tiles: Sequence[int | None] | None = None,
    machine: Machine | None = None,
) -> Targets:
    """What a picture is measured against under a recipe; see `neuralstyle.loss.targets.measure`.

    Parameters
    ----------
    network : Network
        As `network_for` gives it.
    recipe : Recipe
    content : ndarray
        H×W×3, float32, RGB, 0..255.
    styles : sequence of ndarray
        Of any size.
    masks, style_masks, tile, style_tiles, machine
        As in `neuralstyle.loss.targets.measure`; the masks are those of the generated and the style pictures.
    """
    return measure(
        network,
        content,
        [picture * np.float32(recipe.style_range / 255) for picture in styles],
        *layers_in_use(recipe),
        recipe.pooling,
        recipe.padding,
        masks,
        style_masks,
        tile,
        style_tiles,
        machine,
    )


def network_for(recipe: Recipe, network: Network) -> Network:
    """The network as a recipe computes with it: normalised, or mirrored, where the recipe says so."""
    if recipe.normalized_network:
        network = normalized_network(network)
    return network.transposed() if recipe.transpose_kernels else network


class WholeLoss:
    """The loss of a whole picture, on one graph, with a session that stays open.

    A context manager: the session closes with the block.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    targets : Targets
    machine : neuralstyle.graphs.Machine, optional

    Attributes
    ----------
    graph : tf.Graph
    tile : None
        A whole picture has no tiles.
    """

    tile = None

    def __init__(
        self, network: Network, recipe: Recipe, targets: Targets, machine: Machine | None = None
    ) -> None:
        with new_graph(machine) as self.graph:
            self._picture = tf.compat.v1.placeholder(
                tf.float32, (targets.height, targets.width, 3), name="picture"
            )
            with tf.name_scope("network"):
                pictures = self._picture[tf.newaxis]
                features = vgg.build(network, pictures, targets.sizes, recipe.pooling, recipe.padding)
            piece = Piece(
                pixels=self._picture,
                height=targets.height,
                width=targets.width,
                features=features,
                content={
                    layer: held(values[np.newaxis], f"content_{layer}")
                    for layer, values in targets.content.items()
                },
                masks=[
                    style.masks
                    and {layer: tf.constant(mask[None, :, :, None]) for layer, mask in style.masks.items()}
                    for style in targets.styles
                ],
            )
            wanted = objective(recipe, len(targets.styles))
            with tf.name_scope("statistics"):
                sums = wanted.statistics(piece)
            with tf.name_scope("losses"):
                self._losses = wanted.losses(sums, targets)
            (self._gradient,) = tf.gradients(self._losses["total"], [self._picture])
        self._session = open_session(self.graph, machine)

    def __enter__(self) -> "WholeLoss":
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """The losses of a picture, H×W×3, float32, RGB, 0..255; no gradient is computed."""
        return _floats(self._session.run(self._losses, {self._picture: picture}))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The losses of a picture and the derivative of the total with respect to its pixel values.

        Both come from one run of the graph.
        """
        losses, gradient = self._session.run([self._losses, self._gradient], {self._picture: picture})
        return _floats(losses), gradient


class TiledLoss:
    """The loss of a picture computed tile by tile, with the gradient that `WholeLoss` has.

    The memory it takes is that of one tile, whatever the size of the picture; `neuralstyle.loss.tiles` has
    the derivation. A context manager: the session closes with the block.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    targets : Targets
    tile : int
        The longest side of a tile, in pixels, without its halo.
    machine : neuralstyle.graphs.Machine, optional

    Raises
    ------
    InputError
        If the tile's size is not positive, or the recipe asks for something that is no function of sums
        over positions: normalised gradients.

    Attributes
    ----------
    graph : tf.Graph
    tile : int
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        targets: Targets,
        tile: int,
        machine: Machine | None = None,
    ) -> None:
        if recipe.normalize_gradients:
            raise InputError(
                "--normalize-gradients does not go with tiles, since the norm of a layer's gradient is no "
                "sum over positions that one pass could give; use --tile none"
            )
        self.tile = tile
        wanted = objective(recipe, len(targets.styles))
        self._tiles = cut(network, targets.height, targets.width, targets.sizes, recipe.padding, tile)
        with new_graph(machine) as self.graph:
            with tf.name_scope("network"):
                self._input = TileInput(network, targets.sizes, recipe.pooling, recipe.padding)
            pixels = self._input.pixels
            piece = Piece(
                # A slice that would go beyond the picture's border ends there.
                pixels=self._input.region[pixels[0] : pixels[1] + 1, pixels[2] : pixels[3] + 1],
                height=pixels[1] - pixels[0],
                width=pixels[3] - pixels[2],
                features=self._input.features,
                content=self._input.owned(targets.content),
                masks=[
                    style.masks
                    and self._input.owned(
                        {layer: mask[:, :, np.newaxis] for layer, mask in style.masks.items()}
                    )
                    for style in targets.styles
                ],
            )
            with tf.name_scope("statistics"):
                self._statistics = wanted.statistics(piece)
            self._sums = {
                name: tf.compat.v1.placeholder(tf.float32, statistic.shape)
                for name, statistic in self._statistics.items()
            }
            with tf.name_scope("losses"):
                self._losses = wanted.losses(self._sums, targets)
            self._slopes = tf.gradients(self._losses["total"], list(self._sums.values()))
            self._given_slopes = [tf.compat.v1.placeholder(tf.float32, slope.shape) for slope in self._slopes]
            (self._region_gradient,) = tf.gradients(
                list(self._statistics.values()), [self._input.region], grad_ys=self._given_slopes
            )
        self._session = open_session(self.graph, machine)

    def __enter__(self) -> "TiledLoss":
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def _add_up(self, picture: np.ndarray) -> dict[tf.Tensor, np.ndarray]:
        """The first pass: the sums of the whole picture, for the placeholders that take them."""
        sums = {name: np.zeros(given.shape, np.float64) for name, given in self._sums.items()}
        for tile in self._tiles:
            found = self._session.run(self._statistics, self._input.feed(picture, tile))
            for name, value in found.items():
                sums[name] += value
        return {self._sums[name]: value for name, value in sums.items()}

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """The losses of a picture, H×W×3, float32, RGB, 0..255; only the first pass is made."""
        return _floats(self._session.run(self._losses, self._add_up(picture)))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The losses of a picture and the derivative of the total with respect to its pixel values."""
        losses, slopes = self._session.run([self._losses, self._slopes], self._add_up(picture))
        slopes = dict(zip(self._given_slopes, slopes, strict=True))
        gradient = np.zeros_like(picture)
        for tile in self._tiles:
            feed = self._input.feed(picture, tile) | slopes
            gradient[tile.region.slices] += self._session.run(self._region_gradient, feed)
        return _floats(losses), gradient


def _floats(losses: dict[str, np.float32]) -> dict[str, float]:
    return {name: float(value) for name, value in losses.items()}


def open_loss(
    network: Network,
    recipe: Recipe,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    masks: Masks = None,
    style_masks: Masks = None,
    tile: int | str | None = None,
    machine: Machine | None = None,
) -> WholeLoss | TiledLoss:
    """Measure the targets of a recipe, and open the loss of a picture of the content picture's size.

    Parameters
    ----------
    network : Network
        As `network_for` gives it.
    recipe : Recipe
    content : ndarray
        H×W×3, float32, RGB, 0..255.
    styles : sequence of ndarray
        Of any size.
    masks, style_masks : sequence of (ndarray or None), optional
        As in `neuralstyle.loss.targets.measure`.
    tile : int, "auto" or None
        The longest side of a tile in pixels; None takes pictures whole; "auto" takes them whole where
        they fit into the memory that is free, and in tiles otherwise (`neuralstyle.loss.memory.choose_tile`).
    machine : neuralstyle.graphs.Machine, optional

    Returns
    -------
    WholeLoss or TiledLoss
        A context manager.

    Raises
    ------
    InputError
        If the recipe names a layer or formula that does not exist, or does not go with tiles.
    """
    size, *style_sizes = (
        choose_tile(network, recipe, *picture.shape[:2], tile) for picture in (content, *styles)
    )
    targets = measure_targets(
        network, recipe, content, styles, masks, style_masks, size, style_sizes, machine
    )
    if size is None:
        return WholeLoss(network, recipe, targets, machine)
    return TiledLoss(network, recipe, targets, size, machine)


def loss_and_gradient(
    image: np.ndarray | str | Path,
    content: np.ndarray | str | Path,
    styles: Pictures,
    recipe: Recipe | str,
    network: Network | None = None,
    *,
    tile: int | str | None = None,
) -> tuple[dict[str, float], np.ndarray]:
    """The losses of a picture under a recipe, and the gradient of their total.

    Nothing is resized.

    Parameters
    ----------
    image : ndarray or path
        The generated picture, H×W×3, uint8 or float32, RGB, 0..255.
    content : ndarray or path
        The content picture, of the same size.
    styles : ndarray or path, or a sequence of them
        Style pictures, of any size.
    recipe : Recipe or str
    network : Network, optional
        Default: `neuralstyle.load_network`'s.
    tile : int, "auto" or None
        The longest side of a tile in pixels; None takes pictures whole; "auto" takes them whole where
        they fit into the memory that is free, and in tiles otherwise. The result is the same.

    Returns
    -------
    losses : dict of str to float
        "total", "content", "style" and "tv", weights included.
    gradient : ndarray
        H×W×3, float32: the derivative of the total with respect to the pixel values 0..255, whatever
        range the recipe works in.

    Raises
    ------
    InputError
        If a picture cannot be used, the recipe names a layer or formula that does not exist, or it does
        not go with tiles.
    """
    recipe = find_recipe(recipe).in_force()
    image, content, styles = as_image(image), as_image(content), as_images(styles)
    if image.shape != content.shape:
        raise InputError(
            f"the picture is {image.shape[1]}×{image.shape[0]} pixels and the content picture "
            f"{content.shape[1]}×{content.shape[0]}; they must have one size"
        )
    network = network_for(recipe, network or load_network())
    with open_loss(network, recipe, content, styles, tile=tile) as loss:
        return loss.losses_and_gradient(image)


def as_images(pictures: Pictures) -> list[np.ndarray]:
    """One picture or several, as a list of arrays H×W×3, float32, RGB, 0..255."""
    if isinstance(pictures, str | Path) or (isinstance(pictures, np.ndarray) and pictures.ndim == 3):
        pictures = [pictures]
    return [as_image(picture) for picture in pictures]

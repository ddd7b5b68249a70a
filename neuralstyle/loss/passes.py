"""The two passes of a tile, and the scalar between them: what tiles are computed with, wherever they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from neuralstyle.graphs import Machine, derivatives, new_graph, open_session
from neuralstyle.loss.objectives import Objective, Piece
from neuralstyle.loss.targets import Targets
from neuralstyle.loss.tiles import Own, Tile, TileInput
from neuralstyle.networks import Network
from neuralstyle.networks.convolutions import SMALL

#: Layer to height, width and channels.
Sizes = Mapping[str, tuple[int, int, int]]


class TilePasses:
    """Both passes of any tile, on one graph, with a session that stays open until it is closed.

    Parameters
    ----------
    network : Network
    objective : Objective
    sizes : mapping of str to (int, int, int)
        Of the layers in use.
    masked : sequence of bool
        For each style, whether it has a mask.
    machine : Machine
        With a number as its tile.

    Attributes
    ----------
    graph : tf.Graph
    """

    def __init__(
        self, network: Network, objective: Objective, sizes: Sizes, masked: Sequence[bool], machine: Machine
    ) -> None:
        with new_graph(machine) as self.graph:
            with tf.name_scope("network"):
                self._input = TileInput(network, sizes, plain=machine.tile**2 <= SMALL)
            given = self._input
            self._piece = _piece(objective, sizes, masked, given.region, given.pixels, given.features)
            with tf.name_scope("statistics"):
                self._statistics = objective.statistics(self._piece)
            self._slopes = [
                tf.compat.v1.placeholder(tf.float32, statistic.shape)
                for statistic in self._statistics.values()
            ]
            (self._gradient,) = derivatives(
                list(self._statistics.values()), [self._input.region], grad_ys=self._slopes
            )
        self._session = open_session(self.graph, machine)

    def features(self, tile: Tile, region: np.ndarray) -> dict[str, np.ndarray]:
        """The activations at the tile's positions of the layers that are compared with the content's."""
        wanted = {layer: self._input.features[layer] for layer in self._piece.content}
        found = self._session.run(wanted, self._input.feed(region, tile)) if wanted else {}
        return {layer: values[0] for layer, values in found.items()}

    def sums(self, tile: Tile, region: np.ndarray, own: Own) -> dict[str, np.ndarray]:
        """The first pass: the sums over the tile's positions.

        Parameters
        ----------
        tile : Tile
        region : ndarray
            The pixels of its region, H×W×3, float32, RGB, 0..255.
        own : Own
        """
        return self._session.run(self._statistics, self._feed(tile, region, own))

    def gradient(self, tile: Tile, region: np.ndarray, own: Own, slopes: Sequence[np.ndarray]) -> np.ndarray:
        """The second pass: the tile's part of the gradient, H×W×3 for its region.

        Parameters
        ----------
        tile, region, own
            As in `sums`.
        slopes : sequence of ndarray
            The derivative of the total with respect to each sum.
        """
        feed = self._feed(tile, region, own) | dict(zip(self._slopes, slopes, strict=True))
        return self._session.run(self._gradient, feed)

    def _feed(self, tile: Tile, region: np.ndarray, own: Own) -> dict[tf.Tensor, object]:
        piece = self._piece
        feed = self._input.feed(region, tile)
        feed |= {piece.content[layer]: values[np.newaxis] for layer, values in own.content.items()}
        for given, masks in zip(piece.masks, own.masks, strict=True):
            feed |= {given[layer]: mask[np.newaxis, ..., np.newaxis] for layer, mask in (masks or {}).items()}
        return feed | {piece.beside[name]: array for name, array in own.beside.items()}

    def close(self) -> None:
        """Give the session's memory back."""
        self._session.close()


def _piece(
    objective: Objective,
    sizes: Sizes,
    masked: Sequence[bool],
    region: tf.Tensor,
    pixels: tf.Tensor,
    features: Mapping[str, tf.Tensor],
) -> Piece:
    """A tile as the terms of an objective see it; pixels and features are those of `TileInput`."""
    return Piece(
        # A slice that would go beyond the picture's border ends there.
        pixels=region[pixels[0] : pixels[1] + 1, pixels[2] : pixels[3] + 1],
        height=pixels[1] - pixels[0],
        width=pixels[3] - pixels[2],
        features=features,
        content={layer: _owned(sizes[layer][2]) for layer in objective.content_layers},
        masks=[
            {layer: _owned(1) for layer in objective.style_layers} if has_mask else None
            for has_mask in masked
        ],
        beside={
            name: tf.compat.v1.placeholder(tf.float32, (None, None, channels))
            for name, channels in objective.beside.items()
        },
        at_top=tf.equal(pixels[0], 0),  # there is a halo everywhere else
        at_left=tf.equal(pixels[2], 0),
    )


def _owned(channels: int) -> tf.Tensor:
    return tf.compat.v1.placeholder(tf.float32, (1, None, None, channels))


def shapes_of_sums(objective: Objective, sizes: Sizes, masked: Sequence[bool]) -> dict[str, tuple[int, ...]]:
    """The sums of an objective by name, and their shapes; no network is built for that.

    Parameters are those of `TilePasses`.
    """
    with tf.Graph().as_default():
        region = tf.compat.v1.placeholder(tf.float32, (None, None, 3))
        pixels = tf.compat.v1.placeholder(tf.int32, (4,))
        features = {layer: _owned(size[2]) for layer, size in sizes.items()}
        sums = objective.statistics(_piece(objective, sizes, masked, region, pixels, features))
        return {name: tuple(value.shape) for name, value in sums.items()}


class ValueOfSums:
    """The losses from the sums of the whole picture, and the slopes that the second pass begins with.

    Parameters
    ----------
    objective : Objective
    targets : Targets
    shapes : mapping of str to tuple of int
        The sums by name, and their shapes, as `shapes_of_sums` gives them.
    machine : Machine

    Attributes
    ----------
    graph : tf.Graph
    """

    def __init__(
        self, objective: Objective, targets: Targets, shapes: Mapping[str, tuple[int, ...]], machine: Machine
    ) -> None:
        self._shapes = shapes
        with new_graph(machine) as self.graph:
            self._sums = {name: tf.compat.v1.placeholder(tf.float32, shape) for name, shape in shapes.items()}
            with tf.name_scope("losses"):
                self._losses = objective.losses(self._sums, targets)
            self._slopes = derivatives(self._losses["total"], list(self._sums.values()))
        self._session = open_session(self.graph, machine)

    def zeros(self) -> dict[str, np.ndarray]:
        """Sums of nothing, float64, to which those of each tile are added."""
        return {name: np.zeros(shape, np.float64) for name, shape in self._shapes.items()}

    def losses(self, sums: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The losses: "total", and the objective's terms."""
        return as_floats(self._session.run(self._losses, self._feed(sums)))

    def losses_and_slopes(self, sums: Mapping[str, np.ndarray]) -> tuple[dict[str, float], list[np.ndarray]]:
        """The same, and the derivative of the total with respect to each sum."""
        losses, slopes = self._session.run([self._losses, self._slopes], self._feed(sums))
        return as_floats(losses), slopes

    def _feed(self, sums: Mapping[str, np.ndarray]) -> dict[tf.Tensor, np.ndarray]:
        return {self._sums[name]: value for name, value in sums.items()}

    def close(self) -> None:
        """Give the session's memory back."""
        self._session.close()


def nothing_beside(objective: Objective, height: int, width: int) -> dict[str, np.ndarray]:
    """What an objective compares pixels with, as long as nothing is given: zeros that take no memory."""
    zero = np.float32(0)
    return {
        name: np.broadcast_to(zero, (height, width, channels)) for name, channels in objective.beside.items()
    }


def as_floats(losses: dict[str, np.float32]) -> dict[str, float]:
    """Losses as TensorFlow gives them, as Python's numbers."""
    return {name: float(value) for name, value in losses.items()}

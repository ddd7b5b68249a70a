"""A feed-forward network computed in tiles: pictures larger than memory, the same result to rounding.

Instance normalisation needs each channel's mean and variance over the whole picture. Both follow from two
sums over positions, Σx and Σx², and sums of tiles add up. So there is one pass over all tiles for each
normalisation of the network, which takes the sums of that layer and knows the means and variances of those
before it; a last pass renders. A tile is computed with a halo as wide as the network looks, clipped at the
picture's border, where the network pads as it does for a whole picture.

That is about half as many times the arithmetic as the network has normalisations, 8 times for a transform
network, for the memory of one tile.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.rendering import picture_placeholder
from neuralstyle.feedforward.sizing import HALO
from neuralstyle.graphs import Machine, new_graph, open_session

#: As `layers.instance_norm`.
Normalize = Callable[..., tf.Tensor]


@dataclass
class _Normalizations:
    """The normalisations of a network that is built on a tile, in order.

    Attributes
    ----------
    pixels : tf.Tensor
        1×h×w×3: the tile with its halo.
    own : tf.Tensor
        The tile's own top, bottom, left and right within it, int32.
    moments : list of (tf.Tensor, tf.Tensor)
        Placeholders for the mean and the variance of each normalisation, C each.
    sums : list of (tf.Tensor, tf.Tensor)
        Σx and Σx² over the tile's own positions, 2×C, and how many positions those are.
    """

    pixels: tf.Tensor
    own: tf.Tensor
    moments: list[tuple[tf.Tensor, tf.Tensor]] = field(default_factory=list)
    sums: list[tuple[tf.Tensor, tf.Tensor]] = field(default_factory=list)

    def normalize(
        self, x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, epsilon: float, reduced: bool = False
    ) -> tf.Tensor:
        """Normalise by moments that are fed; takes the place of `layers.instance_norm`."""
        own = self.cut(x)
        sums = tf.stack([tf.reduce_sum(value, [0, 1, 2]) for value in (own, tf.square(own))])
        self.sums.append((sums, tf.reduce_prod(tf.shape(own)[1:3])))
        mean, variance = (tf.compat.v1.placeholder(tf.float32, x.shape[3:]) for _ in range(2))
        self.moments.append((mean, variance))
        return tf.nn.batch_normalization(x, mean, variance, shift, scale, epsilon)

    def cut(self, x: tf.Tensor) -> tf.Tensor:
        """The tile's own positions of a layer."""
        stride = tf.shape(self.pixels)[1] // tf.shape(x)[1]
        top, bottom, left, right = tf.unstack(self.own // stride)
        return x[:, top:bottom, left:right]


@contextmanager
def open_tiled(
    build: Callable[..., tf.Tensor], machine: Machine, inputs: Sequence[int] = ()
) -> Iterator[Callable[..., np.ndarray]]:
    """Open a network that renders pictures in tiles.

    Parameters
    ----------
    build : callable
        Builds the network in the default graph, from pixels 1×H×W×3, 0..255, what normalises in it, and
        further inputs. The result has the size of the pixels.
    machine : Machine
        Its tile is the side of a tile in pixels, without its halo, rounded up to a multiple of 16.
    inputs : sequence of int
        How many numbers each further input has, 1×N.

    Yields
    ------
    callable
        From a picture, float32 H×W×3, sides multiples of 4, and an array N for each further input, to a
        picture of the same size.
    """
    tile = machine.tile + -machine.tile % 16
    with new_graph(machine) as graph:
        pixels, own = picture_placeholder(), tf.compat.v1.placeholder(tf.int32, (4,))
        layers = _Normalizations(pixels, own)
        further = [tf.compat.v1.placeholder(tf.float32, (1, count)) for count in inputs]
        result = layers.cut(build(pixels, layers.normalize, *further))
    with closing(open_session(graph, machine)) as session:

        def render(picture: np.ndarray, *values: np.ndarray) -> np.ndarray:
            known = {given: value[np.newaxis] for given, value in zip(further, values, strict=True)}
            for sums, (mean, variance) in zip(layers.sums, layers.moments, strict=True):
                total, positions = np.zeros(sums[0].shape, np.float64), 0
                for _, region, box in _tiles(picture, tile):
                    part, count = session.run(sums, {**known, pixels: region, own: box})
                    total, positions = total + part, positions + int(count)
                average, square = total / positions
                known[mean], known[variance] = average, np.maximum(square - average**2, 0)
            rendered = np.empty_like(picture)
            for place, region, box in _tiles(picture, tile):
                rendered[place] = session.run(result, {**known, pixels: region, own: box})[0]
            return rendered

        yield render


def _tiles(picture: np.ndarray, tile: int) -> Iterator[tuple[tuple[slice, slice], np.ndarray, list[int]]]:
    """The tiles of a picture: where each lies, its pixels with the halo, and its own box in those."""
    height, width = picture.shape[:2]
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            above, before = max(0, top - HALO), max(0, left - HALO)
            region = picture[above : min(bottom + HALO, height), before : min(right + HALO, width)]
            box = [top - above, bottom - above, left - before, right - before]
            yield (slice(top, bottom), slice(left, right)), region[np.newaxis], box

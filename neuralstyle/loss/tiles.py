"""Pictures larger than memory: how a picture is cut into tiles whose gradients add up to its own.

**Two passes.** The loss of a picture x is L(s), where s are sums over positions, a few hundred thousand
numbers whatever the size of the picture (`neuralstyle.loss.objectives`). Let every position belong to one
tile k, and let s_k be the sums over the positions of tile k. Then s = Σ s_k, and by the chain rule

    dL/dx = Σ_k (dL/ds) · (ds_k/dx)

So: a first pass runs forward through each tile and adds up s; the loss and d = dL/ds follow from s
alone; a second pass runs forward through each tile again and backward from d, and adds what it finds to
the gradient of the picture. No tile needs another tile's activations, and nothing is approximated.

**Which pixels a tile needs.** A layer behind n pooling layers has the stride S = 2ⁿ: its position i
stands on the pixels iS … (i+1)S − 1, its cell. A 2×2 pooling window joins two cells to one, and looks
no further. A 3×3 convolution looks one cell further to each side, S pixels. A position of a layer
therefore depends on the pixels of its cell and on those at most

    R = Σ S · (kernel size − 1)/2    over the convolutions up to that layer

pixels away. For relu5_1 of a VGG-19: 2·1 + 2·2 + 4·4 + 4·8 + 1·16 = 70.

A tile is a rectangle of pixels whose corners are multiples of the deepest stride D in use, or the end of
the picture. It owns those positions of each layer whose cells begin in it, so that every position is
owned once. The network runs on the tile's *region*: the tile and a halo of R or more on each side, such that
the region begins on a multiple of 4·D and ends on a multiple of D, clipped at the picture's border. There,
every position that the tile owns has the value that it has in the whole picture:

- The region begins on a multiple of D, so its pooling windows are the picture's, and its positions have
  the picture's indices less (begin / S). In every layer those begin on a multiple of 4, so that Winograd's
  tiles of 4×4 positions (`neuralstyle.networks.winograd`) are the picture's, and rounded as they are.
- Where the region ends inside the picture, the network pads with zeros instead of going on. In a layer
  of reach R this spoils no cell that is R or more pixels from that edge: by induction, a convolution
  there needs cells of the layer before that are R − S, which is the reach of that layer, from the edge;
  a pooling window needs cells inside its own. An owned cell is at least the halo away, and R ≤ halo.
  (Nor does it matter that a network whose border is replicated repeats the region's last pixels there.)
- Where the region ends with the picture, it pads as the whole picture does. An odd last row is padded
  (SAME) or dropped (VALID) as in the whole picture, because (H − begin)/2 rounds as H/2 does when begin
  is even. A cell that VALID pooling drops is no position, and nobody owns it.

Total variation counts a pair of pixels for the upper or left one; its other pixel is in the halo, which
is never less than one pixel.

**What it costs.** Two passes forward and one backward where the whole picture takes one and one: 3/2,
times the area of regions over that of tiles, (1 + 2·80/1024)² = 1.34 for relu5_1 and tiles of 1024.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field

import numpy as np
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.graphs import custom_gradient
from neuralstyle.networks import Network, vgg, winograd


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture or of a layer: rows top … bottom − 1 and columns left … right − 1."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index of the box in an array H×W×…."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, outer: "Box", stride: int = 1) -> "Box":
        """The same box in the coordinates of a box of pixels around it, at a layer's stride."""
        top, left = outer.top // stride, outer.left // stride
        return Box(self.top - top, self.bottom - top, self.left - left, self.right - left)


@dataclass(frozen=True)
class Tile:
    """One tile of a picture.

    Attributes
    ----------
    pixels : Box
        The pixels that it owns.
    region : Box
        The pixels that the network runs on.
    owned : mapping of str to Box
        Layer to the positions that it owns, in the picture's coordinates.
    owned_in_region : mapping of str to Box
        The same in the region's.
    """

    pixels: Box
    region: Box
    owned: Mapping[str, Box]
    owned_in_region: Mapping[str, Box]


@dataclass(frozen=True)
class Own:
    """What of a picture's targets belongs to one tile.

    Attributes
    ----------
    content : mapping of str to ndarray
        Layer to the content picture's activations, float32 h×w×C.
    masks : sequence of (mapping of str to ndarray, or None)
        For each style, layer to its mask, float32 h×w; None for everywhere.
    beside : mapping of str to ndarray
        What terms compare the pixels with, float32 height×width×C (`Term.beside`).
    """

    content: Mapping[str, np.ndarray] = field(default_factory=dict)
    masks: Sequence[Mapping[str, np.ndarray] | None] = ()
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)


def cut(network: Network, height: int, width: int, layers: Iterable[str], tile: int | None) -> list[Tile]:
    """Cut a picture into tiles of nearly equal size.

    Parameters
    ----------
    network : Network
    height, width : int
        Of the picture.
    layers : iterable of str
        The layers in use.
    tile : int or None
        The longest side that a tile may have, in pixels, without its halo; at least the deepest stride
        is taken. None: one tile, the whole picture.

    Returns
    -------
    list of Tile
        Row by row.

    Raises
    ------
    InputError
        If the tile's size is not positive, or as `Network.strides_and_reach`.
    """
    layers = tuple(layers)
    if tile is not None and tile < 1:
        raise InputError(f"tile is {tile}; it must be 1 or more pixels", fields=("tile",))
    strides, reach = network.strides_and_reach(layers)
    deepest = max(strides.values(), default=1)
    reach = max(reach, 1)
    halo, phase = _up(reach, deepest), winograd.TILE * deepest
    sizes = network.sizes(height, width, layers)

    def spans(length: int) -> list[tuple[int, int]]:
        if tile is None:
            return [(0, length)]
        count = -(-length // max(deepest, tile // deepest * deepest))
        step = _up(-(-length // count), deepest)
        return [(begin, min(begin + step, length)) for begin in range(0, length, step)]

    def build(top: int, bottom: int, left: int, right: int) -> Tile:
        first_row, first_column = (max(begin - reach, 0) // phase * phase for begin in (top, left))
        region = Box(first_row, min(bottom + halo, height), first_column, min(right + halo, width))
        owned = {
            layer: Box(
                top // stride,
                min(-(-bottom // stride), sizes[layer][0]),
                left // stride,
                min(-(-right // stride), sizes[layer][1]),
            )
            for layer, stride in strides.items()
        }
        inner = {layer: box.within(region, strides[layer]) for layer, box in owned.items()}
        return Tile(Box(top, bottom, left, right), region, owned, inner)

    return [build(*rows, *columns) for rows in spans(height) for columns in spans(width)]


def longest_region(network: Network, layers: Iterable[str], tile: int) -> int:
    """The longest side that the region of a tile of a size can have, in pixels."""
    strides, reach = network.strides_and_reach(layers)
    deepest = max(strides.values(), default=1)
    return tile + reach + winograd.TILE * deepest + _up(max(reach, 1), deepest)


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


class TileInput:
    """What a graph that runs tile by tile is fed with, and the activations that the tile owns.

    Made inside a graph; the same graph takes every tile, whatever its size.

    Parameters
    ----------
    network : Network
    layers : iterable of str
    plain : bool
        As in `neuralstyle.networks.vgg.build`.

    Attributes
    ----------
    network : Network
    region : tf.Tensor
        H×W×3, float32, RGB, 0..255: the pixels of a tile's region.
    pixels : tf.Tensor
        Top, bottom, left and right of the tile itself in its region.
    features : dict of str to tf.Tensor
        Layer to activations 1×h×w×C at the positions that the tile owns.
    """

    def __init__(self, network: Network, layers: Iterable[str], plain: bool = False) -> None:
        layers = tuple(layers)
        self.network = network
        self.region = tf.compat.v1.placeholder(tf.float32, (None, None, 3), name="region")
        self.pixels = tf.compat.v1.placeholder(tf.int32, (4,), name="pixels")
        self._boxes = {
            layer: tf.compat.v1.placeholder(tf.int32, (4,), name=f"owned_{layer}") for layer in layers
        }
        whole = vgg.build(network, self.region[tf.newaxis], layers, plain)
        self.features = {layer: _inside(whole[layer], box) for layer, box in self._boxes.items()}

    def feed(self, region: np.ndarray, tile: Tile) -> dict[tf.Tensor, object]:
        """What to feed for one tile and its region; only the layers that the tile knows can then be run."""
        feed: dict[tf.Tensor, object] = {
            self.region: region,
            self.pixels: astuple(tile.pixels.within(tile.region)),
        }
        for layer, box in tile.owned_in_region.items():
            feed[self._boxes[layer]] = astuple(box)
        return feed


def _inside(features: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """The activations inside a box of rows and columns: top, bottom, left and right."""

    @custom_gradient
    def inside(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            # TensorFlow's own derivative of a slice works on one core: a seventh of the second pass.
            height, width = tf.shape(features)[1], tf.shape(features)[2]
            around = [[0, 0], [box[0], height - box[1]], [box[2], width - box[3]], [0, 0]]
            return tf.pad(upstream, around)

        return features[:, box[0] : box[1], box[2] : box[3]], gradient

    return inside(features)

"""What the generated picture is measured against, computed once in a graph of its own."""

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, new_graph, open_session
from neuralstyle.loss.masks import shrink
from neuralstyle.loss.tiles import Own, Tile, TileInput, cut
from neuralstyle.networks import Network
from neuralstyle.networks.gram import gram_matrix, sum_and_gram
from neuralstyle.preparation import Scene, Style


@dataclass(frozen=True)
class StyleTarget:
    """One style picture, as the objective knows it.

    Attributes
    ----------
    grams : mapping of str to ndarray
        Layer to raw Gram matrix AᵀA, float32 C×C.
    sums : mapping of str to ndarray
        Layer to the sum of the activations over the positions, float32 C, weighted by the square of the
        picture's own mask, as the Gram matrix is.
    positions : mapping of str to int
        Layer to how many positions it was summed over.
    shares : mapping of str to float
        Layer to the mean square of the style picture's own mask; 1 without one.
    masks : mapping of str to ndarray, or None
        Layer to where this style is wanted in the generated picture, float32 h×w, 0..1; None for
        everywhere.
    """

    grams: Mapping[str, np.ndarray]
    sums: Mapping[str, np.ndarray]
    positions: Mapping[str, int]
    shares: Mapping[str, float]
    masks: Mapping[str, np.ndarray] | None = None


@contextmanager
def _room_for(size: int) -> Iterator[None]:
    """Report in one line that so many bytes have no room on the disk."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the folder for temporary files has no room for {size / 1e9:.1f} GB of content features "
            f"({error.strerror}); name another in TMPDIR"
        ) from error


class OnDisk:
    """A float32 array in a file without a name, which is gone when nobody holds the array any more.

    It is read and written by slices, and mapped into memory only as long as that takes: the system keeps
    of it what it has room for. (Reading the share of a tile of 1024 takes 14 ms, computing it again seconds.)

    Parameters
    ----------
    shape : tuple of int
        Zeros at first.

    Raises
    ------
    InputError
        If the folder for temporary files has not so much room.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        size = 4 * max(int(np.prod(shape)), 1)
        with _room_for(size):
            self._file = tempfile.TemporaryFile(prefix="neuralstyle-")
            weakref.finalize(self, self._file.close)  # Python warns of files that are left to it
            # Writing to a mapped file on a full disk would kill the process, so the room is taken now.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, size)
            else:
                self._file.truncate(size)

    def _map(self) -> np.ndarray:
        count = int(np.prod(self.shape))
        return np.memmap(self._file, np.float32, "r+", shape=max(count, 1))[:count].reshape(self.shape)

    def __getitem__(self, index: object) -> np.ndarray:
        return np.array(self._map()[index])

    def __setitem__(self, index: object, values: np.ndarray) -> None:
        self._map()[index] = values


class Shelf:
    """Float32 arrays in one file without a name, which is gone when nobody holds the shelf any more."""

    def __init__(self) -> None:
        with _room_for(0):
            self._file = tempfile.TemporaryFile(prefix="neuralstyle-")
        weakref.finalize(self, self._file.close)

    def put(self, array: np.ndarray) -> Callable[[], np.ndarray]:
        """Write an array; the function that is returned reads it again.

        Raises
        ------
        InputError
            If the folder for temporary files has not so much room.
        """
        with _room_for(array.nbytes):
            place = self._file.seek(0, os.SEEK_END)
            self._file.write(np.ascontiguousarray(array, np.float32).data)
            self._file.flush()
        shape = array.shape

        def take() -> np.ndarray:
            read = np.empty(shape, np.float32)
            self._file.seek(place)
            if self._file.readinto(read.reshape(-1).view(np.uint8).data) != read.nbytes:
                raise OSError("a temporary file is shorter than it was")
            return read

        return take


@dataclass(frozen=True)
class Targets:
    """What one generated picture is measured against.

    Attributes
    ----------
    height, width : int
        Of the generated picture, in pixels.
    sizes : mapping of str to (int, int, int)
        Layer to the height, width and channels of the generated picture's activations there.
    content : mapping of str to (ndarray or OnDisk)
        Layer to the content picture's activations, float32 h×w×C.
    styles : tuple of StyleTarget
        One a style picture.
    """

    height: int
    width: int
    sizes: Mapping[str, tuple[int, int, int]]
    content: Mapping[str, np.ndarray | OnDisk]
    styles: tuple[StyleTarget, ...]

    def own(self, tile: Tile, beside: Mapping[str, np.ndarray]) -> Own:
        """What belongs to a tile; `beside` are arrays of the whole picture."""
        return Own(
            {layer: values[tile.owned[layer].slices] for layer, values in self.content.items()},
            [
                style.masks and {layer: mask[tile.owned[layer].slices] for layer, mask in style.masks.items()}
                for style in self.styles
            ],
            {name: array[tile.pixels.slices] for name, array in beside.items()},
        )


def measure(
    network: Network,
    scene: Scene,
    content_layers: tuple[str, ...],
    style_layers: tuple[str, ...],
    machine: Machine,
    style_tiles: Sequence[int | None] = (),
) -> Targets:
    """Compute everything that a generated picture is measured against.

    One graph, filled once with the weights, takes all the pictures.

    Parameters
    ----------
    network : Network
    scene : Scene
        The content picture, whose size the generated picture has, and the style pictures, of any size;
        masks at the sizes of the pictures that they are for.
    content_layers, style_layers : tuple of str
        As an `Objective` tells them.
    machine : Machine
        With a number as its tile, the content picture is taken in tiles of so many pixels, and its
        activations are kept in a file on disk, which memory holds as much of as there is room for.
    style_tiles : sequence of (int or None), optional
        For each style picture, the size of tiles to take it in.

    Returns
    -------
    Targets
    """
    height, width = scene.content.shape[:2]
    layers = content_layers + style_layers
    with new_graph(machine) as graph:
        given = TileInput(network, layers, plain=True)
        grams = Grams(given, style_layers)
    with open_session(graph, machine) as session:

        def sums(pieces: Iterator[StylePiece]) -> Iterator[SumsOfLayers]:
            return (grams.sums(session, piece) for piece in pieces)

        return Targets(
            height,
            width,
            network.sizes(height, width, layers),
            _content_activations(session, given, scene.content, content_layers, machine.tile),
            tuple(
                style_target(network, style, style_layers, tile, sums)
                for style, tile in zip_longest(scene.styles, style_tiles)
            ),
        )


def _content_activations(
    session: tf.compat.v1.Session,
    given: TileInput,
    content: np.ndarray,
    layers: tuple[str, ...],
    tile: int | None,
) -> dict[str, np.ndarray | OnDisk]:
    """The activations of the content picture; on disk where it is taken in tiles."""
    if not layers:
        return {}
    height, width = content.shape[:2]
    activations = {
        layer: np.empty(shape, np.float32) if tile is None else OnDisk(shape)
        for layer, shape in given.network.sizes(height, width, layers).items()
    }
    chosen = {layer: given.features[layer] for layer in activations}
    for piece in cut(given.network, height, width, given.features, tile):
        feed = given.feed(content[piece.region.slices], piece)
        for layer, values in session.run(chosen, feed).items():
            activations[layer][piece.owned[layer].slices] = values[0]
    return activations


#: Layer to the sum of a piece's activations and their Gram matrix.
SumsOfLayers = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class StylePiece:
    """A tile of a style picture: its region's pixels, and the masks of its layers at its positions."""

    tile: Tile
    region: np.ndarray
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)


class Grams:
    """Sums of activations and Gram matrices of a piece of a style picture, with and without a mask.

    Made inside a graph.

    Parameters
    ----------
    given : TileInput
    layers : tuple of str
    """

    def __init__(self, given: TileInput, layers: tuple[str, ...]) -> None:
        self._given = given
        self._masks = {layer: tf.compat.v1.placeholder(tf.float32, (1, None, None, 1)) for layer in layers}
        self._plain = {layer: sum_and_gram(given.features[layer]) for layer in layers}
        self._masked = {layer: _masked(given.features[layer], self._masks[layer]) for layer in layers}

    def sums(self, session: tf.compat.v1.Session, piece: StylePiece) -> SumsOfLayers:
        """Those of a piece."""
        feed = self._given.feed(piece.region, piece.tile)
        feed |= {self._masks[layer]: mask[np.newaxis, ..., np.newaxis] for layer, mask in piece.masks.items()}
        return session.run(self._masked if piece.masks else self._plain, feed)


def _masked(features: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    masked = features * mask
    return tf.reduce_sum(masked * mask, (0, 1, 2)), gram_matrix(masked)


def style_target(
    network: Network,
    style: Style,
    layers: tuple[str, ...],
    tile: int | None,
    measured: Callable[[Iterator[StylePiece]], Iterable[SumsOfLayers]],
) -> StyleTarget:
    """The sums of one style picture.

    Parameters
    ----------
    network : Network
    style : Style
    layers : tuple of str
    tile : int or None
        The size of tiles to take the picture in.
    measured : callable
        Gives the sums of pieces, in their order: `Grams.sums`, here or at workers.
    """
    height, width = style.picture.shape[:2]
    own_masks = {} if style.own_mask is None else shrink(network, style.own_mask, layers)
    pieces = (
        StylePiece(
            piece,
            style.picture[piece.region.slices],
            {layer: mask[piece.owned[layer].slices] for layer, mask in own_masks.items()},
        )
        for piece in cut(network, height, width, layers, tile)
    )
    sizes = network.sizes(height, width, layers)
    channels = {layer: size[2] for layer, size in sizes.items()}
    sums = {layer: [np.zeros(count), np.zeros((count, count))] for layer, count in channels.items()}
    for found in measured(pieces):
        for layer, both in found.items():
            for so_far, more in zip(sums[layer], both, strict=True):
                so_far += more
    return StyleTarget(
        grams={layer: gram.astype(np.float32) for layer, (_, gram) in sums.items()},
        sums={layer: total.astype(np.float32) for layer, (total, _) in sums.items()},
        positions={layer: sizes[layer][0] * sizes[layer][1] for layer in layers},
        shares={layer: float((own_masks[layer] ** 2).mean()) if own_masks else 1.0 for layer in layers},
        masks=None if style.mask is None else shrink(network, style.mask, layers),
    )

"""What the generated picture is measured against, computed once in graphs of their own."""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, new_graph, open_session
from neuralstyle.loss import masks
from neuralstyle.loss.tiles import TileInput, cut
from neuralstyle.networks import Network, vgg
from neuralstyle.networks.gram import gram_matrix


@dataclass(frozen=True)
class StyleTarget:
    """One style picture, as the objective knows it.

    Attributes
    ----------
    grams : mapping of str to ndarray
        Layer to raw Gram matrix AᵀA, float32 C×C.
    positions : mapping of str to int
        Layer to how many positions it was summed over.
    shares : mapping of str to float
        Layer to the mean square of the style picture's own mask; 1 without one.
    masks : mapping of str to ndarray, or None
        Layer to where this style is wanted in the generated picture, float32 h×w, 0..1; None for
        everywhere.
    """

    grams: Mapping[str, np.ndarray]
    positions: Mapping[str, int]
    shares: Mapping[str, float]
    masks: Mapping[str, np.ndarray] | None = None


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
        try:
            self._file = tempfile.TemporaryFile(prefix="neuralstyle-")
            # Writing to a mapped file on a full disk would kill the process, so the room is taken now.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, size)
            else:
                self._file.truncate(size)
        except OSError as error:
            raise InputError(
                f"the folder for temporary files has no room for {size / 1e9:.1f} GB of content features "
                f"({error.strerror}); name another in TMPDIR"
            ) from error

    def _map(self) -> np.ndarray:
        count = int(np.prod(self.shape))
        return np.memmap(self._file, np.float32, "r+", shape=max(count, 1))[:count].reshape(self.shape)

    def __getitem__(self, index: object) -> np.ndarray:
        return np.array(self._map()[index])

    def __setitem__(self, index: object, values: np.ndarray) -> None:
        self._map()[index] = values


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


def measure(
    network: Network,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    content_layers: Iterable[str],
    style_layers: Iterable[str],
    pooling: str = "max",
    padding: str = "SAME",
    picture_masks: Sequence[np.ndarray | None] | None = None,
    style_masks: Sequence[np.ndarray | None] | None = None,
    tile: int | None = None,
    style_tiles: Sequence[int | None] | None = None,
    machine: Machine | None = None,
) -> Targets:
    """Compute everything that a generated picture is measured against.

    Parameters
    ----------
    network : Network
    content : ndarray
        H×W×3, float32, RGB, 0..255; the generated picture has its size.
    styles : sequence of ndarray
        Pictures of any size.
    content_layers, style_layers : iterable of str
    pooling, padding
        As in `neuralstyle.networks.vgg.build`.
    picture_masks : sequence of (ndarray or None), optional
        For each style, H×W, 0..1: where in the generated picture it is wanted.
    style_masks : sequence of (ndarray or None), optional
        For each style, the part of the style picture that counts, at the style picture's size.
    tile : int, optional
        Take the content picture in tiles of so many pixels, and keep its activations in a file on
        disk, which memory holds as much of as there is room for.
    style_tiles : sequence of (int or None), optional
        For each style picture, the size of tiles to take it in.
    machine : neuralstyle.graphs.Machine, optional

    Returns
    -------
    Targets
    """
    content_layers, style_layers = tuple(content_layers), tuple(style_layers)
    height, width = content.shape[:2]
    targets = []
    for index, picture in enumerate(styles):
        target = style_target(
            network,
            picture,
            style_layers,
            pooling,
            padding,
            style_masks[index] if style_masks else None,
            style_tiles[index] if style_tiles else None,
            machine,
        )
        mask = picture_masks[index] if picture_masks else None
        if mask is not None:
            target = replace(target, masks=masks.shrink(network, mask, style_layers, padding))
        targets.append(target)
    return Targets(
        height,
        width,
        vgg.sizes(network, height, width, content_layers + style_layers, padding),
        _content_target(network, content, content_layers, pooling, padding, tile, machine)
        if content_layers
        else {},
        tuple(targets),
    )


def _content_target(
    network: Network,
    content: np.ndarray,
    layers: tuple[str, ...],
    pooling: str,
    padding: str,
    tile: int | None,
    machine: Machine | None,
) -> dict[str, np.ndarray | OnDisk]:
    """The activations of the content picture; on disk where it is taken in tiles."""
    height, width = content.shape[:2]
    shapes = vgg.sizes(network, height, width, layers, padding)
    activations = {
        layer: np.empty(shape, np.float32) if tile is None else OnDisk(shape)
        for layer, shape in shapes.items()
    }
    with new_graph(machine) as graph:
        given = TileInput(network, layers, pooling, padding)
    with open_session(graph, machine) as session:
        for piece in cut(network, height, width, layers, padding, tile):
            found = session.run(given.features, given.feed(content, piece))
            for layer, values in found.items():
                activations[layer][piece.owned[layer].slices] = values[0]
    return activations


def style_target(
    network: Network,
    style: np.ndarray,
    layers: tuple[str, ...],
    pooling: str = "max",
    padding: str = "SAME",
    style_mask: np.ndarray | None = None,
    tile: int | None = None,
    machine: Machine | None = None,
) -> StyleTarget:
    """Compute the raw Gram matrices of one style picture.

    Parameters
    ----------
    network : Network
    style : ndarray
        H×W×3, float32, RGB, 0..255.
    layers : tuple of str
    pooling, padding
        As in `neuralstyle.networks.vgg.build`.
    style_mask : ndarray, optional
        H×W, 0..1: the part that counts.
    tile : int, optional
        Take the picture in tiles of so many pixels.
    machine : neuralstyle.graphs.Machine, optional

    Returns
    -------
    StyleTarget
        Without a mask for the generated picture.
    """
    height, width = style.shape[:2]
    with new_graph(machine) as graph:
        given = TileInput(network, layers, pooling, padding)
        features = given.features
        if style_mask is not None:
            shrunk = masks.shrink(network, style_mask, layers, padding)
            owned = given.owned({layer: mask[:, :, np.newaxis] for layer, mask in shrunk.items()})
            features = {layer: features[layer] * owned[layer] for layer in layers}
        grams = {layer: gram_matrix(features[layer]) for layer in layers}
    sums = {layer: np.zeros(gram.shape, np.float64) for layer, gram in grams.items()}
    with open_session(graph, machine) as session:
        for piece in cut(network, height, width, layers, padding, tile):
            for layer, gram in session.run(grams, given.feed(style, piece)).items():
                sums[layer] += gram
    sizes = vgg.sizes(network, height, width, layers, padding)
    positions = {layer: sizes[layer][0] * sizes[layer][1] for layer in layers}
    shares = {layer: 1.0 if style_mask is None else float((shrunk[layer] ** 2).mean()) for layer in layers}
    return StyleTarget({layer: gram.astype(np.float32) for layer, gram in sums.items()}, positions, shares)

"""The loss of a picture whose tiles are computed by the workers of a cluster.

What `neuralstyle.loss.tiles` derives says nothing of where a tile is computed. The pixels of a tile's region
go to a worker, and its sums come back; once all are there, the slopes go out, and the tile's part of the
gradient comes back. Sums and gradients are added up here, in the order of the tiles, whoever was faster: the
result is that of `neuralstyle.loss.losses.TiledLoss`, bit for bit, on machines of one kind with one number of
threads.

A worker keeps the graph and the weights, and on its disk the content features of its tiles, which it
measures itself. The style pictures are measured by the workers, too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuralstyle.cluster import Cluster, ClusterRun, Kept, Piece, in_order
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, check_threads, new_graph, open_session
from neuralstyle.loss.memory import PROCESS, graph_bytes
from neuralstyle.loss.objectives import Objective
from neuralstyle.loss.passes import Sizes, TilePasses, ValueOfSums, nothing_beside, shapes_of_sums
from neuralstyle.loss.targets import (
    Grams,
    Shelf,
    StylePiece,
    StyleTarget,
    SumsOfLayers,
    Targets,
    style_target,
)
from neuralstyle.loss.tiles import Box, Own, Tile, TileInput, cut
from neuralstyle.networks import Network
from neuralstyle.preparation import Scene

#: The sizes of tiles that "auto" chooses from: the largest for which half of the workers have room.
TILES = (1024, 512, 256)

#: So many bytes of the regions that a worker got in the first pass it keeps for the second. The others are
#: sent again, which costs a hundredth of the passes' time: a picture of any size takes no more there.
_KEPT_REGIONS = 256 * 2**20

#: How often the pixels of a region are there while they are on their way: two orders and two answers of a
#: worker, packed and unpacked.
_MESSAGES = 8


@dataclass(frozen=True)
class _Blueprint:
    """What a worker builds its graphs from."""

    network: Network
    objective: Objective
    sizes: Sizes
    masked: tuple[bool, ...]
    machine: Machine


class _Graphs:
    """What a worker computes any tile with: both passes, and the content picture's features."""

    def __init__(self, blueprint: _Blueprint) -> None:
        check_threads(blueprint.machine)
        self.passes = TilePasses(
            blueprint.network, blueprint.objective, blueprint.sizes, blueprint.masked, blueprint.machine
        )
        # The graph that `neuralstyle.loss.targets.measure` has, for the same bits.
        with new_graph(blueprint.machine) as graph:
            self._given = TileInput(blueprint.network, blueprint.sizes, plain=True)
            self._grams = Grams(self._given, blueprint.objective.style_layers)
        self._wanted = {layer: self._given.features[layer] for layer in blueprint.objective.content_layers}
        self._session = open_session(graph, blueprint.machine)
        self._shelf = Shelf()

    def content(self, tile: Tile, region: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
        """The activations of a tile of the content picture, on disk."""
        found = self._session.run(self._wanted, self._given.feed(region, tile)) if self._wanted else {}
        return {layer: self._shelf.put(values[0]) for layer, values in found.items()}

    def style(self, piece: StylePiece) -> SumsOfLayers:
        """The sums of a piece of a style picture."""
        return self._grams.sums(self._session, piece)

    def close(self) -> None:
        """Give the memory back."""
        self.passes.close()
        self._session.close()


@dataclass(frozen=True)
class _Subject:
    """What a tile is measured against, as it is sent: pixels where a worker makes features of them."""

    tile: Tile
    content: np.ndarray
    own: Own


@dataclass(frozen=True)
class _Measured:
    """What a tile is measured against, as a worker keeps it."""

    tile: Tile
    content: Mapping[str, Callable[[], np.ndarray]]
    rest: Own

    def own(self) -> Own:
        """The same, in memory."""
        return replace(self.rest, content={layer: read() for layer, read in self.content.items()})


def _measured(graphs: _Graphs, subject: _Subject) -> _Measured:
    return _Measured(subject.tile, graphs.content(subject.tile, subject.content), subject.own)


def _sums(graphs: _Graphs, subject: _Measured, region: np.ndarray) -> dict[str, np.ndarray]:
    return graphs.passes.sums(subject.tile, region, subject.own())


def _gradient(
    graphs: _Graphs, subject: _Measured, region: np.ndarray, slopes: Sequence[np.ndarray]
) -> np.ndarray:
    return graphs.passes.gradient(subject.tile, region, subject.own(), slopes)


def _style_sums(graphs: _Graphs, piece: StylePiece) -> SumsOfLayers:
    return graphs.style(piece)


def _graphs_from(blueprint: _Blueprint) -> Kept:
    return Kept("graphs", 0, lambda: blueprint, _Graphs)


class ClusteredLoss:
    """The loss of a picture whose tiles are computed by workers.

    A context manager: with the block, the workers let everything go that they keep.

    Parameters
    ----------
    blueprint : _Blueprint
        Its machine has a number as its tile.
    targets : Targets
        Without the content picture's activations.
    content : ndarray
        The content picture, H×W×3, float32, RGB, 0..255.
    cluster : Cluster
    run : ClusterRun
        On that cluster; it is closed with the block.

    Attributes
    ----------
    graph : tf.Graph
        What is computed here.
    tile : int
    descent : None
        The steps of an optimiser are no part of it.
    """

    descent = None

    def __init__(
        self,
        blueprint: _Blueprint,
        targets: Targets,
        content: np.ndarray,
        cluster: Cluster,
        run: ClusterRun,
    ) -> None:
        network, objective, machine = blueprint.network, blueprint.objective, blueprint.machine
        self.tile = machine.tile
        self._targets, self._content = targets, content
        self._tiles = cut(network, targets.height, targets.width, targets.sizes, self.tile)
        self._beside = nothing_beside(objective, targets.height, targets.width)
        self._blueprint = blueprint
        shapes = shapes_of_sums(objective, targets.sizes, blueprint.masked)
        self._value = ValueOfSums(objective, targets, shapes, machine)
        self.graph = self._value.graph
        self._cluster, self._run = cluster, run
        self._evaluation = self._comparison = 0

    def __enter__(self) -> "ClusteredLoss":
        return self

    def __exit__(self, *exception: object) -> None:
        self._value.close()
        self._run.close()

    def compare_with(self, content: np.ndarray, beside: Mapping[str, np.ndarray]) -> None:
        """As `neuralstyle.loss.losses.WholeLoss.compare_with`."""
        self._content, self._beside = content, self._beside | dict(beside)
        self._comparison += 1

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """The losses of a picture, H×W×3, float32, RGB, 0..255; only the first pass is made."""
        return self._value.losses(self._add_up(picture))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The losses of a picture and the derivative of the total with respect to its pixel values."""
        losses, slopes = self._value.losses_and_slopes(self._add_up(picture))
        last = Kept("slopes", self._evaluation, lambda: slopes)
        pieces = [
            Piece(
                _gradient,
                (*self._needs(index, picture), last),
                forget=(f"region {index}",),
                size=_pixel_bytes(tile.region),
            )
            for index, tile in enumerate(self._tiles)
        ]
        gradient = np.zeros_like(picture)
        for tile, part in zip(self._tiles, _all_made(self._run.map(pieces)), strict=True):
            gradient[tile.region.slices] += part
        return losses, gradient

    def _add_up(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The first pass: the sums of the whole picture."""
        self._evaluation += 1
        largest = max(_pixel_bytes(tile.region) for tile in self._tiles)
        kept = len(self._cluster.members) * _KEPT_REGIONS // largest
        pieces = [
            Piece(
                _sums,
                self._needs(index, picture),
                forget=() if index < kept else (f"region {index}",),
                size=_pixel_bytes(tile.region),
            )
            for index, tile in enumerate(self._tiles)
        ]
        sums = self._value.zeros()
        for found in _all_made(self._run.map(pieces)):
            for name, value in found.items():
                sums[name] += value
        return sums

    def _needs(self, index: int, picture: np.ndarray) -> tuple[Kept, ...]:
        """What a pass of a tile takes, and its worker may have already."""
        tile = self._tiles[index]

        def subject() -> _Subject:
            own = self._targets.own(tile, self._beside)
            return _Subject(tile, self._content[tile.region.slices], own)

        return (
            _graphs_from(self._blueprint),
            Kept(f"subject {index}", self._comparison, subject, _measured, own=True),
            Kept(f"region {index}", self._evaluation, lambda: picture[tile.region.slices], own=True),
        )


def _pixel_bytes(box: Box) -> int:
    return 4 * 3 * (box.bottom - box.top) * (box.right - box.left)


def _all_made(outcomes: Iterator[tuple[int, object]]) -> Iterator[object]:
    """The outcomes in the order of the tiles.

    Raises
    ------
    InputError
        That one of them is.
    """
    for outcome in in_order(outcomes):
        if isinstance(outcome, InputError):
            raise outcome
        yield outcome


def is_one_tile(machine: Machine, height: int, width: int) -> bool:
    """Whether a picture is one tile, and so no work for several workers.

    Parameters
    ----------
    machine : Machine
        With "auto" as its tile, one of the largest of `TILES`.
    height, width : int
        Of the picture.
    """
    return isinstance(machine.tile, int | str) and max(height, width) <= (
        TILES[0] if machine.tile == "auto" else machine.tile
    )


def open_on_cluster(
    network: Network, objective: Objective, scene: Scene, machine: Machine, reserved: int = 0
) -> ClusteredLoss:
    """Measure the style pictures, and open the loss of a picture on the cluster of a machine.

    Parameters and errors are those of `neuralstyle.loss.losses.open_loss`, but for `reserved`: how many bytes
    the optimiser takes in this process.
    """
    if machine.tile is None:
        raise InputError(
            "tile none takes the picture whole, which one process does; give tile a number, or leave workers "
            "and cluster out",
            fields=("tile", "workers", "cluster"),
        )
    if objective.normalize_gradients:
        raise InputError(
            "normalize_gradients does not go with tiles, and so not with workers or a cluster",
            fields=("normalize_gradients", "workers", "cluster"),
        )
    cluster, (height, width) = machine.cluster, scene.content.shape[:2]
    plans = {
        size: _planned(network, objective, scene, size, cluster, reserved)
        for size in (TILES if machine.tile == "auto" else (machine.tile,))
    }
    fitting = (
        size
        for size, plan in plans.items()
        if plan.there <= sorted(cluster.shares(plan.here))[len(cluster.members) // 2]
    )
    tile = next(fitting, min(plans))
    plan = plans[tile]
    cluster.require(plan.there, f"a tile of {tile}", plan.here)
    sizes = network.sizes(height, width, objective.layers)
    masked = tuple(style.mask is not None for style in scene.styles)
    alone = replace(machine, cluster=None, tile=tile)
    blueprint, run = _Blueprint(network, objective, sizes, masked, alone), ClusterRun(cluster)
    try:
        targets = Targets(height, width, sizes, {}, _style_targets(blueprint, scene, run))
        return ClusteredLoss(blueprint, targets, scene.content, cluster, run)
    except BaseException:
        run.close()
        raise


@dataclass(frozen=True)
class _Plan:
    """The bytes that tiles of a size take: at each worker, and in this process beside the picture itself."""

    there: int
    here: int


def _planned(
    network: Network, objective: Objective, scene: Scene, tile: int, cluster: Cluster, reserved: int
) -> _Plan:
    """What is expected of memory; `reserved` is what the optimiser takes here."""
    masks = sum(style.mask is not None for style in scene.styles) * objective.style_layers
    tiles = cut(network, *scene.content.shape[:2], objective.layers, tile)
    regions = {(box.bottom - box.top, box.right - box.left): box for box in (one.region for one in tiles)}
    pixels = max(map(_pixel_bytes, regions.values()))
    graph = max(graph_bytes(network, objective.layers, *region, masks) for region in regions)
    kept = min(_KEPT_REGIONS, pixels * len(tiles))
    # The styles are let go before most of what the optimiser takes is there.
    styles = 2 * sum(style.picture.nbytes for style in scene.styles)
    return _Plan(
        PROCESS + graph + kept + _MESSAGES * pixels,
        max(reserved, styles) + _MESSAGES * pixels * len(cluster.members),
    )


def _style_targets(blueprint: _Blueprint, scene: Scene, run: ClusterRun) -> tuple[StyleTarget, ...]:
    """What the style pictures are, measured by the workers of a run, in tiles of the picture's size."""
    layers, tile = blueprint.objective.style_layers, blueprint.machine.tile

    def sums(pieces: Iterator[StylePiece]) -> Iterator[SumsOfLayers]:
        graphs = (_graphs_from(blueprint),)
        return _all_made(run.map(Piece(_style_sums, graphs, lambda one=one: (one,)) for one in pieces))

    found = tuple(style_target(blueprint.network, style, layers, tile, sums) for style in scene.styles)
    run.begin_anew()
    return found

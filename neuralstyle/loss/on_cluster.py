"""The loss of a picture whose tiles are computed by the workers of a cluster.

What `neuralstyle.loss.tiles` derives says nothing of where a tile is computed. The pixels of a tile's region
go to a worker, and its sums come back; once all are there, the slopes go out, and the tile's part of the
gradient comes back. Sums and gradients are added up here, in the order of the tiles, whoever was faster: the
result is that of `neuralstyle.loss.losses.TiledLoss`, bit for bit, on machines of one kind with one number of
threads.

A worker keeps the graph and the weights, and the content features of its tiles, which it measures itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuralstyle.cluster import ClusterRun, Kept, Piece, in_order
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, check_threads, new_graph, open_session
from neuralstyle.loss.memory import choose_style_tile, graph_bytes
from neuralstyle.loss.objectives import Objective
from neuralstyle.loss.passes import Sizes, TilePasses, ValueOfSums, nothing_beside, shapes_of_sums
from neuralstyle.loss.targets import Targets, measure
from neuralstyle.loss.tiles import Own, Tile, TileInput, cut
from neuralstyle.networks import Network
from neuralstyle.preparation import Scene

#: The sizes of tiles that "auto" chooses from: the largest for which half of the workers have room.
TILES = (1024, 512, 256)


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
        self._wanted = {layer: self._given.features[layer] for layer in blueprint.objective.content_layers}
        self._session = open_session(graph, blueprint.machine)

    def content(self, tile: Tile, region: np.ndarray) -> dict[str, np.ndarray]:
        """The activations of a tile of the content picture."""
        found = self._session.run(self._wanted, self._given.feed(region, tile)) if self._wanted else {}
        return {layer: values[0] for layer, values in found.items()}

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


def _measured(graphs: _Graphs, subject: _Subject) -> tuple[Tile, Own]:
    own = replace(subject.own, content=graphs.content(subject.tile, subject.content))
    return subject.tile, own


def _sums(graphs: _Graphs, subject: tuple[Tile, Own], region: np.ndarray) -> dict[str, np.ndarray]:
    tile, own = subject
    return graphs.passes.sums(tile, region, own)


def _gradient(
    graphs: _Graphs, subject: tuple[Tile, Own], region: np.ndarray, slopes: Sequence[np.ndarray]
) -> np.ndarray:
    tile, own = subject
    return graphs.passes.gradient(tile, region, own, slopes)


class ClusteredLoss:
    """The loss of a picture whose tiles are computed by workers.

    A context manager: with the block, the workers let everything go that they keep.

    Parameters
    ----------
    network : Network
    objective : Objective
    targets : Targets
        Without the content picture's activations.
    content : ndarray
        The content picture, H×W×3, float32, RGB, 0..255.
    machine : Machine
        With a cluster, and a number as its tile.

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
        network: Network,
        objective: Objective,
        targets: Targets,
        content: np.ndarray,
        machine: Machine,
    ) -> None:
        self.tile = machine.tile
        self._targets, self._content = targets, content
        self._tiles = cut(network, targets.height, targets.width, targets.sizes, self.tile)
        self._beside = nothing_beside(objective, targets.height, targets.width)
        masked = tuple(style.masks is not None for style in targets.styles)
        alone = replace(machine, cluster=None)
        self._blueprint = _Blueprint(network, objective, targets.sizes, masked, alone)
        shapes = shapes_of_sums(objective, targets.sizes, masked)
        self._value = ValueOfSums(objective, targets, shapes, alone)
        self.graph = self._value.graph
        self._run = ClusterRun(machine.cluster)
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
            Piece(_gradient, (*self._needs(index, picture), last), forget=(f"region {index}",))
            for index in range(len(self._tiles))
        ]
        gradient = np.zeros_like(picture)
        for tile, part in zip(self._tiles, _all_made(self._run.map(pieces)), strict=True):
            gradient[tile.region.slices] += part
        return losses, gradient

    def _add_up(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The first pass: the sums of the whole picture."""
        self._evaluation += 1
        pieces = [Piece(_sums, self._needs(index, picture)) for index in range(len(self._tiles))]
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
            Kept("graphs", 0, lambda: self._blueprint, _Graphs),
            Kept(f"subject {index}", self._comparison, subject, _measured, own=True),
            Kept(f"region {index}", self._evaluation, lambda: picture[tile.region.slices], own=True),
        )


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


def open_on_cluster(network: Network, objective: Objective, scene: Scene, machine: Machine) -> ClusteredLoss:
    """Measure the style pictures, and open the loss of a picture on the cluster of a machine.

    Parameters and errors are those of `neuralstyle.loss.losses.open_loss`.
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
    cluster, alone = machine.cluster, replace(machine, cluster=None)
    height, width = scene.content.shape[:2]
    sizes = network.sizes(height, width, objective.layers)
    masks = sum(style.mask is not None for style in scene.styles) * objective.style_layers

    def needed(tile: int) -> int:
        boxes = (one.region for one in cut(network, height, width, sizes, tile))
        regions = {(box.bottom - box.top, box.right - box.left) for box in boxes}
        return max(graph_bytes(network, objective.layers, *region, masks) for region in regions)

    tile = machine.tile
    if tile == "auto":
        half = sorted(member.free for member in cluster.members.values())[len(cluster.members) // 2]
        tile = next((size for size in TILES if needed(size) <= half), TILES[-1])
    cluster.require(needed(tile))
    style_tiles = [
        choose_style_tile(network, objective.style_layers, *style.picture.shape[:2], machine.tile)
        for style in scene.styles
    ]
    targets = measure(network, scene, (), objective.style_layers, alone, style_tiles)
    return ClusteredLoss(
        network, objective, replace(targets, sizes=sizes), scene.content, replace(machine, tile=tile)
    )

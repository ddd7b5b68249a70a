"""Pictures rendered by the workers of a cluster, each of which opens the network once."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import numpy as np

from neuralstyle.cluster import Cluster, ClusterRun, Kept, Piece, in_order
from neuralstyle.feedforward.rendering import Rendering
from neuralstyle.files import InputError
from neuralstyle.graphs import check_threads

#: How many frames for each worker are in memory: one that it renders, one that waits there, and two that wait
#: here, be it to be sent or for one before them. Of pictures, which may be large: one there, and one here.
_FRAMES_AHEAD, _PICTURES_AHEAD = 4, 2


class _Opened:
    """At a worker: a network that is open."""

    def __init__(self, rendering: Rendering) -> None:
        check_threads(rendering.machine)
        self._stack = ExitStack()
        self.render = self._stack.enter_context(rendering.opened())

    def close(self) -> None:
        """Give the memory back."""
        self._stack.close()


def _rendered(opened: _Opened, picture: np.ndarray) -> np.ndarray:
    return opened.render(picture)


def render_all(
    rendering: Rendering, cluster: Cluster, pictures: Iterable[np.ndarray], alike: bool = False
) -> Iterator[np.ndarray | InputError]:
    """Render pictures at workers: the same as this process would make of them, in their order.

    Parameters
    ----------
    rendering : Rendering
    cluster : Cluster
    pictures : iterable of ndarray
        H×W×3, float32, 0..255. Taken as they are needed, two for each worker at a time.
    alike : bool
        Whether they are of one size, as frames are: then four are taken, and a worker that hangs can be told
        from one that has much to do.

    Yields
    ------
    ndarray or InputError
        What a picture becomes, or why it cannot be rendered.

    Raises
    ------
    neuralstyle.cluster.ClusterLostError
        If the scheduler is gone, or the last worker.
    """
    network = Kept("network", 0, lambda: rendering, _Opened)

    def piece(picture: np.ndarray) -> Piece:
        return Piece(_rendered, (network,), lambda: (picture,))

    run = ClusterRun(cluster, hanging=alike)
    try:
        yield from in_order(run.map(map(piece, pictures), _FRAMES_AHEAD if alike else _PICTURES_AHEAD))
    finally:
        run.close()

"""The flow between a film's frames and its trust: computed beside the rendering and kept, or from files."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from neuralstyle.video.flow import flow_trust, optical_flow
from neuralstyle.video.flow_files import (
    check_flow_files,
    name_of,
    read_flow,
    read_trust,
    write_flow,
    write_trust,
)

#: A flow H×W×2 of one frame's pixels into another frame, and its trust H×W.
FlowAndTrust = tuple[np.ndarray, np.ndarray]


class Flows:
    """Flow computed from the frames themselves.

    A thread computes what is expected, one pair of frames after the other. Results are kept in files, in
    the names of artistic-videos, and not computed again where those are there. A context manager: the
    thread ends with the block.

    Parameters
    ----------
    frame : callable
        From the number of a frame to the frame, H×W×3, 0..255.
    folder : path
        Where the files are; it must be for these frames and this method alone.
    method : str
        As in `neuralstyle.video.flow.optical_flow`.
    """

    def __init__(self, frame: Callable[[int], np.ndarray], folder: str | Path, method: str = "dis") -> None:
        self._frame, self._folder, self._method = frame, Path(folder), method
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="optical flow")
        self._expected: dict[tuple[int, int], Future] = {}

    def __enter__(self) -> "Flows":
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def expect(self, i: int, j: int) -> None:
        """Begin with the flow between two frames, which `between` will be asked for."""
        pair = max(i, j), min(i, j)
        if pair not in self._expected:
            self._expected[pair] = self._thread.submit(self._make, *pair)

    def between(self, i: int, j: int) -> FlowAndTrust:
        """The flow of frame i's pixels into frame j, and where it can be trusted."""
        self.expect(i, j)
        self._expected.pop((max(i, j), min(i, j))).result()
        return read_flow(self._flow_path(i, j)), read_trust(self._trust_path(i, j))

    def _make(self, i: int, j: int) -> None:
        """Compute both flows between a frame and an earlier one, and both trusts, unless they are there."""
        paths = [make(*pair) for make in (self._flow_path, self._trust_path) for pair in ((i, j), (j, i))]
        if all(path.exists() for path in paths):
            return
        later, earlier = self._frame(i), self._frame(j)
        backward, forward = (
            optical_flow(*pair, self._method) for pair in ((later, earlier), (earlier, later))
        )
        write_flow(self._flow_path(i, j), backward)
        write_flow(self._flow_path(j, i), forward)
        write_trust(self._trust_path(i, j), flow_trust(forward, backward))
        write_trust(self._trust_path(j, i), flow_trust(backward, forward))

    def _flow_path(self, i: int, j: int) -> Path:
        return self._folder / f"{'backward' if i > j else 'forward'}_{i}_{j}.flo"

    def _trust_path(self, i: int, j: int) -> Path:
        return self._folder / f"reliable_{i}_{j}.pgm"


class FlowFiles:
    """Flow that somebody else computed.

    Parameters
    ----------
    backward : str
        The pattern of the backward flows' names, with ``{i}`` for the number of a frame and ``{j}`` for
        that of an earlier one.
    forward : str or None
        The same of the forward flows, of frame j's pixels into frame i; for trust, and for passes that go
        backwards.
    trust : str or None
        The same of trust: of frame i's pixels in the flow into frame j, which here may be later. None:
        computed from the flows.
    size : (int, int)
        Height and width of the frames.
    """

    def __init__(self, backward: str, forward: str | None, trust: str | None, size: tuple[int, int]) -> None:
        self._backward, self._forward, self._trust, self._size = backward, forward, trust, size

    def __enter__(self) -> "FlowFiles":
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing is open."""

    def check(self, pairs: list[tuple[int, int]]) -> None:
        """Find out, before any work, whether the files for pairs (i, j), as `between` takes them, are there.

        Raises
        ------
        InputError
            As `neuralstyle.video.flow_files.check_flow_files`.
        """
        if self._trust is not None:
            check_flow_files(self._trust, pairs, *self._size)
        else:
            pairs = [*pairs, *((j, i) for i, j in pairs)]
        for pattern, own in (
            (self._backward, [(i, j) for i, j in pairs if i > j]),
            (self._forward, [(j, i) for i, j in pairs if i < j]),
        ):
            if own:
                check_flow_files(pattern, own, *self._size)

    def expect(self, i: int, j: int) -> None:
        """Nothing is computed."""

    def between(self, i: int, j: int) -> FlowAndTrust:
        """The flow of frame i's pixels into frame j, and where it can be trusted."""
        flow = self._flow(i, j)
        if self._trust is not None:
            return flow, read_trust(name_of(self._trust, i, j), self._size)
        return flow, flow_trust(self._flow(j, i), flow)

    def _flow(self, i: int, j: int) -> np.ndarray:
        pattern = self._backward if i > j else self._forward
        return read_flow(name_of(pattern, max(i, j), min(i, j)), self._size)

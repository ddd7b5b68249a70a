"""A film by a network that renders in one pass: reading, rendering and writing side by side."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from neuralstyle.feedforward.pictures import RenderAll
from neuralstyle.files import InputError
from neuralstyle.video.flow import blend, flow_trust, optical_flow, warp

T = TypeVar("T")

#: How many frames wait between two threads.
_WAITING = 2


def in_background(items: Iterator[T]) -> Iterator[T]:
    """The same items, made by a thread that is at most two of them ahead.

    What it raises is raised here. When whoever takes the items stops, so does the thread.

    Parameters
    ----------
    items : iterator
        Used by the thread alone.
    """
    waiting: queue.Queue = queue.Queue(_WAITING)
    ended = threading.Event()

    def put(*entry: object) -> None:
        while not ended.is_set():
            try:
                return waiting.put(entry, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put("item", item)
                if ended.is_set():
                    break
            put("end", None)
        except BaseException as error:
            put("error", error)
        finally:
            close = getattr(items, "close", None)  # a generator's: ffmpeg ends with it
            if close is not None:
                close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, item = waiting.get()
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item
    finally:
        ended.set()
        thread.join()


def blended(
    rendered: Iterator[tuple[int, np.ndarray, np.ndarray]],
    share: float,
    method: str = "dis",
    before: tuple[np.ndarray, np.ndarray] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Blend each rendered frame with the one before it, warped, where the flow can be trusted.

    Parameters
    ----------
    rendered : iterator of (int, ndarray, ndarray)
        Numbers, content frames and rendered frames, both H×W×3, 0..255 and of one size.
    share : float
        How much of the warped frame there is where the trust is 1.
    method : str
        As in `neuralstyle.video.flow.optical_flow`.
    before : (ndarray, ndarray), optional
        The content of the frame before the first, and what was yielded for it.

    Yields
    ------
    number : int
    frame : ndarray
        H×W×3, float32.
    """
    for number, content, result in rendered:
        if before is not None:
            last_content, last_result = before
            backward = optical_flow(content, last_content, method)
            trust = flow_trust(optical_flow(last_content, content, method), backward)
            result = blend(result, warp(last_result, backward), trust, share)
        before = content, np.float32(result)
        yield number, before[1]


def render_frames(
    frames: Iterator[tuple[int, np.ndarray]],
    prepare: Callable[[np.ndarray], np.ndarray],
    render_all: RenderAll,
    share: float = 0.0,
    method: str = "dis",
    before: tuple[np.ndarray, np.ndarray] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Render a film's frames by a network, in bounded memory however many there are.

    Frames are read by one thread and rendered by another, while whoever takes them writes.

    Parameters
    ----------
    frames : iterator of (int, ndarray)
        As `neuralstyle.video.frames.read_frames` gives them.
    prepare : callable
        Gives a frame the size that it is to have.
    render_all : callable
        Renders frames, float32 H×W×3, 0..255, here or at workers, in their order and to their size.
    share : float
        As in `blended`; 0 renders each frame by itself.
    method : str
    before : (ndarray, ndarray), optional
        As in `blended`.

    Yields
    ------
    number : int
    frame : ndarray
        H×W×3, float32, 0..255.

    Raises
    ------
    InputError
        If a frame cannot be read or rendered.
    """
    waiting: deque[tuple[int, np.ndarray | None]] = deque()

    def prepared() -> Iterator[tuple[int, np.ndarray]]:
        for number, frame in frames:
            yield number, prepare(np.float32(frame))

    def contents() -> Iterator[np.ndarray]:
        for number, content in in_background(prepared()):
            waiting.append((number, content if share else None))
            yield content

    def results() -> Iterator[tuple[int, np.ndarray | None, np.ndarray]]:
        for result in render_all(contents()):
            if isinstance(result, InputError):
                raise result
            yield *waiting.popleft(), result

    if share:
        yield from in_background(blended(results(), share, method, before))
    else:
        yield from in_background((number, result) for number, _, result in results())

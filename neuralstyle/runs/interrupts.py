"""Ctrl-C as a wish to stop between two steps, where everything fits together."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from neuralstyle.runs.history import Step
from neuralstyle.runs.watching import Watcher

#: Ctrl-C, and what schedulers and machines that are taken away send.
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_on_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """Take the first Ctrl-C or SIGTERM as a wish to stop, and let the second one interrupt.

    Parameters
    ----------
    stop : threading.Event
        Set by the first.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def wish(*_: object) -> None:
        stop.set()
        put_back()

    before = {number: signal.signal(number, wish) for number in SIGNALS}
    try:
        yield
    finally:
        put_back()


class StopWatch(Watcher):
    """Lets Ctrl-C end a run after a step, from its first step on; before that there is nothing to keep.

    A context manager: signals are as they were when the block ends.

    Parameters
    ----------
    stop : threading.Event
        What the run looks at.
    last : int, optional
        The iteration to end at, whoever presses what.
    """

    def __init__(self, stop: threading.Event, last: int | None = None) -> None:
        self._stop, self._last = stop, last
        self._signals = ExitStack()
        self._listening = False

    def __enter__(self) -> "StopWatch":
        return self

    def __exit__(self, *exception: object) -> None:
        self._signals.close()

    def step(self, step: Step) -> None:
        """Listen from now on, and stop where that is known beforehand."""
        if not self._listening:
            self._signals.enter_context(stopping_on_ctrl_c(self._stop))
            self._listening = True
        if self._last is not None and step.iteration >= self._last:
            self._stop.set()

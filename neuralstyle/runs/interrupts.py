"""Ctrl-C as a wish to stop between two steps, where everything fits together."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopping_on_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """Take the first Ctrl-C as a wish to stop, and let the second one interrupt.

    Parameters
    ----------
    stop : threading.Event
        Set by the first Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return

    def wish(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

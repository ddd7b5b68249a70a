"""Watchers that write files while a run goes on: its state, and pictures on the way."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.runs.history import Step
from neuralstyle.runs.records import Record
from neuralstyle.runs.state import State, save_state
from neuralstyle.runs.watching import Watcher

#: How many times as long as it took to write a state it is let be.
PATIENCE = 50


class StateSaver(Watcher):
    """Writes what a run needs to go on, so that one that is killed loses little.

    A large state takes long to write. It is written when `interval` seconds have passed since the last
    time, and never for more than a fiftieth of the run's time.

    Parameters
    ----------
    path : path
    record : dict
        Of the run; kept with its state.
    interval : float
        In seconds.
    """

    def __init__(self, path: str | Path, record: Record, interval: float) -> None:
        self._path, self._record, self._interval = path, record, interval
        self._next = time.monotonic() + interval

    def state(self, state: State) -> None:
        """Write the state, if it is time."""
        began = time.monotonic()
        if began >= self._next:
            save_state(self._path, replace(state, record=self._record))
            ended = time.monotonic()
            self._next = ended + max(self._interval, PATIENCE * (ended - began))


class Snapshots(Watcher):
    """Writes pictures on the way, each under the name that its iteration gives it.

    Parameters
    ----------
    form : str
        As in `snapshot_path`.
    write : callable
        Takes a path and a picture H×W×3, 0..255.
    """

    def __init__(self, form: str, write: Callable[[Path, np.ndarray], None]) -> None:
        self._form, self._write = form, write

    def snapshot(self, step: Step) -> None:
        """Write a picture."""
        self._write(snapshot_path(self._form, step.iteration), step.picture)


def snapshot_path(form: str, iteration: int, option: str = "--checkpoint-output") -> Path:
    """The path of a picture on the way.

    Parameters
    ----------
    form : str
        A path with a placeholder for the iteration, as ``{}``, ``{:05}``, ``%d``, ``%i``, ``%s`` or
        ``%05d``: all that neural-style takes (neural_style.py, fmt_imsave).
    iteration : int
    option : str
        What the form was given with, for the message.

    Raises
    ------
    InputError
        If there is no placeholder.
    """
    try:
        path = form % iteration if re.search(r"%[-+ 0#]*\d*[dius]", form) else form.format(iteration)
    except (IndexError, KeyError, ValueError, TypeError, AttributeError):
        path = form
    if path == form:
        raise InputError(f"{option} {form}: has no placeholder; write it as out_{{:05}}.jpg")
    return Path(path)

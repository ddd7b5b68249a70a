"""Those who look on while a run goes on: progress bars, snapshots, films, event files, saved states."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuralstyle.files import first_line
from neuralstyle.runs.history import Step

if TYPE_CHECKING:
    from neuralstyle.runs.state import State


@dataclass(frozen=True)
class Beginning:
    """What is known when a run begins at one of its sizes.

    Attributes
    ----------
    scale : int
        Which of the sizes; the first is 0.
    height, width : int
        Of the generated picture.
    tile : int or None
        The size of tiles; None where the picture is taken whole.
    graph : tf.Graph
        Of the loss.
    """

    scale: int
    height: int
    width: int
    tile: int | None
    graph: object


class Watcher:
    """Looks on while a run goes on; each kind overrides what it wants to be told of."""

    def begin(self, beginning: Beginning) -> None:
        """The loss at one of the run's sizes is open, and the first step is about to be made."""

    def state(self, state: "State") -> None:
        """What the run needs to go on from here; its arrays are overwritten by the next step."""

    def step(self, step: Step) -> None:
        """A step was made. Its picture is as the optimiser has it, and the next step overwrites it."""

    def snapshot(self, step: Step) -> None:
        """A picture on the way, as the result would be: every so many steps, if the recipe says so."""

    def frame(self, done: int, picture: np.ndarray | None) -> None:
        """A film has so many finished frames, and this is the last of them; None where that is not new."""


class Watchers:
    """Several watchers, told one after the other.

    The state comes first, so that it is saved whatever happens to the others. One that fails (a full disk,
    a stick pulled out) is warned of in one line and left out; the run goes on.

    Parameters
    ----------
    watchers : sequence of Watcher
    """

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = list(watchers)

    def begin(self, beginning: Beginning) -> None:
        """Pass on what `Watcher.begin` is told."""
        self._tell("begin", beginning)

    def state(self, state: "State") -> None:
        """Pass on what `Watcher.state` is told."""
        self._tell("state", state)

    def step(self, step: Step) -> None:
        """Pass on what `Watcher.step` is told."""
        self._tell("step", step)

    def snapshot(self, step: Step) -> None:
        """Pass on what `Watcher.snapshot` is told."""
        self._tell("snapshot", step)

    def frame(self, done: int, picture: np.ndarray | None) -> None:
        """Pass on what `Watcher.frame` is told."""
        self._tell("frame", done, picture)

    def _tell(self, what: str, *values: object) -> None:
        for watcher in self._watchers[:]:
            try:
                getattr(watcher, what)(*values)
            except Exception as error:
                self._watchers.remove(watcher)
                warnings.warn(f"{first_line(error)}; the run goes on without it", stacklevel=2)

"""Who else looks on while a film is made, such as the page, and what stops it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.runs.watching import Watcher


@dataclass(frozen=True)
class Onlookers:
    """Who looks on, and what stops the run."""

    watchers: "Sequence[Watcher]"
    stop: threading.Event

    def frame(self, done: int, picture: "np.ndarray | None") -> None:
        """Tell them how many frames are done."""
        for watcher in self.watchers:
            watcher.frame(done, picture)

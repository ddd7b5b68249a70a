"""What a run leaves behind besides its picture."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralstyle.files import replacing

COLUMNS = ("iteration", "seconds", "total", "content", "style", "tv")


@dataclass(frozen=True)
class Step:
    """One picture on the way, and its losses.

    Attributes
    ----------
    iteration : int
        How many steps led to the picture; 0 is the start.
    seconds : float
        Since the first evaluation began.
    total, content, style, tv : float
        Losses, weights included; the total is the sum of the others.
    picture : ndarray or None
        H×W×3, float32, RGB, 0..255 and beyond, while the step is being reported; the next step
        overwrites it. None in a history.
    """

    iteration: int
    seconds: float
    total: float
    content: float
    style: float
    tv: float
    picture: np.ndarray | None = None


def write_history(path: str | Path, history: Iterable[Step]) -> None:
    """Write the losses of a run as CSV, one line a step.

    Parameters
    ----------
    path : path
    history : iterable of Step
    """
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for step in history:
            table.writerow([getattr(step, column) for column in COLUMNS])

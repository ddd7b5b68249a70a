"""What a run leaves behind besides its picture: a table and a plot of its losses."""

import csv
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.optimizers import Fetched

#: The losses that every run tells of, in this order; further ones of an objective come after them.
USUAL_LOSSES = ("total", "content", "style", "tv")

#: The colours of the lines in a plot, in the order of the losses (Okabe & Ito's, for every eye).
_COLOURS = ("black", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")


@dataclass(frozen=True)
class Step:
    """One picture on the way, and its losses.

    Attributes
    ----------
    iteration : int
        How many steps led to the picture; 0 is the start.
    seconds : float
        Since the run began; the first step's include the targets and the graph.
    losses : mapping of str to float
        "total" first, then the objective's terms, weights included; the total is the sum of the others.
        Each is an attribute as well: ``step.total``, ``step.content``.
    picture : ndarray or None
        H×W×3, float32, RGB, 0..255 and beyond, while the step is being reported: it is fetched from where
        it is computed when it is first read, and the next step may overwrite it. None in a history.
    """

    iteration: int
    seconds: float
    losses: Mapping[str, float]
    picture: np.ndarray | None = Fetched(None)

    def __getattr__(self, name: str) -> float:
        try:
            return self.__dict__["losses"][name]
        except KeyError:
            raise AttributeError(f"a step has no {name}") from None


def columns(history: Sequence[Step]) -> tuple[str, ...]:
    """The names of the losses of a run: the usual ones, and whatever else its objective has."""
    return tuple(dict.fromkeys((*USUAL_LOSSES, *(name for step in history[:1] for name in step.losses))))


def write_history(path: str | Path, history: Sequence[Step]) -> None:
    """Write the losses of a run as CSV, one line a step: iteration, seconds, and the losses.

    Parameters
    ----------
    path : path
    history : sequence of Step

    Raises
    ------
    InputError
        If the folder is missing or cannot be written.
    """
    check_writable(path)
    losses = columns(history)
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("iteration", "seconds", *losses))
        for step in history:
            table.writerow((step.iteration, step.seconds, *(step.losses.get(name, 0.0) for name in losses)))


def check_plot(path: str | Path) -> None:
    """Find out, before any work starts, whether `plot_history` could write a file.

    Raises
    ------
    InputError
        If matplotlib writes no such kind of file, or the folder is missing or cannot be written.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    path = Path(path)
    check_writable(path)
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        known = ", ".join(f".{kind}" for kind in sorted(kinds))
        raise InputError(f"{path}: cannot write plots of that kind; use one of {known}")


def plot_history(path: str | Path, history: Iterable[Step]) -> None:
    """Plot the losses of a run over its iterations, on a logarithmic scale, one line a term.

    A term that is zero throughout (its weight is zero) is left out.

    Parameters
    ----------
    path : path
        The suffix names the kind of file: whatever matplotlib writes, ``.png``, ``.svg`` and ``.pdf``
        among it.
    history : iterable of Step

    Raises
    ------
    InputError
        As `check_plot` does.
    """
    # Takes half a second, and most runs want no plot. A bare Figure, without pyplot, has no window and
    # changes no settings of the program that calls.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    check_plot(path)
    history = list(history)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="iteration", ylabel="loss, weights included", yscale="log", title="Losses of the run"
    )
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    axes.grid(color="0.9")
    for term, colour in zip(columns(history), itertools.cycle(_COLOURS), strict=False):
        losses = np.array([step.losses.get(term, 0.0) for step in history], float)
        if not losses.any():
            continue
        # A single zero (the content loss of a run that starts at the content) is a gap in the line.
        losses[losses <= 0] = math.nan
        axes.plot(
            [step.iteration for step in history],
            losses,
            label="total variation" if term == "tv" else term,
            color=colour,
            linewidth=2 if term == "total" else 1.2,
            marker="o" if len(history) == 1 else None,
        )
    if axes.lines:
        axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=Path(path).suffix[1:].lower(), dpi=150)

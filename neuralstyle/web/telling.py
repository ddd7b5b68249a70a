"""What the page says: sentences, progress, losses."""

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.web import form
from neuralstyle.web.painting import DONE, FAILED, PAINTING, STOPPED, Run

if TYPE_CHECKING:
    import pandas


def sentence(error: object) -> str:
    """What went wrong, in one sentence, with the controls that it is about as the page calls them."""
    text = str(error)
    for name in getattr(error, "fields", ()):
        text = re.sub(rf"\b{re.escape(name)}\b", form.SPELLED.get(name, name), text)
    return text


def status(run: Run | None, queue: list[Run], stopped: Path | None) -> str:
    """How the run stands, and how many wait, as HTML."""
    waiting = sum(other.status != PAINTING for other in queue)
    rest = f" {waiting} more {'waits' if waiting == 1 else 'wait'}." if waiting else ""
    if run is None:
        line = f"{stopped.name} was stopped; it can go on." if stopped else "Nothing is being painted."
        return f"<p>{html.escape(line)}</p>"
    name = "any style" if run.look else run.output.name
    lines = {
        DONE: f"{name} is done.",
        STOPPED: f"{name} was stopped after {run.iteration} iterations; it can go on.",
        FAILED: f"{name}: {sentence(run.message)}",
        PAINTING: f"{name} is being painted",
    }
    line = lines.get(run.status, f"{name} waits.")
    if run.status != PAINTING:
        kind = ' class="failed" role="alert"' if run.status == FAILED else ""
        return f"<p{kind}>{html.escape(line + rest)}</p>"
    if run.iterations is None:
        return f"<progress></progress><p>{html.escape(line)}.{rest}</p>"
    if run.size is None:  # the pictures are read, and the targets measured
        return f"<progress></progress><p>{html.escape(f'{name} is being prepared.{rest}')}</p>"
    size = f", {run.size[1]}×{run.size[0]} pixels"
    left = f", about {_spoken(run.seconds_left)} left" if run.seconds_left is not None else ""
    line += f"{size}: iteration {run.iteration} of {run.iterations}{left}.{rest}"
    bar = f'<progress max="{run.iterations}" value="{run.iteration}"></progress>'
    return f'{bar}<p aria-live="polite">{html.escape(line)}</p>'


def _spoken(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def losses(run: Run) -> "pandas.DataFrame":
    """The total losses of a run, as a table to plot."""
    from math import log10

    import pandas

    points = [(iteration, log10(total)) for iteration, total in run.losses if total > 0]
    return pandas.DataFrame(points, columns=["iteration", "log10 of the loss"])


def picture_key(run: Run | None) -> tuple | None:
    """What changes when the picture of a run does."""
    if run is None:
        return None
    return run.number, run.status in (DONE, STOPPED), run.iteration if run.picture is not None else None


def plain_arguments(run: Run) -> list[str]:
    """The command line of a run, as it would make the picture from the start."""
    return [argument for argument in run.arguments if argument not in ("--resume", "--overwrite")]

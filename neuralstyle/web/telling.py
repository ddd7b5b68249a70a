"""What the page says: sentences, progress, losses."""

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

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
    steps = "frames" if run.film else "iterations"
    goes_on = "; it can go on" if stopped == run.output else ""
    lines = {
        DONE: f"{name} is done.",
        STOPPED: f"{name} was stopped after {run.iteration} {steps}{goes_on}.",
        FAILED: f"{name}: {sentence(run.message)}",
        PAINTING: f"{name} is being painted",
    }
    line = lines.get(run.status, f"{name} waits.")
    if run.status != PAINTING:
        kind = ' class="failed" role="alert"' if run.status == FAILED else ""
        return f"<p{kind}>{html.escape(line + rest)}</p>"
    if run.iterations is None:
        return f"<progress></progress><p>{html.escape(line)}.{rest}</p>"
    if run.size is None and not run.film:  # the pictures are read, and the targets measured
        return f"<progress></progress><p>{html.escape(f'{name} is being prepared.{rest}')}</p>"
    if run.film:
        at = f"frame {min(run.iteration + 1, run.iterations)} of {run.iterations}"
    else:
        at = f"{run.size[1]}×{run.size[0]} pixels: iteration {run.iteration} of {run.iterations}"
    left = f", about {_spoken(run.seconds_left)} left" if run.seconds_left is not None else ""
    bar = f'<progress max="{run.iterations}" value="{run.iteration}"></progress>'
    return f'{bar}<p aria-live="polite">{html.escape(f"{line}, {at}{left}.{rest}")}</p>'


def whole(run: Run | None) -> str:
    """A run's result at its full size: a film to play, or a link to the picture; as HTML."""
    if run is None or run.look or run.status not in (DONE, STOPPED) or not run.output.is_file():
        return ""
    address = _address(run.output)
    if run.film:
        download = f'<a href="{address}" download="{html.escape(run.output.name)}">Download the film</a>'
        return f'<video controls loop src="{address}"></video><p>{download}</p>'
    return f'<p><a href="{address}" target="_blank" rel="noopener">Open the picture at its full size</a></p>'


def films(paths: Sequence[Path]) -> str:
    """The films that were made, to be played or saved, as HTML."""
    entries = "".join(
        f'<li><a href="{_address(path)}" target="_blank" rel="noopener">{html.escape(path.name)}</a></li>'
        for path in paths
    )
    return f"<p>Films</p><ul>{entries}</ul>" if entries else ""


def _address(path: Path) -> str:
    """Where the browser finds a file of the folder; the time is there so that it asks for a new one."""
    return f"gradio_api/file={quote(str(path.absolute()))}?{path.stat().st_mtime_ns}"


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

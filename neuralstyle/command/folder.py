"""A folder of pictures by a recipe: what fails is told of and counted, and there is a table of losses."""

import csv
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.cluster import ClusterLostError
from neuralstyle.command.options import parser, respelled, spelled
from neuralstyle.command.outputs import check_unfinished
from neuralstyle.command.terminal import tell
from neuralstyle.files import InputError, check_writable, printable, replacing, unfinished

if TYPE_CHECKING:
    from neuralstyle.pictures.reading import Picture
    from neuralstyle.transfer import Result

#: The table of losses, in the folder of the results.
TABLE = "losses.csv"

#: Options of one picture: a folder has many.
_OF_ONE_PICTURE = (
    *("record", "from_record", "history", "progress_write", "progress_plot"),
    *("timelapse", "checkpoint_output", "logdir", "content_mask", "regions"),
)

_COLUMNS = ("picture", "outcome", "iterations", "seconds", "total", "content", "style", "tv")


def asked_for(options: Namespace) -> bool:
    """Whether the content is a folder."""
    return bool(options.content) and Path(options.content).is_dir()


@dataclass(frozen=True)
class Plan:
    """What is to be made of a folder.

    Attributes
    ----------
    results : dict of pathlib.Path to pathlib.Path
        The files that have no result yet, and where theirs go.
    count : int
        How many files the folder has.
    """

    results: dict[Path, Path]
    count: int


def planned(options: Namespace) -> Plan:
    """What is to be made of a folder, found good before any work.

    Parameters
    ----------
    options : argparse.Namespace

    Raises
    ------
    InputError
        If an option does not go with a folder, or a result exists and is neither to be kept nor replaced.
    """
    from neuralstyle.pictures.folders import missing_results, plan
    from neuralstyle.pictures.writing import check_output

    for name in _OF_ONE_PICTURE:
        if getattr(options, name):
            raise InputError(f"{spelled(name)} goes with one picture; {options.content} is a folder")
    if options.output == parser().get_default("output"):
        raise InputError(f"--output: name a folder for the pictures of {options.content}")
    if options.resume and options.overwrite:
        raise InputError("--resume keeps results that exist and --overwrite replaces them; give one of them")
    output = Path(options.output)
    if (output / TABLE).exists() and not (options.resume or options.overwrite):
        raise InputError(f"{output / TABLE}: exists; --resume makes what is missing, --overwrite all anew")
    results = plan(Path(options.content), output)
    count = len(results)
    if options.resume:
        results = missing_results(
            results, lambda line: _say(options, line), lambda result: unfinished(result).exists()
        )
    for result in results.values():
        check_output(result, options.overwrite or options.resume, options.bits, options.quality)
        check_unfinished(unfinished(result), options)
    check_writable(output / TABLE)
    return Plan(results, count)


def stylize(
    options: Namespace,
    plan: Plan,
    prepared: "Callable[[Picture, Path], object]",
    run: "Callable[[object], Result]",
    write: "Callable[[object, Result], int]",
) -> int:
    """Make one picture after the other.

    Parameters
    ----------
    options : argparse.Namespace
    plan : Plan
        As `planned` gives it.
    prepared : callable
        From a picture and the path of its result to a run that is about to begin.
    run : callable
        From that to its result.
    write : callable
        Writes what a run leaves behind, from both; gives the exit status.

    Returns
    -------
    int
        Exit status: 0, or 130 where it was stopped early.

    Raises
    ------
    InputError
        At the end, if pictures failed.
    """
    outcomes = Outcomes(options, plan)
    for path, result in plan.results.items():
        content = outcomes.read(path)
        if content is None:
            continue
        _say(options, f"{path}: picture {outcomes.begun} of {len(plan.results)}")
        try:
            ready = prepared(content, result)
            made = run(ready)
            status = write(ready, made)
        except ClusterLostError:
            raise
        except InputError as error:
            outcomes.failed(path, error)
            continue
        outcomes.made(path, made)
        if status:
            return status
    outcomes.close()
    return 0


class Outcomes:
    """What became of the pictures of a folder.

    Parameters
    ----------
    options : argparse.Namespace
    plan : Plan
    """

    def __init__(self, options: Namespace, plan: Plan) -> None:
        self._options, self._plan = options, plan
        self._table = Table(Path(options.output) / TABLE, options.resume)
        self.begun = self._skipped = self._failed = 0

    def read(self, path: Path) -> "Picture | None":
        """Read a picture; None, and a line, where that cannot be done."""
        from neuralstyle.pictures.reading import read_picture

        self.begun += 1
        try:
            picture = read_picture(path, tell, keep_alpha=True)
        except InputError as error:
            tell(f"{error}; skipped")
            self._skipped += 1
            self._table.add(path, "skipped")
            return None
        return picture

    def failed(self, path: Path, error: InputError) -> None:
        """Tell of a picture that could not be made or written."""
        tell(f"{path}: {respelled(error)}")
        self._failed += 1
        self._table.add(path, "failed")

    def made(self, path: Path, made: "Result") -> None:
        """Take note of a picture's losses."""
        self._table.add(path, "stopped" if made.interrupted else "made", made)

    def close(self) -> None:
        """Print the table, and count what failed.

        Raises
        ------
        InputError
            If pictures failed, or none of the files is one.
        """
        from neuralstyle.pictures.folders import report_failures

        if not self._options.quiet:
            print(self._table.text())
        report_failures(Path(self._options.content), self._plan.count, self._skipped, self._failed, tell)


class Table:
    """The losses of the pictures of a folder, as a file that is written anew after each picture.

    Its columns are picture, outcome (made, stopped, failed or skipped), iterations, seconds, and the losses
    of the picture that was written.

    Parameters
    ----------
    path : path
    resume : bool
        Whether rows that the file has are kept until their pictures are made anew.

    Raises
    ------
    InputError
        If the file is to be gone on with, and is no such table.
    """

    def __init__(self, path: Path, resume: bool) -> None:
        self._path = path
        self._rows: dict[str, dict[str, object]] = {}
        self._written = True
        if resume and path.exists():
            try:
                with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
                    self._rows = {row["picture"]: row for row in csv.DictReader(file)}
            except (OSError, KeyError, ValueError, csv.Error) as error:
                raise InputError(f"{path}: is no table of losses; move it away") from error

    def add(self, path: Path, outcome: str, made: "Result | None" = None) -> None:
        """Put in a picture's row, or replace it, and write the file; what fails is told once."""
        row: dict[str, object] = {"picture": path.name, "outcome": outcome}
        if made is not None:
            row |= {"iterations": made.history[-1].iteration, "seconds": round(made.history[-1].seconds, 1)}
            row |= made.step.losses
        self._rows[path.name] = row
        columns = dict.fromkeys((*_COLUMNS, *(name for row in self._rows.values() for name in row)))
        try:
            with (
                replacing(self._path) as temporary,
                open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file,
            ):
                table = csv.DictWriter(file, list(columns), restval="")
                table.writeheader()
                table.writerows(self._rows[name] for name in sorted(self._rows))
        except InputError as error:
            if self._written:
                tell(f"{error}; the pictures are written")
            self._written = False

    def text(self) -> str:
        """The table for a terminal: losses to four digits."""
        lines = [list(_COLUMNS)]
        for _, row in sorted(self._rows.items()):
            cells = [printable(row.get(column, "")) for column in _COLUMNS]
            lines.append([*cells[:3], *map(_four_digits, cells[3:])])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )


def _four_digits(cell: str) -> str:
    return f"{float(cell):.4g}" if cell else ""


def _say(options: Namespace, line: str) -> None:
    if not options.quiet and sys.stderr is not None:
        tell(line)

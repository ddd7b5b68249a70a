"""The state of a run in a file, from which it goes on as though it had never stopped."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.runs.history import COLUMNS, Step
from neuralstyle.runs.records import Record, difference, recipe_from_record, to_json

#: The number of the format described in `save_checkpoint`.
FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to go on.

    Attributes
    ----------
    iteration : int
        How many steps led to the picture, those at its own scale only.
    picture : ndarray
        H×W×3, float32, in the range that the recipe is optimised in.
    state : mapping of str to ndarray
        The optimiser's, as `neuralstyle.optimizers.minimize` reports it; empty for optimisers that
        remember nothing or start afresh.
    history : list of Step
        The steps before this iteration. Going on evaluates the picture again and reports its step.
    record : dict
        From `neuralstyle.runs.records.make_record`: recipe, seed, pictures and weights of the run.
    best : ndarray or None
        The best picture so far where the recipe keeps it, like `picture`.
    best_total : float
        Its total loss; infinite where there is none.
    scale : int
        Which size of a run from coarse to fine the picture has; the first is 0.
    """

    iteration: int
    picture: np.ndarray
    state: Mapping[str, np.ndarray]
    history: list[Step]
    record: Record
    best: np.ndarray | None = None
    best_total: float = np.inf
    scale: int = 0


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, or replace one, in a single step.

    A process that is killed while it writes leaves the checkpoint that was there before.

    The file is NumPy's ``.npz``, uncompressed: ``header`` (UTF-8 JSON: program, format, iteration, scale,
    best_total, record), ``history`` (N×6 float64, the columns of `neuralstyle.runs.history.COLUMNS`),
    ``picture``, ``best`` if there is one, and ``state.NAME`` for each array of the optimiser.

    Parameters
    ----------
    path : path
        Any suffix.
    checkpoint : Checkpoint

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    header = {
        "program": "neuralstyle",
        "format": FORMAT,
        "iteration": checkpoint.iteration,
        "scale": checkpoint.scale,
        "best_total": None if checkpoint.best is None else checkpoint.best_total,
        "record": checkpoint.record,
    }
    history = [[getattr(step, column) for column in COLUMNS] for step in checkpoint.history]
    arrays = {
        "header": np.frombuffer(to_json(header).encode(), np.uint8),
        "history": np.array(history, np.float64).reshape(-1, len(COLUMNS)),
        "picture": checkpoint.picture,
        **{f"state.{name}": array for name, array in checkpoint.state.items()},
    }
    if checkpoint.best is not None:
        arrays["best"] = checkpoint.best
    check_writable(path)
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)
    except OSError as error:  # a full disk
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : path

    Returns
    -------
    Checkpoint
        Equal, array for array, to the one that was saved.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, is cut short or damaged, holds something else, or is of a
        later format.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            if header["program"] != "neuralstyle":
                raise ValueError("another program's")
            version = header["format"]
            arrays = dict(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is no checkpoint, or is damaged; start afresh without --resume") from error
    if version != FORMAT:
        raise InputError(
            f"{path}: is a checkpoint of format {version}, and this version reads format {FORMAT}"
        )
    best = arrays.get("best")
    return Checkpoint(
        iteration=header["iteration"],
        picture=arrays["picture"],
        state={
            name.removeprefix("state."): array for name, array in arrays.items() if name.startswith("state.")
        },
        history=[Step(int(row[0]), *map(float, row[1:])) for row in arrays["history"]],
        record=header["record"],
        best=best,
        best_total=np.inf if best is None else header["best_total"],
        scale=header["scale"],
    )


def check_same_run(path: str | Path, checkpoint: Checkpoint, record: Record) -> None:
    """Make sure that a run may go on from a checkpoint: that it is the same run.

    The number of iterations may differ, in a run of one scale only; it may not be less than what the
    checkpoint has done. So may how the result is written, and whether it is computed in tiles: a run that
    was too large for the memory can go on.

    Parameters
    ----------
    path : path
        Where the checkpoint was read from, for the message.
    checkpoint : Checkpoint
    record : dict
        From `neuralstyle.runs.records.make_record`, of the run that is to go on.

    Raises
    ------
    InputError
        If it is another run. The message says what differs.
    """
    recipe = recipe_from_record(record)
    ignoring = ("bits", "quality", "tile", *(() if recipe.scales else ("iterations",)))
    found = difference(checkpoint.record, record, ignoring)
    if found:
        raise InputError(f"{path}: was made with {found}; give the same options, or leave --resume out")
    if not recipe.scales and checkpoint.iteration > recipe.iterations:
        raise InputError(
            f"{path}: has done {checkpoint.iteration} iterations, more than --iterations {recipe.iterations}"
        )

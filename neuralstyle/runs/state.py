"""What a run needs to go on as though it had never stopped, and the file that holds it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.optimizers import Fetched
from neuralstyle.runs.history import USUAL_LOSSES, Step
from neuralstyle.runs.records import Record, check_record, recipe_from_record, to_json
from neuralstyle.runs.repeating import difference

#: The number of the format described in `save_state`.
FORMAT = 1


@dataclass(frozen=True)
class State:
    """Everything that a run needs to go on.

    The picture and what the optimiser remembers are fetched from where they are computed when they are first
    read, which makes sense only until the next step.

    Attributes
    ----------
    iteration : int
        How many steps led to the picture, those at its own scale only.
    picture : ndarray
        H×W×3, float32, in the range that the recipe is optimised in.
    optimizer : mapping of str to ndarray
        What the optimiser remembers, as `neuralstyle.optimizers.minimize` reports it; empty for optimisers
        that remember nothing.
    history : list of Step
        The steps before this iteration. Going on evaluates the picture again and reports its step.
    record : dict
        From `neuralstyle.runs.records.make_record`: recipe, seed, pictures and weights of the run.
    best : ndarray or None
        The best snapshot so far where the recipe keeps it, like `picture`.
    best_total : float
        Its total loss; infinite where there is none.
    scale : int
        Which size of a run from coarse to fine the picture has; the first is 0.
    average : ndarray or None
        The moving average of the pictures before this one, at its own scale, where the recipe makes one.
    """

    iteration: int
    picture: np.ndarray = Fetched()
    optimizer: Mapping[str, np.ndarray] = Fetched()
    history: list[Step]
    record: Record
    best: np.ndarray | None = None
    best_total: float = np.inf
    scale: int = 0
    average: np.ndarray | None = None


def save_state(path: str | Path, state: State) -> None:
    """Write a state, or replace one, in a single step.

    A process that is killed while it writes leaves the state that was there before.

    The file is NumPy's ``.npz``, uncompressed: ``header`` (UTF-8 JSON: program, format, iteration, scale,
    best_total, record, and the names of the losses), ``history`` (float64, one row a step: iteration,
    seconds and the losses), ``picture``, ``best`` and ``average`` if there are any, and ``state.NAME`` for
    each array that the optimiser remembers.

    Parameters
    ----------
    path : path
        Any suffix.
    state : State

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    losses = tuple(state.history[0].losses) if state.history else USUAL_LOSSES
    header = {
        "program": "neuralstyle",
        "format": FORMAT,
        "iteration": state.iteration,
        "scale": state.scale,
        "best_total": None if state.best is None else state.best_total,
        "losses": losses,
        "record": state.record,
    }
    history = [(step.iteration, step.seconds, *step.losses.values()) for step in state.history]
    arrays = {
        "header": np.frombuffer(to_json(header).encode(), np.uint8),
        "history": np.array(history, np.float64).reshape(len(history), 2 + len(losses)),
        "picture": state.picture,
        **{f"state.{name}": array for name, array in state.optimizer.items()},
    }
    arrays |= {
        name: array for name, array in (("best", state.best), ("average", state.average)) if array is not None
    }
    check_writable(path)
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)
    except OSError as error:  # a full disk
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def load_state(path: str | Path) -> State:
    """Read a state.

    Parameters
    ----------
    path : path

    Returns
    -------
    State
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
            if header["format"] != FORMAT:
                raise InputError(
                    f"{path}: is a run of format {header['format']}, and this version reads format {FORMAT}"
                )
            return _state_from(header, dict(file))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged file makes NumPy raise anything from EOFError to zlib.error
        raise InputError(
            f"{path}: is no unfinished run, or is damaged; start afresh without --resume"
        ) from error


def _state_from(header: Record, arrays: dict[str, np.ndarray]) -> State:
    names = header.get("losses", USUAL_LOSSES)  # older files have the usual ones
    best, average, picture = arrays.get("best"), arrays.get("average"), arrays["picture"]
    if picture.ndim != 3 or picture.dtype != np.float32:
        raise ValueError("no picture")
    if any(other is not None and other.shape != picture.shape for other in (best, average)):
        raise ValueError("pictures of two sizes")
    return State(
        iteration=int(header["iteration"]),
        picture=picture,
        optimizer={
            name.removeprefix("state."): array for name, array in arrays.items() if name.startswith("state.")
        },
        history=[
            Step(int(row[0]), float(row[1]), dict(zip(names, map(float, row[2:]), strict=True)))
            for row in arrays["history"]
        ],
        record=header["record"],
        best=best,
        best_total=np.inf if best is None else float(header["best_total"]),
        scale=int(header["scale"]),
        average=average,
    )


def check_same_run(path: str | Path, state: State, record: Record) -> None:
    """Make sure that a run may go on from a state: that it is the same run.

    The number of iterations may differ, in a run of one scale only; it may not be less than what the
    state has done. So may how the result is written, and whether it is computed in tiles: a run that
    was too large for the memory can go on.

    Parameters
    ----------
    path : path
        Where the state was read from, for the message.
    state : State
    record : dict
        From `neuralstyle.runs.records.make_record`, of the run that is to go on.

    Raises
    ------
    InputError
        If it is another run. The message says what differs.
    """
    recipe = recipe_from_record(record)
    check_record(path, state.record)
    several = bool(recipe.scales or recipe.coarsest)
    ignoring = ("bits", "quality", "tile", "threads", "device", *(() if several else ("iterations",)))
    found = difference(state.record, record, ignoring)
    if found:
        raise InputError(f"{path}: was made with {found}; give the same options, or leave --resume out")
    if not several and state.iteration > recipe.iterations:
        raise InputError(
            f"{path}: has done {state.iteration} iterations, more than --iterations {recipe.iterations}"
        )

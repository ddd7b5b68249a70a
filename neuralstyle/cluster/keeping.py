"""What a worker does: it keeps what several pieces of work need, and does one piece at a time.

A worker is a process of Dask's. What it keeps for a run (graphs with their sessions, features of its tiles)
is found under the run's name and a key. An `Order` names the keys that its work takes, each with a version;
what the client believes to be there already is not sent with it. Where it is not there, the worker answers
`Lacking`, and the order comes again with everything: nothing depends on what the client believes.
"""

import hashlib
import math
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

from neuralstyle.environment import set_for_tensorflow
from neuralstyle.files import InputError, first_line
from neuralstyle.free_memory import Room, room

#: What a run keeps at a worker is let go when nobody has asked for it for so many seconds and another run
#: begins: its client may be dead.
_ABANDONED = 600.0


@dataclass(frozen=True)
class Order:
    """A piece of work, as it is sent.

    Attributes
    ----------
    run : str
        The name of the run that it belongs to.
    needs : tuple of (str, int)
        Keys and versions of what the work takes, in this order, before its own arguments.
    given : mapping of str to (callable or None, object)
        Key to what is kept from now on: the object itself, or what the callable makes of it and of what
        stands before it in `needs`.
    work : callable or None
        None lets everything go that the run keeps.
    arguments : tuple
    forget : tuple of str
        Keys that are let go afterwards.
    """

    run: str
    needs: tuple[tuple[str, int], ...] = ()
    given: Mapping[str, tuple[Callable | None, object]] = field(default_factory=dict)
    work: Callable | None = None
    arguments: tuple = ()
    forget: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """What the work gave back, and the seconds that it took, what was unpacked for it included."""

    value: object
    seconds: float = 0.0


@dataclass(frozen=True)
class Lacking:
    """The worker does not keep all that the order names and does not bring."""


@dataclass(frozen=True)
class Refused:
    """The work cannot be done by anybody: bad input."""

    message: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unfit:
    """The worker cannot do it; another one may."""

    message: str


@dataclass(frozen=True)
class Introduction:
    """What a worker says of itself.

    Attributes
    ----------
    versions : mapping of str to str
        As `versions` gives them.
    room : Room
        The memory that there is for it.
    limit : float
        As much as Dask lets it take, in bytes; infinite where it does not care.
    """

    versions: Mapping[str, str]
    room: Room
    limit: float


@dataclass
class _Run:
    """What a run keeps at this worker: key to version and object."""

    kept: dict[str, tuple[int, object]] = field(default_factory=dict)
    used: float = field(default_factory=time.monotonic)

    def let_go(self, key: str) -> None:
        _, value = self.kept.pop(key, (0, None))
        if hasattr(value, "close"):
            value.close()


class _Memory:
    """What a worker keeps, of all runs; and a lock, since TensorFlow has the machine's cores once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.runs: dict[str, _Run] = {}

    def run(self, name: str) -> _Run:
        """What is kept of a run, which may be new."""
        if name not in self.runs:
            for other, run in list(self.runs.items()):
                if time.monotonic() - run.used > _ABANDONED:
                    self.let_go(other)
        return self.runs.setdefault(name, _Run())

    def let_go(self, name: str) -> None:
        run = self.runs.pop(name, _Run())
        for key in list(run.kept):
            run.let_go(key)


def perform(packed: bytes) -> Done | Lacking | Refused | Unfit:
    """Carry out an order at a worker.

    Parameters
    ----------
    packed : bytes
        An `Order`, pickled. What it names is imported only when the process is prepared for it.
    """
    import cloudpickle
    from distributed import get_worker

    set_for_tensorflow()
    memory = vars(get_worker()).setdefault("_neuralstyle", _Memory())
    with memory.lock:
        try:
            return _carry_out(cloudpickle.loads(packed), memory)
        except Exception as error:  # whatever it is, the client decides
            return Unfit(f"{type(error).__name__}: {first_line(error)}")


def _carry_out(order: Order, memory: _Memory) -> Done | Lacking | Refused | Unfit:
    if order.work is None:
        memory.let_go(order.run)
        return Done(None)
    run, began = memory.run(order.run), time.monotonic()
    run.used = began
    taken = []
    for key, version in order.needs:
        if key in order.given:
            unpack, value = order.given[key]
            run.let_go(key)
            try:
                run.kept[key] = version, value if unpack is None else unpack(*taken, value)
            except InputError as error:
                return Unfit(str(error))
        if run.kept.get(key, (None, None))[0] != version:
            return Lacking()
        taken.append(run.kept[key][1])
    try:
        return Done(order.work(*taken, *order.arguments), time.monotonic() - began)
    except InputError as error:
        return Refused(str(error), error.fields)
    finally:
        for key in order.forget:
            run.let_go(key)
        run.used = time.monotonic()


def dask_setup(worker: object) -> None:
    """Called by Dask in a worker of `local_cluster`: Ctrl-C is for the client, and so is the terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def introduce() -> Introduction:
    """What a worker says of itself before it gets any work."""
    from distributed import get_worker

    # From four fifths of `--memory-limit` on, Dask gives a worker nothing to do, and then it ends it.
    limit = get_worker().memory_manager.memory_limit
    return Introduction(versions(), room(), 0.8 * limit if limit else math.inf)


@cache
def versions() -> dict[str, str]:
    """The versions that must be the same everywhere for the result to be.

    Returns
    -------
    dict of str to str
        Of this program, with a digest of its source, of TensorFlow, and of Python.
    """
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return {
        "neuralstyle": f"{metadata.version('neuralstyle')} ({digest.hexdigest()[:8]})",
        "tensorflow": metadata.version("tensorflow"),
        "python": platform.python_version().rsplit(".", 1)[0],
    }

"""How much memory this process may still take: the system's, its control groups', its own limit's."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from neuralstyle.files import InputError

#: The environment variable that stands above what the system says.
OVERRIDE = "NEURALSTYLE_FREE_MEMORY"

#: Assumed to be free where nothing says.
_UNKNOWN = 4 * 2**30

#: Version 1 of control groups and version 2: the folder of a hierarchy below the root, the files that limit
#: a group's memory and tell what it has used, and the entries of its memory.stat that count what the system
#: only keeps of files as long as nobody else wants the memory.
_VERSIONS = {
    1: (
        "sys/fs/cgroup/memory",
        ("memory.limit_in_bytes",),
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
    2: ("sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file")),
}

#: Functions that tell how many bytes an allocator of this process keeps of what it gave out before, and gives
#: out again.
KEPT: list[Callable[[], int]] = []


def free_bytes() -> int:
    """The memory that this process can still have without swapping, in bytes.

    The least of what the system has (`psutil`), what is left of the limits of the control groups that the
    process is in, and what is left of its own address space (``ulimit -v``), and what `KEPT` adds to that; or
    what the environment variable ``NEURALSTYLE_FREE_MEMORY`` says, in GB, where the user knows better.

    Raises
    ------
    InputError
        If that variable holds no number.
    """
    said = os.environ.get(OVERRIDE)
    if said:
        try:
            return int(float(said) * 1e9)
        except (ValueError, OverflowError):
            raise InputError(f"{OVERRIDE} is {said!r}; it must be a number of gigabytes") from None
    return max(0, min([system_bytes(), *group_bytes(), *address_space_bytes()])) + _kept()


def _kept() -> int:
    return sum(count() for count in KEPT)


@contextmanager
def counting_on(gigabytes: float | None) -> Iterator[None]:
    """Take it, for as long as the block lasts, that so much is free; None: what the system says."""
    before = os.environ.get(OVERRIDE)
    if gigabytes is not None:
        os.environ[OVERRIDE] = str(gigabytes)
    try:
        yield
    finally:
        if before is not None:
            os.environ[OVERRIDE] = before
        elif gigabytes is not None:
            os.environ.pop(OVERRIDE, None)


@dataclass(frozen=True)
class Room:
    """Where a process runs, and the memory that it and its neighbours may have there.

    Attributes
    ----------
    host : str
        The name of its machine, or of its container, which may have a limit of its own.
    machine : str
        The same for all containers of a machine.
    free : int
        What is free on the host, in bytes: `free_bytes`, without what the process has already.
    free_of_machine : int
        What is free on the machine, whatever the limits of this process.
    used : int
        What the process has already, and can use again.
    """

    host: str
    machine: str
    free: int
    free_of_machine: int
    used: int


def room() -> Room:
    """Of this process.

    Raises
    ------
    InputError
        As `free_bytes`.
    """
    said, host = bool(os.environ.get(OVERRIDE)), platform.node()
    free = free_bytes() - (0 if said else _kept())
    machine = host
    with suppress(OSError):  # Linux alone says so
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    whole = free if said else system_bytes()
    return Room(host, machine, free, whole, psutil.Process().memory_full_info().uss)


def system_bytes() -> int:
    """What the whole machine could give away; 4 GB where it does not say."""
    try:
        return psutil.virtual_memory().available
    except (OSError, ValueError, KeyError, RuntimeError):  # no /proc, or one of its own kind
        return _UNKNOWN


def group_bytes(root: Path = Path("/")) -> list[int]:
    """What is left of each limit of the control groups that this process is in; Linux only.

    A limit holds for a group and everything below it, so every group on the way up counts. A container may
    see its own group as the root of the hierarchy while ``/proc/self/cgroup`` names it from outside: what
    is not there is left out, and the root is always looked at.

    Parameters
    ----------
    root : path
        The root of the file system.

    Returns
    -------
    list of int
        In bytes; empty where there are no limits.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        # number:controllers:group; version 2 has the number 0 and names no controllers.
        number, controllers, group = (*line.split(":", 2), "", "")[:3]
        if "memory" in controllers.split(","):
            version = 1
        elif number == "0" and not controllers:
            version = 2
        else:
            continue
        names = [name for name in group.split("/") if name not in ("", "..")]
        for depth in range(len(names) + 1):
            left += _left(root.joinpath(_VERSIONS[version][0], *names[:depth]), version)
    return left


def _left(folder: Path, version: int) -> list[int]:
    """What is left of the limits of one control group."""
    _, limits, used, files = _VERSIONS[version]
    found = []
    for name in limits:
        try:
            limit = int((folder / name).read_text())
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            taken = int((folder / used).read_text()) - sum(int(counts[kind]) for kind in files)
        except (OSError, ValueError, KeyError):  # no such group or limit ("max"), or one of another kind
            continue
        found.append(limit - taken)
    return found


def address_space_bytes() -> list[int]:
    """What is left of the limit on this process's address space; empty where there is none."""
    if sys.platform == "win32":
        return []
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return []
    return [limit - psutil.Process().memory_info().vms]

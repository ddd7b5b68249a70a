"""Dask's workers: started here or found at an address, each of the right version, watched while they work."""

import time
import warnings
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from neuralstyle.cluster.keeping import Introduction, Order, introduce, perform, versions
from neuralstyle.files import InputError, first_line
from neuralstyle.free_memory import Room, room

if TYPE_CHECKING:
    from distributed import Client, Future

#: A worker that sends no sign of life for so many seconds is left out.
PATIENCE = 60.0

#: How long to wait for the first worker: a batch system may have others to serve first.
_SECONDS_TO_JOIN = 600.0

#: How long a worker's answer may take once its work is done.
_SECONDS_TO_ANSWER = 60.0

#: How often workers that come and go are looked for, in seconds.
_ROUND = 1.0


class ClusterLostError(InputError):
    """The scheduler, or the last worker, is gone. What a run has saved by then goes on elsewhere."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}; what was saved so far goes on with --resume, on another cluster or without one"
        )


@dataclass
class Member:
    """A worker that takes part.

    Attributes
    ----------
    room : Room
        The memory that was free when it joined.
    limit : float
        What Dask lets it take.
    neighbours : int
        With how many on its machine a worker that joined late shares what was free then, itself included:
        those that worked had theirs. 0 for one that was there before the work.
    beat, heard : float
        What the scheduler says of its last sign of life, and when that changed last.
    """

    room: Room
    limit: float
    neighbours: int
    beat: float
    heard: float


class Cluster:
    """The workers of a Dask cluster, as far as they may take part.

    A worker that joins late takes part from then on; one of another version is refused with a line; one that
    is lost, or sends no sign of life, is left out.

    Parameters
    ----------
    client : distributed.Client
    patience : float
        In seconds; see `PATIENCE`.

    Attributes
    ----------
    members : dict of str to Member
        Those that take part, by their addresses.
    """

    def __init__(self, client: "Client", patience: float = PATIENCE) -> None:
        self.members: dict[str, Member] = {}
        self.patience = patience
        #: Called with pieces done, pieces in all, and workers, where somebody wants to show them.
        self.on_progress = lambda done, count, workers: None
        self._client = client
        self._finished: SimpleQueue[Future] = SimpleQueue()
        self._introducing: dict[str, Future] = {}
        self._left_out: dict[str, str] = {}
        self._needed, self._needed_by, self._looked = 0.0, "", 0.0
        self._room, self._needed_here = room(), 0.0
        self._alone = time.monotonic()
        with suppress(AttributeError):  # as in `_keep_no_messages`
            client.scheduler_comm.recent_message_log = deque(maxlen=0)

    @property
    def address(self) -> str:
        """The scheduler's."""
        return self._client.scheduler.address

    @property
    def dashboard(self) -> str | None:
        """The address of Dask's dashboard; None where the cluster has none."""
        import importlib.util

        # Without Bokeh, Dask serves a page that says so.
        if importlib.util.find_spec("bokeh") is None or "dashboard" not in self._identity()["services"]:
            return None
        return self._client.dashboard_link

    def wait_for(self, count: int, seconds: float = _SECONDS_TO_JOIN) -> None:
        """Wait until so many workers take part, or fewer and the time is over.

        Raises
        ------
        InputError
            If there is none by then, or each was refused.
        """
        end = time.monotonic() + seconds
        while len(self.members) < count and time.monotonic() < end:
            self._looked = 0.0
            self.look_around()
            present = self._introducing.keys() | self.members.keys()
            if self._left_out and not present:
                break
            time.sleep(0.05)
        if not self.members:
            raise InputError(f"{self.address}: no worker can take part{self._reason()}")

    def shares(self, here: float = 0.0) -> list[float]:
        """How many bytes each worker can have at once with all others, those that it has already included.

        Parameters
        ----------
        here : float
            What this process is going to take of its own machine, in bytes.
        """
        self._needed_here = here
        return [self._share(member) for member in self.members.values()]

    def require(self, free: float, what: str = "a tile", here: float = 0.0) -> None:
        """Leave out the workers that have not so many bytes free, now and later.

        Where those of a machine have not enough together, as many are left out as it takes.

        Parameters
        ----------
        free : float
        what : str
            What takes so many, in words.
        here : float
            As in `shares`.

        Raises
        ------
        InputError
            If none has.
        """
        self._needed, self._needed_by, self._needed_here = free, what, here
        for address, member in reversed(list(self.members.items())):
            self._check_room(address, member)
        if not self.members:
            raise InputError(
                f"no worker has room{self._reason()}; give tile a smaller number, take a machine with more "
                "memory, or say with free_memory how much there is",
                fields=("tile", "free_memory"),
            )

    def look_around(self) -> None:
        """Take note of workers that have come and gone, at most once a second.

        Raises
        ------
        ClusterLostError
            If the scheduler does not answer, or there has been no worker for longer than `patience`.
        """
        now = time.monotonic()
        if now - self._looked < _ROUND:
            return
        found = self._identity()["workers"]
        self._looked = now = time.monotonic()
        for address in self.members.keys() - found.keys():
            self.leave_out(address, "is lost", for_good=False)
        for address in self._introducing.keys() - found.keys():
            del self._introducing[address]
        for address, seen in found.items():
            if address in self.members:
                self._listen(address, seen["last_seen"], now)
            elif address not in self._left_out and address not in self._introducing:
                self._introducing[address] = self.submit(address, introduce)
        for address, future in list(self._introducing.items()):
            if future.done():
                del self._introducing[address]
                self._welcome(address, future, found)
        if self.members or self._introducing:
            self._alone = now
        elif now - self._alone > self.patience:
            raise ClusterLostError(f"{self.address}: no worker is left{self._reason()}")

    def _identity(self) -> dict:
        """What the scheduler says of itself and its workers."""
        try:
            if self._client.status == "running":
                return self._client.sync(
                    self._client.scheduler.identity, callback_timeout=max(self.patience, 10)
                )
        except Exception as error:  # closed in any of many ways
            raise ClusterLostError(f"the cluster is lost ({first_line(error)})") from error
        raise ClusterLostError("the cluster is lost: its scheduler no longer answers")

    def _listen(self, address: str, beat: float, now: float) -> None:
        member = self.members[address]
        if beat != member.beat:
            member.beat, member.heard = beat, now
        elif now - member.heard > self.patience:
            self.leave_out(address, f"has given no sign of life for {self.patience:.0f} seconds")

    def _welcome(self, address: str, future: "Future", found: dict) -> None:
        """Let a worker take part that has introduced itself, if it may."""
        try:
            introduction: Introduction = future.result(timeout=_SECONDS_TO_ANSWER)
            differing = [
                f"{name} {version} instead of {versions()[name]}"
                for name, version in introduction.versions.items()
                if version != versions()[name]
            ]
        except Exception as error:
            self.leave_out(address, f"cannot run this program ({first_line(error)})")
            return
        if differing:
            self.leave_out(address, f"has {', '.join(differing)}; install the same there")
            return
        seen = found[address]
        new = [other["host"] for name, other in found.items() if name not in self.members]
        late = new.count(seen["host"])
        neighbours = late if self._needed else 0
        member = Member(
            introduction.room, introduction.limit, neighbours, seen["last_seen"], time.monotonic()
        )
        if self._check_room(address, member):
            self._keep_no_messages()
            self.members[address] = member

    def _keep_no_messages(self) -> None:
        """Have the scheduler not keep what it sends to workers.

        For debugging, Dask keeps the last thousand messages to each that are smaller than a megabyte: here
        pixels, up to a gigabyte of them.
        """

        def forget(dask_scheduler: object) -> None:
            from collections import deque

            for comm in dask_scheduler.stream_comms.values():
                comm.recent_message_log = deque(maxlen=0)

        with suppress(Exception):  # where it runs no functions, it keeps them
            self._client.sync(self._client._run_on_scheduler, forget, callback_timeout=_SECONDS_TO_ANSWER)

    def _check_room(self, address: str, member: Member) -> bool:
        share = self._share(member)
        if share >= self._needed:
            return True
        free, needed = max(share, 0) / 1e9, self._needed / 1e9
        hint = " (dask worker --memory-limit 0 lets it have more)" if share == member.limit else ""
        self.leave_out(
            address, f"has {free:.1f} GB free for itself, and {self._needed_by} takes {needed:.1f}{hint}"
        )
        return False

    def _share(self, member: Member) -> float:
        """The bytes that a worker can have while all others and this process have theirs."""
        there = member.room
        if member.neighbours:
            return min(member.limit, there.free / member.neighbours + there.used)
        together = [other.room for other in self.members.values() if not other.neighbours] or [there]
        free = there.free - (self._needed_here if there.host == self._room.host else 0)
        whole = there.free_of_machine - (self._needed_here if there.machine == self._room.machine else 0)
        free /= max(1, sum(other.host == there.host for other in together))
        whole /= max(1, sum(other.machine == there.machine for other in together))
        return min(member.limit, there.used + min(free, whole))

    def leave_out(self, address: str, why: str, for_good: bool = True) -> None:
        """Give a worker no more work, and say why.

        Parameters
        ----------
        address : str
        why : str
        for_good : bool
            Whether it may not take part when it comes again.
        """
        self.members.pop(address, None)
        if for_good:
            self._left_out[address] = why
        warnings.warn(f"the worker {address} {why}; the others go on without it", stacklevel=2)

    def _reason(self) -> str:
        return f": {next(reversed(self._left_out.values()))}" if self._left_out else ""

    def submit(self, address: str, work: object, *arguments: object) -> "Future":
        """Have a function called at one worker and nowhere else."""
        import cloudpickle
        import dask

        # The scheduler sees bytes only: it need not have this program, and does not import TensorFlow.
        call = cloudpickle.dumps((work, arguments))
        quiet = {"distributed.admin.large-graph-warning-threshold": "1TB"}
        with dask.config.set({**quiet, "distributed.diagnostics.computations.nframes": 0}):
            return self._client.submit(
                _calling(), call, pure=False, workers=[address], allow_other_workers=False
            )

    def send(self, address: str, order: Order) -> "Future":
        """Have an order carried out at a worker; `next_finished` gives the future when that is over."""
        import cloudpickle

        future = self.submit(address, perform, cloudpickle.dumps(order))
        future.add_done_callback(self._finished.put)
        return future

    def next_finished(self, seconds: float) -> "Future | None":
        """An order that is over, one way or another; None where none is within so many seconds."""
        try:
            return self._finished.get(timeout=seconds)
        except Empty:
            return None

    def answer(self, future: "Future", address: str) -> object:
        """What a worker has answered.

        Raises
        ------
        Exception
            What the worker has raised, or that it is lost before it could say.
        """
        end = time.monotonic() + _SECONDS_TO_ANSWER
        while True:
            try:
                return future.result(timeout=_ROUND)
            except TimeoutError:
                self.look_around()
                if address not in self.members or time.monotonic() > end:
                    raise

    def let_go(self, run: str) -> None:
        """Tell the workers to forget a run; nobody waits for them."""
        with suppress(Exception):
            futures = [self.submit(address, perform, _packed(Order(run))) for address in self.members]
            self._client.sync(self._wait, futures, callback_timeout=5)

    @staticmethod
    async def _wait(futures: "Sequence[Future]") -> None:
        from distributed import wait

        await wait(futures)


def _packed(order: Order) -> bytes:
    import cloudpickle

    return cloudpickle.dumps(order)


def _calling() -> object:
    """A function that a process without this program can read, too: it is sent as it is, not by its name."""

    def call(packed: bytes) -> object:
        import cloudpickle

        work, arguments = cloudpickle.loads(packed)
        return work(*arguments)

    return call

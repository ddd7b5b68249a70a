"""Pieces of work handed out to workers: who does what, who keeps what, and what becomes of a lost one's."""

import math
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from neuralstyle.cluster.keeping import Done, Lacking, Order, Refused, Unfit
from neuralstyle.cluster.workers import Cluster, ClusterLostError
from neuralstyle.files import InputError, first_line

if TYPE_CHECKING:
    from distributed import Future

#: A piece is given up when its worker was lost so often: the piece may be the reason.
_MOST_ATTEMPTS = 5

#: A piece that takes so many times as long as the longest so far is looked upon as hanging.
_TIMES_AS_LONG = 10

#: Before anything is known of how long a piece takes: it loads TensorFlow and builds graphs, besides.
_TIMES_PATIENCE = 10


@dataclass(frozen=True)
class Kept:
    """Something that a piece of work takes and that its worker keeps for the next piece.

    Attributes
    ----------
    key : str
    version : int
        What is kept under the key in another version is replaced.
    value : callable
        Gives what is sent; called only where the worker has not got it.
    unpack : callable, optional
        At the worker: from the kept things that the piece names before this one, and from what was sent, to
        what is kept.
    own : bool
        Whether no other piece takes it: it is let go where the piece is done elsewhere.
    """

    key: str
    version: int
    value: Callable[[], object]
    unpack: Callable | None = None
    own: bool = False


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Attributes
    ----------
    work : callable
        A function of a module, called at a worker with what is kept and then with the arguments. InputError
        that it raises is the piece's outcome.
    needs : tuple of Kept
    arguments : callable
        Gives the arguments; called when the piece is sent.
    forget : tuple of str
        Keys that are let go when it is done.
    size : float
        How much work it is beside others: of those that come next the largest is begun first, so that the
        workers are done at one time.
    """

    work: Callable
    needs: tuple[Kept, ...] = ()
    arguments: Callable[[], tuple] = tuple
    forget: tuple[str, ...] = ()
    size: float = 0.0


@dataclass(frozen=True)
class _Flight:
    """A piece on its way."""

    index: int
    address: str
    future: "Future"


class ClusterRun:
    """Hands out the same pieces of work again and again, each to the worker that did it last.

    A worker has at most two pieces at a time, of which the second waits there, so that none waits for the
    network. One that has nothing left to do takes over a piece that another has not been given yet. Pieces of
    a worker that is lost are done by the others.

    Parameters
    ----------
    cluster : Cluster
    hanging : bool
        Whether a piece that takes ten times as long as the longest so far is given to another worker: where
        pieces are alike.
    """

    def __init__(self, cluster: Cluster, hanging: bool = True) -> None:
        self._cluster, self._hanging = cluster, hanging
        self._name = uuid.uuid4().hex
        self._homes: dict[int, str] = {}
        self._has: dict[str, dict[str, int]] = {}
        self._forget: dict[str, list[str]] = {}
        self._proven: set[str] = set()
        self._longest = 0.0

    def close(self) -> None:
        """Have the workers let everything go that they keep."""
        self._cluster.let_go(self._name)

    def begin_anew(self) -> None:
        """Forget how long pieces take, and who did which: those that follow are of another kind."""
        self._homes, self._proven, self._longest = {}, set(), 0.0

    def map(self, pieces: Iterable[Piece], ahead: int | None = None) -> Iterator[tuple[int, object]]:
        """Do all the pieces.

        Parameters
        ----------
        pieces : iterable of Piece
            The piece of one index is one that knows each other: where it was done before, it is done again.
        ahead : int, optional
            How many pieces for each worker are taken at a time: no more while the first of them is not done.
            So there may be any number of pieces, and memory holds few. Default: all at once.

        Yields
        ------
        index : int
        outcome : object
            What the work gave, as soon as it is there, in any order; an InputError where it raised one.

        Raises
        ------
        ClusterLostError
            If the scheduler is gone, or the last worker.
        """
        self._pieces: dict[int, Piece] = {}
        self._flights: dict[str, _Flight] = {}
        self._since: dict[str, float] = {}
        self._attempts = Counter()
        self._loose: deque[int] = deque()
        self._waiting: dict[str, deque[int]] = {}
        self._outcomes: deque[tuple[int, object]] = deque()
        coming, self._taken, done = iter(pieces), 0, 0
        try:
            while self._take(coming, ahead) or done < self._taken:
                self._cluster.look_around()
                self._take_back()
                self._hand_out()
                if not self._outcomes:
                    finished = self._cluster.next_finished(0.2)
                    if finished is not None and finished.key in self._flights:
                        self._land(self._flights.pop(finished.key))
                while self._outcomes:
                    done += 1
                    self._cluster.on_progress(done, self._taken, len(self._cluster.members))
                    index, outcome = self._outcomes.popleft()
                    del self._pieces[index]
                    if ahead is not None:
                        self._homes.pop(index, None)  # there may be any number
                    yield index, outcome
        finally:
            for flight in self._flights.values():
                with suppress(Exception):
                    flight.future.cancel()

    # --- handing out -------------------------------------------------------------------------------

    def _take(self, coming: Iterator[Piece], ahead: int | None) -> bool:
        """Take the pieces that there is room for; whether there may be more."""
        room = math.inf if ahead is None else ahead * max(1, len(self._cluster.members))
        while self._taken - min(self._pieces, default=self._taken) < room:
            piece = next(coming, None)
            if piece is None:
                return False
            self._pieces[self._taken] = piece
            self._loose.append(self._taken)
            self._taken += 1
        return True

    def _hand_out(self) -> None:
        """Send each worker what it has room for: first those that have nothing."""
        members = self._cluster.members
        for index in list(self._loose):
            home = self._homes.get(index)
            if home in members:
                self._loose.remove(index)
                self._waiting.setdefault(home, deque()).append(index)
        for room in (1, 2):
            for address in list(members):
                busy = sum(flight.address == address for flight in self._flights.values())
                if busy < room and (room == 1 or address in self._proven):
                    index = self._choose(address, idle=not busy)
                    if index is not None:
                        self._send(index, address)

    def _choose(self, address: str, idle: bool) -> int | None:
        """The next piece of a worker: its own, one of nobody's, or one that another has not begun."""
        own = self._waiting.get(address)
        if own:
            return own.popleft()
        if self._loose and (idle or len(self._loose) > len(self._cluster.members)):
            # No more of them: outcomes are held until those before them are there.
            coming = list(islice(self._loose, 2 * len(self._cluster.members)))
            largest = max(coming, key=lambda index: self._pieces[index].size)
            self._loose.remove(largest)
            return largest
        longest = max(self._waiting.values(), key=len, default=None)
        return longest.pop() if idle and longest else None

    def _send(self, index: int, address: str) -> None:
        piece, has = self._pieces[index], self._has.setdefault(address, {})
        try:
            arguments = piece.arguments()
        except InputError as error:
            self._outcomes.append((index, error))
            return
        given = {
            need.key: (need.unpack, need.value()) for need in piece.needs if has.get(need.key) != need.version
        }
        self._move(index, address)
        forget = (*piece.forget, *self._forget.pop(address, ()))
        needs = tuple((need.key, need.version) for need in piece.needs)
        future = self._cluster.send(address, Order(self._name, needs, given, piece.work, arguments, forget))
        has.update(needs)
        for key in forget:
            has.pop(key, None)
        if not any(flight.address == address for flight in self._flights.values()):
            self._since[address] = time.monotonic()
        self._flights[future.key] = _Flight(index, address, future)

    def _move(self, index: int, address: str) -> None:
        """Note where a piece is done from now on; where it was done before, nothing of it is kept."""
        before = self._homes.get(index, address)
        self._homes[index] = address
        if before == address:
            return
        kept = self._has.get(before, {})
        for need in self._pieces[index].needs:
            if need.own and kept.pop(need.key, None) is not None:
                self._forget.setdefault(before, []).append(need.key)

    # --- taking back -------------------------------------------------------------------------------

    def _take_back(self) -> None:
        """Take the pieces of workers that are lost, or hang, from them."""
        patience = self._cluster.patience
        limit = max(patience, _TIMES_AS_LONG * self._longest)
        for address in {flight.address for flight in self._flights.values()}:
            waited = time.monotonic() - self._since[address]
            allowed = limit if address in self._proven else max(limit, _TIMES_PATIENCE * patience)
            if self._hanging and address in self._cluster.members and waited > allowed:
                self._cluster.leave_out(address, f"has been at one piece of work for {waited:.0f} seconds")
        gone = {*self._has, *self._waiting} - self._cluster.members.keys()
        for address in gone:
            self._loose.extend(self._waiting.pop(address, ()))
            self._has.pop(address, None)
            self._forget.pop(address, None)
            self._proven.discard(address)
            for key, flight in list(self._flights.items()):
                if flight.address == address:
                    del self._flights[key]
                    self._again(flight, "its worker was lost")

    def _again(self, flight: _Flight, why: str) -> None:
        """Do a piece once more, elsewhere if need be."""
        with suppress(Exception):
            flight.future.cancel()
        self._attempts[flight.index] += 1
        if self._attempts[flight.index] >= _MOST_ATTEMPTS:
            self._outcomes.append(
                (flight.index, InputError(f"given up after {_MOST_ATTEMPTS} attempts: {why}"))
            )
        else:
            self._loose.appendleft(flight.index)

    # --- what comes back ---------------------------------------------------------------------------

    def _land(self, flight: _Flight) -> None:
        """Take what a worker has answered."""
        address, now = flight.address, time.monotonic()
        if flight.future.status in ("cancelled", "lost"):
            self._again(flight, "it was cancelled")
            return
        try:
            answer = self._cluster.answer(flight.future, address)
        except ClusterLostError:
            raise
        except Exception as error:
            self._cluster.leave_out(address, f"has failed ({first_line(error)})")
            self._again(flight, first_line(error))
            return
        if isinstance(answer, Lacking):
            self._has[address] = {}
            self._loose.appendleft(flight.index)
        elif isinstance(answer, Unfit):
            self._cluster.leave_out(address, f"cannot go on ({answer.message})")
            self._again(flight, answer.message)
        elif isinstance(answer, Refused):
            self._outcomes.append((flight.index, InputError(answer.message, answer.fields)))
        elif isinstance(answer, Done):
            self._longest = max(self._longest, now - self._since[address])
            self._proven.add(address)
            self._outcomes.append((flight.index, answer.value))
        self._since[address] = now


def in_order(outcomes: Iterator[tuple[int, object]]) -> Iterator[object]:
    """Outcomes in the order of their pieces; each is held until those before it are there.

    Parameters
    ----------
    outcomes : iterator of (int, object)
        As `ClusterRun.map` gives them.
    """
    held: dict[int, object] = {}
    following = 0
    for index, outcome in outcomes:
        held[index] = outcome
        while following in held:
            yield held.pop(following)
            following += 1

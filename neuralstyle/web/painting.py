"""One run at a time, the others in a queue, and what is known of each while it goes on and afterwards."""

import gc
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, first_line
from neuralstyle.runs.history import Step
from neuralstyle.runs.watching import Beginning, Watcher
from neuralstyle.web.folder import FILM

#: The least time between two pictures, in seconds; and how many times as long as it took to make one.
INTERVAL, PATIENCE = 0.5, 100

#: Longest side, in pixels, of a picture that is shown while it grows.
GROWING = 768

#: How many losses of a run are kept for its plot.
_POINTS = 200

#: What a run is: waiting for others, going on, or at its end, of which there are three.
WAITING, PAINTING, DONE, STOPPED, FAILED = "waiting", "painting", "done", "stopped", "failed"

#: What makes a picture: a command line, who looks on, and what stops it; gives the command's exit status.
Paint = Callable[[Sequence[str], Sequence[Watcher], threading.Event], int]


@dataclass(frozen=True)
class Run:
    """What is known of a run; a new value whenever something is new.

    Attributes
    ----------
    number : int
        In the order in which they were asked for.
    arguments : tuple of str
        The command line.
    output : pathlib.Path
    iterations : int or None
        How many it will take, frames where it is a film; None where a network renders in one pass.
    look : bool
        Whether it is only to be looked at, and goes before those that wait.
    status : str
        WAITING, PAINTING, DONE, STOPPED or FAILED.
    message : str
        Why it failed.
    iteration : int
        Or a film's frame.
    seconds_left : float or None
        None where that is not known yet.
    size : (int, int) or None
        Height and width.
    picture : ndarray or None
        The last picture worth showing, reduced, uint8.
    losses : tuple of (int, float)
        Iterations and total losses, thinned out.
    """

    number: int
    arguments: tuple[str, ...]
    output: Path
    iterations: int | None
    look: bool = False
    status: str = WAITING
    message: str = ""
    iteration: int = 0
    seconds_left: float | None = None
    size: tuple[int, int] | None = None
    picture: np.ndarray | None = field(default=None, compare=False)
    losses: tuple[tuple[int, float], ...] = ()

    @property
    def film(self) -> bool:
        """Whether it makes a film, and no picture."""
        return self.output.suffix == FILM


class Painter:
    """Makes pictures one after the other, in a thread of its own, whoever looks on.

    Parameters
    ----------
    paint : callable
        Makes one.
    load : callable
        Called once in that thread, before the first: what takes its time and need not wait for a wish.
    """

    def __init__(self, paint: Paint, load: Callable[[], None]) -> None:
        self._paint, self._load = paint, load
        self._changed = threading.Condition()
        self._waiting: deque[Run] = deque()
        self._current: Run | None = None
        self._last: Run | None = None
        self._stop = threading.Event()
        self._closing = False
        self._version = self._count = 0
        self._thread = threading.Thread(target=self._work, name="painter", daemon=True)

    def start(self) -> None:
        """Begin to work: nothing is made before."""
        self._thread.start()

    @property
    def version(self) -> int:
        """A number that grows whenever something is new."""
        return self._version

    def add(self, arguments: Sequence[str], output: Path, iterations: int | None, look: bool = False) -> Run:
        """Put a run at the end of the queue; one to be looked at goes first, in the place of its like.

        Raises
        ------
        InputError
            If a run with this output waits or goes on.
        """
        with self._changed:
            if look:
                self._waiting = deque(run for run in self._waiting if not run.look)
            elif any(run.output == output for run in self.queue()):
                raise InputError(f"{output.name}: is being painted; wait until it is done, or stop it")
            self._count += 1
            run = Run(self._count, tuple(arguments), output, iterations, look)
            (self._waiting.appendleft if look else self._waiting.append)(run)
            self._version += 1
            self._changed.notify_all()
            return run

    def stop(self) -> None:
        """Stop the run that goes on; what there is of it is kept."""
        self._stop.set()

    def queue(self) -> list[Run]:
        """The run that goes on, and those that wait."""
        with self._changed:
            return [*([self._current] if self._current else []), *self._waiting]

    def latest(self) -> Run | None:
        """The run that goes on, or the last one that did, or the first that waits."""
        with self._changed:
            return self._current or self._last or next(iter(self._waiting), None)

    def close(self) -> None:
        """Stop what goes on, let its picture and state be written, and take nothing more."""
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._stop.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def tell(self, **news: object) -> None:
        """Take note of what is new of the run that goes on."""
        with self._changed:
            self._current = replace(self._current, **news)
            self._version += 1

    def _work(self) -> None:
        self._load()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                self._stop.clear()
                self._current = self._waiting.popleft()
            self.tell(status=PAINTING)
            status, message = self._made()
            self.tell(status=status, message=message, seconds_left=None)
            with self._changed:
                self._last, self._current = self._current, None
                self._version += 1
            gc.collect()  # graphs refer to themselves, and hold on to their arrays until they are collected

    def _made(self) -> tuple[str, str]:
        """Make the picture; how it ended."""
        run = self._current
        try:
            status = self._paint(run.arguments, [_Onlooker(self, run)], self._stop)
        except InputError as error:
            return FAILED, str(error)
        except (Exception, SystemExit) as error:  # whatever it is, the page goes on, and says so
            return FAILED, f"the program failed ({type(error).__name__}: {first_line(error)})"
        return (STOPPED if status else DONE), ""


class _Onlooker(Watcher):
    """Takes note of a run for the page: every loss, and a picture whenever there is time for one."""

    def __init__(self, painter: Painter, run: Run) -> None:
        self._painter, self._run = painter, run
        self._next = 0.0
        self._first: Step | None = None
        self._begun: tuple[float, int] | None = None
        self._losses: list[tuple[int, float]] = []
        self._every = max(1, (run.iterations or 1) // _POINTS)

    def begin(self, beginning: Beginning) -> None:
        """A size begins; how long a step takes is not known yet."""
        self._first = None
        self._painter.tell(size=(beginning.height, beginning.width))

    def step(self, step: Step) -> None:
        """Take note of a step."""
        self._first = self._first or replace(step, picture=None)  # whose picture nobody needs to hold
        if step.iteration % self._every == 0:
            self._losses.append((step.iteration, step.total))
        began = time.monotonic()
        if began < self._next:
            return
        self._painter.tell(
            iteration=step.iteration,
            seconds_left=self._left(step),
            picture=reduced(step.picture),
            losses=tuple(self._losses),
        )
        self._pause(began)

    def frame(self, done: int, picture: np.ndarray | None) -> None:
        """Take note of a film's frame."""
        began = time.monotonic()
        self._begun = self._begun or (began, done)
        since, first = self._begun
        news: dict[str, object] = {}
        if picture is not None and began >= self._next:
            news = {"size": picture.shape[:2], "picture": reduced(picture)}
            self._pause(began)
        if done > first:
            news["seconds_left"] = (began - since) / (done - first) * (self._run.iterations - done)
        if picture is not None or done == first:
            self._painter.tell(iteration=done, **news)

    def _pause(self, began: float) -> None:
        """Take no picture for a while: many times as long as the one took that was begun then."""
        ended = time.monotonic()
        self._next = ended + max(INTERVAL, PATIENCE * (ended - began))

    def _left(self, step: Step) -> float | None:
        """How long the rest takes at the pace of this size; finer sizes, which are slower, it cannot know."""
        done = step.iteration - self._first.iteration
        if done < 2 or self._run.iterations is None:
            return None
        return (step.seconds - self._first.seconds) / done * (self._run.iterations - step.iteration)


def reduced(picture: np.ndarray) -> np.ndarray:
    """A picture to be shown while it grows: uint8, every second or third pixel of a large one."""
    every = -(-max(picture.shape[:2]) // GROWING)
    return np.rint(np.clip(picture[::every, ::every], 0, 255)).astype(np.uint8)

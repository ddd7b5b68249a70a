"""What a terminal shows of a run while it goes on."""

import sys
import time
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from tqdm import tqdm

from neuralstyle.command.terminal import tell
from neuralstyle.recipes import stages
from neuralstyle.runs.history import Step
from neuralstyle.runs.watching import Beginning, Watcher

if TYPE_CHECKING:
    from neuralstyle.video.folder import Rendered
    from neuralstyle.video.loop import FilmJob

#: After how many steps the time of a run is estimated; the first is slower than the others.
_STEPS_TO_ESTIMATE = 3

#: A run that takes longer is told how to be shorter.
_LONG = 30 * 60.0


class ProgressBar(Watcher):
    """A progress bar: iteration, time left, total loss; and the losses in lines, where they are asked for.

    A context manager: the bar is closed with the block.

    Parameters
    ----------
    options : argparse.Namespace
        ``quiet`` shows nothing but what was asked for with ``print_iterations``.
    iterations : int
        Of the whole run.
    """

    def __init__(self, options: Namespace, iterations: int) -> None:
        self._options, self._iterations = options, iterations
        self._on_cluster = options.workers is not None or options.cluster is not None
        self._quiet = options.quiet or sys.stderr is None
        self._bar: tqdm | None = None
        self._first: Step | None = None

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, beginning: Beginning) -> None:
        """Say how large the picture is, and whether it is computed in tiles."""
        self._size, self._first = beginning, None
        if not self._quiet:
            how = f", in tiles of {beginning.tile}" if beginning.tile else ""
            if self._on_cluster and not beginning.tile:
                how = ", in this process, for they are one tile"
            self._say(f"computing {beginning.width}×{beginning.height} pixels{how}")

    def step(self, step: Step) -> None:
        """Move the bar."""
        if self._bar is None:
            self._bar = tqdm(
                total=self._iterations, unit="it", disable=self._quiet, dynamic_ncols=True, file=sys.stderr
            )
        every = self._options.print_iterations
        if every and step.iteration % every == 0:
            losses = ", ".join(f"{name} {value:.6g}" for name, value in step.losses.items())
            self._bar.write(f"iteration {step.iteration}: {losses}")
        self._loss = f"loss {step.total:.4g}"
        self._bar.set_postfix_str(self._loss, refresh=False)
        self._bar.update(step.iteration - self._bar.n)
        self._first = self._first or replace(step, picture=None)  # whose picture nobody needs to hold
        if step.iteration - self._first.iteration == _STEPS_TO_ESTIMATE and not self._quiet:
            self._estimate(step)

    def tiles(self, done: int, count: int, workers: int) -> None:
        """Show how far the workers are within an iteration; called after each tile of either pass."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._loss}, tile {done}/{count} on {workers} workers")

    def _estimate(self, step: Step) -> None:
        """Say how long the rest takes, if that is long, and what would make it shorter."""
        pace = (step.seconds - self._first.seconds) / _STEPS_TO_ESTIMATE
        left = pace * (self._iterations - step.iteration)
        if left <= _LONG:
            return
        # Time goes with the number of pixels.
        width = int(self._size.width * (_LONG / left) ** 0.5) // 16 * 16
        self._say(
            f"about {_spoken(left)} for {self._size.width}×{self._size.height} pixels; "
            f"--width {max(width, 64)} would take about half an hour"
        )

    def _say(self, line: str) -> None:
        if self._bar is None:
            tell(line)
        else:
            self._bar.write(f"neuralstyle: {line}", file=sys.stderr)


class FilmProgress:
    """A progress bar over the iterations of all frames, and the time that is left.

    A context manager: the bar is closed with the block.

    Parameters
    ----------
    quiet : bool
    job : FilmJob
    size : (int, int)
        Height and width of the frames.
    """

    def __init__(self, quiet: bool, job: "FilmJob", size: tuple[int, int]) -> None:
        self._quiet = quiet or sys.stderr is None
        motion, count = job.motion, len(job.numbers)
        first = sum(stage.iterations for stage in stages(job.recipe))
        others = motion.iterations or max(1, stages(job.recipe)[-1].iterations // 2)
        several = motion.passes > 1
        self._first, self._others = (motion.pass_iterations,) * 2 if several else (first, others)
        self._frames = motion.passes * count
        self._done, self._began, self._told = 0, time.perf_counter(), False
        # The iterations at coarser scales, which say nothing of those that follow.
        self._coarse = 0 if several else first - stages(job.recipe)[-1].iterations
        total = self._first + (self._frames - 1) * self._others
        if not self._quiet:
            tell(
                f"{count} frames of {size[1]}×{size[0]} pixels, at most {total} iterations; a frame takes "
                "its iterations' time and hardly more"
            )
        self._bar = tqdm(
            total=total, unit="it", disable=self._quiet, dynamic_ncols=True, file=sys.stderr, smoothing=0.05
        )
        self._number, self._reached = None, 0

    def __enter__(self) -> "FilmProgress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def step(self, number: int, step: Step) -> None:
        """Move the bar."""
        if number != self._number or step.iteration < self._reached:
            self._number, self._reached = number, 0
            self._bar.set_description(f"frame {number}", refresh=False)
        self._bar.set_postfix_str(f"loss {step.total:.4g}", refresh=False)
        self._bar.update(step.iteration - self._reached)
        self._reached = step.iteration
        if step.iteration <= self._coarse:
            self._began = time.perf_counter()

    def frame(self, rendered: "Rendered") -> None:
        """Count a frame as done, and say what is to be said of it."""
        made = rendered.number == self._number
        expected = self._others if self._done else self._first
        self._done += 1
        self._bar.total -= expected - (rendered.evaluations if made else 0)
        self._bar.refresh()
        if not made:
            return
        if rendered.cut:
            self._say(f"a scene begins with frame {rendered.number}")
        if not self._told and rendered.evaluations > self._coarse:
            self._told = True
            pace = (time.perf_counter() - self._began) / (rendered.evaluations - self._coarse)
            left = pace * (self._bar.total - self._bar.n)
            self._say(f"an iteration takes {pace:.2g} seconds, the rest at most about {_spoken(left)}")
        self._coarse = 0

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._bar.write(f"neuralstyle: {line}", file=sys.stderr)


def frames_bar(options: Namespace, count: int | None, unit: str = "frame") -> tqdm:
    """A progress bar over frames, or pictures; None where nobody knows how many there are."""
    quiet = options.quiet or sys.stderr is None
    return tqdm(total=count, unit=unit, disable=quiet, dynamic_ncols=True, file=sys.stderr)


def _spoken(seconds: float) -> str:
    """A duration in words: "40 seconds", "50 minutes", "3.5 hours"."""
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"

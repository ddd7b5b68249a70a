"""What a terminal shows of a run while it goes on."""

import sys
from argparse import Namespace

from tqdm import tqdm

from neuralstyle.command.terminal import tell
from neuralstyle.runs.history import Step
from neuralstyle.runs.watching import Beginning, Watcher

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
        self._bar.set_postfix_str(f"loss {step.total:.4g}", refresh=False)
        self._bar.update(step.iteration - self._bar.n)
        self._first = self._first or step
        if step.iteration - self._first.iteration == _STEPS_TO_ESTIMATE and not self._quiet:
            self._estimate(step)

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


def _spoken(seconds: float) -> str:
    """A duration in words: "50 minutes", "3.5 hours"."""
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"

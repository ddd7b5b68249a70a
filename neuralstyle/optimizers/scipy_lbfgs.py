"""SciPy's L-BFGS-B, for the recipes whose programs call it."""

import warnings
from dataclasses import dataclass

import numpy as np

from neuralstyle.files import require
from neuralstyle.optimizers.evaluation import Evaluation, Loss, Losses, Report, Start, check_finite, taken


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS (Byrd, Lu, Nocedal & Zhu 1995), SciPy's.

    Attributes
    ----------
    memory : int
        How many past steps it remembers.
    restart : int or None
        Forget them after so many evaluations and go on from the best picture; None: never.
    """

    memory: int = 10
    restart: int | None = None

    def __post_init__(self) -> None:
        require(self.memory >= 1, "memory", self.memory, "1 or more")
        # A first evaluation only says where the run is; the second is the first that can be better.
        require(self.restart is None or self.restart >= 2, "restart", self.restart, "2 or more")


class _EnoughEvaluations(Exception):
    """Leaves SciPy's loop, which has no other way out in the middle of a line search."""


class _TooFar(Exception):
    """Leaves it as well, after a step to a picture whose loss is no finite number."""


class _Evaluations:
    """The loss as SciPy calls it, counted, reported, and the best picture kept."""

    def __init__(self, loss: Loss, picture: Start, report: Report, first: int) -> None:
        self.best: np.ndarray = taken(picture)
        self.best_losses: Losses | None = None
        self.count = first
        self.limit = first
        self._loss, self._report = loss, report

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        if self.count >= self.limit:
            raise _EnoughEvaluations
        picture = flat.reshape(self.best.shape).astype(np.float32)
        losses, gradient = self._loss.losses_and_gradient(picture)
        if self.best_losses is not None and not np.isfinite(losses["total"]):
            raise _TooFar
        check_finite(losses, self.count)
        if self.best_losses is None or losses["total"] < self.best_losses["total"]:
            self.best, self.best_losses = picture, losses
        state = {"best": self.best}
        self._report(self.count, Evaluation(losses, picture, state, kept=picture is self.best))
        self.count += 1
        return losses["total"], gradient.reshape(-1).astype(np.float64)

    def end(self) -> np.ndarray:
        """Report the best picture, and give it back."""
        if self.best_losses is None:  # a run that goes on after its last evaluation
            self.best_losses = self._loss.losses(self.best)
            check_finite(self.best_losses, self.count)
        self._report(self.count, Evaluation(self.best_losses, self.best, {"best": self.best}))
        return self.best


def run(
    optimizer: LBFGS,
    loss: Loss,
    picture: Start,
    iterations: int,
    report: Report,
    bounds: tuple[float, float] | None,
    first: int,
) -> np.ndarray:
    """Run SciPy's L-BFGS-B for exactly so many evaluations; see `neuralstyle.optimizers.minimize`.

    A float32 loss cannot tell two pictures apart that differ by less than 1e-7 of it. SciPy then stops
    early ("REL_REDUCTION_OF_F", "ABNORMAL_TERMINATION_IN_LNSRCH"): its line search finds no decrease
    along a direction that its memory of many such differences has spoilt. Starting afresh from the best
    picture, with an empty memory, goes on; only when a fresh start finds nothing better is it over. The
    same happens after a step so long that the loss overflows.
    """
    evaluate = _Evaluations(loss, picture, report, first)
    while evaluate.count < iterations:
        evaluate.limit = min(evaluate.count + (optimizer.restart or iterations), iterations)
        before, better = evaluate.best_losses, "smaller loss that float32 can tell from this one"
        try:
            _start_afresh(optimizer, evaluate, iterations, bounds)
        except _EnoughEvaluations:
            continue
        except _TooFar:
            better = "other picture with a finite loss; lower the weights"
        if evaluate.best_losses is before:
            warnings.warn(
                f"L-BFGS stopped after {evaluate.count} of {iterations} evaluations: even afresh it finds no "
                f"{better}",
                stacklevel=3,
            )
            break
    return evaluate.end()


def _start_afresh(
    optimizer: LBFGS, evaluate: _Evaluations, iterations: int, bounds: tuple[float, float] | None
) -> None:
    """Run SciPy from the best picture until it stops or an exception leaves it."""
    # Slow to import, and the command line reads the settings above before anything runs.
    from scipy.optimize import Bounds, minimize

    def flat(bound: float | np.ndarray) -> float | np.ndarray:
        return np.broadcast_to(bound, evaluate.best.shape).ravel() if np.ndim(bound) else bound

    minimize(
        evaluate,
        evaluate.best.reshape(-1).astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds and Bounds(*map(flat, bounds)),
        options={
            "maxcor": optimizer.memory,
            "maxiter": iterations,
            "maxfun": 2 * iterations,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )

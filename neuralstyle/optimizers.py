"""One face for Adam, gradient descent and L-BFGS.

Each takes a function that gives the losses and the gradient of a picture, improves the picture step by
step, and reports every picture whose losses it knows. The reported losses come from the evaluation that
gave the gradient; nothing is computed twice.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from neuralstyle.files import InputError, require

Losses = dict[str, float]


class Loss(Protocol):
    """What an optimiser minimises."""

    def losses(self, picture: np.ndarray) -> Losses:
        """The losses of a picture, "total" among them."""

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[Losses, np.ndarray]:
        """The same, and the derivative of the total with respect to the picture."""


#: Called with the iteration, the losses, the picture that they belong to, and the optimiser's state.
Report = Callable[[int, Losses, np.ndarray, dict[str, np.ndarray]], None]


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015), in the form of ``tf.train.AdamOptimizer``.

    The form is the one at the end of their section 2, where epsilon is added to the square root of the
    uncorrected second moment.

    Raises
    ------
    InputError
        If a figure is out of its range; so do the other optimisers.
    """

    learning_rate: float = 10.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < np.inf, "--learning-rate", self.learning_rate, "greater than 0")
        require(0 <= self.beta1 < 1, "--beta1", self.beta1, "0 or more and less than 1")
        require(0 <= self.beta2 < 1, "--beta2", self.beta2, "0 or more and less than 1")
        require(0 < self.epsilon < np.inf, "--eps", self.epsilon, "greater than 0")

    def start(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The state before the first step: both moments zero."""
        return {"mean": np.zeros_like(picture), "variance": np.zeros_like(picture)}

    def step(
        self, picture: np.ndarray, gradient: np.ndarray, state: dict[str, np.ndarray], iteration: int
    ) -> None:
        """Move the picture and the moments, in place, by one step; the first iteration is 0."""
        mean, variance = state["mean"], state["variance"]
        mean *= self.beta1
        mean += (1 - self.beta1) * gradient
        variance *= self.beta2
        variance += (1 - self.beta2) * np.square(gradient)
        count = iteration + 1
        rate = self.learning_rate * (1 - self.beta2**count) ** 0.5 / (1 - self.beta1**count)
        direction = np.sqrt(variance)
        direction += self.epsilon
        np.divide(mean, direction, out=direction)
        direction *= rate
        picture -= direction


@dataclass(frozen=True)
class GradientDescent:
    """Gradient descent with a learning rate that decays exponentially.

    The rate of a step is learning_rate · decay_rate^(iteration / decay_steps), as in
    ``keras.optimizers.schedules.ExponentialDecay``.
    """

    learning_rate: float = 100.0
    decay_rate: float = 1.0
    decay_steps: int = 100

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < np.inf, "--learning-rate", self.learning_rate, "greater than 0")
        require(0 < self.decay_rate < np.inf, "--decay-rate", self.decay_rate, "greater than 0")
        require(self.decay_steps >= 1, "--decay-steps", self.decay_steps, "1 or more")

    def start(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The state before the first step: nothing is remembered."""
        return {}

    def step(
        self, picture: np.ndarray, gradient: np.ndarray, state: dict[str, np.ndarray], iteration: int
    ) -> None:
        """Move the picture, in place, by one step; the first iteration is 0."""
        picture -= self.learning_rate * self.decay_rate ** (iteration / self.decay_steps) * gradient


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
        require(self.memory >= 1, "--memory", self.memory, "1 or more")
        # A first evaluation only says where the run is; the second is the first that can be better.
        require(self.restart is None or self.restart >= 2, "--restart", self.restart, "2 or more")


Optimizer = Adam | GradientDescent | LBFGS


def minimize(
    optimizer: Optimizer,
    loss: Loss,
    picture: np.ndarray,
    iterations: int,
    report: Report,
    bounds: tuple[float, float] | None = None,
    state: dict[str, np.ndarray] | None = None,
    first: int = 0,
) -> np.ndarray:
    """Improve a picture.

    Parameters
    ----------
    optimizer : Adam, GradientDescent or LBFGS
    loss : Loss
        What to minimise.
    picture : ndarray
        The start, float32; it is not changed.
    iterations : int
        How many steps; with L-BFGS, how many evaluations.
    report : callable
        Called with each iteration from `first` to `iterations`, the losses of the picture at that
        iteration (0 is the start), the picture itself, which the next step overwrites, and the state
        of the optimiser.
    bounds : (float, float), optional
        Clip the picture to this range after each step.
    state : dict, optional
        A state that was reported, to go on from; `first` is the iteration it was reported with.
        L-BFGS goes on from the best picture, with nothing remembered.
    first : int

    Returns
    -------
    ndarray
        The picture after the last step; with L-BFGS, the best one.

    Raises
    ------
    InputError
        If the total loss stops being a finite number.
    """
    if isinstance(optimizer, LBFGS):
        start = picture if state is None else state["best"]
        return _lbfgs(optimizer, loss, start, iterations, report, bounds, first)
    picture = np.array(picture, np.float32)
    state = optimizer.start(picture) if state is None else {k: v.copy() for k, v in state.items()}
    for iteration in range(first, iterations):
        losses, gradient = loss.losses_and_gradient(picture)
        _check(losses, iteration)
        report(iteration, losses, picture, state)
        optimizer.step(picture, gradient, state, iteration)
        if bounds is not None:
            np.clip(picture, *bounds, out=picture)
    losses = loss.losses(picture)
    _check(losses, iterations)
    report(iterations, losses, picture, state)
    return picture


class _EnoughEvaluations(Exception):
    """Leaves SciPy's loop, which has no other way out in the middle of a line search."""


class _TooFar(Exception):
    """Leaves it as well, after a step to a picture whose loss is no finite number."""


def _lbfgs(
    optimizer: LBFGS,
    loss: Loss,
    picture: np.ndarray,
    iterations: int,
    report: Report,
    bounds: tuple[float, float] | None,
    first: int,
) -> np.ndarray:
    """Run SciPy's L-BFGS for exactly so many evaluations.

    A float32 loss cannot tell two pictures apart that differ by less than 1e-7 of it. SciPy then stops
    early ("REL_REDUCTION_OF_F", "ABNORMAL_TERMINATION_IN_LNSRCH"): its line search finds no decrease
    along a direction that its memory of many such differences has spoilt. Starting afresh from the best
    picture, with an empty memory, goes on; only when a fresh start finds nothing better is it over. The
    same happens after a step so long that the loss overflows.
    """
    # Slow to import, and the command line reads the settings above before anything runs.
    from scipy.optimize import minimize as scipy_minimize

    best, best_losses = np.array(picture, np.float32), None
    evaluations = first
    limit = iterations

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, best_losses, evaluations
        if evaluations >= limit:
            raise _EnoughEvaluations
        candidate = flat.reshape(picture.shape).astype(np.float32)
        losses, gradient = loss.losses_and_gradient(candidate)
        if best_losses is not None and not np.isfinite(losses["total"]):
            raise _TooFar
        _check(losses, evaluations)
        if best_losses is None or losses["total"] < best_losses["total"]:
            best, best_losses = candidate, losses
        report(evaluations, losses, candidate, {"best": best})
        evaluations += 1
        return losses["total"], gradient.reshape(-1).astype(np.float64)

    while evaluations < iterations:
        limit = iterations if optimizer.restart is None else min(evaluations + optimizer.restart, iterations)
        before, better = best_losses, "smaller loss that float32 can tell from this one"
        try:
            scipy_minimize(
                evaluate,
                best.reshape(-1).astype(np.float64),
                jac=True,
                method="L-BFGS-B",
                bounds=None if bounds is None else [bounds] * best.size,
                options={
                    "maxcor": optimizer.memory,
                    "maxiter": iterations,
                    "maxfun": 2 * iterations,
                    "ftol": 0.0,
                    "gtol": 0.0,
                },
            )
        except _EnoughEvaluations:
            continue
        except _TooFar:
            better = "other picture with a finite loss; lower the weights"
        if best_losses is before:
            warnings.warn(
                f"L-BFGS stopped after {evaluations} of {iterations} evaluations: even afresh it finds no "
                f"{better}",
                stacklevel=2,
            )
            break
    if best_losses is None:  # a run that goes on after its last evaluation
        best_losses = loss.losses(best)
        _check(best_losses, evaluations)
    report(evaluations, best_losses, best, {"best": best})
    return best


def _check(losses: Losses, iteration: int) -> None:
    if not np.isfinite(losses["total"]):
        raise InputError(
            f"the loss is not a finite number after {iteration} iterations; "
            "lower the weights or, where the optimizer has one, --learning-rate"
        )

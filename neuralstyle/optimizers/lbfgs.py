"""L-BFGS for pictures: float32, preconditioned in frequency, and a state that a run goes on from."""

import warnings
from dataclasses import dataclass, fields

import numpy as np

from neuralstyle.files import InputError, require
from neuralstyle.optimizers.blocks import add_rows, dot, dots, mean_size
from neuralstyle.optimizers.evaluation import Evaluation, Loss, Report, Start, check_finite, taken
from neuralstyle.optimizers.frequencies import FrequencyFilter


@dataclass(frozen=True)
class PreconditionedLBFGS:
    """L-BFGS (Nocedal 1980; Nocedal & Wright 2006, algorithm 7.4) from a guess that knows pictures.

    An iteration is one evaluation, as in jcjohnson/neural-style (``optim.lbfgs`` of Torch): the whole
    step of the two loops is taken, and only where the loss has risen by more than `largest_rise` is
    it cut. The inverse Hessian that the two loops start from is not the identity but
    `neuralstyle.optimizers.frequencies.FrequencyFilter`.

    Attributes
    ----------
    memory : int
        How many past steps it remembers.
    exponent : float
        The filter's p: how much more a low frequency moves than a high one; 0: as much.
    corner_frequency : float
        The filter's f₀, in cycles per pixel.
    first_step : float
        How much a value of the picture changes in the first step, on average.
    largest_rise : float
        What share of itself the loss may rise by in a step that is kept.
    cut : float
        What a step that is not kept is multiplied by, at most three times; then the past is forgotten.
    """

    memory: int = 20
    exponent: float = 1.0
    corner_frequency: float = 0.02
    first_step: float = 1.0
    largest_rise: float = 0.02
    cut: float = 0.3

    def __post_init__(self) -> None:
        require(self.memory >= 1, "memory", self.memory, "1 or more")
        require(0 <= self.exponent <= 4, "exponent", self.exponent, "between 0 and 4")
        frequency = self.corner_frequency
        require(0 < frequency < np.inf, "corner_frequency", frequency, "greater than 0")
        require(0 < self.first_step < np.inf, "first_step", self.first_step, "greater than 0")
        require(0 <= self.largest_rise < np.inf, "largest_rise", self.largest_rise, "0 or more")
        require(0 < self.cut < 1, "cut", self.cut, "greater than 0 and less than 1")


#: After so many cuts of one step its direction is given up.
_MOST_CUTS = 3


@dataclass
class _State:
    """Where a run is: what it needs to go on, and nothing that it could compute from that.

    The pairs stand in a ring of `memory` places. The place that the next pair will take, where the oldest
    stood, holds meanwhile what that pair is made from: in `steps` the direction tried, in `changes` the
    gradient at `position`.

    Attributes
    ----------
    position : ndarray
        The picture that the last kept step led to.
    best : ndarray
        The picture with the least loss so far.
    steps, changes : ndarray
        memory×H×W×3: differences s of pictures and y of gradients.
    products : ndarray
        memory×memory, float64: s·y of place i with place j where j is not older than i.
    scale : float
        γ, which multiplies the filter.
    position_total, best_total : float
        Total losses; infinite before the first evaluation.
    length : float
        The next picture is position + length · direction.
    place, pairs, cuts : int
        The next pair's place; how many pairs are remembered; how often this step was cut.
    """

    position: np.ndarray
    best: np.ndarray
    steps: np.ndarray
    changes: np.ndarray
    products: np.ndarray
    scale: float = 1.0
    position_total: float = np.inf
    best_total: float = np.inf
    length: float = 0.0
    place: int = 0
    pairs: int = 0
    cuts: int = 0

    def arrays(self) -> dict[str, np.ndarray]:
        """The state as arrays, not copied."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    def order(self) -> list[int]:
        """The places of the pairs, the oldest first."""
        return [(self.place - age) % len(self.steps) for age in range(self.pairs, 0, -1)]


def _start(optimizer: PreconditionedLBFGS, picture: Start, bounds: tuple[float, float] | None) -> _State:
    position = taken(picture)
    if bounds is not None:
        np.clip(position, *bounds, out=position)
    ring = (optimizer.memory, *position.shape)
    return _State(
        position,
        position,
        np.zeros(ring, np.float32),
        np.zeros(ring, np.float32),
        np.zeros((optimizer.memory, optimizer.memory)),
    )


def _restore(optimizer: PreconditionedLBFGS, arrays: dict[str, np.ndarray], picture: np.ndarray) -> _State:
    ring = (optimizer.memory, *picture.shape)
    if arrays.keys() != {field.name for field in fields(_State)} or np.shape(arrays["steps"]) != ring:
        raise InputError("the state is not that of this optimizer and picture; start afresh")
    return _State(**{name: array if array.ndim else array.item() for name, array in arrays.items()})


class _Search:
    """How a run of L-BFGS goes from picture to picture; what changes on the way is a `_State`."""

    def __init__(
        self, optimizer: PreconditionedLBFGS, shape: tuple[int, int], bounds: tuple[float, float] | None
    ) -> None:
        self._settings = optimizer
        self._filter = FrequencyFilter(*shape, optimizer.exponent, optimizer.corner_frequency)
        self._bounds = bounds

    def next_picture(self, here: _State) -> np.ndarray | None:
        """The picture to evaluate next, or None where no step leads away from the last one."""
        if np.isinf(here.position_total):
            return here.position
        trial = here.steps[here.place] * np.float32(here.length)
        trial += here.position
        if self._bounds is not None:
            np.clip(trial, *self._bounds, out=trial)
        if not np.array_equal(trial, here.position):
            return trial
        if here.pairs == 0:
            return None
        # What is remembered may be spoilt by rounding: try the gradient alone.
        self._aim_afresh(here, self._settings.first_step)
        return self.next_picture(here)

    def take(self, here: _State, trial: np.ndarray, total: float, gradient: np.ndarray) -> None:
        """Keep the step to a picture that was evaluated, or cut it, and say where to look next."""
        finite = np.isfinite(total) and np.isfinite(dot(gradient, gradient))
        started = np.isfinite(here.position_total)
        if not (started or finite):
            raise InputError("the gradient of the first picture is not finite; lower the weights")
        if finite and total - here.best_total <= self._settings.largest_rise * abs(here.best_total):
            step = self._remember(here, trial, gradient) if started else self._settings.first_step
            here.position, here.position_total, here.cuts = trial, total, 0
            self._aim(here, gradient, step)
        elif here.cuts < _MOST_CUTS:
            here.length *= self._settings.cut
            here.cuts += 1
        else:
            self._aim_afresh(here, self._settings.cut * here.length * mean_size(here.steps[here.place]))

    def _remember(self, here: _State, trial: np.ndarray, gradient: np.ndarray) -> float:
        """Make a pair of the step just kept; return the mean change of the picture's values in it."""
        step, change = here.steps[here.place], here.changes[here.place]
        np.subtract(trial, here.position, out=step)
        np.subtract(gradient, change, out=change)
        here.position = trial  # lets go of the old one before the filter needs room
        used = max(here.order() + [here.place]) + 1
        here.products[:used, here.place] = dots(here.steps[:used], change)
        curvature, norm = here.products[here.place, here.place], self._filter.norm(change)
        moved = mean_size(step)
        if 0 < curvature < np.inf and 0 < norm < np.inf:
            here.scale = curvature / norm
            here.place = (here.place + 1) % len(here.steps)
            here.pairs = min(here.pairs + 1, len(here.steps))
        return moved

    def _aim_afresh(self, here: _State, step: float) -> None:
        """Forget the pairs and aim where the gradient alone says."""
        here.pairs, here.cuts = 0, 0
        self._aim(here, here.changes[here.place].copy(), step)

    def _aim(self, here: _State, gradient: np.ndarray, step: float) -> None:
        """Choose the direction from here, and with nothing remembered a length that changes so much."""
        direction = self._times_inverse_hessian(here, self._without_leaving(here, gradient.copy(), gradient))
        direction = self._without_leaving(here, direction, gradient)
        np.negative(direction, out=direction)
        if here.pairs and not dot(direction, gradient) < 0:
            here.pairs = 0
            return self._aim(here, gradient, step)
        here.length = 1.0
        if here.pairs == 0:
            here.length = step / max(mean_size(direction), float(np.finfo(np.float32).tiny))
        here.steps[here.place], here.changes[here.place] = direction, gradient
        here.pairs = min(here.pairs, len(here.steps) - 1)  # the oldest stood there

    def _without_leaving(self, here: _State, vector: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """The vector, 0 where the picture stands at a bound that the gradient pushes it across.

        Such values take no part in a step (Bertsekas 1982, "Projected Newton methods for optimization
        problems with simple constraints", section 2): the curvature of others must not push them, nor
        theirs the others.
        """
        if self._bounds is not None:
            low, high = self._bounds
            vector[(here.position <= low) & (gradient > 0)] = 0
            vector[(here.position >= high) & (gradient < 0)] = 0
        return vector

    def _times_inverse_hessian(self, here: _State, vector: np.ndarray) -> np.ndarray:
        """L-BFGS's inverse Hessian times a vector, which is overwritten.

        The two loops gathered into products with all pairs at once (Byrd, Nocedal & Schnabel 1994,
        theorem 2.2): with S and Y the pairs as columns, R the upper triangle of SᵀY, D its diagonal and
        γA the scaled filter,

            a = R⁻¹ Sᵀg,    r = γA (g − Y a),    H g = r + S R⁻ᵀ (D a − Yᵀr).

        a has what the first loop calls α. Each loop passes over the pairs once to multiply and once to add.
        """
        if here.pairs == 0:
            return self._filter.apply(vector)
        order, used = here.order(), max(here.order()) + 1
        steps, changes = here.steps[:used], here.changes[:used]
        triangle = np.triu(here.products[np.ix_(order, order)])
        first = np.linalg.solve(triangle, dots(steps, vector)[order])
        add_rows(vector, _at(order, -first, used), changes)
        vector = self._filter.apply(vector)
        vector *= np.float32(here.scale)
        second = np.linalg.solve(triangle.T, triangle.diagonal() * first - dots(changes, vector)[order])
        add_rows(vector, _at(order, second, used), steps)
        return vector


def _at(order: list[int], values: np.ndarray, size: int) -> np.ndarray:
    """So many zeros, with values at the places of an order."""
    spread = np.zeros(size)
    spread[order] = values
    return spread


def run(
    optimizer: PreconditionedLBFGS,
    loss: Loss,
    picture: Start,
    iterations: int,
    report: Report,
    bounds: tuple[float, float] | None,
    state: dict[str, np.ndarray] | None,
    first: int,
) -> np.ndarray:
    """Evaluate so many pictures; see `neuralstyle.optimizers.minimize`.

    It stops early, with a warning, where the next picture would be the one that the step starts from.
    """
    here = _start(optimizer, picture, bounds) if state is None else _restore(optimizer, state, taken(picture))
    search = _Search(optimizer, here.position.shape[:2], bounds)
    best_losses, evaluations = None, first
    while evaluations < iterations:
        trial = search.next_picture(here)
        if trial is None:
            warnings.warn(
                f"L-BFGS stopped after {evaluations} of {iterations} evaluations: no step leads "
                "from the best picture to another",
                stacklevel=3,
            )
            break
        losses, gradient = loss.losses_and_gradient(trial)
        if np.isinf(here.position_total):
            check_finite(losses, evaluations)
        if losses["total"] <= here.best_total:
            here.best, here.best_total, best_losses = trial, losses["total"], losses
        report(evaluations, Evaluation(losses, trial, here.arrays(), kept=trial is here.best))
        search.take(here, trial, losses["total"], gradient)
        del trial, gradient  # room for the next ones
        evaluations += 1
    if best_losses is None:  # of a run that goes on
        best_losses = loss.losses(here.best)
        check_finite(best_losses, evaluations)
    report(evaluations, Evaluation(best_losses, here.best, here.arrays()))
    return here.best

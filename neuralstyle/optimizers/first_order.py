"""Adam and gradient descent: a step from one gradient at a time."""

from dataclasses import dataclass

import numpy as np

from neuralstyle.files import require
from neuralstyle.optimizers.blocks import in_rows
from neuralstyle.optimizers.evaluation import Loss, Report, Start, check_finite, taken


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015), in the form of ``tf.train.AdamOptimizer``.

    The form is the one at the end of their section 2, where epsilon is added to the square root of the
    uncorrected second moment.

    Raises
    ------
    InputError
        If a value is out of its range; so do the other optimisers.
    """

    learning_rate: float = 10.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < np.inf, "learning_rate", self.learning_rate, "greater than 0")
        require(0 <= self.beta1 < 1, "beta1", self.beta1, "0 or more and less than 1")
        require(0 <= self.beta2 < 1, "beta2", self.beta2, "0 or more and less than 1")
        require(0 < self.epsilon < np.inf, "epsilon", self.epsilon, "greater than 0")

    def start(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The state before the first step: both moments zero."""
        return {"mean": np.zeros_like(picture), "variance": np.zeros_like(picture)}

    def step(
        self, picture: np.ndarray, gradient: np.ndarray, state: dict[str, np.ndarray], iteration: int
    ) -> None:
        """Move the picture and the moments, in place, by one step; the first iteration is 0.

        Moments that were carried over from a coarser scale have "earlier" beside them, how many steps they
        had there.
        """
        count = iteration + 1 + int(state.get("earlier", 0))
        rate = self.learning_rate * (1 - self.beta2**count) ** 0.5 / (1 - self.beta1**count)

        def move(rows: slice) -> None:
            slope, mean, variance = gradient[rows], state["mean"][rows], state["variance"][rows]
            mean *= self.beta1
            mean += (1 - self.beta1) * slope
            variance *= self.beta2
            variance += (1 - self.beta2) * np.square(slope)
            direction = np.sqrt(variance)
            direction += self.epsilon
            np.divide(mean, direction, out=direction)
            direction *= rate
            picture[rows] -= direction

        in_rows(move, picture)


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
        require(0 < self.learning_rate < np.inf, "learning_rate", self.learning_rate, "greater than 0")
        require(0 < self.decay_rate < np.inf, "decay_rate", self.decay_rate, "greater than 0")
        require(self.decay_steps >= 1, "decay_steps", self.decay_steps, "1 or more")

    def start(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The state before the first step: nothing is remembered."""
        return {}

    def step(
        self, picture: np.ndarray, gradient: np.ndarray, state: dict[str, np.ndarray], iteration: int
    ) -> None:
        """Move the picture, in place, by one step; the first iteration is 0."""
        rate = self.learning_rate * self.decay_rate ** (iteration / self.decay_steps)

        def move(rows: slice) -> None:
            picture[rows] -= rate * gradient[rows]

        in_rows(move, picture)


def descend(
    optimizer: Adam | GradientDescent,
    loss: Loss,
    picture: Start,
    iterations: int,
    report: Report,
    bounds: tuple[float, float] | None,
    state: dict[str, np.ndarray] | None,
    first: int,
) -> np.ndarray:
    """Take the steps; the arguments and what is returned are those of `neuralstyle.optimizers.minimize`."""
    picture = taken(picture)
    state = optimizer.start(picture) if state is None else dict(state)
    for iteration in range(first, iterations):
        losses, gradient = loss.losses_and_gradient(picture)
        check_finite(losses, iteration)
        report(iteration, losses, picture, state)
        optimizer.step(picture, gradient, state, iteration)
        del gradient  # the next one is made beside it otherwise
        if bounds is not None:
            np.clip(picture, *bounds, out=picture)
    losses = loss.losses(picture)
    check_finite(losses, iterations)
    report(iterations, losses, picture, state)
    return picture

"""What every optimiser works with: a loss, and somebody who is told of each evaluation."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from neuralstyle.files import InputError

Losses = dict[str, float]


class Loss(Protocol):
    """What an optimiser minimises."""

    def losses(self, picture: np.ndarray) -> Losses:
        """The losses of a picture, "total" among them."""

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[Losses, np.ndarray]:
        """The same, and the derivative of the total with respect to the picture."""


#: Called with the iteration, the losses, the picture that they belong to, and the optimiser's state.
Report = Callable[[int, Losses, np.ndarray, dict[str, np.ndarray]], None]


#: A picture to start from, which is not changed; or what gives one that may be.
Start = np.ndarray | Callable[[], np.ndarray]


def taken(start: Start) -> np.ndarray:
    """A picture to start from, float32, as an array that nobody else has."""
    return np.asarray(start(), np.float32) if callable(start) else np.array(start, np.float32)


def check_finite(losses: Losses, iteration: int) -> None:
    """Refuse to go on from a total loss that is infinite or no number.

    Raises
    ------
    InputError
        If it is.
    """
    if not np.isfinite(losses["total"]):
        raise InputError(
            f"the loss is not a finite number after {iteration} iterations; "
            "lower the weights or, where the optimizer has one, learning_rate",
            fields=("learning_rate",),
        )

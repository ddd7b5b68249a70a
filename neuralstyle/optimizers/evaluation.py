"""What every optimiser works with: a loss, and somebody who is told of each evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from neuralstyle.files import InputError

Losses = dict[str, float]


class Loss(Protocol):
    """What an optimiser minimises.

    A loss whose graph has an optimiser's step in it has besides an attribute `descent`, as
    `neuralstyle.optimizers.descent.Descent` describes it.
    """

    def losses(self, picture: np.ndarray) -> Losses:
        """The losses of a picture, "total" among them."""

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[Losses, np.ndarray]:
        """The same, and the derivative of the total with respect to the picture."""


class Fetched:
    """A field of a dataclass that may be given as a function, which is called when first it is read.

    An array on a graphics card is fetched only for those who look at it.

    Parameters
    ----------
    default : object, optional
        The field's; without it, it has none.
    """

    def __init__(self, *default: object) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> object:
        if instance is None:  # how a dataclass asks for the default
            if not self._default:
                raise AttributeError(self._name)
            return self._default[0]
        value = instance.__dict__[self._name]
        if callable(value):
            value = instance.__dict__[self._name] = value()
        return value

    def __set__(self, instance: object, value: object) -> None:
        instance.__dict__[self._name] = value


@dataclass(frozen=True)
class Evaluation:
    """A picture whose losses are known.

    Picture and state are fetched when they are read, which makes sense only until the next step. What wants
    to keep the arrays copies them, for the next step may overwrite them.

    Attributes
    ----------
    losses : dict of str to float
    picture : ndarray
    state : dict of str to ndarray
        What the optimiser remembers, and needs to go on from here.
    kept : bool
        Whether the run would give this picture if it ended here; else a better one came before.
    """

    losses: Losses
    picture: np.ndarray = Fetched()
    state: Mapping[str, np.ndarray] = Fetched()
    kept: bool = True


#: Called with the iteration and its evaluation.
Report = Callable[[int, Evaluation], None]


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

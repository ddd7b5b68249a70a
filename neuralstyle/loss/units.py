"""A loss as a function of pictures in other units than pixel values."""

import numpy as np

from neuralstyle.optimizers import Loss, Losses


class InUnits:
    """A loss of pixel values 0..255, as a function of what is optimised: the pixel values in some unit.

    Parameters
    ----------
    loss : Loss
        Of pixel values.
    unit : float32 or ndarray
        How many of them the unit is, for all pixels or for each.

    Attributes
    ----------
    descent : Descent or None
        The optimiser's steps in the graph of the loss, in this unit; None where there are none.
    """

    def __init__(self, loss: Loss, unit: np.float32 | np.ndarray) -> None:
        # A large picture is not copied where there is nothing to change.
        self._loss, self._unit = loss, None if np.all(unit == 1) else unit
        self.descent = loss.descent
        if self.descent is not None:
            self.descent.unit = unit

    def losses(self, picture: np.ndarray) -> Losses:
        """The losses of a picture in the recipe's range."""
        return self._loss.losses(self._times_unit(picture))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[Losses, np.ndarray]:
        """The same, and the derivative of the total with respect to that picture."""
        losses, gradient = self._loss.losses_and_gradient(self._times_unit(picture))
        return losses, self._times_unit(gradient)

    def _times_unit(self, array: np.ndarray) -> np.ndarray:
        return array if self._unit is None else array * self._unit

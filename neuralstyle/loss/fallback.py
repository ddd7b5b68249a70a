"""Whole pictures as long as they fit: where the memory of a card runs out, the same loss in tiles."""

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from neuralstyle.loss.losses import TiledLoss, WholeLoss
    from neuralstyle.optimizers.descent import Descent


class WholeThenTiledLoss:
    """The loss of a whole picture, and from when its memory runs out, that of its tiles.

    What a graph takes on a card is known only when it runs: other programs use the card, and cuDNN's
    algorithms take memory of their own. An evaluation that fails is made again in tiles, whose losses and
    gradient are the same. A context manager, as both losses are.

    Parameters
    ----------
    whole : WholeLoss
    open_tiled : callable
        Opens the loss in tiles.

    Attributes
    ----------
    graph : tf.Graph
    tile : int or None
    descent : Descent or None
        Of the loss that is in use.
    """

    def __init__(self, whole: "WholeLoss", open_tiled: "Callable[[], TiledLoss]") -> None:
        self._loss: WholeLoss | TiledLoss = whole
        self._open_tiled = open_tiled
        self._compared: tuple[np.ndarray, Mapping[str, np.ndarray]] | None = None

    @property
    def graph(self) -> tf.Graph:
        """The graph of the loss that is in use."""
        return self._loss.graph

    @property
    def tile(self) -> int | None:
        """The size of its tiles."""
        return self._loss.tile

    @property
    def descent(self) -> "Descent | None":
        """The optimiser's steps in its graph. Where they run out of memory, the next evaluation goes on."""
        return self._loss.descent

    def __enter__(self) -> "WholeThenTiledLoss":
        return self

    def __exit__(self, *exception: object) -> None:
        self._loss.__exit__(*exception)

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """The losses of a picture; no gradient is computed."""
        return self._evaluate(lambda loss: loss.losses(picture))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The losses of a picture and the derivative of the total with respect to its pixel values."""
        return self._evaluate(lambda loss: loss.losses_and_gradient(picture))

    def compare_with(self, content: np.ndarray, beside: Mapping[str, np.ndarray]) -> None:
        """Move the loss to another content picture; see `WholeLoss.compare_with`."""
        self._compared = content, beside
        self._evaluate(lambda loss: loss.compare_with(content, beside))

    def _evaluate(self, evaluation: Callable) -> object:
        try:
            return evaluation(self._loss)
        except tf.errors.ResourceExhaustedError:
            if self._loss.tile is not None:
                raise
            self._loss.__exit__(None, None, None)
            self._loss = self._open_tiled()
            if self._compared is not None:
                self._loss.compare_with(*self._compared)
            warnings.warn(
                f"the device's memory ran out; going on in tiles of {self._loss.tile} pixels", stacklevel=3
            )
            return evaluation(self._loss)

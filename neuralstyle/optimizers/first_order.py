"""Adam and gradient descent: their settings, and a step of theirs as an operation of a graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from neuralstyle.files import require

if TYPE_CHECKING:
    import tensorflow as tf


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

    #: What is remembered beside the picture: arrays of its shape, 0 before the first step.
    moments: ClassVar = ("mean", "variance")

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < np.inf, "learning_rate", self.learning_rate, "greater than 0")
        require(0 <= self.beta1 < 1, "beta1", self.beta1, "0 or more and less than 1")
        require(0 <= self.beta2 < 1, "beta2", self.beta2, "0 or more and less than 1")
        require(0 < self.epsilon < np.inf, "epsilon", self.epsilon, "greater than 0")

    def rate(self, count: int) -> float:
        """What the quotient of the moments is multiplied by in a step; the first one's count is 0."""
        # As the operation has them, which takes them from 1: in float32, 1 - 0.999 is off by 1e-5 of itself.
        beta1, beta2 = float(np.float32(self.beta1)), float(np.float32(self.beta2))
        return self.learning_rate * (1 - beta2 ** (count + 1)) ** 0.5 / (1 - beta1 ** (count + 1))

    def step(
        self,
        picture: "tf.Variable",
        moments: Mapping[str, "tf.Variable"],
        gradient: "tf.Tensor",
        rate: "tf.Tensor",
    ) -> "tf.Operation":
        """The operation that moves a picture and its moments by one step."""
        import tensorflow as tf

        return tf.raw_ops.ResourceApplyAdam(
            var=picture.handle,
            m=moments["mean"].handle,
            v=moments["variance"].handle,
            # The rate has the correction of the moments' start already, in float64.
            beta1_power=0.0,
            beta2_power=0.0,
            lr=rate,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@dataclass(frozen=True)
class GradientDescent:
    """Gradient descent with a learning rate that decays exponentially.

    The rate of a step is learning_rate · decay_rate^(iteration / decay_steps), as in
    ``keras.optimizers.schedules.ExponentialDecay``.
    """

    learning_rate: float = 100.0
    decay_rate: float = 1.0
    decay_steps: int = 100

    moments: ClassVar = ()

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < np.inf, "learning_rate", self.learning_rate, "greater than 0")
        require(0 < self.decay_rate < np.inf, "decay_rate", self.decay_rate, "greater than 0")
        require(self.decay_steps >= 1, "decay_steps", self.decay_steps, "1 or more")

    def rate(self, count: int) -> float:
        """What the gradient is multiplied by in a step; the first one's count is 0."""
        return self.learning_rate * self.decay_rate ** (count / self.decay_steps)

    def step(
        self,
        picture: "tf.Variable",
        moments: Mapping[str, "tf.Variable"],
        gradient: "tf.Tensor",
        rate: "tf.Tensor",
    ) -> "tf.Operation":
        """The operation that moves a picture by one step; there are no moments."""
        import tensorflow as tf

        return tf.raw_ops.ResourceApplyGradientDescent(var=picture.handle, alpha=rate, delta=gradient)

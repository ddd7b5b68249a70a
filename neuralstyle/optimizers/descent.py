"""Adam and gradient descent on variables of a graph: that of the loss, or one of their own."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from neuralstyle.graphs import cpu_in_use, new_graph, open_session
from neuralstyle.optimizers.evaluation import Evaluation, Loss, Losses, Report, Start, check_finite, taken
from neuralstyle.optimizers.first_order import Adam, GradientDescent
from neuralstyle.pictures.sizes import blocks_of_rows

_Bounds = tuple[float | np.ndarray, float | np.ndarray]
_NONE = (-np.inf, np.inf)

#: How many of a picture's pixels go through a graph of the step alone at a time.
_PIXELS = 2**17 // 3


class _Steps:
    """What a run changes as variables of the default graph, to be filled together, and the step on them."""

    def __init__(self, optimizer: Adam | GradientDescent, shape: tuple[int | None, ...]) -> None:
        self._optimizer = optimizer
        self._values: dict[str, tf.Tensor] = {}
        self._variables: dict[str, tf.Variable] = {}
        for name in ("picture", *optimizer.moments):
            self.add(name, shape)
        for name in ("low", "high"):  # a number, or one for each pixel
            self.add(name, (None, None, None))
        self.rate = tf.compat.v1.placeholder(tf.float32, (), name="rate")

    def add(self, name: str, shape: tuple[int | None, ...]) -> tf.Variable:
        """Make a variable."""
        value = tf.compat.v1.placeholder(tf.float32, shape, name=f"{name}_value")
        self._values[name] = value
        self._variables[name] = tf.compat.v1.Variable(
            value, trainable=False, use_resource=True, name=name, collections=[], shape=shape
        )
        return self._variables[name]

    def filled(self) -> list[tf.Operation]:
        """Fill the variables with what is fed."""
        return [variable.initializer for variable in self._variables.values()]

    def feed(self, **arrays: np.ndarray | float) -> dict[tf.Tensor, np.ndarray]:
        """What to fill them with: an array for each, or a number where it is the same for all pixels."""
        return {
            self._values[name]: np.array(array, np.float32, ndmin=3, copy=None)
            for name, array in arrays.items()
        }

    def taken(self, gradient: tf.Tensor) -> tf.Operation:
        """Take a step, by the rate that is fed, and keep to the bounds."""
        picture, low, high = (self._variables[name] for name in ("picture", "low", "high"))
        step = self._optimizer.step(picture, self._variables, gradient, self.rate)
        with tf.control_dependencies([step]):
            return picture.assign(tf.clip_by_value(picture, low, high), read_value=False)

    def picture(self) -> tf.Tensor:
        """Read the picture."""
        return self._variables["picture"].read_value()

    def moments(self) -> dict[str, tf.Tensor]:
        """Read the moments."""
        return {name: self._variables[name].read_value() for name in self._optimizer.moments}


class Descent:
    """The steps of an optimiser in the graph of a loss: one run of it takes a step and evaluates.

    The step comes first and the evaluation after it, so that between two runs the variables hold the picture
    whose losses came last: who wants to see it, fetches it then. Of a picture's size, nothing else moves.

    Made in the graph, before the loss is built on `pixels`; then `minimize` says what that comes to, and
    `session` is set.

    Parameters
    ----------
    optimizer : Adam or GradientDescent
    height, width : int
        Of the picture.

    Attributes
    ----------
    optimizer : Adam or GradientDescent
    pixels : tf.Tensor
        The picture after the step, in pixel values. In a run that feeds it there is no step.
    unit : float or ndarray
        What a picture is multiplied by to give pixel values.
    session : tf.compat.v1.Session
        That of the graph.
    """

    session: tf.compat.v1.Session

    def __init__(self, optimizer: Adam | GradientDescent, height: int, width: int) -> None:
        self.optimizer = optimizer
        self.unit: float | np.ndarray = 1.0
        with tf.name_scope("descent"):
            self._steps = _Steps(optimizer, (height, width, 3))
            self._gradient = tf.compat.v1.Variable(
                tf.zeros((height, width, 3)),
                trainable=False,
                use_resource=True,
                name="gradient",
                collections=[],
            )
            self._unit = self._steps.add("unit", (None, None, None)).read_value()
            self._begun = self._steps.filled()
            self._now = self._steps.picture(), self._steps.moments()
            with tf.control_dependencies([self._steps.taken(self._gradient.read_value())]):
                self._picture = self._steps.picture()
            self.pixels = tf.ensure_shape(self._picture * self._unit, (height, width, 3))

    def minimize(self, losses: Mapping[str, tf.Tensor], gradient: tf.Tensor) -> None:
        """Say what the losses of `pixels` are, and the derivative of their total with respect to them."""
        self._losses = losses
        self._kept = self._gradient.assign(gradient * self._unit, read_value=False)

    def begin(
        self, picture: np.ndarray, bounds: _Bounds | None, state: Mapping[str, np.ndarray], slope: bool
    ) -> Losses:
        """The losses of the picture that a run begins with; with its slope, where a step follows."""
        low, high = bounds or _NONE
        moments, self._others = _parted(self.optimizer, state, picture.shape)
        feed = self._steps.feed(picture=picture, low=low, high=high, unit=self.unit, **moments)
        self.session.run(self._begun, feed)
        return self._run({self._picture: picture}, slope)

    def advance(self, rate: float, slope: bool) -> Losses:
        """Take a step; the losses of the picture that it leads to."""
        return self._run({self._steps.rate: rate}, slope)

    def _run(self, feed: dict[tf.Tensor, object], slope: bool) -> Losses:
        fetches = (self._losses, self._kept) if slope else (self._losses,)
        losses = self.session.run(fetches, feed)[0]
        return {name: float(value) for name, value in losses.items()}

    def picture(self) -> np.ndarray:
        """The picture as it is now."""
        return self.session.run(self._now[0])

    def state(self) -> dict[str, np.ndarray]:
        """What the optimiser remembers now."""
        return self.session.run(self._now[1]) | self._others


class _Apart:
    """The same for a loss that is computed elsewhere, as that of tiles is.

    The picture is wanted outside, and the gradient comes from there. So all that is large stays in arrays,
    and goes through a graph of the step alone a few rows at a time, on the CPU: a picture of 100 megapixels
    takes no more memory than these arrays do.
    """

    def __init__(self, optimizer: Adam | GradientDescent, loss: Loss, shape: tuple[int, ...]) -> None:
        self._optimizer, self._loss, machine = optimizer, loss, cpu_in_use()
        with new_graph(machine) as graph:
            self._steps = _Steps(optimizer, (None, *shape[1:]))
            self._slope = tf.compat.v1.placeholder(tf.float32, (None, *shape[1:]))
            with tf.control_dependencies(self._steps.filled()):
                taken = self._steps.taken(tf.identity(self._slope))
            with tf.control_dependencies([taken]):
                self._after = self._steps.picture(), self._steps.moments()
        self._session = open_session(graph, machine)

    def begin(
        self, picture: np.ndarray, bounds: _Bounds | None, state: Mapping[str, np.ndarray], slope: bool
    ) -> Losses:
        self._picture = picture
        self._moments, self._others = _parted(self._optimizer, state, picture.shape)
        self._bounds = [np.array(bound, np.float32, ndmin=3, copy=None) for bound in bounds or _NONE]
        return self._evaluate(slope)

    def advance(self, rate: float, slope: bool) -> Losses:
        for rows in blocks_of_rows(self._picture, _PIXELS):
            self._step(rate, rows)
        del self._gradient
        return self._evaluate(slope)

    def _step(self, rate: float, rows: slice) -> None:
        picture = self._picture[rows]
        low, high = (bound if len(bound) == 1 else bound[rows] for bound in self._bounds)
        moments = {name: moment[rows] for name, moment in self._moments.items()}
        feed = self._steps.feed(picture=picture, low=low, high=high, **moments)
        feed |= {self._slope: self._gradient[rows], self._steps.rate: rate}
        picture[...], found = self._session.run(self._after, feed)
        for name, moment in moments.items():
            moment[...] = found[name]

    def _evaluate(self, slope: bool) -> Losses:
        if not slope:
            return self._loss.losses(self._picture)
        losses, self._gradient = self._loss.losses_and_gradient(self._picture)
        return losses

    def picture(self) -> np.ndarray:
        return self._picture

    def state(self) -> dict[str, np.ndarray]:
        return self._moments | self._others


def _parted(
    optimizer: Adam | GradientDescent, state: Mapping[str, np.ndarray], shape: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The moments of a state, 0 at the start, and what it has beside them."""
    moments = {
        name: state[name] if name in state else np.zeros(shape, np.float32) for name in optimizer.moments
    }
    return moments, {name: array for name, array in state.items() if name not in moments}


def descend(
    optimizer: Adam | GradientDescent,
    loss: Loss,
    picture: Start,
    iterations: int,
    report: Report,
    bounds: _Bounds | None,
    state: Mapping[str, np.ndarray] | None,
    first: int,
) -> np.ndarray:
    """Take the steps; the arguments and what is returned are those of `neuralstyle.optimizers.minimize`."""
    state, picture = state or {}, taken(picture)
    earlier, shape = int(state.get("earlier", 0)), picture.shape
    way = getattr(loss, "descent", None)
    if way is None or way.optimizer != optimizer:
        way = _Apart(optimizer, loss, shape)

    def tried(evaluate: Callable[..., Losses], *arguments: object, slope: bool) -> Losses:
        nonlocal way
        try:
            return evaluate(*arguments, slope)
        except tf.errors.ResourceExhaustedError:
            if isinstance(way, _Apart):
                raise
            # A step needs less room than an evaluation, so that it was taken; the loss knows what to do next.
            there = way.picture(), bounds, way.state()
            way = _Apart(optimizer, loss, shape)
            return way.begin(*there, slope)

    losses = tried(way.begin, picture, bounds, state, slope=first < iterations)
    del picture  # it is where the steps are taken now
    for iteration in range(first, iterations):
        check_finite(losses, iteration)
        report(iteration, Evaluation(losses, way.picture, way.state))
        rate = optimizer.rate(iteration + earlier)
        losses = tried(way.advance, rate, slope=iteration + 1 < iterations)
    check_finite(losses, iterations)
    report(iterations, Evaluation(losses, way.picture, way.state))
    return way.picture()

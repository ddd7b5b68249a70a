import warnings

import numpy as np
import pytest
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent, minimize


class Valley:
    """A smooth float32 loss with its minimum at 3, steeper in one direction than in the other."""

    def __init__(self, dtype=np.float32):
        self.evaluations = 0
        self.dtype = dtype

    def losses(self, picture):
        return {"total": float(self.dtype((self.scales(picture) * (picture - 3) ** 2).sum()))}

    def losses_and_gradient(self, picture):
        self.evaluations += 1
        return self.losses(picture), (2 * self.scales(picture) * (picture - 3)).astype(np.float32)

    @staticmethod
    def scales(picture):
        return np.linspace(0.1, 50, picture.size, dtype=np.float32).reshape(picture.shape)


def run(optimizer, iterations, loss=None, start=None, **options):
    reports = []
    start = np.zeros((2, 3, 3), np.float32) if start is None else start

    def report(iteration, losses, picture, state):
        reports.append((iteration, losses["total"], picture.copy(), {k: v.copy() for k, v in state.items()}))

    picture = minimize(optimizer, loss or Valley(), start, iterations, report, **options)
    return picture, reports


def keras_pictures(optimizer, iterations):
    """The same minimisation by one of Keras's optimisers."""
    variable = tf.Variable(np.zeros((2, 3, 3), np.float32))
    for _ in range(iterations):
        optimizer.apply_gradients(
            [(tf.constant(Valley().losses_and_gradient(variable.numpy())[1]), variable)]
        )
    return variable.numpy()


def test_twenty_steps_of_adam_equal_those_of_keras():
    picture, _ = run(Adam(0.02, beta1=0.99, epsilon=0.1), 20)
    expected = keras_pictures(tf.keras.optimizers.Adam(0.02, beta_1=0.99, epsilon=0.1), 20)
    np.testing.assert_allclose(picture, expected, rtol=1e-5)


def test_twenty_steps_of_decaying_gradient_descent_equal_those_of_keras():
    picture, _ = run(GradientDescent(0.005, decay_rate=0.9, decay_steps=5), 20)
    schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.005, decay_steps=5, decay_rate=0.9)
    expected = keras_pictures(tf.keras.optimizers.SGD(schedule), 20)
    np.testing.assert_allclose(picture, expected, rtol=1e-5)


@pytest.mark.parametrize("optimizer", [Adam(1.0), GradientDescent(0.01)])
def test_every_iteration_from_the_start_to_the_result_is_reported_with_its_own_loss(optimizer):
    picture, reports = run(optimizer, 5)
    assert [iteration for iteration, *_ in reports] == [0, 1, 2, 3, 4, 5]
    for _, total, reported, _ in reports:
        assert total == Valley().losses(reported)["total"]
    np.testing.assert_array_equal(reports[-1][2], picture)


def test_a_run_goes_on_from_a_reported_state_as_if_it_had_not_stopped():
    whole, reports = run(Adam(1.0), 10)
    iteration, _, picture, state = reports[4]
    resumed, _ = run(Adam(1.0), 10, start=picture, state=state, first=iteration)
    np.testing.assert_array_equal(resumed, whole)


def test_bounds_hold_after_every_step():
    _, reports = run(Adam(5.0), 8, bounds=(0.0, 2.5))
    assert all(picture.min() >= 0 and picture.max() <= 2.5 for _, _, picture, _ in reports)


def test_the_start_is_not_changed():
    start = np.zeros((2, 3, 3), np.float32)
    run(Adam(1.0), 3, start=start)
    assert not start.any()


def test_lbfgs_finds_the_minimum():
    picture, _ = run(LBFGS(), 60)
    np.testing.assert_allclose(picture, 3, atol=1e-2)


class Rough(Valley):
    """The valley, rounded as coarsely as a float32 loss of 1e6 is near its minimum."""

    def losses(self, picture):
        return {"total": float(np.round(super().losses(picture)["total"] * 4) / 4) + 1e6}


def test_lbfgs_uses_all_its_evaluations_although_the_loss_is_rounded():
    loss = Rough()
    start = np.full((20, 20, 3), -100, np.float32)
    _, reports = run(LBFGS(), 30, loss, start)
    assert loss.evaluations == 30
    assert [iteration for iteration, *_ in reports] == list(range(31))


def test_lbfgs_says_so_when_nothing_better_can_be_found():
    with pytest.warns(UserWarning, match="L-BFGS stopped after .* of 500 evaluations"):
        run(LBFGS(), 500, Rough())


def test_lbfgs_restarts_forget_the_past():
    _, steady = run(LBFGS(), 12)
    _, restarted = run(LBFGS(restart=4), 12)
    np.testing.assert_array_equal(steady[3][2], restarted[3][2])
    # A fresh start evaluates the best picture so far once more.
    best = min(restarted[:4], key=lambda report: report[1])
    np.testing.assert_array_equal(restarted[4][2], best[2])


def test_lbfgs_that_goes_on_after_its_last_evaluation_reports_its_picture():
    _, reports = run(LBFGS(), 12)
    iteration, total, picture, state = reports[-1]
    resumed, again = run(LBFGS(), 12, start=picture, state=state, first=iteration)
    np.testing.assert_array_equal(resumed, picture)
    assert [(number, value) for number, value, *_ in again] == [(12, total)]


class Cliff(Valley):
    """The valley, with no finite loss where a pixel is above 3.05."""

    beyond = 0

    def losses(self, picture):
        self.beyond += bool((picture > 3.05).any())
        return {"total": np.inf} if (picture > 3.05).any() else super().losses(picture)


def test_lbfgs_goes_on_from_its_best_picture_after_a_step_beyond_finite_losses():
    loss = Cliff()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing better may be found in the end
        picture, reports = run(LBFGS(), 40, loss)
    assert loss.beyond
    assert reports[-1][1] == Valley().losses(picture)["total"] < 0.1 * reports[0][1]


@pytest.mark.parametrize(
    "optimizer, figures, option",
    [
        (Adam, {"learning_rate": float("nan")}, "learning_rate is nan"),
        (Adam, {"beta1": 1.0}, "beta1 is 1.0"),
        (Adam, {"epsilon": 0.0}, "epsilon is 0.0"),
        (GradientDescent, {"decay_steps": 0}, "decay_steps is 0"),
        (LBFGS, {"memory": 0}, "memory is 0"),
        (LBFGS, {"restart": 1}, "restart is 1"),
    ],
)
def test_a_figure_out_of_its_range_is_refused(optimizer, figures, option):
    with pytest.raises(InputError, match=option):
        optimizer(**figures)


def test_lbfgs_gives_the_best_picture_it_has_seen():
    _, reports = run(LBFGS(), 12)
    assert reports[-1][1] == min(total for _, total, *_ in reports)


def test_a_loss_that_is_not_a_number_ends_the_run_with_one_line():
    with (
        pytest.raises(InputError, match="not a finite number after .* iterations"),
        np.errstate(all="ignore"),
    ):
        run(GradientDescent(1e30), 10)

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.loss.memory import optimizer_bytes
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent, PreconditionedLBFGS, minimize
from neuralstyle.optimizers.blocks import dots
from neuralstyle.optimizers.frequencies import FrequencyFilter

#: Our own L-BFGS without the filter.
PLAIN = PreconditionedLBFGS(exponent=0.0)


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

    def report(iteration, evaluation):
        state = {name: array.copy() for name, array in evaluation.state.items()}
        reports.append((iteration, evaluation.losses["total"], evaluation.picture.copy(), state))

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


class Slope:
    """The same gradient everywhere on the way."""

    def __init__(self, gradient):
        self._gradient = gradient

    def losses(self, picture):
        return {"total": 0.0}

    def losses_and_gradient(self, picture):
        return {"total": 0.0}, self._gradient


@pytest.mark.parametrize("optimizer", [Adam(1.0), GradientDescent(0.5)])
def test_a_step_of_a_picture_of_several_blocks_has_the_bits_of_a_step_of_each_pixel_alone(optimizer):
    start, gradient = np.random.default_rng(2).normal(size=(2, 300, 173, 3)).astype(np.float32)
    column = np.s_[:, 170:171]
    picture, _ = run(optimizer, 3, Slope(gradient), start)
    part, _ = run(optimizer, 3, Slope(gradient[column]), start[column])
    np.testing.assert_array_equal(picture[column], part)
    assert (picture != start).all()


@pytest.mark.parametrize("optimizer", [Adam(1.0), LBFGS(), PLAIN])
def test_a_function_may_give_the_start(optimizer):
    start = np.full((2, 3, 3), 5, np.float32)
    expected, _ = run(optimizer, 4, start=start)
    found, _ = run(optimizer, 4, start=start.copy)
    np.testing.assert_array_equal(found, expected)


def test_a_start_that_a_function_gives_is_not_copied():
    start = np.zeros((2, 3, 3), np.float32)
    picture, _ = run(Adam(1.0), 2, start=[start].pop)
    assert picture is start


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
        (PreconditionedLBFGS, {"memory": 0}, "memory is 0"),
        (PreconditionedLBFGS, {"exponent": -1.0}, "exponent is -1.0"),
        (PreconditionedLBFGS, {"corner_frequency": 0.0}, "corner_frequency is 0.0"),
        (PreconditionedLBFGS, {"first_step": float("nan")}, "first_step is nan"),
        (PreconditionedLBFGS, {"largest_rise": -0.1}, "largest_rise is -0.1"),
        (PreconditionedLBFGS, {"cut": 1.0}, "cut is 1.0"),
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


# --- L-BFGS of our own --------------------------------------------------------------------------------------


class Quadratic:
    """½ (x − m)ᵀ Q (x − m), Q symmetric, positive definite and not diagonal; float64 inside."""

    def __init__(self, shape):
        rng = np.random.default_rng(0)
        size = int(np.prod(shape))
        turn, _ = np.linalg.qr(rng.normal(size=(size, size)))
        self.matrix = turn @ np.diag(np.geomspace(0.1, 10, size)) @ turn.T
        self.minimum = rng.uniform(50, 200, size)

    def at(self, flat):
        gradient = self.matrix @ (flat - self.minimum)
        return 0.5 * float((flat - self.minimum) @ gradient), gradient

    def losses(self, picture):
        return {"total": self.at(picture.reshape(-1).astype(np.float64))[0]}

    def losses_and_gradient(self, picture):
        total, gradient = self.at(picture.reshape(-1).astype(np.float64))
        return {"total": total}, gradient.reshape(picture.shape).astype(np.float32)


class Rosenbrock(Quadratic):
    """Rosenbrock's function in so many variables as the picture has values; its minimum is at 1."""

    def __init__(self):
        pass

    def at(self, flat):
        return scipy.optimize.rosen(flat), scipy.optimize.rosen_der(flat)


def by_scipy(loss, start, bounds):
    """The least loss that SciPy's L-BFGS-B finds in float64, and where."""
    found = scipy.optimize.minimize(
        loss.at,
        start.reshape(-1).astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        bounds=[bounds or (None, None)] * start.size,
        options={"maxiter": 5000, "maxfun": 5000, "ftol": 1e-14, "gtol": 1e-9},
    )
    return found.fun, found.x.reshape(start.shape)


def quietly(optimizer, iterations, loss, start, **options):
    """Run to the end, where L-BFGS warns that nothing better can be found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return run(optimizer, iterations, loss, start, **options)


@pytest.mark.parametrize("optimizer", [PLAIN, PreconditionedLBFGS(), PreconditionedLBFGS(memory=1)], ids=str)
@pytest.mark.parametrize("bounds", [None, (0.0, 255.0), (80.0, 150.0)])
def test_preconditioned_lbfgs_finds_the_minimum_of_a_quadratic_that_scipy_finds(optimizer, bounds):
    loss, start = Quadratic((4, 4, 3)), np.full((4, 4, 3), 100, np.float32)
    total, expected = by_scipy(loss, start, bounds)
    picture, reports = quietly(optimizer, 600, loss, start, bounds=bounds)
    assert reports[-1][1] <= total + 1e-4 * reports[0][1]
    np.testing.assert_allclose(picture, expected, atol=2)


@pytest.mark.parametrize("optimizer", [PLAIN, PreconditionedLBFGS(first_step=0.1)], ids=str)
@pytest.mark.parametrize("bounds", [None, (-0.5, 0.8), (0.0, 2.0)])
def test_preconditioned_lbfgs_finds_the_minimum_of_rosenbrocks_function_that_scipy_finds(optimizer, bounds):
    start = np.array([-1.2, 1.0, 0.5, -0.3, 0.7, 0.1], np.float32).reshape(1, 2, 3)
    bounded = start if bounds is None else np.clip(start, *bounds)
    total, expected = by_scipy(Rosenbrock(), bounded, bounds)
    picture, reports = quietly(optimizer, 400, Rosenbrock(), start, bounds=bounds)
    assert reports[-1][1] <= total + 1e-4
    np.testing.assert_allclose(picture, expected, atol=0.02)


def test_plain_lbfgs_needs_about_as_many_evaluations_as_scipys():
    """On a quadratic in 300 variables, to a thousandth of the start's loss."""
    loss, start = Quadratic((10, 10, 3)), np.zeros((10, 10, 3), np.float32)

    def evaluations(optimizer):
        _, reports = quietly(optimizer, 150, loss, start)
        return next(n for n, total, *_ in reports if total < 1e-4 * reports[0][1])

    assert evaluations(PLAIN) <= 1.3 * evaluations(LBFGS(memory=20))


def test_inside_bounds_every_picture_keeps_to_them():
    _, reports = quietly(
        PreconditionedLBFGS(), 30, Quadratic((4, 4, 3)), np.zeros((4, 4, 3), np.float32), bounds=(80.0, 150.0)
    )
    assert all(picture.min() >= 80 and picture.max() <= 150 for _, _, picture, _ in reports)


class Bumpy(Rosenbrock):
    """Rosenbrock's function with waves: steps are often too long, and curvature is often negative."""

    def at(self, flat):
        total, gradient = super().at(flat)
        return total + 30 * float(np.cos(9 * flat).sum()) + 200, gradient - 270 * np.sin(9 * flat)


@pytest.mark.parametrize("bounds", [None, (-0.5, 0.8)])
@pytest.mark.parametrize(
    "optimizer, most_cuts",
    [
        (PreconditionedLBFGS(memory=4), 1),
        (PreconditionedLBFGS(memory=1), 1),
        # Cut by so little, a step is given up after three cuts and the gradient alone is followed.
        (PreconditionedLBFGS(memory=4, cut=0.9), 3),
    ],
)
def test_a_run_of_preconditioned_lbfgs_stopped_anywhere_goes_on_bit_for_bit(optimizer, most_cuts, bounds):
    start = np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    whole, reports = run(optimizer, 30, Bumpy(), start, bounds=bounds)
    assert max(state["cuts"] for *_, state in reports) >= most_cuts, "the test shows less than it should"
    for iteration, _, picture, state in reports:
        resumed, rest = run(optimizer, 30, Bumpy(), picture, bounds=bounds, state=state, first=iteration)
        np.testing.assert_array_equal(resumed, whole)
        for (number, total, one, _), (again, same, other, _) in zip(reports[iteration:], rest, strict=True):
            assert (number, total) == (again, same)
            np.testing.assert_array_equal(one, other)


def test_a_run_of_preconditioned_lbfgs_that_has_ended_goes_on_as_if_it_had_been_asked_for_more():
    start = np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    whole, _ = run(PreconditionedLBFGS(), 20, Bumpy(), start)
    _, reports = run(PreconditionedLBFGS(), 12, Bumpy(), start)
    iteration, _, picture, state = reports[-1]
    resumed, _ = run(PreconditionedLBFGS(), 20, Bumpy(), picture, state=state, first=iteration)
    np.testing.assert_array_equal(resumed, whole)


def test_the_state_of_preconditioned_lbfgs_is_plain_arrays_of_one_shape_all_the_way(tmp_path):
    start = np.zeros((3, 5, 3), np.float32)
    whole, reports = run(PreconditionedLBFGS(memory=3), 10, Bumpy(), start)
    shapes = {
        tuple((name, array.shape, array.dtype) for name, array in state.items()) for *_, state in reports
    }
    assert len(shapes) == 1
    iteration, _, picture, state = reports[6]
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        read = dict(file)
    resumed, _ = run(PreconditionedLBFGS(memory=3), 10, Bumpy(), picture, state=read, first=iteration)
    np.testing.assert_array_equal(resumed, whole)


@pytest.mark.parametrize("other", [{"best": np.zeros((3, 5, 3), np.float32)}, PreconditionedLBFGS(memory=4)])
def test_preconditioned_lbfgs_refuses_a_state_that_is_not_its_own(other):
    start = np.zeros((3, 5, 3), np.float32)
    state = other if isinstance(other, dict) else run(other, 3, Bumpy(), start)[1][1][-1]
    with pytest.raises(InputError, match="the state is not that of this optimizer"):
        run(PreconditionedLBFGS(memory=3), 10, Bumpy(), start, state=state, first=1)


@pytest.mark.parametrize("shape", [(16, 16, 3), (5, 8, 3), (1, 7, 3)])
def test_the_filter_is_that_of_its_formula_by_an_explicit_transform(shape):
    """The even continuation of a picture, transformed by a DFT written out, has the frequencies k/2N."""
    picture = np.random.default_rng(0).normal(size=shape)
    height, width, _ = shape
    even = np.concatenate([picture, picture[::-1]])
    even = np.concatenate([even, even[:, ::-1]], axis=1)
    waves = [np.exp(-2j * np.pi * np.outer(np.arange(2 * n), np.arange(2 * n)) / (2 * n)) for n in shape[:2]]
    spectrum = np.einsum("ky,yxc,lx->klc", waves[0], even, waves[1])
    rows, columns = (np.minimum(np.arange(2 * n), 2 * n - np.arange(2 * n)) / (2 * n) for n in shape[:2])
    gains = (0.05**2 / (rows[:, None] ** 2 + columns**2 + 0.05**2)) ** 0.7
    back = np.einsum("ky,klc,lx->yxc", waves[0].conj(), spectrum * gains[..., None], waves[1].conj())
    expected = back.real[:height, :width] / (4 * height * width)
    made = FrequencyFilter(height, width, 0.7, 0.05)
    np.testing.assert_allclose(made.apply(picture.astype(np.float32)), expected, atol=1e-6)
    assert made.norm(picture.astype(np.float32)) == pytest.approx((picture * expected).sum(), rel=1e-5)


def test_the_direction_is_that_of_the_two_loops_of_nocedal_and_wright():
    """Algorithm 7.4 in float64, from the pairs and the last gradient that the state holds."""
    optimizer = PreconditionedLBFGS(memory=5, exponent=0.8, corner_frequency=0.1)
    _, reports = run(optimizer, 9, Quadratic((4, 6, 3)), np.zeros((4, 6, 3), np.float32))
    pairs = []
    for (_, _, before, _), (_, _, after, _) in zip(reports[:7], reports[1:8], strict=True):
        gradients = [
            Quadratic((4, 6, 3)).losses_and_gradient(p)[1].astype(np.float64) for p in (before, after)
        ]
        pairs.append((after.astype(np.float64) - before, gradients[1] - gradients[0], gradients[1]))
    state = reports[8][-1]
    assert not state["cuts"], "a step was cut; the pictures reported are not those of the pairs"
    a_filter = FrequencyFilter(4, 6, 0.8, 0.1)
    gradient = pairs[-1][2]
    q, alphas = gradient.copy(), []
    for s, y, _ in pairs[:-6:-1]:
        alphas.append((s * q).sum() / (s * y).sum())
        q -= alphas[-1] * y
    s, y, _ = pairs[-1]
    filtered = a_filter.apply(y.astype(np.float32))
    r = (s * y).sum() / (y * filtered).sum() * a_filter.apply(q.astype(np.float32))
    for (s, y, _), alpha in zip(pairs[-5:], alphas[::-1], strict=True):
        r += s * (alpha - (y * r).sum() / (s * y).sum())
    moved = reports[8][2] - reports[7][2]
    np.testing.assert_allclose(moved, -r, atol=1e-3 * np.abs(r).max())


def test_with_exponent_0_nothing_is_filtered():
    picture = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    made = FrequencyFilter(5, 4, 0.0, 0.02)
    np.testing.assert_array_equal(made.apply(picture.copy()), picture)
    assert made.norm(picture) == pytest.approx(float(np.square(picture, dtype=np.float64).sum()))


def test_large_products_are_added_up_in_float64():
    rows = np.random.default_rng(0).normal(1, 0.1, (3, 500, 500, 3)).astype(np.float32)
    expected = np.einsum("khwc,hwc->k", rows.astype(np.float64), rows[1].astype(np.float64))
    np.testing.assert_allclose(dots(rows, rows[1]), expected, rtol=5e-7)


def test_preconditioned_lbfgs_gives_the_best_picture_it_has_seen():
    start = np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    for iterations in range(1, 12):
        picture, reports = run(PreconditionedLBFGS(largest_rise=0.5), iterations, Bumpy(), start)
        assert reports[-1][1] == min(total for _, total, *_ in reports) == Bumpy().losses(picture)["total"]


def test_preconditioned_lbfgs_goes_on_from_where_losses_are_finite():
    loss = Cliff()
    picture, reports = quietly(PreconditionedLBFGS(first_step=4.0), 60, loss, np.zeros((2, 3, 3), np.float32))
    assert loss.beyond
    assert np.isfinite(picture).all()
    assert reports[-1][1] == Valley().losses(picture)["total"] < 0.1 * reports[0][1]


class Hole(Valley):
    """The valley, with a gradient that is no number where a pixel is above 2."""

    def losses_and_gradient(self, picture):
        losses, gradient = super().losses_and_gradient(picture)
        return losses, np.where(picture.max() > 2, np.float32(np.nan), gradient)


def test_preconditioned_lbfgs_never_follows_a_gradient_that_is_no_number():
    picture, reports = quietly(PreconditionedLBFGS(), 40, Hole(), np.zeros((2, 3, 3), np.float32))
    assert all(np.isfinite(reported).all() for _, _, reported, _ in reports)
    assert reports[-1][1] < reports[0][1]


@pytest.mark.parametrize("loss", [Cliff(), Hole()], ids=["loss", "gradient"])
def test_preconditioned_lbfgs_refuses_a_start_without_a_finite_loss_and_gradient(loss):
    with pytest.raises(InputError, match="not finite|not a finite"):
        run(PreconditionedLBFGS(), 10, loss, np.full((2, 3, 3), 10, np.float32))


@pytest.mark.parametrize("optimizer", [PLAIN, PreconditionedLBFGS()], ids=str)
def test_preconditioned_lbfgs_at_a_minimum_stops_and_says_so(optimizer):
    start = np.full((16, 16, 3), 3, np.float32)
    with pytest.warns(UserWarning, match="L-BFGS stopped after 1 of 50 evaluations"):
        picture, reports = run(optimizer, 50, Valley(), start)
    np.testing.assert_array_equal(picture, start)
    assert [report[:2] for report in reports] == [(0, 0.0), (1, 0.0)]


@pytest.mark.parametrize("memory", [1, 20])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_preconditioned_lbfgs_leads_a_constant_picture_to_the_minimum(memory, value):
    start = np.full((16, 16, 3), value, np.float32)
    _, reports = quietly(PreconditionedLBFGS(memory=memory), 60, Valley(), start)
    assert reports[-1][1] < 0.05 * reports[0][1]


def test_preconditioned_lbfgs_changes_no_start_even_outside_its_bounds():
    start = np.full((16, 16, 3), 300, np.float32)
    _, reports = quietly(PreconditionedLBFGS(), 5, Valley(), start, bounds=(0.0, 255.0))
    assert (start == 300).all()
    assert reports[0][2].max() == 255


def test_nothing_but_the_ring_and_four_pictures_is_held_in_float32():
    """Peak of NumPy's memory between evaluations, in arrays of the picture's size."""
    shape, memory = (200, 300, 3), 4
    target = np.random.default_rng(0).normal(128, 40, shape).astype(np.float32)

    class Near:
        def losses(self, picture):
            return {"total": float(np.square(picture - target).sum(dtype=np.float64))}

        def losses_and_gradient(self, picture):
            gradient = picture - target
            total = float(np.vdot(gradient, gradient))
            gradient *= np.linspace(1, 2, 300, dtype=np.float32)[:, None]
            tracemalloc.reset_peak()
            return {"total": total}, gradient

    size, peaks = target.nbytes, []
    start = np.zeros(shape, np.float32)
    minimize(PreconditionedLBFGS(memory), Near(), start, 2, lambda *_: None)  # imports
    tracemalloc.start()
    minimize(
        PreconditionedLBFGS(memory),
        Near(),
        start,
        12,
        lambda *_: peaks.append(tracemalloc.get_traced_memory()[1]),
    )
    tracemalloc.stop()
    assert max(peaks) / size < 2 * memory + 4.6
    assert max(peaks) < optimizer_bytes(PreconditionedLBFGS(memory), *shape[:2]) < 1.3 * max(peaks)

"""From coarse to fine: the ladder of sizes, averages of pictures, moments that go on, and random starts."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import neuralstyle
from neuralstyle import RECIPES, InputError, transfer
from neuralstyle.optimizers import LBFGS, Adam, minimize
from neuralstyle.optimizers.enlarging import enlarge_moments
from neuralstyle.pictures.sizes import resize
from neuralstyle.preparation import fit_pictures, random_picture, scene_of
from neuralstyle.recipes import stages
from neuralstyle.runs.state import load_state, save_state
from neuralstyle.runs.watching import Watcher
from neuralstyle.transfer import Job

RECIPE = RECIPES["style-transfer-pytorch"]


@pytest.fixture(scope="module")
def content(photograph):
    return photograph[100:148, 120:184]


@pytest.fixture(scope="module")
def style(photograph):
    return np.ascontiguousarray(photograph[:40, :56, ::-1])


# --- sizes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scales"),
    [(512, [128, 181, 256, 362, 512]), (300, [150, 212, 300]), (128, [128]), (127, [127]), (50, [50])],
)
def test_the_scales_of_a_ladder_are_those_of_gen_scales(size, scales):
    found = stages(replace(RECIPE, content_size=size))
    assert [stage.content_size for stage in found] == scales
    assert [stage.iterations for stage in found] == [1000, *[500] * (len(scales) - 1)]


def test_a_ladder_without_iterations_of_its_own_has_the_same_at_every_scale():
    found = stages(replace(RECIPE, content_size=256, iterations=7, scale_iterations=()))
    assert [stage.iterations for stage in found] == [7, 7, 7]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"content_size": None}, "coarsest begins a ladder of sizes"),
        ({"scales": (64, 128)}, "coarsest begins a ladder of sizes"),
        ({"coarsest": 0}, "coarsest is 0"),
        ({"optimizer": LBFGS()}, "carry_moments goes with Adam"),
        ({"keep_best": True}, "choose one of them"),
        ({"average_decay": 1.0}, "average_decay is 1.0"),
        ({"start": "uniform", "noise_blend": 0.5}, "start is uniform"),
    ],
)
def test_what_contradicts_itself_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        replace(RECIPE, **changed)


@pytest.mark.parametrize(("factor", "size"), [(1.0, (46, 64)), (0.5, (23, 32)), (2.0, (40, 56))])
def test_a_styles_longer_side_is_the_contents_times_its_scale_and_never_enlarged(
    content, style, factor, size
):
    recipe = replace(RECIPE, content_size=64, coarsest=None, scale_iterations=(), style_scales=(factor,))
    large = resize(style, 80, 112) if factor < 2 else style
    fitted = fit_pictures(recipe, scene_of(content, large))
    assert fitted.styles[0].picture.shape[:2] == size
    assert fitted.content.shape[:2] == (48, 64)


# --- starts ---------------------------------------------------------------------------------------------


def start(name, content, styles):
    scene = scene_of(np.tile(content, (4, 4, 1)), styles)
    return random_picture(replace(RECIPE, start=name, style_blend=(3.0, 1.0)), scene, 5) / 255


def test_a_grey_start_is_the_middle_and_less_than_one_pixel_value_of_noise(content, style):
    picture = start("grey", content, [style, style])
    assert 0.5 <= picture.min() < 0.5001 and 0.5038 < picture.max() <= 0.5 + 1 / 255 + 1e-6


@pytest.mark.parametrize(
    ("name", "expected"),
    [("uniform", stats.uniform()), ("truncated-normal", stats.truncnorm(-2, 2, loc=0.5, scale=0.25))],
)
def test_a_random_start_has_its_distribution(content, style, name, expected):
    assert stats.kstest(start(name, content, [style, style]).ravel(), expected.cdf).statistic < 0.01


def test_a_start_by_statistics_has_those_of_the_styles_by_their_shares(content, style):
    other = style * 0.25
    picture = start("style-statistics", content, [style, other])
    for channel in range(3):
        one, two = style[..., channel] / 255, other[..., channel] / 255
        mean, deviation = 0.75 * one.mean() + 0.25 * two.mean(), (0.75 * one.var() + 0.25 * two.var()) ** 0.5
        expected = stats.truncnorm(-mean / deviation, (1 - mean) / deviation, mean, deviation)
        assert stats.kstest(picture[..., channel].ravel(), expected.cdf).statistic < 0.02


# --- averages and moments -------------------------------------------------------------------------------


def test_the_result_is_the_bias_corrected_average_of_all_pictures(small_network, content, style):
    recipe = replace(
        RECIPE, content_size=48, coarsest=None, iterations=5, scale_iterations=(), average_decay=0.7
    )
    pictures = []
    result = neuralstyle.stylize(
        content, style, recipe, small_network, on_step=lambda step: pictures.append(step.picture.copy())
    )
    # style_transfer.py, EMA: value and accum as there
    value, accum = 0.0, 1.0
    for picture in pictures:
        value, accum = 0.7 * value + 0.3 * picture.astype(np.float64), 0.7 * accum
    assert len(pictures) == 6
    np.testing.assert_allclose(result.picture, value / (1 - accum), atol=1e-3)


def test_moments_go_on_enlarged_with_their_count(content):
    state = {"mean": content - 128, "variance": content, "earlier": np.array(3)}
    larger = enlarge_moments(state, 10, 96, 128)
    np.testing.assert_array_equal(larger["mean"], resize(content - 128, 96, 128, "bicubic"))
    np.testing.assert_array_equal(larger["variance"], resize(content, 96, 128, "bilinear"))
    assert larger["earlier"] == 13
    # A step is that of an optimiser that has made so many already.

    class Slope:
        def losses(self, picture):
            return {"total": float(picture.sum())}

        def losses_and_gradient(self, picture):
            return self.losses(picture), np.ones_like(picture)

    def step(state, count):
        own = {name: array.copy() for name, array in state.items()}
        return minimize(Adam(0.5), Slope(), content, count + 1, lambda *_: None, state=own, first=count)

    plain = {name: array for name, array in state.items() if name != "earlier"}
    np.testing.assert_array_equal(step(state, 10), step(plain, 13))
    assert (step(state, 10) != step(plain, 10)).any()


class SavedAt(Watcher):
    """Saves the state of one report, and stops the run there."""

    def __init__(self, path, report, stop):
        self.path, self.left, self.stop = path, report, stop

    def state(self, state):
        if self.left == 0:
            save_state(self.path, state)
            self.stop.set()
        self.left -= 1


@pytest.fixture(scope="module")
def job_and_whole(small_network, content, style):
    """A run over two scales, and what it comes to when it is never stopped."""
    recipe = replace(RECIPE, content_size=40, coarsest=24, scale_iterations=(3, 2))
    job = Job(scene_of(content, style), recipe, small_network)
    return job, transfer.run(job)


@pytest.mark.parametrize("report", [2, 3, 5])
def test_a_run_over_scales_goes_on_bit_for_bit_wherever_it_was_stopped(tmp_path, job_and_whole, report):
    job, whole = job_and_whole
    assert [step.iteration for step in whole.history] == [0, 1, 2, 3, 3, 4, 5]
    stop = threading.Event()
    transfer.run(job, [SavedAt(tmp_path / "run.npz", report, stop)], stop=stop)
    resumed = transfer.run(job, resume=load_state(tmp_path / "run.npz"))
    np.testing.assert_array_equal(resumed.picture, whole.picture)
    assert [step.losses for step in resumed.history] == [step.losses for step in whole.history]

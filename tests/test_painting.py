import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "maintainers" / "paint_example.py"


@pytest.fixture(scope="module")
def painting():
    specification = importlib.util.spec_from_file_location("paint_example", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_line_integral_convolution_along_rows_is_a_moving_average(painting):
    noise = np.random.default_rng(0).standard_normal((8, 60))
    flow = np.stack([np.zeros((8, 60)), np.ones((8, 60))])
    smoothed = painting.line_integral_convolution(noise, flow, 5)
    # Both walks count the pixel that they start from.
    weights = np.array([1, 1, 1, 1, 2, 1, 1, 1, 1]) / 10
    expected = np.apply_along_axis(np.convolve, 1, noise, weights, mode="valid")
    np.testing.assert_allclose(smoothed[:, 4:-4], expected)


def test_a_walk_goes_straight_on_where_the_flow_turns_its_sign(painting):
    flow = np.stack([np.zeros((4, 20)), np.where(np.arange(20) < 10, 1.0, -1.0) * np.ones((4, 1))])
    places = [place[0, 1] for place, _ in painting.walk(flow, np.array([[2.0, 3.0]]), 12, 1)]
    assert places == list(range(3, 15))


def test_ranks_give_every_tone_the_same_area(painting):
    values = np.random.default_rng(0).standard_normal((10, 10)) ** 3
    ranks = painting.ranks(values)
    np.testing.assert_allclose(np.sort(ranks.ravel()), np.linspace(0, 1, 100))
    assert (np.argsort(ranks, axis=None) == np.argsort(values, axis=None)).all()


def test_a_stroke_runs_along_its_path_in_the_colours_of_what_it_paints(painting):
    rng = np.random.default_rng(0)
    canvas, relief = np.zeros((80, 120, 3)), np.zeros((80, 120))
    path = np.stack([np.full(160, 40.0), np.linspace(20, 100, 160)], axis=-1)
    direction = np.tile([0.0, 1.0], (160, 1))
    target = np.full((40, 60, 3), (200.0, 40.0, 40.0))
    painting.lay_stroke(canvas, relief, target, path, direction, painting.Brush(8, 80, 1), rng)
    rows, columns = np.nonzero(relief)
    assert 30 <= rows.min() and rows.max() <= 50
    assert 20 <= columns.min() and 55 < columns.max() <= 100
    painted = canvas[rows, columns].mean(0)
    assert painted[0] > 3 * painted[1]

"""The temporal loss against its formulas written out in NumPy, and a loss that goes from frame to frame."""

import numpy as np
import pytest
import video_formulas

from neuralstyle.files import InputError
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import open_loss
from neuralstyle.loss.terms import content, objective_of, style, temporal
from neuralstyle.preparation import scene_of
from neuralstyle.recipes import RECIPES

SIZE = (51, 67)


@pytest.fixture(scope="module")
def film(photograph):
    """A picture, two content frames, a style picture, and for two offsets a warped frame and its trust."""
    rng = np.random.default_rng(5)
    frames = [photograph[60 + step : 111 + step, 100 : 100 + SIZE[1]] for step in (0, 4)]
    picture, *warped = (
        np.clip(frames[0] + rng.normal(0, 20, (*SIZE, 3)), 0, 255).astype(np.float32) for _ in range(3)
    )
    trusts = [(rng.uniform(size=SIZE) > share).astype(np.float32) for share in (0.4, 0.7)]
    return picture, frames, photograph[:45, 200:239], warped, trusts


def beside(warped, trusts, offsets=(1, 2)):
    return {
        name: array
        for offset, w, c in zip(offsets, warped, trusts, strict=False)
        for name, array in ((f"warped {offset}", w), (f"trust {offset}", c[..., np.newaxis]))
    }


def open_on(network, objective, frame, painting, tile=None):
    return open_loss(network, objective, scene_of(frame, painting), Machine(tile=tile))


def test_the_short_term_loss_is_the_formula_written_out(small_network, film):
    picture, frames, painting, warped, trusts = film
    with open_on(small_network, 3.0 * temporal(), frames[0], painting) as loss:
        loss.compare_with(frames[0], beside(warped, trusts, (1,)))
        losses = loss.losses(picture)
    expected = 3 * video_formulas.temporal(picture, warped[0], trusts[0])
    assert losses == pytest.approx({"total": expected, "temporal": expected}, rel=1e-5)


def test_several_offsets_add_up(small_network, film):
    picture, frames, painting, warped, trusts = film
    with open_on(small_network, temporal((1, 4)), frames[0], painting) as loss:
        loss.compare_with(frames[0], beside(warped, trusts, (1, 4)))
        losses = loss.losses(picture)
    expected = sum(video_formulas.temporal(picture, *pair) for pair in zip(warped, trusts, strict=True))
    assert losses["temporal"] == pytest.approx(expected, rel=1e-5)


def test_as_neural_style_tf_published_it_the_trust_masks_nothing(small_network, film):
    picture, frames, painting, warped, trusts = film
    with open_on(small_network, temporal(formula="product"), frames[0], painting) as loss:
        loss.compare_with(frames[0], beside(warped, trusts, (1,)))
        losses = loss.losses(picture)
    expected = video_formulas.temporal_as_published(picture, warped[0], trusts[0])
    assert losses["temporal"] == pytest.approx(expected, rel=1e-5)


def test_in_a_range_from_0_to_1_it_is_smaller_by_the_square(small_network, film):
    picture, frames, painting, warped, trusts = film
    values = []
    for unit in (1.0, 255.0):
        with open_on(small_network, temporal(unit=unit), frames[0], painting) as loss:
            loss.compare_with(frames[0], beside(warped, trusts, (1,)))
            values.append(loss.losses(picture)["temporal"])
    assert values[0] == pytest.approx(255**2 * values[1], rel=1e-5)


def test_until_frames_are_given_there_is_no_temporal_loss(small_network, film):
    picture, frames, painting, *_ = film
    for tile in (None, 32):
        with open_on(small_network, temporal(), frames[0], painting, tile) as loss:
            assert loss.losses(picture)["temporal"] == 0


@pytest.mark.parametrize("tile", [None, 32])
def test_the_gradient_agrees_with_central_differences(small_network, film, tile):
    picture, frames, painting, warped, trusts = film
    objective = 5.0 * content({"relu4_2": 1.0}) + 1000.0 * temporal((1, 2))
    with open_on(small_network, objective, frames[0], painting, tile) as loss:
        loss.compare_with(frames[1], beside(warped, trusts))
        _, gradient = loss.losses_and_gradient(picture)
        direction = gradient / np.abs(gradient).max()
        ahead, behind = (loss.losses(picture + sign * direction)["total"] for sign in (1, -1))
    assert (ahead - behind) / 2 == pytest.approx(float((gradient * direction).sum()), rel=2e-3)


@pytest.mark.parametrize("formula", ["masked", "product"])
@pytest.mark.parametrize("tile", [16, 32, 48])
def test_tiles_give_the_gradient_of_the_whole_picture(small_network, film, formula, tile):
    picture, frames, painting, warped, trusts = film
    objective = objective_of(RECIPES["neural-style"]) + 200.0 * temporal((1, 2), formula)
    results = []
    for size in (None, tile):
        with open_on(small_network, objective, frames[0], painting, size) as loss:
            loss.compare_with(frames[1], beside(warped, trusts))
            results.append(loss.losses_and_gradient(picture))
    (losses, gradient), (tiled_losses, tiled_gradient) = results
    assert tiled_losses == pytest.approx(losses, rel=1e-5)
    np.testing.assert_allclose(tiled_gradient, gradient, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize("tile", [None, 32])
def test_a_loss_that_is_given_another_frame_is_that_of_the_frame(small_network, film, tile):
    picture, frames, painting, *_ = film
    objective = 5.0 * content({"relu3_1": 1.0}) + 100.0 * style({"relu1_1": 1.0, "relu2_1": 1.0})
    with open_on(small_network, objective, frames[1], painting, tile) as loss:
        expected = loss.losses_and_gradient(picture)
    with open_on(small_network, objective, frames[0], painting, tile) as loss:
        loss.losses(picture)
        loss.compare_with(frames[1], {})
        losses, gradient = loss.losses_and_gradient(picture)
    assert losses == pytest.approx(expected[0], rel=1e-6)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-6 * np.abs(gradient).max())


def test_an_unknown_formula_is_named():
    with pytest.raises(InputError, match="unknown temporal formula 'sum'; choose one of masked, product"):
        temporal(formula="sum")

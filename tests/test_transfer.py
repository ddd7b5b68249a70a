from dataclasses import replace

import numpy as np
import pytest

import neuralstyle
from neuralstyle import RECIPES, transfer
from neuralstyle.files import example_pair
from neuralstyle.loss import losses as loss
from neuralstyle.loss.terms import objective_of
from neuralstyle.pictures import colours
from neuralstyle.preparation import Style, fit_masks, scene_of
from neuralstyle.recipes import layer_weights
from neuralstyle.runs.watching import Watcher
from neuralstyle.transfer import Job


@pytest.fixture(scope="module")
def content(photograph):
    return photograph[100:148, 120:184]


@pytest.fixture(scope="module")
def style(photograph):
    return np.ascontiguousarray(photograph[:40, :56, ::-1])


def quick(name="cookbook", **fields):
    return replace(RECIPES[name], **{"iterations": 6, **fields})


def test_the_same_seed_gives_the_same_picture_twice(shipped_network, content, style):
    first, second = (neuralstyle.stylize(content, style, quick(), shipped_network, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.picture, second.picture)


def test_another_seed_gives_another_picture(shipped_network, content, style):
    first, second = (
        neuralstyle.stylize(content, style, quick(), shipped_network, seed=seed) for seed in (4, 5)
    )
    assert (first.image != second.image).any()


def test_the_history_begins_with_the_start_and_ends_with_the_result(small_network, content, style):
    recipe = quick()
    result = neuralstyle.stylize(content, style, recipe, small_network)
    assert [step.iteration for step in result.history] == list(range(7))
    last = result.history[-1]
    # The result itself is clipped to 0..255; the last step is not.
    assert last.total == pytest.approx(last.content + last.style + last.tv, rel=1e-5)
    assert all(step.picture is None for step in result.history)


def test_every_step_is_reported_with_its_picture(small_network, content, style):
    steps = []
    recipe = quick(iterations=3)
    neuralstyle.stylize(
        content,
        content[:, ::-1],
        recipe,
        small_network,
        on_step=lambda s: steps.append((s.total, s.picture.copy())),
    )
    for total, picture in steps:
        losses, _ = neuralstyle.loss_and_gradient(picture, content, content[:, ::-1], recipe, small_network)
        assert total == pytest.approx(losses["total"], rel=1e-5)


def test_a_hundred_iterations_on_the_bundled_pair_end_below_a_twentieth_of_the_first_loss(shipped_network):
    recipe = replace(RECIPES["cookbook"], content_size=96)
    history = neuralstyle.stylize(*example_pair(), recipe, shipped_network).history
    assert len(history) == 101
    assert history[-1].total < 0.05 * history[0].total


def test_noise_starts_around_the_mean_pixel_with_the_published_spread(small_network, content, style):
    starts = []
    neuralstyle.stylize(
        content, style, quick(iterations=1), small_network, on_step=lambda s: starts.append(s.picture.copy())
    )
    noise = starts[0] - small_network.mean_pixel
    assert noise.std() == pytest.approx(0.256, rel=0.05)
    assert abs(noise.mean()) < 0.02


@pytest.mark.parametrize("start", ["content", "style"])
def test_a_run_can_start_from_a_picture(small_network, content, style, start):
    starts = []
    style = np.ascontiguousarray(content[:, ::-1])
    recipe = quick(start=start, iterations=1)
    neuralstyle.stylize(
        content, style, recipe, small_network, on_step=lambda s: starts.append(s.picture.copy())
    )
    np.testing.assert_allclose(starts[0], {"content": content, "style": style}[start], atol=1e-3)


def test_a_start_can_be_part_noise(small_network, content, style):
    starts = []
    recipe = quick(start="content", noise_blend=0.25, noise=0.0, iterations=1)
    neuralstyle.stylize(
        content, style, recipe, small_network, on_step=lambda s: starts.append(s.picture.copy())
    )
    np.testing.assert_allclose(starts[0], 0.75 * content + 0.25 * small_network.mean_pixel, atol=1e-3)


def test_the_result_is_clipped_and_rounded_and_never_wraps_around(small_network, content, style):
    pictures = []
    recipe = quick(optimizer=neuralstyle.recipes.Adam(300.0))
    result = neuralstyle.stylize(
        content, style, recipe, small_network, on_step=lambda s: pictures.append(s.picture.copy())
    )
    last = pictures[-1]
    assert last.min() < 0 and last.max() > 255
    np.testing.assert_array_equal(result.image, np.rint(np.clip(last, 0, 255)))


def test_the_best_checkpoint_is_kept_when_the_recipe_says_so(small_network, content, style):
    recipe = quick(
        "neural-style",
        iterations=9,
        checkpoint_every=3,
        optimizer=neuralstyle.recipes.Adam(60.0),
        content_fit="width",
    )
    pictures = {}
    result = neuralstyle.stylize(
        content,
        style,
        recipe,
        small_network,
        on_step=lambda s: pictures.update({s.iteration: s.picture.copy()}),
    )
    best = min((3, 6, 9), key=lambda iteration: result.history[iteration].total)
    np.testing.assert_array_equal(result.picture, np.clip(pictures[best], 0, 255))


def test_a_recipe_on_the_unit_range_is_clipped_after_each_step(small_network, content, style):
    pictures = []
    recipe = quick("tensorflow-tutorial", content_size=None, optimizer=neuralstyle.recipes.Adam(0.5))
    neuralstyle.stylize(
        content, style, recipe, small_network, on_step=lambda s: pictures.append(s.picture.copy())
    )
    assert all(picture.min() >= 0 and picture.max() <= 255.001 for picture in pictures)


def test_ctrl_c_gives_what_there_is_so_far(small_network, content, style):
    pictures = []

    def on_step(step):
        pictures.append(step.picture.copy())
        if step.iteration == 3:
            raise KeyboardInterrupt

    result = neuralstyle.stylize(content, style, quick(), small_network, on_step=on_step)
    assert result.interrupted
    assert result.history[-1].iteration == 3
    np.testing.assert_array_equal(result.picture, np.clip(pictures[-1], 0, 255))


def test_ctrl_c_between_two_scales_gives_the_smaller_picture(small_network, content, style, monkeypatch):
    pictures = []

    def open_loss_once(*arguments):
        # As a press does while the targets of the second scale are measured.
        if pictures:
            raise KeyboardInterrupt
        return loss.open_loss(*arguments)

    monkeypatch.setattr(transfer, "open_loss", open_loss_once)
    recipe = quick(scales=(24, 48), scale_iterations=(3, 2))
    result = neuralstyle.stylize(
        content, style, recipe, small_network, on_step=lambda s: pictures.append(s.picture.copy())
    )
    assert result.interrupted
    assert len(pictures) == 4
    np.testing.assert_array_equal(result.picture, np.clip(pictures[-1], 0, 255))


def test_ctrl_c_keeps_the_last_picture_where_it_is_better_than_the_best_checkpoint(
    small_network, content, style
):
    recipe = quick("neural-style", checkpoint_every=2, optimizer=neuralstyle.recipes.Adam(2.0))

    def on_step(step):
        if step.iteration == 5:
            raise KeyboardInterrupt

    result = neuralstyle.stylize(content, style, recipe, small_network, on_step=on_step)
    assert result.history[5].total < result.history[4].total
    assert result.step == result.history[5]


def test_ctrl_c_in_a_line_search_gives_the_best_picture_so_far(small_network, content, style):
    totals = []

    def on_step(step):
        totals.append(step.total)
        if len(totals) > 2 and totals[-1] > min(totals):
            raise KeyboardInterrupt

    recipe = quick("neural-style-tf", iterations=200, content_size=None)
    result = neuralstyle.stylize(content, style, recipe, small_network, on_step=on_step)
    assert result.interrupted
    assert result.step.total == min(totals)


def test_luminance_only_takes_no_colour_from_the_style(small_network, content, style):
    recipe = quick(match_colours="luminance", keep_colours="yuv")
    result = neuralstyle.stylize(content, style, recipe, small_network)
    grey = neuralstyle.stylize(content, colours.luminance(style), recipe, small_network)
    np.testing.assert_allclose(result.picture, grey.picture, atol=0.1)
    inside = ((result.picture > 0) & (result.picture < 255)).all(axis=2)
    assert inside.mean() > 0.2
    chroma, expected = np.diff(result.picture, axis=2), np.diff(content, axis=2)
    np.testing.assert_allclose(chroma[inside], expected[inside], atol=0.5)


def test_a_width_sets_the_size_of_the_result(small_network, content, style):
    result = neuralstyle.stylize(content, style, quick(content_size=32), small_network)
    assert result.image.shape == (24, 32, 3)


def test_the_longer_side_can_be_set(small_network, content, style):
    recipe = quick("tensorflow-tutorial", content_size=40)
    assert neuralstyle.stylize(content, style, recipe, small_network).image.shape == (30, 40, 3)


def test_a_result_too_small_for_the_network_is_refused(small_network, content, style):
    with pytest.raises(neuralstyle.InputError, match="it needs 16 in each direction"):
        neuralstyle.stylize(content, style, quick(content_size=18), small_network)


def test_no_iterations_are_refused(small_network, content, style):
    with pytest.raises(neuralstyle.InputError, match="iterations is 0"):
        neuralstyle.stylize(content, style, quick(iterations=0), small_network)


def test_layer_weights_grow_by_the_exponent_and_add_up_to_one():
    weights = layer_weights(["a", "b", "c"], 2.0)
    assert weights == {"a": 1 / 7, "b": 2 / 7, "c": 4 / 7}


def stopped_at(iteration, run):
    """A run that is interrupted: the state that it leaves behind."""

    def on_step(step):
        if step.iteration == iteration:
            raise KeyboardInterrupt

    return run(on_step=on_step).state


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"unit": 255.0, "clip": True, "optimizer": neuralstyle.recipes.Adam(0.05)},
        {"keep_best": True, "checkpoint_every": 2, "optimizer": neuralstyle.recipes.Adam(60.0)},
        {"scales": (24, 32), "scale_iterations": (2, 4)},
    ],
    ids=["adam", "unit range", "best kept", "scales"],
)
def test_a_resumed_run_ends_with_the_picture_of_the_run_that_was_not_stopped(
    small_network, content, style, fields
):
    def run(**options):
        return transfer.run(Job(scene_of(content, style), quick(**fields), small_network), **options)

    whole = run()
    resumed = run(resume=stopped_at(3, run))
    np.testing.assert_array_equal(resumed.picture, whole.picture)
    losses = [(step.iteration, step.total) for step in whole.history]
    assert [(step.iteration, step.total) for step in resumed.history] == losses


def test_a_resumed_run_of_lbfgs_goes_on_from_its_best_picture(small_network, content, style):
    def run(**options):
        recipe = quick("neural-style-tf", content_size=None, iterations=8)
        return transfer.run(Job(scene_of(content, style), recipe, small_network), **options)

    state = stopped_at(4, run)
    resumed = run(resume=state)
    assert resumed.history[-1].total <= min(step.total for step in state.history)
    assert resumed.history[-1].iteration == 8


def test_coarse_to_fine_starts_each_scale_from_the_last_result_enlarged(small_network, content, style):
    sizes, pictures = [], []

    def on_step(step):
        sizes.append((step.iteration, step.picture.shape))
        pictures.append(step.picture.copy())

    recipe = quick(scales=(24, 48), scale_iterations=(3, 2))
    result = neuralstyle.stylize(content, style, recipe, small_network, on_step=on_step)
    small, large = (18, 24, 3), (36, 48, 3)
    assert sizes == [(0, small), (1, small), (2, small), (3, small), (3, large), (4, large), (5, large)]
    assert result.image.shape == large
    enlarged = pictures[4]
    np.testing.assert_allclose(enlarged.reshape(18, 2, 24, 2, 3).mean(axis=(1, 3)), pictures[3], atol=30)


def test_checkpoints_are_the_pictures_that_the_result_would_be(small_network, content, style):
    pictures = {}
    recipe = quick(checkpoint_every=2, keep_colours="yuv")

    class Keeper(Watcher):
        def snapshot(self, step):
            pictures[step.iteration] = step.picture

    result = transfer.run(Job(scene_of(content, style), recipe, small_network), [Keeper()])
    assert list(pictures) == [2, 4, 6]
    np.testing.assert_array_equal(pictures[6], result.picture)


def test_kept_colours_are_those_of_the_content(small_network, content, style):
    result = neuralstyle.stylize(content, style, quick(keep_colours="yuv"), small_network)
    # Where nothing is clipped, the differences between the channels are the content's.
    inside = ((result.picture > 0) & (result.picture < 255)).all(axis=2)
    assert inside.mean() > 0.2
    chroma, expected = np.diff(result.picture, axis=2), np.diff(content, axis=2)
    np.testing.assert_allclose(chroma[inside], expected[inside], atol=0.5)


def test_a_mask_confines_a_style_to_its_half(small_network, content, style):
    """Under a mask of the left half, the style's gradient on the right vanishes away from the border."""
    from neuralstyle.loss.losses import open_loss

    mask = np.zeros(content.shape[:2], np.float32)
    mask[:, :16] = 1
    recipe = quick(content_weight=0.0, tv_weight=0.0, style_layers={"relu2_1": 1.0})
    scene = fit_masks(scene_of(content, Style(style, mask)))
    with open_loss(small_network, objective_of(recipe), scene) as loss:
        _, gradient = loss.losses_and_gradient(content)
    assert np.abs(gradient[:, :16]).max() > 0
    assert np.abs(gradient[:, 32:]).max() == 0


def test_a_masked_style_loss_equals_its_formula(small_network, content, style):
    from neuralstyle.loss.losses import open_loss

    rng = np.random.default_rng(2)
    mask, style_mask = rng.random(content.shape[:2]), rng.random(style.shape[:2])
    recipe = quick(content_weight=0.0, tv_weight=0.0, style_layers={"relu2_1": 1.0})
    scene = fit_masks(scene_of(content, Style(style, mask, style_mask)))
    with open_loss(small_network, objective_of(recipe), scene) as loss:
        losses = loss.losses(content)

    def gram(picture, mask):
        maps = neuralstyle.features(small_network, picture, ["relu2_1"])["relu2_1"]
        small = mask.reshape(maps.shape[0], 2, maps.shape[1], 2).mean(axis=(1, 3))
        flat = (maps * small[..., None]).reshape(-1, maps.shape[-1])
        # Gatys et al. 2017: masks normalised to a sum of squares of 1, here of the number of positions
        return flat.T @ flat / (flat.size * (small**2).mean())

    difference = gram(content, mask) - gram(style, style_mask)
    assert losses["style"] == pytest.approx(500 * (difference**2).sum() / len(difference) ** 2, rel=1e-4)


def test_a_mask_that_is_black_everywhere_is_refused(small_network, content, style):
    black = np.zeros((20, 20), np.float32)
    with pytest.raises(neuralstyle.InputError, match="black everywhere"):
        neuralstyle.stylize(content, Style(style, black), quick(), small_network)


def test_matched_colours_give_the_style_the_contents_mean_first(small_network, content, style):
    recipe = quick(match_colours="cholesky", start="style", iterations=1, style_fit="stretch")
    starts = []
    neuralstyle.stylize(
        content, style, recipe, small_network, on_step=lambda s: starts.append(s.picture.copy())
    )
    plain = quick(start="style", iterations=1)
    others = []
    neuralstyle.stylize(
        content, style, plain, small_network, on_step=lambda s: others.append(s.picture.copy())
    )
    # What the run starts from is the style picture itself; what it is compared with has other colours.
    np.testing.assert_array_equal(starts[0], others[0])
    assert (starts[1] != others[1]).any()

"""Frames of a film, one after the other: what each starts from, is compared with, and how it goes on."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import video_formulas
from made_film import make_film

import neuralstyle
from neuralstyle import InputError, Motion
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import open_loss
from neuralstyle.loss.terms import objective_of
from neuralstyle.optimizers import GradientDescent, PreconditionedLBFGS
from neuralstyle.preparation import Scene, Style, network_for, prepare
from neuralstyle.recipes import RECIPES
from neuralstyle.video.flow import flow_trust, warp
from neuralstyle.video.flow_files import write_flow, write_trust
from neuralstyle.video.flows import FlowFiles, Flows
from neuralstyle.video.folder import WorkFolder
from neuralstyle.video.loop import FilmJob, _Rule, run_film

SIZE = (48, 64)

RECIPE = replace(
    RECIPES["artistic-videos"],
    start="content",
    optimizer=PreconditionedLBFGS(memory=5),
    iterations=4,
    motion=Motion(iterations=3),
)


@pytest.fixture(scope="module")
def made():
    """Three frames, a cut, and two more."""
    return make_film(*SIZE, (3, 2), 4)


@pytest.fixture
def flow_files(tmp_path, made):
    """The film's own flow in files, and no cut."""
    for i in range(2, 4):
        write_flow(tmp_path / f"backward_{i}_{i - 1}.flo", made.backward[i - 1])
        write_flow(tmp_path / f"forward_{i - 1}_{i}.flo", made.forward[i - 1])
    return FlowFiles(
        str(tmp_path / "backward_{i}_{j}.flo"), str(tmp_path / "forward_{j}_{i}.flo"), None, SIZE
    )


def filled(path, made):
    folder = WorkFolder(path, {})
    for number, frame in enumerate(made.frames, start=1):
        folder.keep_content(number, frame)
    return folder


def job_of(made, network, numbers, recipe=RECIPE, find_cuts=False):
    painting = made.frames[3][:40, :44].astype(np.float32)
    return FilmJob(numbers, (Style(painting),), recipe, network, find_cuts=find_cuts)


def moving(**changed):
    return replace(RECIPE, motion=replace(RECIPE.motion, **changed))


def film_of(path, made, network, flows, numbers=(1, 2, 3), recipe=RECIPE, find_cuts=False):
    """All frames, and what was told of their steps."""
    folder, steps = filled(path, made), {}
    job = job_of(made, network, numbers, recipe, find_cuts)

    def look(number, step):
        steps.setdefault(number, []).append(step.losses)

    return list(run_film(job, folder, flows or Flows(folder.content, folder.film), look)), steps


def expected_warp(made, earlier, i):
    """Frame i − 1 of the result, warped to frame i, and its trust, by the film's own flow."""
    backward, forward = made.backward[i - 1], made.forward[i - 1]
    return warp(earlier.picture, backward), flow_trust(forward, backward)


def test_a_frame_starts_from_the_one_before_it_where_the_temporal_loss_is_nothing(
    tmp_path, made, small_network, flow_files
):
    frames, steps = film_of(tmp_path / "work", made, small_network, flow_files)
    assert [frame.number for frame in frames] == [1, 2, 3]
    assert [losses["temporal"] for losses in steps[1]] == [0.0] * len(steps[1])
    assert steps[2][0]["temporal"] == 0 and steps[2][1]["temporal"] > 0
    assert frames[1].losses["total"] < steps[2][0]["total"]


def test_a_frame_is_compared_with_the_warped_one_where_that_can_be_trusted(
    tmp_path, made, small_network, flow_files
):
    frames, steps = film_of(
        tmp_path / "work", made, small_network, flow_files, recipe=moving(start="content")
    )
    warped, trust = expected_warp(made, frames[0], 2)
    assert 0.1 < trust.mean() < 0.99
    expected = 1000 * video_formulas.temporal(made.frames[1], warped, trust)
    assert steps[2][0]["temporal"] == pytest.approx(expected, rel=1e-4)


def test_what_the_camera_reveals_starts_in_the_colours_of_the_painted_frame(
    tmp_path, made, small_network, flow_files
):
    recoloured = moving(revealed="recoloured", weight=0.0)
    frames, _ = film_of(tmp_path / "a", made, small_network, flow_files, recipe=recoloured)
    painted, content = np.float64(frames[0].picture).reshape(-1, 3), np.float64(made.frames[1]).reshape(-1, 3)
    roots = [np.linalg.cholesky(np.cov(pixels.T)) for pixels in (painted, content)]
    matched = (content - content.mean(0)) @ (roots[0] @ np.linalg.inv(roots[1])).T + painted.mean(0)
    warped = warp(frames[0].picture, made.backward[1], outside=np.float32(np.nan))
    outside = np.isnan(warped)
    assert 0 < outside.mean() < 0.5
    start = np.where(outside, np.clip(matched, 0, 255).reshape(warped.shape), warped)
    published, _ = film_of(tmp_path / "b", made, small_network, flow_files, recipe=moving(weight=0.0))
    # A few iterations go a little way from where they start.
    far, near = (np.abs(frame.picture - start)[outside].mean() for frame in (published[1], frames[1]))
    assert near < far


def test_a_start_from_the_frame_before_as_it_is(tmp_path, made, small_network, flow_files):
    frames, steps = film_of(
        tmp_path / "work", made, small_network, flow_files, recipe=moving(start="previous")
    )
    warped, trust = expected_warp(made, frames[1], 3)
    expected = 1000 * video_formulas.temporal(frames[1].picture.astype(float), warped, trust)
    assert steps[3][0]["temporal"] == pytest.approx(expected, rel=1e-4)


def test_trust_can_be_that_of_the_other_flow_and_mask_nothing(tmp_path, made, small_network, flow_files):
    recipe = moving(start="content", trust="forward", formula="product", weight=200.0)
    frames, steps = film_of(tmp_path / "work", made, small_network, flow_files, recipe=recipe)
    warped, _ = expected_warp(made, frames[0], 2)
    trust = flow_trust(made.backward[1], made.forward[1])
    outside = np.isnan(warp(frames[0].picture, made.backward[1], outside=np.float32(np.nan)))
    warped = np.where(outside, small_network.mean_pixel, warped)
    expected = 200 * video_formulas.temporal_as_published(made.frames[1], warped, trust)
    assert steps[2][0]["temporal"] == pytest.approx(expected, rel=1e-4)


def test_without_weight_there_is_no_temporal_loss(tmp_path, made, small_network, flow_files):
    frames, steps = film_of(tmp_path / "work", made, small_network, flow_files, recipe=moving(weight=0.0))
    assert [losses["temporal"] for losses in steps[2]] == [0.0] * len(steps[2])
    assert len(frames) == 3


def test_several_earlier_frames_count_where_nearer_ones_cannot_be_trusted(tmp_path, made, small_network):
    rng = np.random.default_rng(3)
    trusts = {}
    for i, j in ((2, 1), (3, 2), (3, 1)):
        write_flow(tmp_path / f"b_{i}_{j}.flo", np.full((*SIZE, 2), i - j, np.float32))
        trusts[i, j] = (rng.uniform(size=SIZE) > 0.5).astype(np.float32)
        write_trust(tmp_path / f"t_{i}_{j}.pgm", trusts[i, j])
    flows = FlowFiles(str(tmp_path / "b_{i}_{j}.flo"), None, str(tmp_path / "t_{i}_{j}.pgm"), SIZE)
    recipe = moving(start="content", offsets=(1, 2))
    frames, steps = film_of(tmp_path / "work", made, small_network, flows, recipe=recipe)
    warped = [
        warp(frames[2 - j].picture, np.full((*SIZE, 2), j, np.float32), small_network.mean_pixel)
        for j in (1, 2)
    ]
    expected = 1000 * video_formulas.temporal_long_term(made.frames[2], warped, [trusts[3, 2], trusts[3, 1]])
    assert steps[3][0]["temporal"] == pytest.approx(expected, rel=1e-4)


def test_a_frame_that_has_no_frame_so_much_earlier_starts_from_its_content(tmp_path, made, small_network):
    frames, steps = film_of(tmp_path / "work", made, small_network, None, recipe=moving(offsets=(2,)))
    assert steps[2][0]["content"] == 0 and steps[2][-1]["temporal"] == 0
    assert steps[3][0]["content"] > 0 and steps[3][-1]["temporal"] > 0


def test_a_shot_begins_as_a_film_does_that_starts_from_its_content(tmp_path, made, small_network):
    whole, steps = film_of(tmp_path / "a", made, small_network, None, range(1, 6), find_cuts=True)
    assert [frame.cut for frame in whole] == [False, False, False, True, False]
    second, _ = film_of(tmp_path / "b", made, small_network, None, range(4, 6), find_cuts=True)
    for found, alone in zip(whole[3:], second, strict=True):
        np.testing.assert_array_equal(found.picture, alone.picture)
    assert len(steps[4]) == RECIPE.iterations + 1 and len(steps[5]) == RECIPE.motion.iterations + 1


def test_a_cut_makes_noise_a_start_of_the_first_frame_alone(tmp_path, made, small_network):
    recipe = replace(RECIPE, start="noise")
    whole, steps = film_of(tmp_path / "a", made, small_network, None, range(3, 5), recipe, find_cuts=True)
    assert whole[1].cut
    assert steps[3][0]["content"] > 0 and steps[4][0]["content"] == 0


def test_the_first_frame_is_what_a_still_is(tmp_path, made, small_network):
    (frame,), _ = film_of(tmp_path / "work", made, small_network, None, [1])
    job = job_of(made, small_network, [1])
    still = neuralstyle.stylize(made.frames[0], job.styles[0], RECIPE, small_network)
    assert np.abs(frame.picture.astype(int) - still.image).max() <= 1
    assert frame.evaluations == 4 and not frame.cut


def test_coarse_to_fine_is_for_the_first_frame_of_a_shot(tmp_path, made, small_network, flow_files):
    recipe = replace(
        RECIPE, content_size=64, scales=(32, 64), scale_iterations=(3, 2), motion=Motion(iterations=2)
    )
    frames, steps = film_of(tmp_path / "work", made, small_network, flow_files, recipe=recipe)
    assert [frame.evaluations for frame in frames] == [5, 2, 2]
    assert {frame.picture.shape for frame in frames} == {(*SIZE, 3)}
    assert steps[2][0]["temporal"] == 0


def test_a_ladder_of_scales_is_for_the_first_frame_of_a_shot_too(tmp_path, made, small_network, flow_files):
    recipe = replace(
        RECIPES["style-transfer-pytorch"],
        **{"content_size": 64, "coarsest": 40, "iterations": 2, "scale_iterations": (3, 2)},
        motion=Motion(iterations=1),
    )
    frames, _ = film_of(tmp_path / "work", made, small_network, flow_files, (1, 2), recipe)
    assert [frame.evaluations for frame in frames] == [5, 1]


def test_a_frame_is_done_when_its_loss_hardly_changes(tmp_path, made, small_network, flow_files):
    recipe = moving(tolerance=0.9, tolerance_every=2, iterations=50)
    frames, _ = film_of(tmp_path / "work", made, small_network, flow_files, recipe=recipe)
    # The loss after 2 iterations is compared with that after 4.
    assert [frame.evaluations for frame in frames[1:]] == [4, 4]


def test_the_stopping_rule_is_that_of_the_program():
    # lbfgs.lua: if nIter % interval == 0 then if f_past ~= nil and |f - f_past| / f_past < tolerance
    rule = _Rule(Motion(tolerance=0.01, tolerance_every=2))
    totals = [9.0, 9.0, 8.0, 8.0, 7.0, 6.97, 6.96, 5.0]
    assert [rule.met(index, total) for index, total in enumerate(totals)] == [*[False] * 6, True, False]
    rule = _Rule(Motion(tolerance=None))
    assert not any(rule.met(index, 1.0) for index in range(200))


@pytest.mark.parametrize("passes", [1, 2])
def test_a_film_that_was_stopped_goes_on_to_the_same_frames_bit_for_bit(
    tmp_path, made, small_network, passes
):
    recipe = moving(passes=passes, pass_iterations=2, temporal_from_pass=2)
    whole, _ = film_of(tmp_path / "whole", made, small_network, None, recipe=recipe)
    job, folder = job_of(made, small_network, (1, 2, 3), recipe), filled(tmp_path / "parts", made)
    made_steps, found = [], []
    for allowed in (4, 6, 100):  # steps until it is stopped
        stop, left = threading.Event(), [allowed]

        def look(number, step, stop=stop, left=left):
            made_steps.append(number)
            left[0] -= 1
            if not left[0]:
                stop.set()

        with Flows(folder.content, folder.film) as flows:
            found = list(run_film(job, folder, flows, look, stop))
    assert len(found) == 3
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
        assert (one.losses, one.evaluations, one.cut) == (other.losses, other.evaluations, other.cut)
    # What was finished was not made again: nothing is left to do now.
    before = len(made_steps)
    with Flows(folder.content, folder.film) as flows:
        assert len(list(run_film(job, folder, flows, look, threading.Event()))) == 3
    assert len(made_steps) == before


def test_passes_go_to_and_fro_and_start_from_a_blend_with_the_neighbour(
    tmp_path, made, small_network, flow_files
):
    recipe = moving(passes=2, pass_iterations=1, temporal_from_pass=2, pass_weight=10.0)
    folder, steps = filled(tmp_path / "work", made), []
    job = job_of(made, small_network, (1, 2, 3), recipe)
    frames = list(run_film(job, folder, flow_files, lambda number, step: steps.append((number, step))))
    assert [number for number, step in steps if step.iteration == 0] == [1, 2, 3, 3, 2, 1]
    assert [frame.number for frame in frames] == [1, 2, 3]
    own, neighbour = folder.finished(2, 1).picture.astype(float), frames[2].picture
    warped = warp(neighbour, made.forward[2])
    trust = flow_trust(made.backward[2], made.forward[2])
    blended = own + 0.5 * trust[..., None] * (warped - own)
    _, first = (step for number, step in steps if number == 2 and step.iteration == 0)
    expected = 10 * video_formulas.temporal(blended, warped, trust)
    assert first.losses["temporal"] == pytest.approx(expected, rel=1e-3)


def test_the_films_colours_can_be_kept(tmp_path, made, small_network, flow_files):
    recipe = replace(RECIPE, keep_colours="yuv")
    frames, _ = film_of(tmp_path / "work", made, small_network, flow_files, recipe=recipe)
    plain, _ = film_of(tmp_path / "plain", made, small_network, flow_files)
    for frame, other, content in zip(frames, plain, made.frames, strict=False):
        luma = np.array([0.299, 0.587, 0.114])
        difference = frame.picture - content.astype(float)
        inside = ((frame.picture > 0) & (frame.picture < 255)).all(axis=2)
        # A grey change leaves the colours.
        assert np.abs(difference[inside] - difference[inside] @ luma[:, None]).max() < 3
        assert np.abs((frame.picture - other.picture.astype(float)) @ luma)[inside].max() < 3


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({"weight": -1.0}, "weight is -1.0; it must be 0 or more"),
        ({"offsets": ()}, "offsets is ()"),
        ({"offsets": (2, 1)}, "offsets is (2, 1)"),
        ({"start": "noise"}, "unknown start of motion 'noise'"),
        ({"passes": 0}, "passes is 0"),
        ({"tolerance": 1.5}, "tolerance is 1.5"),
        ({"iterations": 0}, "iterations is 0"),
        ({"share": 2}, "share is 2"),
        ({"formula": "sum"}, "unknown formula of motion 'sum'"),
    ],
)
def test_a_motion_that_cannot_be_is_refused(changed, expected):
    with pytest.raises(InputError) as error:
        Motion(**changed)
    assert expected in str(error.value)


def pull(name, network, content, painting):
    """The gradient's norm of a recipe's loss, at a photograph with noise."""
    recipe = replace(RECIPES[name], content_size=None, scales=(), scale_iterations=(), coarsest=None)
    recipe = replace(recipe, start="content", noise_blend=0.0)
    network = network_for(recipe, network, Machine())
    scene = prepare(recipe, network, Scene(content, (Style(painting),)), 0).scene
    noise = np.random.default_rng(0).normal(0, 8, content.shape).astype(np.float32)
    with open_loss(network, objective_of(recipe, 1), scene, Machine()) as loss:
        return np.linalg.norm(loss.losses_and_gradient(content + noise)[1])


UNITS = ["gatys", "chollet", "keras", "tensorflow-tutorial", "fast-style-transfer", "style-transfer-pytorch"]


def test_the_temporal_loss_is_as_heavy_in_every_recipes_units(shipped_network, photograph, made):
    content, painting = photograph[:96, :128], made.frames[3].astype(np.float32)
    published = RECIPES["artistic-videos"].motion.weight / pull(
        "artistic-videos", shipped_network, content, painting
    )
    for name in UNITS:
        recipe = RECIPES[name]
        share = recipe.motion.weight / recipe.unit**2 / pull(name, shipped_network, content, painting)
        assert 0.25 < share / published < 4, (name, share / published)
        assert recipe.motion.pass_weight == recipe.motion.weight / 2


def test_a_step_moves_pixels_of_trust_a_hundredth_as_far(tmp_path, made, small_network, flow_files):
    # Gradient descent on z makes of a step along the gradient g one along g / (1 + κ c).
    recipe = moving(weight=0.0, iterations=1)
    recipe = replace(recipe, optimizer=GradientDescent(2e-3), tv_weight=0.0)
    held = replace(recipe, motion=replace(recipe.motion, holding=99.0))
    (first, plain), _ = film_of(tmp_path / "a", made, small_network, flow_files, (1, 2), recipe)
    (_, slow), _ = film_of(tmp_path / "b", made, small_network, flow_files, (1, 2), held)
    warped, trust = expected_warp(made, first, 2)
    outside = np.isnan(warp(first.picture, made.backward[1], outside=np.float32(np.nan)))
    start = np.where(outside, made.frames[1], warped)
    moved, held_back = (np.float64(frame.picture) - start for frame in (plain, slow))
    # Rounding to whole levels leaves a quarter of a level.
    far, near = (np.abs(change[trust == 1]).mean() for change in (moved, held_back))
    assert far > 1.5 and near < 0.01 * far + 0.3
    np.testing.assert_array_equal(plain.picture[trust == 0], slow.picture[trust == 0])


def test_larger_parts_that_cannot_be_trusted_start_anew_in_the_painted_frames_colours(
    tmp_path, made, small_network
):
    folder = filled(tmp_path / "work", made)
    recipe = moving(revealed="recoloured", weight=0.0, iterations=1)
    recipe = replace(recipe, optimizer=GradientDescent(1e-9))  # which stays where it starts
    trust = np.ones(SIZE, np.float32)
    trust[10:30, 20:40] = 0
    trust[40, 50] = 0  # a speck
    for i, j in ((1, 2), (2, 1)):
        write_flow(tmp_path / f"flow_{i}_{j}.flo", np.zeros((*SIZE, 2), np.float32))
        write_trust(tmp_path / f"trust_{i}_{j}.pgm", trust)
    pattern = str(tmp_path / "flow_{i}_{j}.flo")
    flows = FlowFiles(pattern, pattern, str(tmp_path / "trust_{i}_{j}.pgm"), SIZE)
    first, second = run_film(job_of(made, small_network, (1, 2), recipe), folder, flows)
    changed = np.abs(np.float64(second.picture) - first.picture).max(-1) > 1
    assert changed[12:28, 22:38].mean() > 0.9
    changed[10:30, 20:40] = False
    assert not changed.any()

"""Steps in the graph of a loss: what moves, what they lead to, and what happens where there is no room."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from neuralstyle import RECIPES, transfer
from neuralstyle.graphs import Machine
from neuralstyle.loss.fallback import WholeThenTiledLoss
from neuralstyle.loss.losses import open_loss
from neuralstyle.loss.terms import objective_of, temporal
from neuralstyle.loss.units import InUnits
from neuralstyle.optimizers import Adam, GradientDescent, minimize
from neuralstyle.optimizers.descent import Descent
from neuralstyle.preparation import scene_of
from neuralstyle.runs.watching import Watcher
from neuralstyle.transfer import Job

RECIPE = replace(RECIPES["cookbook"], iterations=6, checkpoint_every=None, keep_best=False)
SHAPE = (32, 48, 3)


@pytest.fixture
def scene(photograph):
    return scene_of(photograph[100:132, 100:148], photograph[:32, 200:232])


@pytest.fixture
def start():
    return np.random.default_rng(0).uniform(0, 255, SHAPE).astype(np.float32)


@pytest.fixture
def runs(monkeypatch):
    """How many bytes each run of a graph is fed and gives."""
    told, run = [], tf.compat.v1.Session.run

    def telling(session, fetches, feed_dict=None, *rest):
        given = run(session, fetches, feed_dict, *rest)
        sizes = [np.asarray(value).nbytes for value in tf.nest.flatten(given) if value is not None]
        told.append((sum(np.asarray(value).nbytes for value in (feed_dict or {}).values()), sum(sizes)))
        return given

    monkeypatch.setattr(tf.compat.v1.Session, "run", telling)
    return told


def opened(scene, network, optimizer=None, tile=None, recipe=RECIPE):
    return open_loss(network, objective_of(recipe), scene, Machine(tile=tile), optimizer)


def test_while_nobody_looks_an_iteration_is_one_run_that_moves_a_rate_and_the_losses(
    scene, small_network, runs
):
    class Telling(Watcher):
        def step(self, step):
            runs.append(step.iteration)

    transfer.run(Job(scene, RECIPE, small_network, machine=Machine(tile=None)), [Telling()])
    step = 8, 4 * 4  # in: the rate; out: total, content, style and tv
    first = runs.index(0) + 1
    assert runs[first : first + 8] == [step, 1, step, 2, step, 3, step, 4]


def test_who_looks_at_a_step_gets_its_picture_from_the_device(scene, small_network, runs):
    pictures = {}

    def look(step):
        runs.append(step.iteration)
        if step.iteration == 3:
            pictures[3] = step.picture
            assert step.picture is pictures[3]  # fetched once
        pictures[step.iteration] = step.picture if step.iteration == 6 else None

    result = transfer.run(Job(scene, RECIPE, small_network, machine=Machine(tile=None)), on_step=look)
    fetched = runs[runs.index(3) + 1 : runs.index(4)]
    assert [size for _, size in fetched] == [4 * 32 * 48 * 3, 16]
    np.testing.assert_array_equal(np.clip(pictures[6], 0, 255), result.picture)


def test_the_state_of_a_result_is_there_after_the_graph_is_closed(scene, small_network):
    state = transfer.run(Job(scene, RECIPE, small_network)).state
    assert state.picture.shape == state.optimizer["mean"].shape == state.optimizer["variance"].shape == SHAPE
    assert (state.optimizer["variance"] > 0).all()


def test_what_a_film_compares_its_frames_with_moves_once_a_frame(scene, small_network, start, runs):
    temporally = objective_of(RECIPE) + 10.0 * temporal((1,))
    with open_loss(small_network, temporally, scene, Machine(tile=None), Adam()) as loss:
        beside = {name: np.ones((32, 48, n), np.float32) for name, n in temporally.beside.items()}
        before = loss.losses(start)
        loss.compare_with(scene.content[::-1], beside)
        runs.clear()
        found = []
        minimize(Adam(), loss, start, 4, lambda _, evaluation: found.append(evaluation.losses))
    assert runs[2:6] == [(8, 5 * 4)] * 4  # the fifth loss is the temporal one
    assert found[0]["content"] != before["content"] and found[0]["temporal"] > 0


BOUNDS = (np.float32(20), np.linspace(180, 240, 32 * 48, dtype=np.float32).reshape(32, 48, 1))


@pytest.mark.parametrize(
    "optimizer, unit, bounds",
    [
        (Adam(3.0), np.float32(1), None),
        (Adam(3.0), np.geomspace(0.5, 2, 48, dtype=np.float32)[:, np.newaxis], BOUNDS),
        (GradientDescent(1e-3), np.float32(1), BOUNDS),
        (GradientDescent(1e-4, decay_rate=0.5), np.float32(4), None),
    ],
    ids=["adam", "adam, each pixel its own unit, bounds", "descent, bounds", "descent, unit"],
)
def test_steps_in_the_graph_are_those_apart_from_it(scene, small_network, start, optimizer, unit, bounds):
    with opened(scene, small_network, optimizer) as inside, opened(scene, small_network) as outside:
        assert inside.descent and not outside.descent
        found, expected = (
            minimize(
                optimizer,
                InUnits(loss, unit),
                start / unit,
                8,
                lambda *_: None,
                bounds and tuple(bound / unit for bound in bounds),
            )
            for loss in (inside, outside)
        )
    assert np.abs(expected * unit - start).max() > 1
    np.testing.assert_allclose(found * unit, expected * unit, atol=0.01)


@pytest.mark.parametrize("tile", [None, 24])
def test_an_array_of_bounds_holds_pixel_by_pixel(scene, small_network, start, tile):
    with opened(scene, small_network, Adam(30.0), tile) as loss:
        assert bool(loss.descent) == (tile is None)
        picture = minimize(Adam(30.0), loss, start, 5, lambda *_: None, BOUNDS)
    assert picture.min() == 20
    assert (picture <= BOUNDS[1]).all() and (picture == BOUNDS[1]).any()


def test_a_loss_serves_one_run_after_the_other(scene, small_network, start):
    with opened(scene, small_network, Adam()) as loss:
        first, between, again = (
            minimize(Adam(), loss, begun, 4, lambda *_: None) for begun in (start, start[::-1], start)
        )
    np.testing.assert_array_equal(again, first)
    assert (between != first).any()


def test_another_optimizer_than_that_of_the_graph_takes_its_own_steps(scene, small_network, start):
    with opened(scene, small_network, Adam()) as of_another, opened(scene, small_network) as of_none:
        found, expected = (
            minimize(Adam(2.0, beta1=0.5), loss, start, 3, lambda *_: None) for loss in (of_another, of_none)
        )
    np.testing.assert_array_equal(found, expected)


class _Crowded(Descent):
    """Steps on a card whose memory others take after so many evaluations."""

    left = 3

    def _run(self, feed, slope):
        losses = super()._run(feed, slope)
        self.left -= 1
        if self.left == 0:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return losses


def test_steps_that_run_out_of_memory_go_on_in_tiles_where_they_were(scene, small_network, start):
    def tiled():
        return opened(scene, small_network, tile=24)

    whole = opened(scene, small_network, Adam())
    whole.descent.__class__ = _Crowded

    def no_room(picture):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    whole.losses_and_gradient, totals = no_room, []
    with (
        WholeThenTiledLoss(whole, tiled) as loss,
        pytest.warns(UserWarning, match="going on in tiles of 24 pixels"),
    ):
        found = minimize(Adam(), loss, start, 6, lambda _, now: totals.append(now.losses["total"]))
        assert loss.tile == 24 and loss.descent is None
    with opened(scene, small_network, Adam()) as loss:
        expected = []
        picture = minimize(Adam(), loss, start, 6, lambda _, now: expected.append(now.losses["total"]))
    np.testing.assert_allclose(totals, expected, rtol=1e-4)
    np.testing.assert_allclose(found, picture, atol=0.1)


def test_what_a_run_changes_stands_where_the_graph_is_computed():
    """Asked of the graph, for there need be no such device."""
    with tf.Graph().as_default() as graph, graph.device("/GPU:0"):
        descent = Descent(Adam(), *SHAPE[:2])
        descent.minimize({"total": tf.reduce_sum(descent.pixels)}, descent.pixels)
    kinds = {}
    for operation in graph.get_operations():
        kinds.setdefault(operation.type, set()).add(operation.device)
    of_large = (
        kinds["VarHandleOp"],
        kinds["ResourceApplyAdam"],
        kinds["Minimum"],
        kinds["Maximum"],
        kinds["Mul"],
    )
    assert set.union(*of_large) == {"/device:GPU:0"}


def test_a_stopped_run_has_the_picture_that_its_last_losses_are_of(scene, small_network):
    stop = threading.Event()

    def look(step):
        if step.iteration == 3:
            stop.set()

    job = Job(scene, RECIPE, small_network, machine=Machine(tile=None))
    stopped = transfer.run(job, stop=stop, on_step=look)
    again = transfer.run(replace(job, recipe=replace(RECIPE, iterations=3)), resume=stopped.state)
    assert stopped.step.iteration == again.step.iteration == 3
    assert stopped.step.losses == again.step.losses
    np.testing.assert_array_equal(stopped.picture, again.picture)

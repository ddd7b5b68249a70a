"""Those who look on while a run goes on: what they are told, and what happens when one of them fails."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from neuralstyle import RECIPES, transfer
from neuralstyle.preparation import scene_of
from neuralstyle.runs.interrupts import StopWatch
from neuralstyle.runs.saving import Snapshots, StateSaver
from neuralstyle.runs.state import load_state
from neuralstyle.runs.watching import Watcher
from neuralstyle.transfer import Job


class Everything(Watcher):
    """Writes down what it is told, in order."""

    def __init__(self):
        self.told = []

    def begin(self, beginning):
        self.told.append(("begin", beginning.scale, (beginning.height, beginning.width), beginning.tile))

    def state(self, state):
        self.told.append(("state", state.scale, state.iteration))

    def step(self, step):
        self.told.append(("step", step.iteration))

    def snapshot(self, step):
        self.told.append(("snapshot", step.iteration))


@pytest.fixture
def job(small_network, photograph):
    recipe = replace(RECIPES["cookbook"], iterations=4, checkpoint_every=2)
    return Job(scene_of(photograph[:32, :48], photograph[100:140, :40]), recipe, small_network)


def test_a_watcher_is_told_of_the_state_the_step_and_the_snapshot_in_this_order(job):
    watcher = Everything()
    transfer.run(job, [watcher])
    assert watcher.told[:3] == [("begin", 0, (32, 48), None), ("state", 0, 0), ("step", 0)]
    assert watcher.told[-3:] == [("state", 0, 4), ("step", 4), ("snapshot", 4)]
    assert [what for what in watcher.told if what[0] == "snapshot"] == [("snapshot", 2), ("snapshot", 4)]


def test_a_watcher_is_told_of_each_size_of_a_run_from_coarse_to_fine(job):
    watcher = Everything()
    recipe = replace(job.recipe, scales=(24, 48), scale_iterations=(1, 1), checkpoint_every=None)
    transfer.run(replace(job, recipe=recipe), [watcher])
    begun = [what for what in watcher.told if what[0] == "begin"]
    assert begun == [("begin", 0, (16, 24), None), ("begin", 1, (32, 48), None)]


def test_a_watcher_that_fails_is_warned_of_once_and_the_others_are_told_everything(job):
    class Failing(Watcher):
        def step(self, step):
            if step.iteration == 1:
                raise OSError("the stick was pulled out\nwith a second line")

    watcher = Everything()
    whole = transfer.run(job)
    with pytest.warns(UserWarning) as caught:
        result = transfer.run(job, [Failing(), watcher])
    assert [str(warning.message) for warning in caught] == [
        "the stick was pulled out; the run goes on without it"
    ]
    assert ("step", 4) in watcher.told
    np.testing.assert_array_equal(result.picture, whole.picture)


def test_what_a_programs_own_callback_raises_ends_the_run(job):
    def on_step(step):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transfer.run(job, on_step=on_step)


def test_an_event_stops_the_run_after_the_step_that_is_being_made(job):
    stop = threading.Event()

    class Stopper(Watcher):
        def step(self, step):
            if step.iteration == 2:
                stop.set()

    result = transfer.run(job, [Stopper()], stop=stop)
    assert result.interrupted
    assert result.history[-1].iteration == 2


def test_a_stop_watch_ends_a_run_at_the_iteration_that_is_known_beforehand(job):
    stop = threading.Event()
    with StopWatch(stop, last=3) as watch:
        result = transfer.run(job, [watch], stop=stop)
    assert (result.interrupted, result.step.iteration) == (True, 3)


def test_an_event_set_while_the_next_size_is_prepared_gives_the_smaller_picture(job):
    stop = threading.Event()

    class AtTheEndOfTheFirst(Watcher):
        def snapshot(self, step):
            stop.set()

    recipe = replace(job.recipe, scales=(24, 48), scale_iterations=(2, 2), checkpoint_every=2)
    result = transfer.run(replace(job, recipe=recipe), [AtTheEndOfTheFirst()], stop=stop)
    assert result.interrupted
    assert result.image.shape == (16, 24, 3)


def test_a_saved_state_leads_to_the_picture_of_the_run_that_was_not_stopped(job, tmp_path):
    path = tmp_path / "run.unfinished"
    stop = threading.Event()
    transfer.run(job, [StateSaver(path, {}, interval=0.0), StopWatch(stop, last=2)], stop=stop)
    resumed = transfer.run(job, resume=load_state(path))
    np.testing.assert_array_equal(resumed.picture, transfer.run(job).picture)


def test_a_large_state_is_saved_for_no_more_than_a_fiftieth_of_the_time(job, tmp_path, monkeypatch):
    """By a clock that goes on for one second while a state is written, and for two at every step."""
    import neuralstyle.runs.saving as saving

    now = [0.0]
    saved = []

    def slow(path, state):
        saved.append(now[0])
        now[0] += 1.0

    monkeypatch.setattr(saving.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(saving, "save_state", slow)
    saver = StateSaver(tmp_path / "run.unfinished", {}, interval=20.0)
    state = transfer.run(replace(job, recipe=replace(job.recipe, iterations=1))).state
    for _ in range(200):
        now[0] += 2.0
        saver.state(state)
    assert saved[0] == 20.0
    assert min(np.diff(saved)) >= 50.0


def test_snapshots_are_written_under_the_names_of_their_iterations(job, tmp_path):
    written = {}
    form = str(tmp_path / "out_{:03}.png")
    transfer.run(job, [Snapshots(form, lambda path, picture: written.update({path.name: picture.copy()}))])
    assert list(written) == ["out_002.png", "out_004.png"]
    np.testing.assert_array_equal(written["out_004.png"], transfer.run(job).picture)

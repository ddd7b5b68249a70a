import signal
import subprocess
import sys
import textwrap
from dataclasses import fields, replace

import numpy as np
import pytest
from conftest import step_of

from neuralstyle.files import InputError
from neuralstyle.optimizers import Adam, minimize
from neuralstyle.recipes import RECIPES
from neuralstyle.runs.records import make_record
from neuralstyle.runs.state import State, check_same_run, load_state, save_state


@pytest.fixture
def record(small_network):
    return recorded(small_network)


def recorded(network, seed=7, **changed):
    recipe = replace(RECIPES["cookbook"], **changed)
    rng = np.random.default_rng(0)
    content, style = rng.uniform(0, 255, (2, 16, 20, 3)).astype(np.float32)
    return make_record(recipe, content, [style], network, seed)


@pytest.fixture
def state(record):
    rng = np.random.default_rng(1)
    picture, best, mean, variance, average = rng.normal(size=(5, 16, 20, 3)).astype(np.float32)
    return State(
        iteration=2,
        picture=picture,
        optimizer={"mean": mean, "variance": variance},
        history=[step_of(0, 0.0, 1 / 3, 0.1, 0.2, 1e-300), step_of(1, 0.1 + 0.2, 0.3, 0.1, 0.2, 0.0)],
        record=record,
        best=best,
        best_total=1 / 7,
        scale=1,
        average=average,
    )


def assert_equal(first, second):
    for field in fields(State):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if field.name == "optimizer":
            assert list(one) == list(other)
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])
                assert one[name].dtype == other[name].dtype
        else:
            np.testing.assert_array_equal(one, other)
            assert type(one) is type(other)


def test_a_state_comes_back_bit_for_bit(tmp_path, state):
    save_state(tmp_path / "run.npz", state)
    assert_equal(load_state(tmp_path / "run.npz"), state)


def test_a_state_without_state_best_picture_or_history_comes_back(tmp_path, state):
    bare = State(0, state.picture, {}, [], state.record)
    save_state(tmp_path / "run.npz", bare)
    assert_equal(load_state(tmp_path / "run.npz"), bare)


def test_the_name_of_a_state_is_kept_as_it_is(tmp_path, state):
    # NumPy appends .npz to names that lack it.
    save_state(tmp_path / "run.checkpoint", state)
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint"]
    assert_equal(load_state(tmp_path / "run.checkpoint"), state)


def test_a_run_that_goes_on_ends_as_one_that_never_stopped(tmp_path, state):
    class Quartic:
        def losses(self, picture):
            return {"total": float(np.square(np.square(picture)).sum())}

        def losses_and_gradient(self, picture):
            return self.losses(picture), 4 * picture**3

    def report(iteration, evaluation):
        if iteration == 5:
            now = replace(state, iteration=iteration, picture=evaluation.picture, optimizer=evaluation.state)
            save_state(tmp_path / "run.npz", now)

    whole = minimize(Adam(0.1), Quartic(), state.picture, 12, report)
    stopped = load_state(tmp_path / "run.npz")
    resumed = minimize(
        Adam(0.1),
        Quartic(),
        stopped.picture,
        12,
        lambda *_: None,
        state=stopped.optimizer,
        first=stopped.iteration,
    )
    np.testing.assert_array_equal(resumed, whole)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_process_killed_while_it_saves_leaves_a_complete_state(tmp_path):
    script = f"""
        import itertools
        import numpy as np
        from neuralstyle.runs.state import State, save_state
        for number in itertools.count():
            picture = np.full((500, 700, 3), number, np.float32)
            state = {{"mean": picture, "variance": picture}}
            save_state({str(tmp_path / "run.npz")!r}, State(number, picture, state, [], {{}}))
            print(number, flush=True)
    """
    for seconds in (0.0, 0.011, 0.023):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        process.send_signal(signal.SIGKILL)
        last = int(([0] + process.communicate()[0].split())[-1])
        assert process.returncode == -signal.SIGKILL
        found = load_state(tmp_path / "run.npz")
        # The one whose number was printed last, or the next.
        assert found.iteration in (last, last + 1)
        for array in (found.picture, *found.optimizer.values()):
            assert (array == found.iteration).all()


# Files that are none


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_state_is_named_in_one_line(tmp_path, state, share):
    path = tmp_path / "run.npz"
    save_state(path, state)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"^[^\n]*run\.npz: [^\n]+$"):
        load_state(path)


def test_a_state_with_one_byte_changed_is_noticed(tmp_path, state):
    path = tmp_path / "run.npz"
    save_state(path, state)
    content = bytearray(path.read_bytes())
    content[content.index(state.picture.tobytes()) + 1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"run\.npz.*damaged"):
        load_state(path)


def test_a_file_of_another_kind_is_named_in_one_line(tmp_path):
    path = tmp_path / "run.npz"
    for write in (
        lambda: np.savez(path, picture=np.zeros(3)),
        lambda: np.savez(path, header=np.zeros(3)),
        lambda: np.savez(path, header=np.frombuffer(b"[]", np.uint8)),
        lambda: np.savez(path, header=np.frombuffer(b'{"program": "neuralstyle"}', np.uint8)),
        lambda: np.savez(path, header=np.array([{}], object)),
        lambda: np.save(path, np.zeros(3)),
        lambda: path.write_text("a text"),
    ):
        write()
        with pytest.raises(InputError, match=r"^[^\n]*run\.npz: is no unfinished run[^\n]+$"):
            load_state(path)


@pytest.mark.parametrize("name", ["missing.npz", "."])
def test_a_missing_state_is_named(tmp_path, name):
    with pytest.raises(InputError, match="cannot be read"):
        load_state(tmp_path / name)


def test_a_missing_folder_is_named(tmp_path, state):
    with pytest.raises(InputError, match="gone"):
        save_state(tmp_path / "gone" / "run.npz", state)


def test_a_state_of_a_later_format_is_refused(tmp_path, state):
    path = tmp_path / "run.npz"
    save_state(path, state)
    arrays = dict(np.load(path))
    header = arrays["header"].tobytes().replace(b'"format": 1', b'"format": 2', 1)
    np.savez(path, **{**arrays, "header": np.frombuffer(header, np.uint8)})
    with pytest.raises(InputError, match=r"run\.npz.*format 2"):
        load_state(path)


# The same run


def test_the_same_run_may_go_on_and_for_longer(state, small_network):
    check_same_run("run.npz", state, recorded(small_network))
    check_same_run("run.npz", state, recorded(small_network, iterations=1000))


@pytest.mark.parametrize(
    ("changed", "phrase"),
    [
        ({"seed": 8}, "seed 7 instead of 8"),
        ({"tv_weight": 0.0}, "tv_weight 100.0 instead of 0.0"),
        ({"optimizer": Adam(3.0)}, r"learning_rate=10\.0.*instead of.*learning_rate=3\.0"),
        ({"iterations": 1}, "2 iterations, more than --iterations 1"),
    ],
)
def test_another_run_is_refused_and_told_what_differs(state, small_network, changed, phrase):
    with pytest.raises(InputError, match=f"^run.npz: [^\n]*{phrase}[^\n]*$"):
        check_same_run("run.npz", state, recorded(small_network, **changed))


def test_a_run_from_coarse_to_fine_may_not_change_its_length(state, small_network):
    fields = {"scales": (16, 32), "iterations": 50}
    before = replace(state, record=recorded(small_network, **fields))
    check_same_run("run.npz", before, recorded(small_network, **fields))
    with pytest.raises(InputError, match="iterations 50 instead of 60"):
        check_same_run("run.npz", before, recorded(small_network, **{**fields, "iterations": 60}))

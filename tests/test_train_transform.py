import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from neuralstyle.command import main as cli
from neuralstyle.command.train import main
from neuralstyle.feedforward import checkpoints
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.writing import write_image

SCRIPT = Path(__file__).parents[1] / "scripts" / "train_transform.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs to train on, among them a file that is none, and a style picture beside them."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "photographs").mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        place = folder / "photographs" / ("nested" if name == "chelsea" else "")
        place.mkdir(exist_ok=True)
        write_image(place / f"{name}.png", getattr(skimage.data, name)()[:150, 80:280])
    (folder / "photographs" / "notes.txt").write_text("not a picture")
    write_image(folder / "style.png", skimage.data.immunohistochemistry()[:120, :160])
    (folder / "empty").mkdir()
    return folder


def arguments(folder, *more):
    """A small network, trained on small crops."""
    small = ["--crop", "32", "--batch", "1", "--width", "0.125", "--held-out", "0.3"]
    return [
        *("--style", str(folder / "style.png"), "--train", str(folder / "photographs")),
        *("--output", "one.ckpt", *small, *more),
    ]


def test_training_prints_both_losses_and_leaves_a_network_to_run(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    picture = str(folder / "photographs" / "coffee.png")
    reports = ["--print-iterations", "2", "--checkpoint-iterations", "3", "--logdir", "events"]
    test = ["--test", picture, "--test-output", "at_{}.png"]
    assert main(arguments(folder, "--iterations", "5", *reports, *test)) == 0

    printed = capsys.readouterr()
    number = r"[0-9.e+]+"
    losses = f"total {number}, content {number}, style {number}, tv {number}"
    lines = printed.out.splitlines()
    assert [re.match(r"epoch (\d+), iteration (\d+): ", line).groups() for line in lines] == [
        ("1", "2"),
        ("2", "4"),
        ("2", "5"),
    ]
    assert all(re.search(rf": {losses}; held out: {losses}$", line) for line in lines)
    assert "notes.txt" in printed.err and "1 of 4 pictures skipped" in printed.err

    assert sorted(path.name for path in tmp_path.glob("at_*")) == ["at_3.png", "at_5.png"]
    assert {path.parent.name for path in Path("events").glob("*/events*")} == {"training", "held-out"}
    assert cli.main(["--transform", "one.ckpt", "--content", picture, "--output", "result.png"]) == 0
    np.testing.assert_array_equal(read_image("result.png"), read_image("at_5.png"))

    # What exists is not replaced unasked.
    assert main(arguments(folder)) == 2
    assert "one.ckpt: exists already" in capsys.readouterr().err
    assert main(arguments(folder, "--resume", "--iterations", "6", *reports)) == 0
    assert "iteration 6" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--pairs", "somewhere"], "--style does not go with --pairs"),
        (["--train", "empty"], "is an empty folder"),
        (["--train", "nowhere"], "nowhere: is no folder"),
        (["--output", "nowhere/one.ckpt"], "nowhere"),
        (["--resume"], "one.ckpt: there is no such checkpoint"),
        (["--crop", "30"], "--crop is 30"),
        (["--iterations", "0"], "--iterations is 0"),
        (["--batch", "0"], "--batch is 0"),
        (["--held-out", "1.5"], "--held-out is 1.5"),
        (["--learning-rate", "0"], "--learning-rate is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--width", "0"], "--width is 0"),
        (["--style", "nothing.png"], "nothing.png"),
        (["--test", "me.png", "--test-output", "same.png"], "--test-output same.png: has no placeholder"),
        (["--test", "me.png", "--test-output", "at_{}.gif"], "at_0.gif: cannot write pictures of that kind"),
        (["--test-output", "at_{}.png"], "--test-output says where --test goes"),
        (["--epochs", "3", "--iterations", "5"], "--epochs does not go with --iterations"),
        (["--overwrite", "--resume"], "give one of them"),
        (["--width", "nan"], "--width is nan"),
        (["--style-weight", "inf"], "--style-weight is inf"),
    ],
)
def test_a_bad_option_gets_one_line_that_names_it(folder, tmp_path, monkeypatch, capsys, options, expected):
    monkeypatch.chdir(tmp_path)
    options = [str(folder / "empty") if option == "empty" else option for option in options]
    assert main(arguments(folder, *options)) == 2
    assert expected in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint_and_a_damaged_state_is_named(
    folder, tmp_path, monkeypatch, capsys
):
    """With nothing held out, whose losses would show what a step has ruined; in a folder with brackets."""
    (tmp_path / "m [v2]").mkdir()
    monkeypatch.chdir(tmp_path / "m [v2]")
    whole = ["--held-out", "0"]
    assert main(arguments(folder, "--iterations", "1", *whole)) == 0
    before = checkpoints.read_checkpoint("one.ckpt")
    assert checkpoints.read_checkpoint(tmp_path / "m [v2]").keys() == before.keys()
    wild = ["--resume", "--learning-rate", "1e30", "--checkpoint-iterations", "1", "--iterations", "2"]
    assert main(arguments(folder, *wild, *whole)) == 2
    assert "lower --learning-rate" in capsys.readouterr().err
    after = checkpoints.read_checkpoint(tmp_path / "m [v2]" / "one.ckpt")
    assert all((after[name] == before[name]).all() for name in before)

    state = Path("one.ckpt.training.data-00000-of-00001")
    state.write_bytes(state.read_bytes()[:-2000])
    assert main(arguments(folder, "--resume", "--iterations", "2", *whole)) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert "one.ckpt.training: no training can go on from it" in line


@pytest.mark.parametrize(
    "option",
    [
        *(
            ["--style", "style.png"],
            ["--train", "photographs"],
            ["--style-size", "64"],
            ["--recipe", "gatys"],
        ),
        *(["--content-weight", "1"], ["--style-weight", "1"], ["--tv-weight", "1"], ["--network", "vgg.mat"]),
    ],
)
def test_what_pairs_have_no_use_for_is_refused(tmp_path, monkeypatch, capsys, option):
    monkeypatch.chdir(tmp_path)
    assert main(["--pairs", "pairs", "--output", "one.ckpt", *option]) == 2
    assert f"{option[0]} does not go with --pairs" in capsys.readouterr().err


def test_a_test_picture_on_the_way_takes_the_place_of_no_file(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("at_4.png").write_bytes(b"mine")
    test = ["--test", str(folder / "style.png"), "--test-output", "at_{}.png", "--checkpoint-iterations", "2"]
    assert main(arguments(folder, "--iterations", "5", *test)) == 2
    assert "at_4.png: exists" in capsys.readouterr().err
    assert Path("at_4.png").read_bytes() == b"mine"


def test_a_network_of_other_weights_is_another_network_whatever_its_file_is_called(small_network):
    other = replace(small_network, mean_pixel=small_network.mean_pixel + 1, path=small_network.path)
    assert small_network.digest == replace(small_network, path=Path("elsewhere.mat")).digest
    assert small_network.digest != other.digest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(folder, tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    often = ["--checkpoint-iterations", "1", "--iterations", "100000"]
    # A shell that runs tests in the background has its children ignore Ctrl-C.
    program = "import signal, runpy, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", program, SCRIPT, *arguments(folder, *often)], stderr=subprocess.PIPE, text=True
    )
    while not Path("one.ckpt.index").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(number)
    _, printed = process.communicate()
    assert process.returncode == 130
    assert re.search(
        r"stopped after \d+ iterations, wrote one.ckpt; the same command with --resume goes on", printed
    )

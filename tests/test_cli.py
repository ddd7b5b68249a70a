"""The command as a user runs it: a process, its exit status, what it prints and what it leaves."""

import signal
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import scipy.io

from neuralstyle import cli

SCRIPT = Path(__file__).parents[1] / "scripts" / "stylize.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photograph):
    """A folder with a content and a style picture."""
    folder = tmp_path_factory.mktemp("pictures")
    iio.imwrite(folder / "content.png", photograph[100:164, 120:200].astype(np.uint8))
    iio.imwrite(folder / "style.png", photograph[:64, 200:264].astype(np.uint8))
    return folder


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def pictures(folder):
    return ["--content", str(folder / "content.png"), "--style", str(folder / "style.png")]


def somewhere(tmp_path):
    return ["--output", str(tmp_path / "out.png")]


def refused(capsys, *arguments):
    """The one line that bad input gets, before TensorFlow is asked for anything."""
    status = cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert status == 2
    assert printed.err.startswith("neuralstyle: ")
    assert printed.err.count("\n") == 1
    return printed.err


def test_the_script_stylises_a_picture_with_the_shipped_weights(folder, tmp_path):
    done = run(
        folder,
        *pictures(folder),
        *("--output", tmp_path / "out.png", "--iterations", 3, "--history", tmp_path / "out.csv"),
    )
    assert done.returncode == 0, done.stderr
    assert iio.imread(tmp_path / "out.png").shape == (64, 80, 3)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "iteration,seconds,total,content,style,tv"
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2", "3"]
    assert "3/3" in done.stderr and "loss" in done.stderr


def test_two_runs_in_one_process_give_the_same_as_two_processes(folder, tmp_path):
    arguments = ["--iterations", "2", "--quiet"]
    for name in ("first.png", "second.png"):
        assert cli.main([*pictures(folder), *arguments, "--output", str(tmp_path / name)]) == 0
    assert run(folder, *pictures(folder), *arguments, "--output", tmp_path / "third.png").returncode == 0
    first, second, third = (iio.imread(tmp_path / f"{name}.png") for name in ("first", "second", "third"))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


def test_quiet_prints_nothing(folder, tmp_path):
    done = run(folder, *pictures(folder), "--output", tmp_path / "out.jpg", "--iterations", 1, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_help_answers_without_tensorflow():
    program = "import sys; from neuralstyle import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
    program += "print('tensorflow' in sys.modules, 'scipy' in sys.modules, 'skimage' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False False"


def test_a_missing_picture_is_named(capsys, folder, tmp_path):
    message = refused(
        capsys,
        "--content",
        folder / "nothing.png",
        "--style",
        folder / "style.png",
        "--output",
        tmp_path / "o.png",
    )
    assert "nothing.png" in message


def test_an_unreadable_picture_is_named(capsys, folder, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    message = refused(
        capsys,
        "--content",
        folder / "content.png",
        "--style",
        tmp_path / "broken.jpg",
        "--output",
        tmp_path / "o.png",
    )
    assert "broken.jpg" in message


def test_a_picture_under_16_pixels_is_named(capsys, folder, tmp_path):
    iio.imwrite(tmp_path / "tiny.png", np.zeros((15, 40, 3), np.uint8))
    message = refused(
        capsys,
        "--content",
        tmp_path / "tiny.png",
        "--style",
        folder / "style.png",
        "--output",
        tmp_path / "o.png",
    )
    assert "tiny.png" in message and "16" in message


def test_a_truncated_weight_file_is_named(capsys, folder, tmp_path, shipped_network):
    (tmp_path / "cut.mat").write_bytes(shipped_network.path.read_bytes()[:1_000_000])
    message = refused(capsys, *pictures(folder), "--network", tmp_path / "cut.mat", *somewhere(tmp_path))
    assert "cut.mat" in message


def test_a_mat_file_of_something_else_is_named(capsys, folder, tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.eye(3)})
    message = refused(capsys, *pictures(folder), "--network", tmp_path / "other.mat", *somewhere(tmp_path))
    assert "other.mat" in message


@pytest.mark.parametrize(
    "options, expected",
    [
        (["--recipe", "monet"], "unknown recipe 'monet'"),
        (["--iterations", "0"], "--iterations is 0"),
        (["--iterations", "-3"], "--iterations is -3"),
        (["--width", "-1"], "--width is -1"),
        (["--output", "picture.xyz"], "picture.xyz"),
        (["--output", "nowhere/picture.png"], "nowhere"),
        (["--history", "nowhere/table.csv"], "nowhere"),
    ],
)
def test_a_bad_option_gets_one_line_that_names_it(capsys, folder, tmp_path, monkeypatch, options, expected):
    monkeypatch.chdir(tmp_path)
    assert expected in refused(capsys, *pictures(folder), *options)


@pytest.mark.parametrize("option, name", [("--output", "there.png"), ("--history", "there.csv")])
def test_a_file_that_exists_is_kept_unless_overwrite_is_given(
    capsys, folder, tmp_path, monkeypatch, option, name
):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"precious")
    assert name in refused(capsys, *pictures(folder), option, name)
    assert Path(name).read_bytes() == b"precious"
    assert cli.main([*pictures(folder), option, name, "--overwrite", "--iterations", "1", "--quiet"]) == 0
    assert Path(name).read_bytes() != b"precious"


def test_ctrl_c_writes_what_there_is_so_far_and_says_so(folder, tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            SCRIPT,
            *pictures(folder),
            "--iterations",
            "100000",
            "--output",
            tmp_path / "out.png",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = ""
    while " 5/100000" not in seen:
        seen += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait() == 0
    assert "stopped after" in rest and "out.png" in rest
    assert iio.imread(tmp_path / "out.png").shape == (64, 80, 3)

"""Runs that are killed, and disks that fill up: nothing is lost, and nothing half written is left."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from neuralstyle.command import main as cli

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")

RUN = ["--content", "photo.png", "--style", "painting.png", "--quiet"]

#: Saves at every step, so that a kill often falls into a write.
PROGRAM = (
    "from neuralstyle.command import main, stylize; from neuralstyle.runs import saving; "
    "stylize._SECONDS_BETWEEN_SAVES = 0; saving.PATIENCE = 0; import sys; sys.exit(main.main())"
)


@pytest.fixture
def folder(tmp_path, photograph, monkeypatch):
    """The current folder, with a content and a style picture."""
    monkeypatch.chdir(tmp_path)
    iio.imwrite("photo.png", photograph[100:132, 120:160].astype(np.uint8))
    iio.imwrite("painting.png", photograph[:32, 200:232].astype(np.uint8))
    return tmp_path


def killed_and_resumed(options, kills, seed):
    """Start a run, kill it at a random moment after a state was saved, go on, and so on; then to its end."""
    moments = random.Random(seed)
    for _ in range(kills):
        before = os.stat("out.png.unfinished").st_mtime_ns if Path("out.png.unfinished").exists() else 0
        command = [sys.executable, "-c", PROGRAM, *RUN, *options, "--output", "out.png", "--resume"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while process.poll() is None:
            state = Path("out.png.unfinished")
            if state.exists() and state.stat().st_mtime_ns > before:
                break
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0), process.stderr.read()
        if process.returncode == 0:
            break
    if not Path("out.png").exists():
        assert cli.main([*RUN, *options, "--output", "out.png", "--resume"]) == 0


OPTIMIZERS = {
    "adam": ["--iterations", "150"],
    "preconditioned": ["--optimizer", "preconditioned-lbfgs", "--iterations", "100", "--initial", "content"],
    "scales": ["--scales", "24", "40", "--iterations", "60", "60"],
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_killed_twice_ends_with_the_picture_of_the_run_that_was_not(folder, name):
    killed_and_resumed(OPTIMIZERS[name], kills=2, seed=1)
    assert cli.main([*RUN, *OPTIMIZERS[name], "--output", "whole.png"]) == 0
    np.testing.assert_array_equal(iio.imread("out.png"), iio.imread("whole.png"))
    left = {path.name for path in folder.iterdir()}
    assert left == {"photo.png", "painting.png", "out.png", "whole.png"}


@pytest.mark.long
def test_a_run_killed_at_thirty_moments_ends_with_the_picture_of_the_run_that_was_not(folder):
    options = ["--iterations", "1500"]
    killed_and_resumed(options, kills=30, seed=7)
    assert cli.main([*RUN, *options, "--output", "whole.png"]) == 0
    np.testing.assert_array_equal(iio.imread("out.png"), iio.imread("whole.png"))
    left = {path.name for path in folder.iterdir()}
    assert left == {"photo.png", "painting.png", "out.png", "whole.png"}


@pytest.fixture
def disk(tmp_path_factory):
    """A file system of 256 kB."""
    folder = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


#: How much room is left, in kB: for nothing, for some of what a run writes, for all of it.
ROOMS = [0, 4, 8, 12, 16, 24, 32, 48, 96, 200]


@pytest.mark.parametrize(
    "room", [pytest.param(room, marks=[pytest.mark.long] * (room not in (4, 16, 200))) for room in ROOMS]
)
def test_a_disk_that_fills_up_leaves_whole_files_or_none(capsys, folder, disk, monkeypatch, room):
    monkeypatch.setattr("neuralstyle.command.stylize._SECONDS_BETWEEN_SAVES", 0)
    monkeypatch.setattr("neuralstyle.runs.saving.PATIENCE", 0)
    (disk / "filler").write_bytes(bytes((256 - room) * 1024))
    outputs = ["--output", str(disk / "out.png"), "--checkpoint-output", str(disk / "at_{}.png")]
    outputs += ["--checkpoint-iterations", "2", "--history", str(disk / "losses.csv")]
    outputs += ["--record", str(disk / "record.json"), "--timelapse", str(disk / "film.gif")]
    status = cli.main([*RUN, "--iterations", "6", *outputs])
    assert status in (0, 2)
    names = {path.name for path in disk.iterdir()} - {"filler"}
    assert not [name for name in names if name.startswith(".")]  # no temporary file
    for name in names:
        if name.endswith(".png"):
            assert iio.imread(disk / name).shape == (32, 40, 3)
    if status == 0:
        assert "out.png" in names
    else:
        assert re.search(r"out\.png: (cannot be written|the disk has)", capsys.readouterr().err)
    if room == ROOMS[-1]:
        everything = {"out.png", "at_2.png", "at_4.png", "at_6.png", "losses.csv", "record.json", "film.gif"}
        assert names == everything

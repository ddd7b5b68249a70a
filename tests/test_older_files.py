"""Files that an older version of this program wrote (see older/README.md) are read by this one."""

import csv
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from neuralstyle.command import main as cli
from neuralstyle.runs.state import load_state

OLDER = Path(__file__).parent / "older"

OPTIONS = ["--content", "photo.png", "--style", "painting.png", "--seed", "7", "--recipe", "neural-style"]
OPTIONS += ["--iterations", "6", "--checkpoint-iterations", "2", "--keep-best", "--quiet"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(OLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEURALSTYLE_WEIGHTS", raising=False)
    return tmp_path


def difference(one, other):
    return np.abs(iio.imread(one).astype(float) - iio.imread(other)).mean()


@pytest.mark.parametrize("record", ["finished.json", "finished.png"])
def test_a_record_of_an_older_version_makes_its_picture_again(folder, record):
    assert cli.main(["--from-record", record, "--output", "again.png", "--quiet"]) == 0
    # To rounding: convolutions have been computed in another form since.
    assert difference("again.png", "finished.png") < 0.2


def test_a_run_that_an_older_version_left_unfinished_goes_on_to_its_end(folder):
    assert cli.main([*OPTIONS, "--output", "stopped.png", "--resume"]) == 0
    assert difference("stopped.png", "finished.png") < 0.2
    assert not Path("stopped.png.unfinished").exists()


def test_the_losses_of_an_older_state_have_their_names(folder):
    steps = load_state("stopped.png.unfinished").history
    with open("finished.csv", newline="") as file:
        rows = list(csv.DictReader(file))[: len(steps)]
    assert [step.iteration for step in steps] == [0, 1, 2]
    for step, row in zip(steps, rows, strict=True):
        assert {name: float(row[name]) for name in step.losses} == pytest.approx(step.losses, rel=1e-5)

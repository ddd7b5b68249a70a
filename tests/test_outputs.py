"""What a run writes: nothing that it reads, nothing that it may not replace, and never less than it can."""

import json
import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from neuralstyle.command import main as cli
from neuralstyle.runs.state import load_state


@pytest.fixture
def folder(tmp_path, photograph, monkeypatch):
    """The current folder, with a content and a style picture."""
    monkeypatch.chdir(tmp_path)
    iio.imwrite("photo.png", photograph[100:132, 120:160].astype(np.uint8))
    iio.imwrite("painting.png", photograph[:32, 200:232].astype(np.uint8))
    return tmp_path


RUN = ["--content", "photo.png", "--style", "painting.png", "--iterations", "4", "--quiet"]


def refused(capsys, *arguments):
    """The one line that bad input gets."""
    assert cli.main([*RUN, *map(str, arguments)]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    return printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output", "photo.png", "--overwrite"],
        ["--output", "./sub/../painting.png", "--overwrite"],
        ["--record", "photo.png", "--overwrite"],
        ["--checkpoint-output", "photo{}.png", "--checkpoint-iterations", "2", "--overwrite"],
        ["--history", "out.png", "--output", "out.png"],
        ["--checkpoint-output", "out_{}.png", "--checkpoint-iterations", "2", "--output", "out_4.png"],
    ],
)
def test_no_output_has_the_name_of_an_input_or_of_another_output(capsys, folder, arguments):
    Path("sub").mkdir()
    Path("photo2.png").write_bytes(Path("photo.png").read_bytes())
    before = {name: Path(name).read_bytes() for name in ("photo.png", "painting.png")}
    arguments = [*arguments, *(["--initial", "photo2.png"] if "photo{}.png" in arguments else [])]
    line = refused(capsys, *arguments)
    assert "would be overwritten" in line or "written twice" in line
    assert {name: Path(name).read_bytes() for name in before} == before


def test_a_picture_on_the_way_replaces_no_file_unless_it_may(capsys, folder):
    Path("at_2.png").write_bytes(b"precious")
    snapshots = ["--checkpoint-output", "at_%d.png", "--checkpoint-iterations", "2"]
    assert "at_2.png" in refused(capsys, *snapshots)
    assert Path("at_2.png").read_bytes() == b"precious"
    assert cli.main([*RUN, *snapshots, "--overwrite"]) == 0
    assert iio.imread("at_2.png").shape == (32, 40, 3)


def stopped(*options):
    """A run of ours that stops after two of its iterations, as Ctrl-C at that moment stops it."""
    program = (
        "import sys, threading, signal; from neuralstyle.command import main; "
        "from neuralstyle.runs import interrupts; step = interrupts.StopWatch.step\n"
        "def press(self, made):\n"
        "    step(self, made)\n"
        "    made.iteration == 2 and signal.raise_signal(signal.SIGINT)\n"
        "interrupts.StopWatch.step = press; sys.exit(main.main())"
    )
    return subprocess.run([sys.executable, "-c", program, *RUN, *options], capture_output=True, text=True)


def test_a_run_that_goes_on_replaces_only_what_it_has_written_itself(capsys, folder):
    assert stopped("--history", "losses.csv").returncode == 130
    Path("record.json").write_text("another run's")
    line = refused(capsys, "--history", "losses.csv", "--record", "record.json", "--resume")
    assert "record.json: exists" in line
    assert Path("record.json").read_text() == "another run's"
    assert cli.main([*RUN, "--history", "losses.csv", "--resume"]) == 0
    assert len(Path("losses.csv").read_text().splitlines()) == 6


def test_the_record_of_a_stopped_run_makes_its_picture_again(folder):
    assert stopped("--record", "record.json").returncode == 130
    record = json.loads(Path("record.json").read_text())
    assert record["result"]["stopped"] == 2
    assert cli.main(["--from-record", "stylized.png", "--output", "again.png", "--quiet"]) == 0
    np.testing.assert_array_equal(iio.imread("again.png"), iio.imread("stylized.png"))
    assert not Path("again.png.unfinished").exists()


def test_a_record_that_no_run_repeats_says_why(capsys, folder):
    scipys = ["--recipe", "neural-style-tf", "--longer-side", "40"]
    assert stopped(*scipys).returncode == 130
    assert cli.main([*RUN, *scipys, "--resume"]) == 0
    capsys.readouterr()
    assert cli.main(["--from-record", "stylized.png", "--output", "again.png"]) == 2
    assert "which no run repeats" in capsys.readouterr().err


def test_a_record_tells_what_was_done_rather_than_what_was_asked_for(folder):
    assert cli.main([*RUN, "--tile", "auto", "--record", "record.json"]) == 0
    options = json.loads(Path("record.json").read_text())["options"]
    assert options["tile"] is None  # the picture fits into memory
    assert options["threads"] >= 1


def test_another_network_than_the_records_can_be_asked_for(capsys, folder, small_network):
    from neuralstyle.networks.matconvnet import write_matconvnet

    write_matconvnet(small_network, "small.mat")
    assert cli.main(RUN) == 0
    again = ["--from-record", "stylized.png", "--output", "other.png", "--quiet"]
    assert cli.main([*again, "--network", "small.mat"]) == 0
    assert (iio.imread("other.png") != iio.imread("stylized.png")).any()


@pytest.fixture
def small_disk(tmp_path_factory):
    """A file system of 96 kB."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    "option, name",
    [
        ("--history", "losses.csv"),
        ("--record", "record.json"),
        ("--timelapse", "film.mp4"),
        ("--checkpoint-output", "at_{}.png"),
        ("--logdir", "events"),
    ],
)
def test_a_full_disk_costs_no_picture_where_something_beside_it_does_not_fit(
    capsys, folder, small_disk, option, name
):
    (small_disk / "filler").write_bytes(bytes(92 * 1024))
    every = [] if option in ("--history", "--record") else ["--checkpoint-iterations", "2"]
    if option == "--logdir":
        (small_disk / name).mkdir()
        (small_disk / "rest").write_bytes(bytes(4 * 1024))
    assert cli.main([*RUN, *every, option, str(small_disk / name)]) == 0
    assert iio.imread("stylized.png").shape == (32, 40, 3)


def test_a_state_says_which_files_its_run_has_written(folder):
    assert stopped("--history", "losses.csv").returncode == 130
    written = load_state("stylized.png.unfinished").record["written"]
    assert [os.path.basename(path) for path in written] == ["stylized.png", "losses.csv"]

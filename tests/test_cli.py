"""The command as a user runs it: a process, its exit status, what it prints and what it leaves."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import scipy.io
import tifffile

from neuralstyle import RECIPES
from neuralstyle.command import main as cli
from neuralstyle.networks import SHIPPED as SHIPPED_NAME
from neuralstyle.networks import weights_folder
from neuralstyle.runs.saving import snapshot_path

SHIPPED = weights_folder() / SHIPPED_NAME
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


@pytest.fixture(scope="module")
def quiet_run(folder):
    """Two iterations by a process of their own, and what it printed."""
    done = run(folder, *pictures(folder), "--output", "quiet.png", "--iterations", 2, "--quiet")
    return done, iio.imread(folder / "quiet.png")


def test_two_runs_in_one_process_give_the_same_as_another_process(folder, tmp_path, quiet_run):
    for name in ("first.png", "second.png"):
        output = ["--output", str(tmp_path / name), "--iterations", "2", "--quiet"]
        assert cli.main([*pictures(folder), *output]) == 0
        np.testing.assert_array_equal(iio.imread(tmp_path / name), quiet_run[1])


def test_quiet_prints_nothing(quiet_run):
    done, _ = quiet_run
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_help_answers_without_tensorflow():
    program = "import sys; from neuralstyle.command import main as cli\n"
    program += "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
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


def start(program, *arguments):
    """A run in a process of its own, once it has written the picture of its fifth iteration."""
    reached = ["--checkpoint-output", "at_{}.png", "--checkpoint-iterations", "5"]
    process = subprocess.Popen(
        [sys.executable, *program, *arguments, *reached], stderr=subprocess.PIPE, text=True
    )
    while not Path("at_5.png").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    return process, reached


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_writes_what_there_is_so_far_and_says_so(folder, tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    process, _ = start([SCRIPT], *pictures(folder), "--iterations", "100000", *somewhere(tmp_path))
    process.send_signal(number)
    _, printed = process.communicate()
    assert process.returncode == 130
    assert "stopped after" in printed and "out.png" in printed
    assert iio.imread("out.png").shape == (64, 80, 3)


def test_the_recipes_are_printed_as_a_table_and_one_in_full(capsys):
    assert cli.main(["recipes"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table[1:]] == list(RECIPES)
    assert cli.main(["recipes", "chollet"]) == 0
    assert "LBFGS(memory=10, restart=20)" in capsys.readouterr().out


def test_a_recipe_that_does_not_exist_cannot_be_printed(capsys):
    assert "unknown recipe 'monet'" in refused(capsys, "recipes", "monet")


def test_a_run_leaves_behind_what_was_asked_for(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--iterations", "4", "--checkpoint-iterations", "2", "--quiet", "--output", "out.png"]
    options += ["--checkpoint-output", "out_%03d.jpg", "--timelapse", "film.gif", "--record", "out.json"]
    options += ["--progress-write", "--progress-plot", "--logdir", "events"]
    assert cli.main([*pictures(folder), *options]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *("out.png", "out_002.jpg", "out_004.jpg", "film.gif", "out.json"),
        *("progress.txt", "progress.png", "events"),
    }
    assert iio.imread("out_004.jpg").shape == (64, 80, 3)
    assert len(iio.imread("film.gif", mode="RGB")) == 2


@pytest.mark.parametrize(
    ("record", "options"),
    [
        ("out.png", "--recipe neural-style-tf --longer-side 48 --iterations 4 --initial noise"),
        ("out.json", "--recipe neural-style-tf --longer-side 48 --iterations 4 --initial noise"),
        ("out.png", "--recipe style-transfer-pytorch --scales 32 48 --iterations 3 2"),
        ("out.png", "--recipe painterly --scales 32 48 --iterations 3 2"),
    ],
)
def test_a_picture_is_made_again_from_its_record(folder, tmp_path, monkeypatch, record, options):
    monkeypatch.chdir(tmp_path)
    files = ["--output", "out.png", "--record", "out.json", "--quiet"]
    assert cli.main([*pictures(folder), *options.split(), "--seed", "3", *files]) == 0
    assert cli.main(["--from-record", record, "--output", "again.png", "--quiet"]) == 0
    np.testing.assert_array_equal(iio.imread("again.png"), iio.imread("out.png"))


def test_what_is_said_stands_above_the_record_and_only_figures_are_taken_from_it(
    folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    options = ["--iterations", "1", "--output", "out.png", "--record", "out.json", "--quiet", "--bits", "16"]
    assert cli.main([*pictures(folder), *options]) == 0
    record = json.loads(Path("out.json").read_text())
    record["options"] |= {"history": "stolen.csv", "overwrite": True}
    Path("out.json").write_text(json.dumps(record))
    assert cli.main(["--from-record", "out.json", "--output", "deep.tif", "--quiet"]) == 0
    assert cli.main(["--from-record", "out.json", "--output", "flat.tif", "--quiet", "--bits", "8"]) == 0
    assert (tifffile.imread("deep.tif").dtype, tifffile.imread("flat.tif").dtype) == (np.uint16, np.uint8)
    assert not Path("stolen.csv").exists()


def test_a_stopped_run_is_not_lost_and_a_finished_one_not_made_again(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("out.png.unfinished").write_bytes(b"hours of work")
    assert "out.png.unfinished" in refused(capsys, *pictures(folder), "--output", "out.png")
    assert Path("out.png.unfinished").read_bytes() == b"hours of work"
    Path("done.png").write_bytes(b"precious")
    assert "done.png" in refused(capsys, *pictures(folder), "--output", "done.png", "--resume")
    assert Path("done.png").read_bytes() == b"precious"


def test_a_run_that_was_killed_goes_on_to_the_picture_of_the_run_that_was_not(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [*pictures(folder), "--iterations", "30", "--output", "out.png"]
    # Saves at every step, so that the test need not wait.
    program = "from neuralstyle.command import main, stylize; stylize._SECONDS_BETWEEN_SAVES = 0; main.main()"
    process, reached = start(["-c", program], *options)
    process.kill()
    process.communicate()
    options = [*reached, *options]
    assert not Path("out.png").exists()
    assert cli.main([*options, "--resume", "--quiet"]) == 0
    assert not Path("out.png.unfinished").exists()
    assert cli.main([*options[:-1], "whole.png", "--quiet", "--overwrite"]) == 0
    np.testing.assert_array_equal(iio.imread("out.png"), iio.imread("whole.png"))


@pytest.mark.parametrize(
    "options, expected",
    [
        (["--checkpoint-output", "out.jpg"], "no placeholder"),
        (["--masks", "a.png", "b.png"], "--masks has 2 pictures for 1 style pictures"),
        (["--from-record", "nothing.json", "--content", "c.png"], "does not go with --from-record"),
        (["--bits", "16", "--output", "out.jpg"], "out.jpg"),
        (["--timelapse", "film.avi"], "film.avi"),
        (["--network", "nothing.mat"], "nothing.mat"),
        (["--content-layers", "relu9_9"], "unknown layer relu9_9"),
        (["--device", "/GPU:7"], "--device /GPU:7"),
        (["--style-formula", "monet"], "unknown style formula 'monet'"),
        (["--quality", "0"], "--quality is 0"),
        (["--style-scales", "0.001", "--recipe", "neural-style", "--width", "64"], "it needs 16"),
        (["--checkpoint-output", "out_%d_%d.jpg"], "no placeholder"),
        (["--recipe", "gatys", "--timelapse", "film.gif"], "--timelapse: say with --checkpoint-iterations"),
        (["--output", "progress.png", "--progress-plot"], "progress.png: would be written twice"),
        (["--from-record", "nothing.json", "--recipe", "gatys"], "--recipe does not go with --from-record"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(capsys, folder, tmp_path, monkeypatch, options, expected):
    monkeypatch.chdir(tmp_path)
    given = [] if "--from-record" in options else pictures(folder)
    assert expected in refused(capsys, *given, *options)


@pytest.mark.parametrize(
    "form, expected",
    [
        *(("a_{:04}.png", "a_0007.png"), ("a_%d.png", "a_7.png"), ("a_{}.png", "a_7.png")),
        *(("a_%s.png", "a_7.png"), ("a_%i.png", "a_7.png"), ("a_%05d.png", "a_00007.png")),
        ("100%_{}.png", "100%_7.png"),
    ],
)
def test_checkpoints_are_named_in_either_way(form, expected):
    assert snapshot_path(form, 7) == Path(expected)


def test_a_line_of_neural_style_runs_unchanged_and_again_with_overwrite(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = f"--content {folder}/content.png --styles {folder}/style.png {folder}/content.png --output o.jpg "
    line += "--iterations 2 --print-iterations 1 --checkpoint-output o_%s.jpg --checkpoint-iterations 1 "
    line += f"--progress-write --progress-plot --width 48 --style-scales 1.0 0.8 --network {SHIPPED} "
    line += "--content-weight-blend 0.5 --content-weight 5 --style-weight 500 --style-layer-weight-exp 1.5 "
    line += "--style-blend-weights 1 3 --tv-weight 100 --learning-rate 5 --beta1 0.8 --beta2 0.99 --eps 1e-7 "
    line += f"--initial {folder}/content.png --initial-noiseblend 0.5 --preserve-colors --pooling avg"
    assert cli.main(line.split()) == 0
    assert iio.imread("o.jpg").shape[1] == 48
    written = ["o.jpg", "o_1.jpg", "o_2.jpg", "progress.png", "progress.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    assert cli.main([*line.split(), "--overwrite"]) == 0


def test_progress_is_written_again_into_the_same_folder_as_neural_style_does(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("progress.txt").write_text("of the run before")
    options = ["--output", "new.png", "--progress-write", "--iterations", "1", "--quiet"]
    assert cli.main([*pictures(folder), *options]) == 0
    assert "of the run before" not in Path("progress.txt").read_text()


@pytest.mark.parametrize(
    "options",
    [
        ["--style-blend-weights", "1", "2"],
        ["--style-scales", "1", "2"],
        ["--style-formula", "monet"],
        ["--pooling", "avg", "--content-layers", "relu9_9"],
        ["--noise", "nan"],
    ],
)
def test_what_a_recipe_cannot_be_is_found_before_tensorflow_is_imported(folder, tmp_path, options):
    arguments = [*pictures(folder), *somewhere(tmp_path), *options]
    program = f"import sys; from neuralstyle.command import main; print(main.main({arguments!r}), "
    program += "'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "2 False\n"
    assert done.stderr.count("\n") == 1


def test_the_subcommands_are_shown_and_each_has_its_own_help(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (module, what) in cli.COMMANDS.items():
        assert f"  {name}" in shown and what in shown
        if importlib.util.find_spec(module):
            with pytest.raises(SystemExit) as ended:
                cli.main([name, "--help"])
            assert ended.value.code == 0
            assert capsys.readouterr().out.startswith("usage: neuralstyle")
    assert "--content FILE" in shown


def test_an_unknown_command_gets_one_line_that_names_those_there_are(capsys):
    message = refused(capsys, "paint", "--content", "c.png")
    assert "unknown command 'paint'" in message and all(name in message for name in cli.COMMANDS)


def test_options_alone_mean_stylize(capsys):
    assert refused(capsys, "--recipe", "monet") == refused(capsys, "stylize", "--recipe", "monet")


def test_the_package_can_be_run_as_a_module(capsys):
    done = subprocess.run([sys.executable, "-m", "neuralstyle", "recipes"], capture_output=True, text=True)
    cli.main(["recipes"])
    assert (done.returncode, done.stdout) == (0, capsys.readouterr().out)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["fetch", "vgg20"], "neuralstyle fetch: unknown file vgg20"),
        (["normalize", "--output", "nowhere/out.mat"], "neuralstyle normalize: nowhere/out.mat: "),
        (["inspect", "nothing.png"], "neuralstyle inspect: nothing.png: "),
        (["inspect", "c.png", "--overwrite"], "neuralstyle inspect: --overwrite is for the files of --edges"),
        (["recipes", "monet"], "neuralstyle: unknown recipe 'monet'"),
    ],
)
def test_every_command_says_what_is_wrong_in_one_line(capsys, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(expected) and printed.count("\n") == 1

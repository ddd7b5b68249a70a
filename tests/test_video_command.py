"""`neuralstyle video`: a film in, a film out; what does not go together; killed, it goes on."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pytest
from killed import run_and_kill
from made_film import make_film
from weight_files import torchvision_tensors, write_torch

from neuralstyle.command import main as cli
from neuralstyle.feedforward import any_style, checkpoints, transform
from neuralstyle.runs.film import Film
from neuralstyle.video.flow import blend, flow_trust, optical_flow, warp
from neuralstyle.video.frames import find_frames, read_frames
from neuralstyle.video.stream import in_background

#: Few iterations at the frames' own size, on a network of few channels.
FAST = ["--recipe", "artistic-videos", "--iterations", "2", "2", "--network", "network.pth", "--quiet"]


@pytest.fixture(scope="module")
def frames():
    return make_film(48, 64, (3,), 4).frames


@pytest.fixture
def folder(tmp_path, frames, small_network, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, frame in enumerate(frames, start=7):
        iio.imwrite(f"frame_{number:04}.png", frame)
    iio.imwrite("style.png", frames[0, :40, :44, ::-1])
    write_torch("network.pth", torchvision_tensors(small_network))
    with Film("film.mp4", rate=Fraction(12)) as film:
        for frame in frames:
            film.add(frame)
    return tmp_path


def run(*options):
    return cli.main(["video", *map(str, options)])


def test_numbered_pictures_keep_their_numbers(folder):
    assert run("frame_%04d.png", "--style", "style.png", "--output", "out_{:03}.png", *FAST) == 0
    assert sorted(path.name for path in folder.glob("out_*")) == ["out_007.png", "out_008.png", "out_009.png"]
    assert iio.imread("out_008.png").shape == (48, 64, 3)
    assert not list(folder.glob(".out*"))  # what it was made in


def test_a_film_keeps_its_rate_and_length_and_an_odd_size_becomes_even(folder, capsys):
    assert run("film.mp4", "--style", "style.png", "--output", "out.mp4", "--width", 51, *FAST) == 0
    found = find_frames("out.mp4")
    assert (len(found.numbers), found.rate, found.size) == (3, 12, (38, 52))
    assert "even sides" in capsys.readouterr().err


def test_sound_and_a_single_frame_survive(folder):
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    tone = ["-f", "lavfi", "-i", "sine=d=0.25", "-c:v", "copy", "-c:a", "aac", "tone.mp4"]
    subprocess.run([ffmpeg, "-v", "error", "-i", "film.mp4", *tone], check=True)
    assert run("tone.mp4", "--style", "style.png", "--output", "one.mp4", "--frames", 2, *FAST) == 0
    found = find_frames("one.mp4")
    assert (len(found.numbers), found.sound.kind) == (1, "aac")


#: Where a film by a recipe is killed, in the order in which it gets there.
MOMENTS = {
    "flow": "rename .*film-.*forward_",
    "first frame": "iteration 1 2 ",
    "between two frames": "rename .*frame_000001.png",
    "in a frame": "iteration 2 2 ",
    "encoding": "start .*libx264",
}


@pytest.fixture
def whole(folder):
    """The frames of a film that nobody killed."""
    line = ["film.mp4", "--style", "style.png", *FAST, "--output", "whole.mp4", "--keep-frames", "whole"]
    assert run(*line) == 0
    return [iio.imread(f"whole/frame_{number:06}.png") for number in (1, 2, 3)]


def test_killed_at_five_moments_it_goes_on_to_the_same_frames(folder, whole):
    line = ["film.mp4", "--style", "style.png", *FAST, "--output", "out.mp4", "--keep-frames", "kept"]
    for moment in MOMENTS.values():
        run_and_kill(["video", *line, "--resume"], moment)
        assert not list(folder.glob("out*"))
    before = os.stat("kept/frame_000003.png").st_mtime_ns
    assert run(*line) == 2  # neither --resume nor --overwrite
    assert run(*line, "--resume") == 0
    for number, expected in enumerate(whole, start=1):
        np.testing.assert_array_equal(iio.imread(f"kept/frame_{number:06}.png"), expected)
    assert os.stat("kept/frame_000003.png").st_mtime_ns == before
    assert (folder / "out.mp4").read_bytes() == (folder / "whole.mp4").read_bytes()


def test_settings_that_differ_are_named(folder, capsys):
    options = ["frame_%04d.png", "--style", "style.png", "--keep-frames", "kept", "--output", "out_%d.png"]
    assert run(*options, *FAST, "--frames", 7) == 0
    for changed, expected in (
        (["--temporal-weight", 5], "motion"),
        (["--seed", 3], "seed 0 instead of 3"),
        (["--scene-cuts", "none"], "scene_cuts 'auto' instead of 'none'"),
    ):
        assert run(*options, *FAST, "--frames", 7, "--resume", *changed) == 2
        assert expected in capsys.readouterr().err
    assert run(*options, *FAST, "--frames", "7:8", "--resume") == 2
    assert "frames [7, 7] instead of [7, 8]" in capsys.readouterr().err


def test_any_style_blends_each_frame_with_the_last_one_where_flow_can_be_trusted(folder):
    options = ["frame_%04d.png", "--any-style", "--style", "style.png", "--output", "out_%d.png", "--quiet"]
    assert run(*options, "--temporal-blend", 0.6) == 0
    contents = [iio.imread(f"frame_{number:04}.png").astype(np.float32) for number in (7, 8, 9)]
    with any_style.renderer([iio.imread("style.png").astype(np.float32)]) as render:
        rendered = [np.clip(render(content), 0, 255) for content in contents]
    expected = rendered[0]
    for earlier, later, result in zip(contents, contents[1:], rendered[1:], strict=False):
        backward, forward = optical_flow(later, earlier), optical_flow(earlier, later)
        expected = blend(result, warp(expected, backward), flow_trust(forward, backward), 0.6)
    found = iio.imread("out_9.png")
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=0.6)


def test_where_frames_do_not_fit_as_a_whole_a_network_renders_them_in_tiles(
    folder, frames, monkeypatch, capsys
):
    for number, frame in enumerate(frames):
        iio.imwrite(f"long_{number}.png", np.hstack([frame[:32]] * 12))
    options = ["long_%d.png", "--fixed-style", "3", "--output"]
    assert run(*options, "whole_%d.png", "--quiet") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("NEURALSTYLE_FREE_MEMORY", "0.3077")
    assert run(*options, "tiled_%d.png") == 0
    assert "rendering frames of 768×32 pixels, in tiles of 256\n" in capsys.readouterr().err
    for number in range(len(frames)):
        whole, tiled = (iio.imread(f"{name}_{number}.png").astype(int) for name in ("whole", "tiled"))
        np.testing.assert_allclose(tiled, whole, atol=1)
    monkeypatch.setenv("NEURALSTYLE_FREE_MEMORY", "0.2")
    assert run(*options, "no_%d.png") == 2
    assert "GB are free; make the picture smaller" in capsys.readouterr().err


def test_a_film_by_a_network_of_fixed_styles(folder):
    assert run("film.mp4", "--fixed-style", "3", "--output", "out.webm", "--width", 32, "--quiet") == 0
    assert len(list(read_frames(find_frames("out.webm")))) == 3


def test_a_film_by_a_network_of_one_style(folder):
    assert run("frame_%04d.png", "--transform", "--output", "out_%d.png", "--quiet") == 0
    stored = checkpoints.read_network("wheat-field.ckpt")
    with transform.renderer(stored.weights, layout=stored.layout, margin=transform.MARGIN) as render:
        for number in (7, 8, 9):
            expected = render(iio.imread(f"frame_{number:04}.png").astype(np.float32))
            np.testing.assert_array_equal(iio.imread(f"out_{number}.png"), np.rint(np.clip(expected, 0, 255)))


@pytest.mark.parametrize("blend", [[], ["--temporal-blend", 0.6]], ids=["each by itself", "blended"])
def test_a_film_by_a_network_that_was_stopped_goes_on_from_the_frames_kept(folder, capsys, blend):
    line = ["film.mp4", "--transform", *blend, "--quiet", "--output"]
    assert run(*line, "whole_%d.png", "--keep-frames", "whole") == 0
    run_and_kill(["video", *line, "out_%d.png", "--keep-frames", "kept"], "rename .*frame_000003.png")
    made = os.stat("kept/frame_000001.png").st_mtime_ns
    assert run(*line, "out_%d.png", "--keep-frames", "kept") == 2  # neither --resume nor --overwrite
    assert run(*line, "out_%d.png", "--keep-frames", "kept", "--resume") == 0
    for number in (1, 2, 3):
        np.testing.assert_array_equal(iio.imread(f"out_{number}.png"), iio.imread(f"whole_{number}.png"))
    assert os.stat("kept/frame_000001.png").st_mtime_ns == made
    assert run(*line, "out_%d.png", "--keep-frames", "kept", "--resume", "--width", 32) == 2
    assert "kept: was begun with another size" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line, expected",
    [
        ("nothing.mp4 --output o.mp4", "nothing.mp4: no such file"),
        ("film.mp4 --output o.txt", "o.txt: is no film; name one that ends with .mp4"),
        ("film.mp4 --output film.mp4 --overwrite", "film.mp4: is read by this run"),
        ("frame_%04d.png --output frame_%04d.png --overwrite", "frame_0007.png: is read by this run"),
        ("film.mp4 --output style.mp4 --style nothing.png", "nothing.png"),
        ("film.mp4 --output there.mp4", "there.mp4: exists"),
        ("film.mp4 --output o.mp4 --frames 2:9", "--frames is 2:9; there are frames 1 to 3"),
        ("film.mp4 --output o.mp4 --frames x", "--frames is 'x'"),
        ("film.mp4 --output o.mp4 --temporal-weight -1", "--temporal-weight is -1.0"),
        ("film.mp4 --output o.mp4 --offsets 2 1", "--offsets is (2, 1)"),
        ("film.mp4 --output o.mp4 --passes 0", "--passes is 0"),
        ("film.mp4 --output o.mp4 --passes 2 --iterations 2 3", "--iterations does not go with --passes"),
        ("film.mp4 --output o.mp4 --width 0", "--width is 0"),
        ("film.mp4 --output o.mp4 --width 20", "they need 16 in each direction"),
        ("film.mp4 --output o.mp4 --recipe monet", "unknown recipe 'monet'"),
        ("film.mp4 --output o.mp4 --flow-files b_{i}_{j}.flo", "--flow-files needs the forward flow's"),
        ("film.mp4 --output o.mp4 --trust-files t_{i}_{j}.pgm", "--trust-files goes with --flow-files"),
        ("film.mp4 --output o.mp4 --flow-files b_{i}_{j}.flo f_{i}_{j}.flo", "b_2_1.flo: no such file"),
        ("film.mp4 --output o.mp4 --flow dis --flow-files b f", "--flow-files does not go with --flow"),
        ("film.mp4 --output o.mp4 --resume --overwrite", "--resume goes on and --overwrite starts afresh"),
        ("film.mp4 --output o.mp4 --keep-frames film.mp4", "film.mp4: is a file"),
        ("film.mp4 --output o.mp4 --keep-frames no/where", "the folder no does not exist"),
        ("film.mp4 --output o.mp4 --temporal-blend", "--temporal-blend goes with --any-style"),
        ("film.mp4 --output o.mp4 --any-style --fixed-style 3", "do not go together"),
        ("film.mp4 --output o.mp4 --any-style --passes 3", "--passes does not go with --any-style"),
        ("film.mp4 --output o.mp4 --any-style --resume", "--resume goes with --any-style where"),
        ("film.mp4 --output o.mp4 --any-style --keep-frames no/where", "the folder no does not exist"),
        ("film.mp4 --output o.mp4 --any-style --style-blend-weights 1 2", "weights has 2 numbers"),
        ("film.mp4 --output o.mp4 --workers 2", "--workers goes with --any-style and the like"),
        ("film.mp4 --output o.mp4 --any-style --workers 0", "--workers is 0"),
        ("film.mp4 --output o.mp4 --any-style --temporal-blend --workers 2", "--workers does not go"),
        ("film.mp4 --output o.mp4 --fixed-style 3 --style style.png", "--style does not go with"),
        ("film.mp4 --output o.mp4 --any-style --temporal-blend 2", "--temporal-blend is 2.0"),
        ("film.mp4 --output o.mp4 --any-style --flow dis", "--flow: there is no flow without"),
    ],
)
def test_what_cannot_be_used_gets_one_line_before_any_work(folder, capsys, line, expected):
    (folder / "there.mp4").write_bytes(b"a film")
    before = sorted(path.name for path in folder.iterdir())
    assert run(*line.split()) == 2
    printed = capsys.readouterr().err
    assert expected in printed and printed.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == before


def test_ctrl_c_stops_a_film_and_says_how_it_goes_on(folder):
    program = "from neuralstyle.command.main import main; import sys; sys.exit(main(sys.argv[1:]))"
    options = ["film.mp4", "--style", "style.png", "--output", "out.mp4", *FAST, "--iterations", "2", "9999"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, "video", *options], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while not list(folder.glob(".out*/frame_000001.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate()
    assert process.returncode == 130
    assert "--resume goes on" in printed
    assert not (folder / "out.mp4").exists()


def test_a_thread_that_is_ahead_gives_the_same_and_passes_on_what_goes_wrong():
    assert list(in_background(iter(range(50)))) == list(range(50))

    def failing():
        yield 1
        raise ValueError("wrong")

    items = in_background(failing())
    assert next(items) == 1
    with pytest.raises(ValueError, match="wrong"):
        next(items)


def test_a_thread_that_nobody_listens_to_ends_and_is_never_far_ahead():
    asked, closed = [], []

    def endless():
        try:
            while True:
                asked.append(1)
                yield np.zeros(3)
        finally:
            closed.append(1)

    items = in_background(endless())
    next(items)
    time.sleep(0.5)
    assert len(asked) <= 5
    items.close()
    assert closed == [1]

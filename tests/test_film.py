import os
import signal
import subprocess
import sys
import textwrap

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.runs.film import Timelapse


def pixels(number, height=32, width=48):
    """A smooth picture, so that little is lost in a film; each number has its own colours."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.stack([255 * x, 255 * y, np.full_like(x, 60 + 40 * number)], -1).astype(np.float32)


def frames(path):
    """Every frame of a film, uint8, as ffmpeg decodes it."""
    reader = imageio_ffmpeg.read_frames(
        str(path), output_params=["-fps_mode", "passthrough", "-sws_flags", "accurate_rnd+full_chroma_int"]
    )
    width, height = next(reader)["size"]
    return [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".webm"])
def test_a_film_shows_every_picture_in_order_and_in_its_colours(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    with Timelapse(path) as film:
        for number in range(5):
            film.add(pixels(number))
    shown = frames(path)
    assert len(shown) == 5
    for number, frame in enumerate(shown):
        # The GIF is dithered, so means over 8×8 pixels are compared.
        difference = (frame - pixels(number)).reshape(4, 8, 6, 8, 3).mean((1, 3))
        assert np.abs(difference).mean() < 2
    assert left_in(tmp_path) == [path.name]


def test_a_gif_repeats_for_ever_and_rests_on_the_last_picture(tmp_path):
    path = tmp_path / "run.gif"
    with Timelapse(path) as film:
        for number in range(3):
            film.add(pixels(number))
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        durations = []
        for index in range(gif.n_frames):
            gif.seek(index)
            durations.append(gif.info["duration"])
    assert durations == [100, 100, 1500]


def test_an_odd_picture_keeps_all_its_pixels_in_an_mp4_and_that_is_said(tmp_path):
    path = tmp_path / "run.mp4"
    with pytest.warns(UserWarning, match="47×31 pixels become 48×32"), Timelapse(path) as film:
        film.add(pixels(1, 31, 47))
        film.add(pixels(1, 31, 47))
    last = frames(path)[-1].astype(int)
    assert last.shape == (32, 48, 3)
    assert np.abs(last[:31, :47] - pixels(1, 31, 47)).mean() < 3
    assert np.abs(last[31] - last[30]).max() < 6


def test_an_odd_gif_keeps_its_size(tmp_path):
    path = tmp_path / "run.gif"
    with Timelapse(path) as film:
        film.add(pixels(1, 31, 47))
    assert Image.open(path).size == (47, 31)


def test_smaller_pictures_are_enlarged_to_the_size_that_is_given(tmp_path):
    path = tmp_path / "run.mp4"
    with Timelapse(path, size=(32, 48)) as film:
        film.add(pixels(1, 16, 24))
        film.add(pixels(1))
    small, large = frames(path)
    assert np.abs(small.astype(int) - large).mean() < 3


def test_values_beyond_the_range_do_not_wrap_around(tmp_path):
    path = tmp_path / "run.gif"
    with Timelapse(path) as film:
        film.add(np.full((16, 16, 3), [-40.0, 300.0, 127.6]))
    assert np.abs(frames(path)[0].astype(int) - [0, 255, 128]).max() <= 1


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_ctrl_c_leaves_a_film_of_what_there_was(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    with pytest.raises(KeyboardInterrupt), Timelapse(path) as film:
        film.add(pixels(0))
        film.add(pixels(1))
        raise KeyboardInterrupt
    assert len(frames(path)) == 2


@pytest.mark.skipif(os.name != "posix", reason="signals of a process group")
def test_ctrl_c_at_any_moment_leaves_a_complete_film(tmp_path):
    # At a terminal the signal reaches the whole process group, ffmpeg included if it were in it.
    script = f"""
        import itertools
        import signal
        import numpy as np
        from neuralstyle.runs.film import Timelapse
        # A shell's background jobs ignore Ctrl-C, and hand that down.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        picture = np.random.default_rng(0).uniform(0, 255, (400, 600, 3)).astype(np.float32)
        with Timelapse({str(tmp_path / "run.mp4")!r}) as film:
            for count in itertools.count(1):
                film.add(picture)
                print(count, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    for _ in range(3):
        process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    added = 3 + len(process.communicate()[0].split())
    shown = frames(tmp_path / "run.mp4")
    # The picture that Ctrl-C fell upon is in, though its number was not printed.
    assert len(shown) in (added, added + 1)
    assert left_in(tmp_path) == ["run.mp4"]


def test_an_error_leaves_the_old_film_alone(tmp_path):
    path = tmp_path / "run.gif"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), Timelapse(path) as film:
        film.add(pixels(0))
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert left_in(tmp_path) == ["run.gif"]


def test_a_film_without_pictures_is_not_written(tmp_path):
    with Timelapse(tmp_path / "run.gif"):
        pass
    assert left_in(tmp_path) == []


def test_an_unknown_kind_of_film_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"run\.avi.*\.gif, \.mp4"):
        Timelapse(tmp_path / "run.avi")


def test_what_ffmpeg_cannot_do_is_reported_in_one_line(tmp_path):
    # H.264 has no pictures wider than 16384 pixels.
    path = tmp_path / "run.mp4"
    with pytest.raises(InputError, match=r"run\.mp4: ffmpeg cannot write the film \(.+\)$"):
        with Timelapse(path) as film:
            film.add(np.zeros((16, 20000, 3), np.float32))
            film.add(np.zeros((16, 20000, 3), np.float32))
    assert left_in(tmp_path) == []

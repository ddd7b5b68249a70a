import os
import signal
import subprocess
import sys
import textwrap
from fractions import Fraction

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.runs.film import Film, Sound
from neuralstyle.video.frames import find_frames, frame_name, is_pattern, parse_range, read_frames

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*options):
    subprocess.run([FFMPEG, "-v", "error", "-y", *map(str, options)], check=True)


def picture(number, height=32, width=48):
    """A frame of one colour that tells its number, with a white upper left quarter."""
    frame = np.full((height, width, 3), 20 + 8 * number, np.uint8)
    frame[: height // 2, : width // 2] = 255
    return frame


def number_of(frame):
    """Which `picture` a frame shows."""
    return round((float(np.mean(frame[-4:, -4:])) - 20) / 8)


def write_film(path, count=10, rate=25, height=32, width=48, sound=None):
    with Film(path, rate=Fraction(rate), sound=sound) as film:
        for number in range(1, count + 1):
            film.add(picture(number, height, width))
    return path


@pytest.fixture
def film(tmp_path):
    return write_film(tmp_path / "film.mp4")


@pytest.fixture
def tone(tmp_path):
    """A film of two seconds whose sound is silent for one second, and a tone for the other."""
    silent = write_film(tmp_path / "silent.mp4", count=20, rate=10)
    path = tmp_path / "tone.mp4"
    ffmpeg(
        *(
            "-i",
            silent,
            "-f",
            "lavfi",
            "-i",
            "sine=f=1000:r=48000:d=2",
            "-af",
            "volume='gte(t,1)':eval=frame",
        ),
        *("-c:v", "copy", "-c:a", "aac", path),
    )
    return path


def loud_from(path):
    """When the sound of a film begins to be heard, and how long it lasts, in seconds."""
    raw = subprocess.run(
        [FFMPEG, "-v", "error", "-i", path, "-map", "0:a:0", "-f", "f32le", "-ac", "1", "-ar", "8000", "-"],
        capture_output=True,
        check=True,
    ).stdout
    sound = np.frombuffer(raw, np.float32)
    return np.flatnonzero(np.abs(sound) > 0.02)[0] / 8000, len(sound) / 8000


# Films


def test_a_film_is_counted_measured_and_read(film):
    frames = find_frames(film)
    assert (len(frames.numbers), frames.size, frames.rate) == (10, (32, 48), 25)
    assert not frames.resampled and frames.sound is None
    read = list(read_frames(frames))
    assert [number for number, _ in read] == list(range(1, 11))
    assert [number_of(frame) for _, frame in read] == list(range(1, 11))
    assert all(frame.shape == (32, 48, 3) and frame.dtype == np.uint8 for _, frame in read)
    assert np.abs(read[4][1].astype(int) - picture(5)).mean() < 3


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(30), Fraction(60)])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_rate_is_exact_and_survives_a_film(tmp_path, rate, suffix):
    path = write_film(tmp_path / f"film{suffix}", count=7, rate=rate)
    frames = find_frames(path, tell=pytest.fail)
    assert abs(frames.rate - rate) < Fraction(1, 100)
    assert not frames.resampled and len(frames.numbers) == 7
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert count == 7
    assert seconds == pytest.approx(7 / rate, abs=0.03)


def test_the_frames_that_are_wanted_keep_their_numbers(film):
    frames = find_frames(film, parse_range("3:5"))
    assert [(number, number_of(frame)) for number, frame in read_frames(frames)] == [(3, 3), (4, 4), (5, 5)]
    assert [number_of(frame) for _, frame in read_frames(frames, first=5)] == [5]
    assert [number for number, _ in read_frames(find_frames(film, parse_range("9:")))] == [9, 10]


@pytest.mark.parametrize("wanted", ["0:3", "11:12", "5:11", "11:"])
def test_frames_that_are_not_there_are_refused_with_those_that_are(film, wanted):
    with pytest.raises(InputError, match=r"film\.mp4: frames is .*; there are frames 1 to 10"):
        find_frames(film, parse_range(wanted))


def test_a_film_that_a_phone_has_turned_is_upright(tmp_path, film):
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", film, "-c", "copy", turned)
    frames = find_frames(turned)
    assert frames.size == (48, 32)
    _, first = next(read_frames(frames))
    # By 90° against the clock: what was the upper left quarter is the lower left one.
    assert np.abs(first.astype(int) - np.rot90(picture(1))).mean() < 3


def test_pixels_that_are_not_square_become_so(tmp_path, film):
    wide = tmp_path / "wide.mp4"
    ffmpeg("-i", film, "-vf", "setsar=2", wide)
    frames = find_frames(wide)
    assert frames.size == (32, 96)
    assert next(read_frames(frames))[1].shape == (32, 96, 3)


def test_a_rate_that_varies_is_made_constant_and_that_is_said(tmp_path, film):
    # Not an MP4: ffmpeg before 8 gives its last frame no length, and readers then leave it out.
    varying = tmp_path / "varying.mkv"
    # The second half at half the speed: 5 frames of 1/25 s, and 5 of 2/25 s.
    ffmpeg("-i", film, "-vf", "setpts='if(lt(N,5),N,2*N-5)/25/TB'", "-fps_mode", "vfr", varying)
    told = []
    frames = find_frames(varying, tell=told.append)
    assert frames.resampled
    assert len(told) == 1 and "its rate varies" in told[0]
    shown = [number_of(frame) for _, frame in read_frames(frames)]
    assert len(shown) == len(frames.numbers)
    assert shown == sorted(shown) and set(shown) >= {1, 5, 6, 10} and set(shown) <= set(range(1, 11))
    assert len(shown) / frames.rate == pytest.approx(15 / 25, abs=0.1)


def test_a_raw_stream_without_times_is_read(tmp_path, film):
    raw = tmp_path / "film.h264"
    ffmpeg("-i", film, "-c", "copy", raw)
    assert [number_of(frame) for _, frame in read_frames(find_frames(raw))] == list(range(1, 11))


def test_a_gif_and_a_film_with_an_odd_name_are_read(tmp_path, monkeypatch):
    for name in ("film.gif", "-a film: 100%d.mp4"):
        path = write_film(tmp_path / name, count=3)
        assert [number_of(frame) for _, frame in read_frames(find_frames(path))] == [1, 2, 3]
    monkeypatch.chdir(tmp_path)
    assert len(find_frames("-a film: 100%d.mp4").numbers) == 3


def test_a_film_of_one_frame_is_a_film(tmp_path):
    frames = find_frames(write_film(tmp_path / "film.mp4", count=1))
    assert len(frames.numbers) == 1 and [number_of(frame) for _, frame in read_frames(frames)] == [1]


def test_odd_sizes_are_read_as_they_are(tmp_path):
    path = write_film(tmp_path / "film.webm", count=2, height=33, width=51)
    assert find_frames(path).size == (33, 51)


def test_reading_may_end_early(film):
    reading = read_frames(find_frames(film))
    next(reading)
    reading.close()


# Films that are none


@pytest.mark.parametrize("data", [b"", b"no film at all\n", bytes(5000)])
def test_a_file_that_is_no_film_is_named_in_one_line(tmp_path, data):
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"film\.mp4: cannot be read as a film \(.+\)$") as caught:
        find_frames(path)
    assert "\n" not in str(caught.value)


def test_a_film_that_has_lost_its_end_is_named_in_one_line(tmp_path, film):
    ffmpeg("-i", film, "-c", "copy", "-movflags", "0", tmp_path / "plain.mp4")
    data = (tmp_path / "plain.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: data.rindex(b"moov") - 4])
    with pytest.raises(InputError, match=r"cut\.mp4: cannot be read as a film \(moov atom not found\)"):
        find_frames(tmp_path / "cut.mp4")


def test_of_a_film_cut_short_the_frames_that_are_there_are_read_and_that_is_said(tmp_path):
    rng = np.random.default_rng(0)
    with Film(tmp_path / "whole.mp4", rate=Fraction(25)) as writer:
        for _ in range(20):
            writer.add(rng.uniform(0, 255, (64, 64, 3)))
    data = (tmp_path / "whole.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    told = []
    frames = find_frames(path, tell=told.append)
    assert 0 < len(frames.numbers) < 20
    assert len(told) == 1 and "is damaged" in told[0] and f"{len(frames.numbers)} frames" in told[0]
    assert len(list(read_frames(frames))) == len(frames.numbers)


def test_a_film_damaged_all_over_does_not_hold_anything_up(tmp_path):
    rng = np.random.default_rng(0)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=20", "-g", "1", "-c:v", "mpeg4", tmp_path / "whole.avi")
    data = bytearray((tmp_path / "whole.avi").read_bytes())
    for place in rng.integers(20_000, len(data) - 20_000, 10_000):
        data[place] ^= 0x55
    (tmp_path / "bad.avi").write_bytes(data)
    frames = find_frames(tmp_path / "bad.avi", tell=lambda line: None)
    # More complaints than a pipe holds.
    assert len(list(read_frames(frames))) == len(frames.numbers) > 100


def test_sound_without_pictures_is_no_film_even_with_a_cover(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", tmp_path / "sound.mp3")
    Image.fromarray(picture(1)).save(tmp_path / "cover.png")
    ffmpeg(
        *("-i", tmp_path / "sound.mp3", "-i", tmp_path / "cover.png", "-map", "0", "-map", "1", "-c", "copy"),
        *("-disposition:v", "attached_pic", tmp_path / "song.mp3"),
    )
    for name in ("sound.mp3", "song.mp3"):
        with pytest.raises(InputError, match=rf"{name}: cannot be read as a film \(it holds no pictures\)"):
            find_frames(tmp_path / name)


def test_frames_too_small_to_stylise_are_refused(tmp_path):
    path = write_film(tmp_path / "film.gif", count=2, height=10, width=20)
    with pytest.raises(InputError, match="20×10 pixels are too few"):
        find_frames(path)


def test_a_missing_film_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.mp4: no such file"):
        find_frames(tmp_path / "gone.mp4")


# Sound


@pytest.mark.parametrize("wanted, begins, lasts", [("1:", 1.0, 2.0), ("6:", 0.5, 1.5), ("6:15", 0.5, 1.0)])
def test_the_sound_of_the_frames_is_copied_beside_them(tmp_path, tone, wanted, begins, lasts):
    frames = find_frames(tone, parse_range(wanted))
    assert frames.sound.kind == "aac"
    path = tmp_path / "out.mp4"
    with Film(path, rate=frames.rate, sound=frames.sound) as film:
        for _, frame in read_frames(frames):
            film.add(frame)
    start, length = loud_from(path)
    # Sound is copied in packets of 1024 samples, 21 ms each.
    assert start == pytest.approx(begins, abs=0.06)
    assert length == pytest.approx(lasts, abs=0.1)
    assert imageio_ffmpeg.count_frames_and_secs(str(path))[0] == len(frames.numbers)


def test_sound_that_begins_after_the_pictures_stays_with_them(tmp_path, tone):
    late = tmp_path / "late.mkv"
    ffmpeg("-i", tone, "-itsoffset", "0.5", "-i", tone, "-map", "1:v", "-map", "0:a", "-c", "copy", late)
    frames = find_frames(late)
    assert frames.sound.start == pytest.approx(0.5, abs=0.05)
    path = tmp_path / "out.mp4"
    with Film(path, rate=frames.rate, sound=frames.sound) as film:
        for _, frame in read_frames(frames):
            film.add(frame)
    assert loud_from(path)[0] == pytest.approx(0.5, abs=0.06)


def test_sound_that_the_kind_of_film_cannot_hold_is_encoded_anew_and_that_is_said(tmp_path, tone):
    sound = Sound(tone, "aac")
    with pytest.warns(UserWarning, match="cannot hold sound of the kind aac; it is encoded anew, as opus"):
        write_film(tmp_path / "out.webm", count=20, rate=10, sound=sound)
    assert loud_from(tmp_path / "out.webm")[0] == pytest.approx(1.0, abs=0.06)


def test_a_gif_is_silent(tmp_path, tone):
    write_film(tmp_path / "out.gif", count=2, sound=Sound(tone, "aac"))
    with Image.open(tmp_path / "out.gif") as gif:
        assert gif.n_frames == 2


# Folders and numbered pictures


@pytest.fixture
def save(tmp_path):
    def save(*names, height=32, width=48):
        for number, name in enumerate(names, start=1):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(picture(number, height, width)).save(path)
        return tmp_path

    return save


@pytest.mark.parametrize("pattern", ["f_%04d.ppm", "f_{:04}.ppm", "f_{:04d}.ppm"])
def test_numbered_pictures_keep_their_numbers(save, pattern):
    folder = save("f_0007.ppm", "f_0008.ppm", "f_0009.ppm")
    (folder / "f_8.ppm").write_bytes(b"another")
    frames = find_frames(folder / pattern)
    assert (list(frames.numbers), frames.size, frames.rate) == ([7, 8, 9], (32, 48), 25)
    assert [(number, number_of(frame)) for number, frame in read_frames(frames)] == [(7, 1), (8, 2), (9, 3)]
    assert list(find_frames(folder / pattern, parse_range("8:9")).numbers) == [8, 9]
    assert frame_name(pattern, 8).name == "f_0008.ppm"


@pytest.mark.parametrize("pattern", ["f%d.png", "f{}.png"])
def test_numbers_without_zeros_are_in_their_order(save, pattern):
    folder = save(*(f"f{number}.png" for number in range(1, 12)))
    assert [number_of(frame) for _, frame in read_frames(find_frames(folder / pattern))] == list(range(1, 12))


def test_a_gap_is_refused_unless_it_is_left_out(save):
    folder = save("f1.png", "f2.png", "f4.png")
    with pytest.raises(InputError, match=r"f%d\.png: frame 3 is missing"):
        find_frames(folder / "f%d.png")
    assert list(find_frames(folder / "f%d.png", parse_range(":2")).numbers) == [1, 2]


def test_the_pictures_of_a_folder_count_by_their_numbers(save):
    folder = save("in/a9.png", "in/a10.png", "in/a11.png")
    (folder / "in" / "notes.txt").write_text("no picture")
    (folder / "in" / ".hidden.png").write_bytes(b"")
    frames = find_frames(folder / "in")
    assert [(number, number_of(frame)) for number, frame in read_frames(frames)] == [(9, 1), (10, 2), (11, 3)]


def test_the_pictures_of_a_folder_count_from_one_by_their_names_where_they_have_no_numbers(save):
    folder = save("in/b.png", "in/a.png", "in/c.jpg")
    assert [(n, number_of(frame)) for n, frame in read_frames(find_frames(folder / "in"))] == [
        (1, 2),
        (2, 1),
        (3, 3),
    ]


def test_pictures_of_several_sizes_are_refused_before_any_work(save):
    save("f1.png", "f2.png")
    folder = save("f3.png", width=64)
    with pytest.raises(InputError, match=r"f3\.png: has 64×32 pixels, the frames before it 48×32"):
        find_frames(folder / "f%d.png")


def test_pictures_that_a_camera_has_turned_have_the_size_of_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(1)).save(tmp_path / "f1.jpg", exif=exif)
    Image.fromarray(picture(2, 48, 32)).save(tmp_path / "f2.jpg")
    frames = find_frames(tmp_path / "f%d.jpg")
    assert frames.size == (48, 32)
    assert {frame.shape for _, frame in read_frames(frames)} == {(48, 32, 3)}


def test_a_folder_without_pictures_and_a_pattern_without_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        find_frames(tmp_path)
    with pytest.raises(InputError, match=r"f%d\.png: no file has such a name"):
        find_frames(tmp_path / "f%d.png")
    with pytest.raises(InputError, match="the folder .*gone does not exist"):
        find_frames(tmp_path / "gone" / "f%d.png")
    with pytest.raises(InputError, match="needs one place"):
        find_frames(tmp_path / "%d_%d.png")


# Names and ranges


@pytest.mark.parametrize(
    "pattern, name",
    [("out_%04d.png", "out_0012.png"), ("out_{:06}.png", "out_000012.png"), ("o/%d.png", "o/12.png")],
)
def test_a_frames_name_has_its_number(pattern, name):
    assert frame_name(pattern, 12).as_posix() == name
    assert is_pattern(pattern)


@pytest.mark.parametrize("pattern", ["out.png", "%d_%d.png", "out_%s.png", "out_{i}.png"])
def test_a_pattern_needs_one_place_for_a_number(pattern):
    with pytest.raises(InputError, match="needs one place for the frame's number"):
        frame_name(pattern, 1)


@pytest.mark.parametrize(
    "text, expected",
    [("1:48", (1, 48)), ("10:", (10, None)), (":48", (None, 48)), ("7", (7, 7)), ("0:0", (0, 0))],
)
def test_a_range_is_read(text, expected):
    assert parse_range(text) == expected


@pytest.mark.parametrize("text", ["", ":", "a:b", "1:2:3", "-1:3", "1-3", "5:3", "²:3"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="frames is") as caught:
        parse_range(text)
    assert caught.value.fields == ("frames",)


# A film that is killed


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_film_killed_in_the_middle_leaves_nothing_under_its_name(tmp_path):
    script = f"""
        import itertools
        import numpy as np
        from neuralstyle.runs.film import Film
        with Film({str(tmp_path / "film.mp4")!r}) as film:
            for count in itertools.count():
                film.add(np.zeros((64, 64, 3)))
                print(count, flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "film.mp4").exists()

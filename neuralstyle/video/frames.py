"""The frames of a film: from anything that ffmpeg reads, a folder of pictures, or numbered pictures."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import picture_size, read_image
from neuralstyle.pictures.sizes import SMALLEST_SIDE
from neuralstyle.runs.film import Sound, find_ffmpeg

#: Frames a second of pictures, which do not say it themselves; ffmpeg's own default.
PICTURES_RATE = Fraction(25)

#: Faster than this, what a container calls its rate is the fineness of its clock.
_FASTEST = 240

#: What stands for a number in the name of numbered pictures: %d, %04d, {}, {:04}, {:04d}.
_NUMBER = re.compile(r"%(?P<percent>0\d+)?d|\{(?::(?P<brace>0\d+)?d?)?\}")

#: Frames of more pixels than this are not decoded: a few bytes of a file could ask for all of the memory.
_MOST_PIXELS = 2**27

# Lines of ffmpeg's that say when a frame is shown, the film's rate, a sound, and what is wrong.
_FRAME_LINE = re.compile(rb"\] n: *\d+ pts: *\S+ pts_time:(\S+)")
_RATE_LINE = re.compile(rb"config in time_base: \S+ frame_rate: (\d+/\d+)")
_SOUND_LINE = re.compile(rb"\[info\] +Stream #0:\d+.*?: Audio: (\w+)")
_COMPLAINT_LINE = re.compile(rb"\[(?:error|fatal)\] (.*\S)")


@dataclass(frozen=True)
class Frames:
    """The frames of a film, found but not read.

    Attributes
    ----------
    source : path
        A film, or the folder of the pictures.
    numbers : sequence of int
        The number of each frame: of a film's from 1, of numbered pictures' as in their names.
    size : (int, int)
        Height and width, of frames turned upright and with square pixels.
    rate : Fraction
        Frames a second.
    pictures : tuple of path
        Each frame's file; empty for a film.
    resampled : bool
        Whether the film's own rate varies, so that frames are shown twice or left out.
    sound : Sound or None
        What is heard with the frames.
    """

    source: Path
    numbers: Sequence[int]
    size: tuple[int, int]
    rate: Fraction = PICTURES_RATE
    pictures: tuple[Path, ...] = ()
    resampled: bool = False
    sound: Sound | None = None


def parse_range(text: str) -> tuple[int | None, int | None]:
    """Read which frames are wanted: ``1:48``, ``10:`` (to the last), ``:48``, ``7``.

    Returns
    -------
    first, last : int or None
        Both are wanted, too; None where there is no limit.

    Raises
    ------
    InputError
        If the text is something else, or the last number is less than the first.
    """
    match = re.fullmatch(r"(?P<first>\d*)(?P<colon>:?)(?P<last>\d*)", text.strip(), re.ASCII)
    if match is None or not (match["first"] or match["last"]):
        raise InputError(f"frames is {text!r}; it must be like 1:48, 10: or :48", fields=("frames",))
    first, last = (int(match[end]) if match[end] else None for end in ("first", "last"))
    if not match["colon"]:
        return first, first
    if None not in (first, last) and last < first:
        raise InputError(f"frames is {text!r}; its last number is less than its first", fields=("frames",))
    return first, last


def find_frames(
    source: str | Path,
    wanted: tuple[int | None, int | None] = (None, None),
    tell: Callable[[str], None] | None = None,
) -> Frames:
    """Look at a film before any work starts: how many frames, how large, how fast, with which sound.

    A film is decoded once for it, for nothing else tells how many frames it really has.

    Parameters
    ----------
    source : path
        A file that ffmpeg reads; a folder, whose pictures count in the order of their names, or by their
        numbers where they differ in nothing else; or a pattern of numbered pictures, such as
        ``frame_%04d.ppm`` or ``frame_{:04}.png``.
    wanted : (int or None, int or None)
        The first and the last number that is wanted, as `parse_range` gives them.
    tell : callable, optional
        Called with one line if a film's rate varies, or if it is damaged.

    Returns
    -------
    Frames

    Raises
    ------
    InputError
        If nothing is there, it cannot be read, holds no pictures, none that is wanted or not all of them,
        or has frames of several sizes or under 16 pixels in a direction.
    """
    path = Path(source)
    if path.is_dir():
        found = _numbered(_pictures_in(path))
    elif not path.exists() and _NUMBER.search(path.name):
        found = _matching(path)
    elif path.exists():
        return _probe(path, wanted, tell)
    else:
        raise InputError(f"{path}: no such file; check the name")
    numbers = _wanted_of(path, list(found), wanted)
    missing = next((n for n, m in zip(numbers, numbers[1:], strict=False) if m != n + 1), None)
    if missing is not None:
        raise InputError(f"{path}: frame {missing + 1} is missing; add it, or say which frames are wanted")
    pictures = tuple(found[number] for number in numbers)
    return Frames(path, numbers, _common_size(pictures), pictures=pictures)


def read_frames(frames: Frames, first: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Read frames one after the other; only one is in memory.

    Parameters
    ----------
    frames : Frames
    first : int, optional
        The number to begin at; default: the first.

    Yields
    ------
    number : int
    frame : ndarray
        H×W×3, float32 or uint8, RGB, 0..255.

    Raises
    ------
    InputError
        If a picture cannot be read, or ffmpeg ends before the last frame.
    """
    first = frames.numbers[0] if first is None else first
    if frames.pictures:
        for number, picture in zip(frames.numbers, frames.pictures, strict=True):
            if number >= first:
                yield number, read_image(picture)
        return
    yield from _decode(frames, first)


def frame_name(pattern: str, number: int) -> Path:
    """The name of a numbered picture, from a pattern with ``%04d`` or ``{:04}`` in it.

    Raises
    ------
    InputError
        If the pattern has no such place, or several.
    """
    path = Path(pattern)
    places = list(_NUMBER.finditer(path.name))
    if len(places) != 1:
        raise InputError(f"{path}: needs one place for the frame's number, such as %04d or {{:04}}")
    (place,) = places
    digits = f"{number:{place['percent'] or place['brace'] or ''}d}"
    return path.with_name(path.name[: place.start()] + digits + path.name[place.end() :])


def is_pattern(path: str | Path) -> bool:
    """Whether a name has a place for a frame's number."""
    return _NUMBER.search(Path(path).name) is not None


# --- pictures ---------------------------------------------------------------------------------------


def _pictures_in(folder: Path) -> list[Path]:
    # What Pillow knows, and what the readers of pictures know beside it.
    kinds = {*Image.registered_extensions(), ".jxl", ".heic", ".heif"}
    try:
        pictures = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in kinds and not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise InputError(f"{folder}: cannot be read as a folder ({error.strerror})") from error
    if not pictures:
        raise InputError(f"{folder}: holds no pictures; put frames into it or name another folder")
    return pictures


def _numbered(pictures: list[Path]) -> dict[int, Path]:
    """Pictures by the last number in their names, if they differ in nothing else; else counted from 1."""
    parts = [re.fullmatch(r"(.*?)(\d+)(\D*)", path.name, re.ASCII) for path in pictures]
    if all(parts) and len({(part[1], part[3]) for part in parts}) == 1:
        numbered = {int(part[2]): path for part, path in zip(parts, pictures, strict=True)}
        if len(numbered) == len(pictures):
            return dict(sorted(numbered.items()))
    return dict(enumerate(pictures, start=1))


def _matching(pattern: Path) -> dict[int, Path]:
    """The pictures of a pattern by their numbers."""
    if not pattern.parent.is_dir():
        raise InputError(f"{pattern}: the folder {pattern.parent} does not exist; check the name")
    frame_name(pattern, 0)
    place = _NUMBER.search(pattern.name)
    name = re.compile(
        re.escape(pattern.name[: place.start()]) + r"(\d+)" + re.escape(pattern.name[place.end() :]), re.ASCII
    )
    matches = [name.fullmatch(path.name) for path in pattern.parent.iterdir()]
    numbers = sorted(int(match[1]) for match in matches if match)
    found = {number: frame_name(pattern, number) for number in numbers}
    found = {number: path for number, path in found.items() if path.is_file()}
    if not found:
        raise InputError(f"{pattern}: no file has such a name; check it")
    return found


def _wanted_of(source: Path, numbers: Sequence[int], wanted: tuple[int | None, int | None]) -> Sequence[int]:
    """The numbers within the range that is wanted, which must have both its ends."""
    first = numbers[0] if wanted[0] is None else wanted[0]
    last = numbers[-1] if wanted[1] is None else wanted[1]
    if first not in numbers or last not in numbers:
        raise InputError(
            f"{source}: frames is {first}:{last}; there are frames {numbers[0]} to {numbers[-1]}",
            fields=("frames",),
        )
    return numbers[numbers.index(first) : numbers.index(last) + 1]


def _common_size(pictures: Sequence[Path]) -> tuple[int, int]:
    """The height and width that all pictures must have, from the header of each."""
    expected = None
    for path in pictures:
        size = picture_size(path)
        if expected is None:
            expected = size
            _check_smallest(path, size)
        if size != expected:
            raise InputError(
                f"{path}: has {size[1]}×{size[0]} pixels, the frames before it {expected[1]}×{expected[0]}; "
                "all must be of one size"
            )
    return expected


def _check_smallest(path: Path, size: tuple[int, int]) -> None:
    if min(size) < SMALLEST_SIDE:
        raise InputError(
            f"{path}: {size[1]}×{size[0]} pixels are too few; {SMALLEST_SIDE} are needed in each direction"
        )


# --- films ------------------------------------------------------------------------------------------


def _probe(path: Path, wanted: tuple[int | None, int | None], tell: Callable[[str], None] | None) -> Frames:
    program = find_ffmpeg(path)
    times, rate, sound, complaint = _frame_times(program, path)
    if not times:
        raise InputError(f"{path}: cannot be read as a film ({complaint or 'it has no frames'})")
    start, count = times[0] or 0.0, len(times)
    rate, resampled = _constant_rate(times, rate)
    if resampled:
        count = len(_frame_times(program, path, f"fps={rate},")[0])
    if tell is not None and resampled:
        tell(f"{path}: its rate varies; it is made {float(rate):g} frames a second")
    if tell is not None and complaint:
        tell(f"{path}: is damaged ({complaint}); {count} frames of it can be read")
    numbers = _wanted_of(path, range(1, count + 1), wanted)
    if sound is not None:
        first = (numbers[0] - 1) / rate
        length = None if len(numbers) == count else float(len(numbers) / rate)
        sound = Sound(path, sound, start + float(first), length)
    found = Frames(path, numbers, (0, 0), rate, (), resampled, sound)
    _, frame = next(_decode(replace(found, numbers=(1,)), 1))
    _check_smallest(path, frame.shape[:2])
    return replace(found, size=frame.shape[:2])


def _frame_times(
    program: str, path: Path, filters: str = ""
) -> tuple[list[float | None], Fraction | None, str | None, str]:
    """When each frame is shown, what the file calls its rate, the kind of its sound, and a complaint."""
    times: list[float | None] = []
    rate = sound = None
    complaint = ""
    command = [
        *(program, "-hide_banner", "-v", "level+info", "-nostdin"),
        *("-max_pixels", str(_MOST_PIXELS), "-i", f"file:{path}"),
        # Not a picture of the cover, which is why V is capital.
        *("-map", "0:V:0"),
        *("-vf", f"{filters}showinfo=checksum=0", "-fps_mode", "passthrough", "-f", "null", "-"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as ffmpeg:
        for line in ffmpeg.stderr:
            if match := _FRAME_LINE.search(line):
                times.append(_number(match[1]))
            elif match := _RATE_LINE.search(line):
                numerator, denominator = map(int, match[1].split(b"/"))
                rate = Fraction(numerator, denominator) if numerator and denominator else None
            elif sound is None and (match := _SOUND_LINE.match(line)):
                sound = match[1].decode()
            elif not complaint and (match := _COMPLAINT_LINE.search(line)):
                complaint = match[1].decode(errors="replace")
    if "matches no streams" in complaint:
        complaint = "it holds no pictures"
    return times, rate, sound, complaint


def _number(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:  # a raw stream has no times
        return None


def _constant_rate(times: list[float | None], rate: Fraction | None) -> tuple[Fraction, bool]:
    """One rate for a film, and whether its frames have to be moved for it."""
    if rate is not None and rate > _FASTEST:
        rate = None
    if None in times or len(times) < 2:
        return rate or PICTURES_RATE, False
    average = (len(times) - 1) / (times[-1] - times[0])
    if rate is None or not average / 1.5 < rate < average * 1.5:
        rate = Fraction(average).limit_denominator(1001)
    # Clocks of a thousandth of a second show 30 frames a second after 33, 33 and 34.
    moved = (abs(time - times[0] - index / rate) * rate for index, time in enumerate(times))
    return rate, max(moved) > 0.5


def _decode(frames: Frames, first: int) -> Iterator[tuple[int, np.ndarray]]:
    """Frames as ffmpeg decodes them, turned upright, each with its size before it (PPM)."""
    filters = f"fps={frames.rate}," if frames.resampled else ""
    # The size is known but for the very first frame; a film may change its own.
    size = f"{frames.size[1]}:{frames.size[0]}" if any(frames.size) else "iw*sar:ih"
    last = frames.numbers[-1]
    command = [
        *(find_ffmpeg(frames.source), "-v", "error", "-nostdin"),
        *("-max_pixels", str(_MOST_PIXELS), "-i", f"file:{frames.source}"),
        *("-map", "0:V:0", "-vf", f"{filters}scale={size}:flags=bicubic+accurate_rnd+full_chroma_int"),
        *("-frames:v", str(last), "-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm"),
        *("-pix_fmt", "rgb24", "pipe:"),
    ]
    # What ffmpeg says goes to a file, for a pipe that nobody reads would fill and hold it up.
    with (
        tempfile.TemporaryFile() as messages,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages, start_new_session=True) as ffmpeg,
    ):
        try:
            frame = None
            for number in range(1, last + 1):
                following = _read_ppm(ffmpeg.stdout)
                # The last frame of a damaged film may be counted and yet not be given; it is a copy then.
                if following is None and (frame is None or number < last):
                    messages.seek(0)
                    said = messages.readline().decode(errors="replace").strip()
                    raise InputError(f"{frames.source}: ends before frame {number} ({said or 'cut short'})")
                frame = frame if following is None else following
                if number >= first:
                    yield number, frame
        finally:
            ffmpeg.kill()


def _read_ppm(stream) -> np.ndarray | None:
    """The next picture of a stream of PPMs, H×W×3, uint8; None at its end."""
    if stream.readline() != b"P6\n":
        return None
    width, height = map(int, stream.readline().split())
    stream.readline()
    data = stream.read(3 * width * height)
    return (
        np.frombuffer(data, np.uint8).reshape(height, width, 3) if len(data) == 3 * width * height else None
    )

"""Where a film goes: a file that players know, or numbered pictures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable
from neuralstyle.pictures.writing import check_output, write_image
from neuralstyle.runs.film import Film, find_ffmpeg
from neuralstyle.video.frames import Frames, frame_name, is_pattern

#: The kinds of film that can be written.
FILMS = (".mp4", ".webm", ".gif")

#: Takes the number of a frame, and the frame.
Write = Callable[[int, np.ndarray], None]


def check_film_output(output: str, frames: Frames, size: tuple[int, int], overwrite: bool) -> None:
    """Find out, before any work, whether a film can be written and nothing is lost by it.

    Parameters
    ----------
    output : str
        A film's name, or the pattern of numbered pictures' names.
    frames : Frames
        What is read, and must not be overwritten.
    size : (int, int)
        Height and width of the frames.
    overwrite : bool
        Whether files that exist may be replaced.

    Raises
    ------
    InputError
        If it is of no kind that can be written, exists, cannot be written, or is what is read.
    """
    if is_pattern(output):
        names = [frame_name(output, number) for number in frames.numbers]
        read = {path.resolve() for path in frames.pictures}
        for name in names:
            if name.resolve() in read:
                raise InputError(f"{name}: is read by this run and would be overwritten; name other pictures")
            check_output(name, overwrite, size=size)
        return
    path = Path(output)
    if path.suffix.lower() not in FILMS:
        raise InputError(
            f"{output}: is no film; name one that ends with {', '.join(FILMS)}, or pictures such as "
            "out_%04d.png"
        )
    check_writable(path)
    if path.exists() and path.resolve() == frames.source.resolve():
        raise InputError(f"{path}: is read by this run and would be overwritten; name another film")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; choose another name, or say that it may be overwritten")
    find_ffmpeg(path)


@contextmanager
def film_output(output: str, frames: Frames, size: tuple[int, int]) -> Iterator[Write]:
    """Open a film for writing, at the rate and with the sound of the one that is read.

    Parameters
    ----------
    output : str
        As in `check_film_output`.
    frames : Frames
    size : (int, int)
        Height and width of the frames.

    Yields
    ------
    callable
        Writes a frame, H×W×3, 0..255, under a number.
    """
    if is_pattern(output):
        yield lambda number, frame: write_image(frame_name(output, number), frame)
        return
    with Film(output, size, frames.rate, sound=frames.sound) as film:
        yield lambda number, frame: film.add(frame)

"""Films: pictures go to ffmpeg as they come, and a file takes its name when it is whole."""

import signal
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.runs.history import Step
from neuralstyle.runs.watching import Watcher

#: Half-resolution colour is all that most players know, and they take BT.709 for granted.
_COLOURS = (
    "-vf",
    "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p,"
    "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709",
)

#: What ffmpeg is told to write, by suffix.
_FILMS = {
    # A palette for each frame, since the colours of a run's pictures change from noise to painting.
    ".gif": (
        "-filter_complex",
        "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1",
    ),
    # Slower presets look 40 pictures ahead, all of them in memory (511 MB against 340 MB at 1640×1090).
    ".mp4": (
        *_COLOURS,
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-movflags", "+faststart"),
    ),
    ".webm": (
        *_COLOURS,
        *("-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-cpu-used", "4", "-row-mt", "1"),
    ),
}

#: The kinds of sound that a kind of film holds; others are encoded anew, as the first of them.
_SOUNDS = {
    ".gif": (),
    ".mp4": ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"),
    ".webm": ("opus", "vorbis"),
}

_ENCODERS = {"aac": "aac", "opus": "libopus"}


@dataclass(frozen=True)
class Sound:
    """The sound of another film, to be copied.

    Attributes
    ----------
    path : path
        The film.
    kind : str
        As ffmpeg calls it: "aac", "mp3", "pcm_s16le" …
    start : float
        Where in that film the pictures begin, in seconds.
    length : float or None
        How many seconds of it; None for the rest.
    """

    path: Path
    kind: str
    start: float = 0.0
    length: float | None = None


def find_ffmpeg(path: str | Path) -> str:
    """The ffmpeg program.

    Parameters
    ----------
    path : path
        What it is needed for, to be named where there is none.

    Raises
    ------
    InputError
        If there is none on this machine.
    """
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise InputError(
            f"{path}: no ffmpeg on this machine; install one, or give IMAGEIO_FFMPEG_EXE its path"
        ) from error


class Film:
    """A film, GIF, MP4 or WebM, written while its pictures are made.

    A context manager. Each picture goes to ffmpeg as it is added and is kept nowhere else, so that a long
    run of large pictures needs no memory for it. The file takes its name when the block ends, by itself
    or by Ctrl-C, and then holds every picture that was added. Where none was added, or another error ended
    the block, there is no new file and an old one is untouched.

    The MP4 is H.264 with half-resolution colour (4:2:0), which every player knows and which needs even
    sides: an odd picture has its last row or column repeated once, with a warning that says so. The WebM is
    VP9, of any size. The GIF has a palette of 256 colours for each picture, dithered.

    Parameters
    ----------
    path : path
        ``.gif``, ``.mp4`` or ``.webm``.
    size : (int, int), optional
        Height and width of the film; pictures of another size are resized to it. Default: the first
        picture's. A run that goes from coarse to fine gives its last size.
    rate : Fraction
        Pictures a second. Default: ten.
    rest : float
        For how many seconds the last picture of a GIF stays before it begins again; 0 for no longer than
        the others.
    sound : Sound, optional
        What is heard with it. Copied, if the film's kind holds that kind of sound, and otherwise encoded
        anew, with a warning that says so; a GIF has none.

    Raises
    ------
    InputError
        If the suffix is another, the folder is missing or cannot be written, or there is no ffmpeg.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int] | None = None,
        rate: Fraction = Fraction(10),  # noqa: B008 - a value
        rest: float = 0.0,
        sound: Sound | None = None,
    ) -> None:
        self._path = Path(path)
        check_writable(self._path)
        self._suffix = self._path.suffix.lower()
        if self._suffix not in _FILMS:
            raise InputError(f"{path}: cannot write films of that kind; use one of {', '.join(_FILMS)}")
        self._program = find_ffmpeg(path)
        self._size, self._rate, self._rest, self._sound = size, rate, rest, sound
        self._file = ExitStack()
        self._ffmpeg: subprocess.Popen | None = None

    def __enter__(self) -> "Film":
        return self

    def add(self, picture: np.ndarray) -> None:
        """Append a picture.

        Ctrl-C waits until the picture is in.

        Parameters
        ----------
        picture : ndarray
            H×W×3, any real type, sRGB, 0..255; clipped and rounded here.

        Raises
        ------
        InputError
            If ffmpeg fails; the message says how.
        """
        from neuralstyle.pictures.sizes import resize

        with _delaying_interrupt():
            self._size = self._size or picture.shape[:2]
            frame = np.rint(np.clip(resize(picture, *self._size), 0, 255)).astype(np.uint8)
            if self._suffix == ".mp4":
                height, width = self._size
                frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if self._ffmpeg is None:
                self._start(*frame.shape[:2])
            try:
                self._ffmpeg.stdin.write(frame.tobytes())
            except BrokenPipeError:
                self._finish()

    def __exit__(self, kind, *exception: object) -> None:
        if self._ffmpeg is None:
            return
        with _delaying_interrupt():
            if kind is None or issubclass(kind, KeyboardInterrupt):
                with self._file:
                    self._finish()
            else:
                self._ffmpeg.kill()
                self._ffmpeg.communicate()
                self._file.__exit__(kind, *exception)

    def _start(self, height: int, width: int) -> None:
        if (height, width) != tuple(self._size):
            warnings.warn(
                f"{self._path}: an MP4 needs even sides, so {self._size[1]}×{self._size[0]} pixels become "
                f"{width}×{height}; the last row or column is repeated",
                stacklevel=3,
            )
        temporary = self._file.enter_context(replacing(self._path))
        # A file, for a pipe that nobody reads would fill and hold ffmpeg up.
        self._messages = self._file.enter_context(tempfile.TemporaryFile())
        rest = ("-final_delay", str(round(100 * self._rest))) if self._rest and self._suffix == ".gif" else ()
        self._ffmpeg = subprocess.Popen(
            [
                *(self._program, "-y", "-v", "error"),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(self._rate)),
                *("-i", "pipe:"),
                *self._sound_options(),
                *_FILMS[self._suffix],
                *rest,
                f"file:{temporary}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            # Ctrl-C at a terminal goes to the whole group; ffmpeg has to finish the file first.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def _sound_options(self) -> list[str]:
        """What tells ffmpeg to take the sound of another film beside the pictures."""
        kinds = _SOUNDS[self._suffix]
        if self._sound is None or not kinds:
            return []
        encoder = "copy"
        if self._sound.kind not in kinds:
            encoder = _ENCODERS[kinds[0]]
            warnings.warn(
                f"{self._path}: cannot hold sound of the kind {self._sound.kind}; it is encoded anew, as "
                f"{kinds[0]}",
                stacklevel=4,
            )
        length = () if self._sound.length is None else ("-t", f"{self._sound.length:.6f}")
        return [
            *("-ss", f"{self._sound.start:.6f}", *length, "-vn", "-i", f"file:{self._sound.path}"),
            *("-map", "0:v", "-map", "1:a:0", "-c:a", encoder),
        ]

    def _finish(self) -> None:
        """Wait for ffmpeg to complete the file."""
        self._ffmpeg.communicate()
        if self._ffmpeg.returncode:
            self._messages.seek(0)
            first_line = self._messages.readline().decode(errors="replace").strip()
            raise InputError(f"{self._path}: ffmpeg cannot write the film ({first_line})")


class Timelapse(Film, Watcher):
    """A film of a run: its pictures on the way, ten a second, the last of a GIF for a second and a half."""

    def __init__(self, path: str | Path, size: tuple[int, int] | None = None) -> None:
        super().__init__(path, size, rest=1.5)

    def snapshot(self, step: Step) -> None:
        """Append the picture of a step, as a watcher of the run."""
        self.add(step.picture)


@contextmanager
def _delaying_interrupt() -> Iterator[None]:
    """Let Ctrl-C wait until the block has ended, since half a frame would spoil all that follow."""
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return
    pressed = threading.Event()
    handler = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed.is_set():
        signal.raise_signal(signal.SIGINT)

"""A film of a run, written while the run goes on."""

import signal
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.runs.history import Step
from neuralstyle.runs.watching import Watcher

#: What ffmpeg is told to write, by suffix.
_FILMS = {
    # A palette for each frame, since the colours of a run's pictures change from noise to painting. The
    # last picture stays for a second and a half before the film begins again.
    ".gif": [
        "-filter_complex",
        "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1",
        "-final_delay",
        "150",
    ],
    # Half-resolution colour is all that most players know, and they take BT.709 for granted. Slower presets
    # look 40 pictures ahead, all of them in memory (511 MB against 340 MB at 1640×1090).
    ".mp4": [
        "-vf",
        "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p,"
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709",
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-movflags", "+faststart"),
    ],
}


class Timelapse(Watcher):
    """A film of a run, GIF or MP4, written while the run goes on.

    A context manager. Each picture goes to ffmpeg as it is added and is kept nowhere else, so that a long
    run of large pictures needs no memory for it. The file takes its name when the block ends, by itself
    or by Ctrl-C, and then holds every picture that was added, ten a second. Where none was added, or
    another error ended the block, there is no new file and an old one is untouched.

    The MP4 is H.264 with half-resolution colour (4:2:0), which every player knows and which needs even
    sides: an odd picture has its last row or column repeated once, with a warning that says so. The GIF has a
    palette of 256 colours for each picture, dithered.

    Parameters
    ----------
    path : path
        ``.gif`` or ``.mp4``.
    size : (int, int), optional
        Height and width of the film; pictures of another size are resized to it. Default: the first
        picture's. A run that goes from coarse to fine gives its last size.

    Raises
    ------
    InputError
        If the suffix is another, the folder is missing or cannot be written, or there is no ffmpeg.
    """

    def __init__(self, path: str | Path, size: tuple[int, int] | None = None) -> None:
        import imageio_ffmpeg

        self._path = Path(path)
        check_writable(self._path)
        if self._path.suffix.lower() not in _FILMS:
            raise InputError(f"{path}: cannot write films of that kind; use {' or '.join(_FILMS)}")
        try:
            self._program = imageio_ffmpeg.get_ffmpeg_exe()
        except RuntimeError as error:
            raise InputError(
                f"{path}: no ffmpeg on this machine; install one, or give IMAGEIO_FFMPEG_EXE its path"
            ) from error
        self._size = size
        self._file = ExitStack()
        self._ffmpeg: subprocess.Popen | None = None

    def __enter__(self) -> "Timelapse":
        return self

    def snapshot(self, step: Step) -> None:
        """Append the picture of a step, as a watcher of the run."""
        self.add(step.picture)

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
            if self._path.suffix.lower() == ".mp4":
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
        self._ffmpeg = subprocess.Popen(
            [
                *(self._program, "-y", "-v", "error"),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "10"),
                *("-i", "pipe:"),
                *_FILMS[self._path.suffix.lower()],
                str(temporary),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C at a terminal goes to the whole group; ffmpeg has to finish the file first.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def _finish(self) -> None:
        """Wait for ffmpeg to complete the file."""
        _, message = self._ffmpeg.communicate()
        if self._ffmpeg.returncode:
            lines = message.decode(errors="replace").split("\n")
            raise InputError(f"{self._path}: ffmpeg cannot write the film ({lines[0].strip()})")


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

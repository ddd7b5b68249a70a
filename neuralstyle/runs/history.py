"""What a run leaves behind besides its picture: a table and a plot of its losses, and a film."""

import csv
import itertools
import math
import signal
import subprocess
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing

#: The losses that every run tells of, in this order; further ones of an objective come after them.
USUAL_LOSSES = ("total", "content", "style", "tv")

#: The colours of the lines in a plot, in the order of the losses (Okabe & Ito's, for every eye).
_COLOURS = ("black", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")

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


@dataclass(frozen=True)
class Step:
    """One picture on the way, and its losses.

    Attributes
    ----------
    iteration : int
        How many steps led to the picture; 0 is the start.
    seconds : float
        Since the run began; the first step's include the targets and the graph.
    losses : mapping of str to float
        "total" first, then the objective's terms, weights included; the total is the sum of the others.
        Each is an attribute as well: ``step.total``, ``step.content``.
    picture : ndarray or None
        H×W×3, float32, RGB, 0..255 and beyond, while the step is being reported; the next step
        overwrites it. None in a history.
    """

    iteration: int
    seconds: float
    losses: Mapping[str, float]
    picture: np.ndarray | None = None

    def __getattr__(self, name: str) -> float:
        try:
            return self.__dict__["losses"][name]
        except KeyError:
            raise AttributeError(f"a step has no {name}") from None


def columns(history: Sequence[Step]) -> tuple[str, ...]:
    """The names of the losses of a run: the usual ones, and whatever else its objective has."""
    return tuple(dict.fromkeys((*USUAL_LOSSES, *(name for step in history[:1] for name in step.losses))))


def write_history(path: str | Path, history: Sequence[Step]) -> None:
    """Write the losses of a run as CSV, one line a step: iteration, seconds, and the losses.

    Parameters
    ----------
    path : path
    history : sequence of Step

    Raises
    ------
    InputError
        If the folder is missing or cannot be written.
    """
    check_writable(path)
    losses = columns(history)
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("iteration", "seconds", *losses))
        for step in history:
            table.writerow((step.iteration, step.seconds, *(step.losses.get(name, 0.0) for name in losses)))


def check_plot(path: str | Path) -> None:
    """Find out, before any work starts, whether `plot_history` could write a file.

    Raises
    ------
    InputError
        If matplotlib writes no such kind of file, or the folder is missing or cannot be written.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    path = Path(path)
    check_writable(path)
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        known = ", ".join(f".{kind}" for kind in sorted(kinds))
        raise InputError(f"{path}: cannot write plots of that kind; use one of {known}")


def plot_history(path: str | Path, history: Iterable[Step]) -> None:
    """Plot the losses of a run over its iterations, on a logarithmic scale, one line a term.

    A term that is zero throughout (its weight is zero) is left out.

    Parameters
    ----------
    path : path
        The suffix names the kind of file: whatever matplotlib writes, ``.png``, ``.svg`` and ``.pdf``
        among it.
    history : iterable of Step

    Raises
    ------
    InputError
        As `check_plot` does.
    """
    # Takes half a second, and most runs want no plot. A bare Figure, without pyplot, has no window and
    # changes no settings of the program that calls.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    check_plot(path)
    history = list(history)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="iteration", ylabel="loss, weights included", yscale="log", title="Losses of the run"
    )
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    axes.grid(color="0.9")
    for term, colour in zip(columns(history), itertools.cycle(_COLOURS), strict=False):
        losses = np.array([step.losses.get(term, 0.0) for step in history], float)
        if not losses.any():
            continue
        # A single zero (the content loss of a run that starts at the content) is a gap in the line.
        losses[losses <= 0] = math.nan
        axes.plot(
            [step.iteration for step in history],
            losses,
            label="total variation" if term == "tv" else term,
            color=colour,
            linewidth=2 if term == "total" else 1.2,
            marker="o" if len(history) == 1 else None,
        )
    if axes.lines:
        axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=Path(path).suffix[1:].lower(), dpi=150)


class Timelapse:
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

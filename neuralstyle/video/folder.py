"""The folder that a film is made in: its content frames and their flow, and the frames that are finished."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, first_line
from neuralstyle.pictures.reading import read_image, read_text
from neuralstyle.pictures.sizes import resize
from neuralstyle.pictures.writing import write_image
from neuralstyle.runs.records import hash_file
from neuralstyle.video.frames import Frames, read_frames

#: The keyword of the PNG text chunk that says how a frame was made.
_KEYWORD = "neuralstyle frame"


@dataclass(frozen=True)
class Rendered:
    """A frame that is finished.

    Attributes
    ----------
    number : int
    picture : ndarray
        H×W×3, uint8, RGB.
    losses : mapping of str to float
        "total" first, then the objective's terms, weights included.
    evaluations : int
        How many iterations it took.
    cut : bool
        Whether a shot begins with it; False for a film's first frame.
    """

    number: int
    picture: np.ndarray
    losses: Mapping[str, float]
    evaluations: int
    cut: bool = False


class WorkFolder:
    """Where a film is made: what is there need not be made again.

    Every file is written under another name first and so is whole, whenever the program is killed.
    Content frames, and flow beside them, stand in a folder of their own, whose name depends on the film,
    its size and how they are made: they serve other styles as well.

    Parameters
    ----------
    path : path
        The folder; it is made, and its parent must be there.
    source : mapping
        What decides the content frames and their flow; values that JSON holds.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """

    def __init__(self, path: str | Path, source: Mapping[str, object]) -> None:
        self.path = Path(path)
        described = json.dumps(source, sort_keys=True).encode()
        #: Where content frames and flow are.
        self.film = self.path / f"film-{hashlib.sha256(described).hexdigest()[:12]}"
        try:
            self.film.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be made ({first_line(error)})") from error

    @property
    def record(self) -> Path:
        """The file that says whose the finished frames are."""
        return self.path / "record.json"

    def forget_finished(self) -> None:
        """Remove the finished frames, of whatever run, and their record."""
        for kind in ("frame_*.png", "exact_*.npy"):  # of a network's film, the latter
            for path in self.path.glob(kind):
                path.unlink()
        for folder in self.path.glob("pass_*"):
            shutil.rmtree(folder)
        self.record.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def fill(self, frames: Frames, size: tuple[int, int], resampling: str) -> None:
        """Put the content frames that are missing into the folder.

        Parameters
        ----------
        frames : Frames
        size : (int, int)
            Height and width that they get.
        resampling : str
            As in `neuralstyle.pictures.sizes.resize`.
        """
        missing = [number for number in frames.numbers if not self._content_path(number).exists()]
        if not missing:
            return
        for number, frame in read_frames(frames, missing[0]):
            if not self._content_path(number).exists():
                self.keep_content(number, resize(frame, *size, resampling))

    def keep_content(self, number: int, frame: np.ndarray) -> None:
        """Put a content frame into the folder, H×W×3, 0..255; rounded to 8 bits."""
        write_image(self._content_path(number), frame)

    def content(self, number: int) -> np.ndarray:
        """A content frame, H×W×3, float32, RGB, 0..255."""
        return read_image(self._content_path(number))

    def keep(self, rendered: Rendered, at: int) -> None:
        """Keep a finished frame of a pass; 0 for what the film consists of in the end."""
        path = self._finished_path(rendered.number, at)
        path.parent.mkdir(exist_ok=True)
        made = {"losses": rendered.losses, "evaluations": rendered.evaluations, "cut": rendered.cut}
        write_image(path, rendered.picture, text={_KEYWORD: json.dumps(made)})

    def finished(self, number: int, at: int) -> Rendered | None:
        """A finished frame of a pass; None where there is none."""
        path = self._finished_path(number, at)
        if not path.exists():
            return None
        try:
            made = json.loads(read_text(path)[_KEYWORD])
            picture = np.rint(read_image(path)).astype(np.uint8)
            return Rendered(number, picture, made["losses"], made["evaluations"], made["cut"])
        except (KeyError, ValueError) as error:
            raise InputError(f"{path}: is no frame that neuralstyle made; remove it") from error

    def forget_passes(self, before: int) -> None:
        """Remove the frames of passes that nothing needs any more."""
        for at in range(1, before):
            shutil.rmtree(self._finished_path(0, at).parent, ignore_errors=True)

    def passes(self) -> list[int]:
        """The passes of which there are frames."""
        return sorted(int(path.name.removeprefix("pass_")) for path in self.path.glob("pass_*"))

    def _content_path(self, number: int) -> Path:
        return self.film / f"content_{number:06}.png"

    def _finished_path(self, number: int, at: int) -> Path:
        return (self.path / f"pass_{at:03}" if at else self.path) / f"frame_{number:06}.png"


def hash_frames(frames: Frames) -> str:
    """SHA-256 of a film's file, or of those of its pictures, in hexadecimal."""
    paths: Sequence[Path] = frames.pictures or (frames.source,)
    return hashlib.sha256("".join(map(hash_file, paths)).encode()).hexdigest()


def is_begun(folder: Path) -> bool:
    """Whether there are finished frames in a folder that a film is made in, by a recipe or by a network."""
    return any(folder.glob("frame_*.png")) or any(folder.glob("pass_*"))

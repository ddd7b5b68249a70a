"""Frames that a network has rendered, kept in a folder in their order: a film that was stopped goes on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, first_line, replacing
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.writing import write_image
from neuralstyle.video.folder import is_begun

_RECORD = "record.json"


class KeptFrames:
    """The finished frames of a film; every file is whole, whenever the program is killed.

    Parameters
    ----------
    path : pathlib.Path
        The folder; it is made, and its parent must be there.
    made_by : mapping
        What decides the frames; values that JSON holds, each under a name that a user knows.
    go_on : bool
        Whether the frames that are there are kept. They have to be of the same making.

    Raises
    ------
    InputError
        If they are not, or the folder cannot be made.
    """

    def __init__(self, path: Path, made_by: Mapping[str, object], go_on: bool) -> None:
        self._path = path
        made_by = json.loads(json.dumps(made_by))
        try:
            path.mkdir(exist_ok=True)
            self._exact_files = set(path.glob("exact_*.npy"))
            if go_on and is_begun(path):
                self._compare(made_by)
                return
            for file in (*path.glob("frame_*.png"), *self._exact_files):
                file.unlink()
            with replacing(path / _RECORD) as temporary:
                temporary.write_text(json.dumps(made_by, indent=1), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be used ({first_line(error)})") from error

    def _compare(self, made_by: Mapping[str, object]) -> None:
        try:
            before = json.loads((self._path / _RECORD).read_text(encoding="utf-8"))
            names = before.keys() | made_by.keys()
        except (OSError, ValueError, AttributeError):
            raise InputError(
                f"{self._path}: does not say what its frames were made by; say --overwrite"
            ) from None
        if "recipe" in before:
            raise InputError(f"{self._path}: was begun by a recipe; name another folder, or say --overwrite")
        differing = [name for name in sorted(names) if before.get(name) != made_by.get(name)]
        if differing:
            raise InputError(
                f"{self._path}: was begun with another {' and another '.join(differing)}; give the same "
                "options, or say --overwrite"
            )

    def count(self, numbers: Sequence[int]) -> int:
        """How many of the frames are finished, from the first on without a gap."""
        return next(
            (at for at, number in enumerate(numbers) if not self._frame(number).exists()), len(numbers)
        )

    def frame(self, number: int) -> np.ndarray:
        """A finished frame, H×W×3, float32, 0..255."""
        return read_image(self._frame(number))

    def exact(self, number: int) -> np.ndarray:
        """The last finished frame before it was rounded, where it was kept."""
        try:
            return np.load(self._exact(number))
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"{self._exact(number)}: is missing or damaged, and the next frame needs it; say --overwrite"
            ) from error

    def keep(self, number: int, frame: np.ndarray, exactly: bool) -> None:
        """Keep a finished frame, H×W×3, 0..255; of the last one also what rounding would change."""
        if exactly:
            with replacing(self._exact(number)) as temporary, open(temporary, "wb") as file:
                np.save(file, np.float32(frame))
        write_image(self._frame(number), frame)
        for earlier in self._exact_files - {self._exact(number)}:
            earlier.unlink(missing_ok=True)
        self._exact_files = {self._exact(number)}

    def _frame(self, number: int) -> Path:
        return self._path / f"frame_{number:06}.png"

    def _exact(self, number: int) -> Path:
        return self._path / f"exact_{number:06}.npy"

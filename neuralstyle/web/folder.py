"""The folder of the page: what was uploaded, what was made; and nothing beyond it that can be named."""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from neuralstyle.files import InputError, check_writable, replacing, unfinished

#: The largest file that may be uploaded, in bytes, and the most pixels that a picture in it may have.
LARGEST_FILE = 100 * 10**6
MOST_PIXELS = 64 * 10**6

#: Longest side, in pixels, of what the browser is shown of a picture, and of a thumbnail.
SHOWN, THUMBNAIL = 1024, 320

#: How a film ends that the page makes, and what the command calls the folder beside it where it is begun.
FILM, _BEGUN = ".mp4", ".frames"

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")


@dataclass(frozen=True)
class Folder:
    """A folder of results, as the page sees it.

    ``inputs/`` in it has what was uploaded, under names that begin with a digest; ``.page/`` what the page
    itself needs: reduced pictures, the settings of each result, files on their way.

    Attributes
    ----------
    path : pathlib.Path
        As it was given: names of pictures in records and command lines begin with it.
    """

    path: Path

    @property
    def inputs(self) -> Path:
        """Where uploaded pictures are kept."""
        return self.path / "inputs"

    @property
    def own(self) -> Path:
        """What the page needs for itself."""
        return self.path / ".page"

    def make(self) -> None:
        """Make the folder, if it is not there.

        Raises
        ------
        InputError
            If that cannot be, or it cannot be written.
        """
        for folder in (self.path, self.inputs, self.own):
            if folder.is_symlink() and folder != self.path:
                raise InputError(f"{folder}: is a link to somewhere else; remove it, or name another folder")
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"{folder}: cannot be made ({error.strerror}); name another folder"
                ) from error
            check_writable(folder / "x.png")

    def keep(self, file: Path, called: str) -> str:
        """Keep a picture that was uploaded.

        Parameters
        ----------
        file : pathlib.Path
            Where it lies now.
        called : str
            What the user calls it; of that, letters and digits are kept.

        Returns
        -------
        str
            Its name in ``inputs/``. The same picture has the same name.

        Raises
        ------
        InputError
            If it is too large or no picture; the message calls it by the user's name.
        """
        check_picture(file, Path(called).name)
        suffix = Path(called).suffix.lower()
        return self.keep_as(file, called, suffix if _SUFFIX.fullmatch(suffix) else "")

    def keep_as(self, file: Path, called: str, suffix: str) -> str:
        """Keep a file that has been found good; its name in ``inputs/``."""
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        name = f"{digest}-{plain(Path(called).stem)}{suffix}"
        if not (self.inputs / name).is_file():
            with replacing(self.inputs / name) as temporary:
                shutil.copyfile(file, temporary)
        return name

    def input(self, name: str) -> Path:
        """A picture that was kept, by its name.

        Raises
        ------
        InputError
            If there is none, or the name is none of a file in ``inputs/``.
        """
        return _within(self.inputs, name)

    def result(self, name: str) -> Path:
        """A result, by its name.

        Raises
        ------
        InputError
            If there is none, or the name is none of a file in the folder.
        """
        return _within(self.path, name)

    def results(self) -> list[Path]:
        """The pictures that were made, the newest first; links and hidden files are left alone."""
        files = [path for path in self.path.glob("*.png") if _is_own(path)]
        return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)

    def unfinished(self) -> list[Path]:
        """The results whose runs were stopped or killed, and can go on; they may have no picture yet."""
        states = [path for path in self.path.glob("*.png.unfinished") if _is_own(path)]
        states += [path for path in self.path.glob(f".*{FILM}{_BEGUN}") if path.is_dir()]
        states.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        names = [path.name.removesuffix(".unfinished").removesuffix(_BEGUN).lstrip(".") for path in states]
        results = [self.path / name for name in names]
        return [path for path in results if self.settings(path)]

    def films(self) -> list[Path]:
        """The films that were made, the newest first."""
        films = [path for path in self.path.glob(f"*{FILM}") if _is_own(path)]
        return sorted(films, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)

    def new_result(self, stem: str, suffix: str = ".png") -> Path:
        """The name of a result that is not there yet: ``cup-starry.png``, ``cup-starry-2.png``."""
        number = 1
        while True:
            path = self.path / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
            if not (path.exists() or unfinished(path).exists() or self._settings(path).exists()):
                return path
            number += 1

    def look(self) -> Path:
        """Where a picture goes that is only looked at."""
        return self.own / "look.png"

    def remember(self, result: Path, settings: dict) -> None:
        """Keep what was said on the page to make a result."""
        with replacing(self._settings(result)) as temporary:
            temporary.write_text(json.dumps(settings), encoding="utf-8")

    def settings(self, result: Path) -> dict | None:
        """What was said on the page to make a result; None where another program made it."""
        path = self._settings(result)
        try:
            return json.loads(path.read_text(encoding="utf-8")) if _is_own(path) else None
        except (OSError, ValueError):
            return None

    def _settings(self, result: Path) -> Path:
        return self.own / f"{result.name}.json"

    def shown(self, path: Path, side: int = SHOWN) -> Path:
        """A picture as a browser is shown it: a JPEG whose longer side is at most so many pixels."""
        status = path.stat()
        key = f"{path.name} {status.st_mtime_ns} {status.st_size} {side}"
        reduced = self.own / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.jpg"
        if not reduced.exists():
            _write_reduced(path, reduced, side)
        return reduced


def plain(text: str) -> str:
    """A text as part of a file's name: letters, digits and hyphens, at most 40 of them."""
    return re.sub(r"[^\w]+|_+", "-", text).strip("-")[:40] or "picture"


def check_picture(path: Path, called: str) -> None:
    """Find out, before anything is decoded, whether a picture is one that the page takes.

    Raises
    ------
    InputError
        If the file is too large, no picture, or has too many pixels.
    """
    from neuralstyle.pictures.reading import picture_size
    from neuralstyle.pictures.sizes import SMALLEST_SIDE

    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise InputError(
            f"{called}: has {size / 1e6:.0f} MB, and the page takes {LARGEST_FILE / 1e6:.0f}; "
            "make it smaller first"
        )
    try:
        height, width = picture_size(path)
    except InputError as error:
        raise InputError(str(error).replace(str(path), called)) from error
    if height * width > MOST_PIXELS:
        raise InputError(
            f"{called}: has {height * width / 1e6:.0f} megapixels, and the page takes "
            f"{MOST_PIXELS / 1e6:.0f}; make it smaller first"
        )
    if min(height, width) < SMALLEST_SIDE:
        raise InputError(f"{called}: has {width}×{height} pixels; it needs {SMALLEST_SIDE} in each direction")


def _within(folder: Path, name: str) -> Path:
    """A file in a folder: nothing below it, above it, hidden in it or linked to from it."""
    path = folder / str(name)
    good = (
        name and isinstance(name, str) and path.name == name and not name.startswith(".") and "\\" not in name
    )
    if not (good and "\0" not in name and _is_own(path)):
        raise InputError("there is no such picture in the folder; choose one that the page shows")
    return path


def _is_own(path: Path) -> bool:
    """Whether a path is a file itself, and no link."""
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".neuralstyle")


def _write_reduced(path: Path, small: Path, side: int) -> None:
    from neuralstyle.pictures.reading import read_picture
    from neuralstyle.pictures.sizes import reduced
    from neuralstyle.pictures.writing import write_image

    write_image(small, reduced(read_picture(path).pixels, side), quality=88)

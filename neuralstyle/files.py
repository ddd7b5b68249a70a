"""What every reader and writer shares: how bad input is reported, how files are replaced, what is shipped."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that names the file or the option and says what to do. The command line
    prints it and ends with exit status 2; a program catches it as the ``ValueError`` that it is.

    Parameters
    ----------
    message : str
    fields : tuple of str
        Names of fields or parameters (``learning_rate``) that the message mentions as words. Whoever
        reads options from a command line respells these words (``--learning-rate``) before printing.
    """

    def __init__(self, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


def require(good: bool, name: str, value: object, what: str) -> None:
    """Refuse a value of a field or parameter: "seed is -1; it must be 0 or more".

    Raises
    ------
    InputError
        If it is not good.
    """
    if not good:
        raise InputError(f"{name} is {value}; it must be {what}", fields=(name,))


def first_line(error: Exception) -> str:
    """The first line of what an exception says, or its kind if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def shipped_folder(name: str) -> Path:
    """A folder that comes with this package: inside an installed package, or at the top of a source tree."""
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name


def example_pair() -> tuple[Path, Path]:
    """The bundled content and style picture: a cup of coffee, and a painting of a night over a wheat field.

    Returns
    -------
    content, style : pathlib.Path
        480×320 and 768×512 pixels.
    """
    folder = shipped_folder("examples")
    return folder / "content.jpg", folder / "style.jpg"


def check_writable(path: str | Path) -> None:
    """Find out, before any work starts, whether a file could be written.

    Raises
    ------
    InputError
        If the folder is missing or cannot be written, or if the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: the folder {path.parent} cannot be written")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file so that nobody ever sees half of it.

    Yields a temporary path in the same folder and with the same suffix. When the block ends well the
    file written there takes the final name in one step; when it raises, whatever stood under the final
    name before is untouched.

    Parameters
    ----------
    path : path
        The final name.

    Yields
    ------
    pathlib.Path
        The name to write to.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner reads; give what a plain open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

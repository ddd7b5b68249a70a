"""What every reader and writer shares: how bad input is reported, how files are replaced, what is shipped."""

import functools
import hashlib
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: The longest name of a file, in bytes: what the file systems of Linux, macOS and Windows take.
LONGEST_NAME = 255

#: Names that `replacing` writes to: the machine, the process, and a number of their own.
_TEMPORARY = re.compile(r"\.neuralstyle-(?P<place>[0-9a-f]{8})-(?P<process>\d{1,10})-[0-9a-f]{8}(\..*)?")

#: After so many seconds without a change a temporary file of another machine counts as left behind.
_LEFT_BEHIND = 24 * 3600


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that names the file or the option and says what to do; whatever it quotes, it
    can be printed (`printable`). The command line prints it and ends with exit status 2; a program
    catches it as the ``ValueError`` that it is.

    Parameters
    ----------
    message : str
    fields : tuple of str
        Names of fields or parameters (``learning_rate``) that the message mentions as words. Whoever
        reads options from a command line respells these words (``--learning-rate``) before printing.
    """

    def __init__(self, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(printable(message))
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


def printable(text: str | Path) -> str:
    r"""A text, or the name of a file, as one line that any terminal and any UTF-8 file takes.

    Names of files are bytes. What of them is no UTF-8 Python keeps as lone surrogates, which cannot be
    written anywhere; here they become ``\xe9``, as a shell spells them in ``$'caf\xe9.jpg'``. So do
    control characters, line breaks among them.
    """

    def escaped(found: re.Match) -> str:
        code = ord(found[0])
        if 0xDC80 <= code <= 0xDCFF:
            return f"\\x{code - 0xDC00:02x}"
        return found[0].encode("unicode_escape").decode()

    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", escaped, str(text))


def first_line(error: Exception) -> str:
    """The first line of what an exception says, or its kind if it says nothing."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
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
        If the folder is missing or cannot be written, if the path is a folder, or if its name is none
        that the file system takes.
    """
    path = Path(path)
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file in it")
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({first_line(error)}); choose another name") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: no file can have this name ({error})") from error
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: the folder {path.parent} cannot be written")


def beside(path: str | Path, ending: str) -> Path:
    """The name of a file that belongs to another one and stands beside it: ``out.png.unfinished``.

    Where the file system would not take so long a name, its middle gives way to a digest of the whole.

    Parameters
    ----------
    path : path
        The file that it belongs to.
    ending : str
        Put after its name.
    """
    path = Path(path)
    name = path.name
    if len(os.fsencode(name + ending)) > LONGEST_NAME:
        digest = "-" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
        while len(os.fsencode(name + digest + ending)) > LONGEST_NAME:
            name = name[:-1]
        name += digest
    return path.with_name(name + ending)


def unfinished(result: str | Path) -> Path:
    """Where the state of a run is kept that was stopped before its result was done."""
    return beside(result, ".unfinished")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file so that nobody ever sees half of it.

    Yields a temporary path in the same folder and with the same suffix. When the block ends well the
    file written there takes the final name in one step; when it raises, whatever stood under the final
    name before is untouched. What a killed process left in the folder this way is removed.

    Parameters
    ----------
    path : path
        The final name.

    Yields
    ------
    pathlib.Path
        The name to write to.

    Raises
    ------
    InputError
        If the system refuses: a full disk, a folder that is gone.
    """
    path = Path(path)
    _remove_left_behind(path.parent.absolute())
    # Short, so that it fits wherever the final name does.
    suffix = path.suffix if len(os.fsencode(path.suffix)) < 100 else ""
    temporary = path.with_name(f".neuralstyle-{_place()}-{os.getpid()}-{secrets.token_hex(4)}{suffix}")
    try:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        mode = stat.S_IMODE(os.fstat(handle).st_mode)  # what any new file gets here
        os.close(handle)
        yield temporary
        if stat.S_IMODE(temporary.stat().st_mode) != mode:
            with suppress(OSError):  # some file systems have no modes; that is not worth a file
                temporary.chmod(mode)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None:  # not the system's: a download that failed, say
            raise
        raise InputError(f"{path}: cannot be written ({first_line(error)})") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _place() -> str:
    """Where the number of a process means one process: this machine, and on Linux this container of it."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


@functools.cache  # once for each folder: a run may write thousands of files into one
def _remove_left_behind(folder: Path) -> None:
    """Remove the temporary files of processes that are no more."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _TEMPORARY.fullmatch(entry.name)
            if name is None:
                continue
            with suppress(OSError):
                if _is_left_behind(name, entry.stat(follow_symlinks=False).st_mtime):
                    os.unlink(entry.path)


def _is_left_behind(name: re.Match, changed: float) -> bool:
    """Whether the process that a temporary file's name tells of is gone."""
    if name["place"] != _place():  # nothing is known of it
        return time.time() - changed > _LEFT_BEHIND
    import psutil

    try:
        # A process that began after the file's last change has the number of the one that wrote it.
        return psutil.Process(int(name["process"])).create_time() > changed + 1
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False

"""Folders of pictures: which files are in them, where the results go, what is said of those that fail."""

from collections.abc import Callable, Mapping
from pathlib import Path

from neuralstyle.files import InputError
from neuralstyle.pictures.writing import DEPTHS


def files_in(folder: str | Path, nested: bool = False) -> list[Path]:
    """The files in a folder, in the order of their names. Hidden files are left alone.

    Parameters
    ----------
    folder : path
    nested : bool
        Whether the folders in it count, and those in them. Hidden ones are left alone; one that is linked
        to from several places is walked once.

    Raises
    ------
    InputError
        If it is no folder, an empty one, or one that may not be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; name one with pictures in it")
    files, waiting, seen = [], [folder], {folder.resolve()}
    while waiting:
        here = waiting.pop()
        try:
            entries = [path for path in here.iterdir() if not path.name.startswith(".")]
        except OSError as error:
            raise InputError(f"{here}: cannot be read as a folder ({error.strerror})") from error
        files += [path for path in entries if path.is_file()]
        for path in entries if nested else ():
            if path.is_dir() and path.resolve() not in seen:
                seen.add(path.resolve())
                waiting.append(path)
    if not files:
        raise InputError(f"{folder}: is an empty folder; put pictures into it or name another")
    return sorted(files)


def plan(content: Path, output: Path) -> dict[Path, Path]:
    """The pictures of a folder and where their results go, in a folder that is made if need be.

    Every picture keeps its name, and gets ``.png`` after it if its kind can be read but not written.

    Parameters
    ----------
    content, output : path
        Two folders.

    Returns
    -------
    dict of pathlib.Path to pathlib.Path
        In the order of the pictures' names.

    Raises
    ------
    InputError
        If there is nothing in the folder, it is the output's as well, two results would have one name, or
        the output's cannot be made.
    """
    files = files_in(content)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; for a folder of pictures name a folder")
    if output.is_dir() and output.samefile(content):
        raise InputError(f"{output}: holds the pictures themselves; name another folder to write to")
    sources: dict[Path, Path] = {}
    for path in files:
        result = output / (path.name if path.suffix.lower() in DEPTHS else f"{path.name}.png")
        if result in sources:
            raise InputError(
                f"{path}: its result would be {result.name}, and that of {sources[result].name} as well; "
                "rename one of them"
            )
        sources[result] = path
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be made ({error.strerror})") from error
    return {path: result for result, path in sources.items()}


def missing_results(
    results: Mapping[Path, Path],
    report: Callable[[str], None],
    unfinished: Callable[[Path], bool] = lambda result: False,
) -> dict[Path, Path]:
    """Those results that are not there yet.

    Parameters
    ----------
    results : mapping of pathlib.Path to pathlib.Path
        From `plan`.
    report : callable
        Called with a line where some are there.
    unfinished : callable, optional
        Whether a result, although it is there, is not finished.
    """
    waiting = {path: result for path, result in results.items() if not result.exists() or unfinished(result)}
    if len(waiting) < len(results):
        folder = next(iter(results.values())).parent
        report(f"{folder}: {len(results) - len(waiting)} of {len(results)} results are there and kept")
    return waiting


def report_failures(
    content: Path, count: int, skipped: int, failed: int, report: Callable[[str], None]
) -> None:
    """Tell how many files of a folder have no result.

    Parameters
    ----------
    content : path
        The folder.
    count, skipped, failed : int
        How many files there are; how many of them could not be read, and how many pictures not made or
        written.
    report : callable
        Called with a line where files were skipped.

    Raises
    ------
    InputError
        If pictures failed, or none of the files is one.
    """
    if skipped == count:
        raise InputError(f"{content}: none of its {count} files is a picture that can be read")
    if skipped:
        report(f"{content}: {skipped} of {count} files skipped")
    if failed:
        raise InputError(
            f"{content}: {failed} of {count} pictures failed; the same command with --resume makes those "
            "that are missing"
        )

"""Run a renderer over pictures: any size, one file or a folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.writing import DEPTHS, check_output, write_image

#: From a picture, float32 H×W×3, RGB, 0..255, to a picture of the same size and kind.
Render = Callable[[np.ndarray], np.ndarray]


def fitted(render: Render, margin: int = 0, multiple: int = 4) -> Render:
    """Make a renderer take pictures of any size.

    Parameters
    ----------
    render : callable
        Takes pictures whose sides are multiples of a number. Its result may be smaller by the same number
        of pixels on every side, up to the margin.
    margin : int
        Pixels of reflection on each side, so that what a network does along a border is cropped.
    multiple : int
        That number. The networks here halve a picture twice and double it twice, so theirs is 4.

    Returns
    -------
    callable
        Pads pictures by reflection: by the margin on all sides, and by what is missing to the multiple at
        the bottom and on the right. Crops the result to the picture's own size.
    """

    def render_any_size(image: np.ndarray) -> np.ndarray:
        sides = image.shape[:2]
        padding = [(margin, margin + -(side + 2 * margin) % multiple) for side in sides]
        padded = np.pad(image, (*padding, (0, 0)), mode="reflect")
        result = render(padded)
        top, left = (margin - (padded.shape[axis] - result.shape[axis]) // 2 for axis in (0, 1))
        return result[top : top + sides[0], left : left + sides[1]]

    return render_any_size


def centre_square(picture: np.ndarray) -> np.ndarray:
    """The largest square in the middle of a picture, H×W×C."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


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


def render_files(
    render: Render,
    content: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    bits: int = 8,
    quality: int = 95,
    report: Callable[[str], None] = print,
) -> int:
    """Render a picture, or every picture in a folder.

    Parameters
    ----------
    render : callable
        A renderer.
    content : path
        A picture, or a folder of pictures. Hidden files and folders in it are left alone.
    output : path
        Where the picture goes; for a folder, a folder, which is made if need be. There every picture
        keeps its name, and gets ``.png`` after it if its kind can be read but not written.
    overwrite : bool
        Whether files that exist may be replaced.
    bits, quality : int
        As in `neuralstyle.pictures.writing.write_image`.
    report : callable
        Called with one line for every picture of a folder that cannot be read, at the end with one
        that counts them, if there were any, and with one for every picture whose profile changed it.

    Returns
    -------
    int
        How many pictures were written.

    Raises
    ------
    InputError
        If nothing can be read, or something cannot be written. Files that must not be overwritten and
        folders that cannot be used are found before any work starts.
    """
    content, output = Path(content), Path(output)
    if not content.is_dir():
        check_output(output, overwrite, bits, quality)
        write_image(output, render(read_image(content, report)), bits=bits, quality=quality)
        return 1

    files = files_in(content)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; for a folder of pictures name a folder")
    if output.is_dir() and output.samefile(content):
        raise InputError(f"{output}: holds the pictures themselves; name another folder to write to")
    results = {path: output / _written_name(path) for path in files}
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be made ({error.strerror})") from error
    for result in results.values():
        check_output(result, overwrite, bits, quality)

    skipped = 0
    for path, result in results.items():
        try:
            image = read_image(path, report)
        except InputError as error:
            report(f"{error}; skipped")
            skipped += 1
            continue
        write_image(result, render(image), bits=bits, quality=quality)
    if skipped == len(files):
        raise InputError(f"{content}: none of its {len(files)} files is a picture that can be read")
    if skipped:
        report(f"{content}: {skipped} of {len(files)} files skipped")
    return len(files) - skipped


def _written_name(path: Path) -> str:
    return path.name if path.suffix.lower() in DEPTHS else f"{path.name}.png"

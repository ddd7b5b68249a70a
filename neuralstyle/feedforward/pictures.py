"""Run a renderer over pictures: any size, one file or a folder."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.pictures.folders import missing_results, plan, report_failures
from neuralstyle.pictures.reading import Picture, read_picture
from neuralstyle.pictures.transparency import fitted_plane
from neuralstyle.pictures.writing import check_output, tell_of_white, write_image

#: From a picture, float32 H×W×3, RGB, 0..255, to a picture of the same size and kind.
Render = Callable[[np.ndarray], np.ndarray]

#: From pictures to what they become, in their order; an InputError for one that cannot be rendered.
RenderAll = Callable[[Iterable[np.ndarray]], Iterator[np.ndarray | InputError]]


def one_by_one(render: Render) -> RenderAll:
    """Render pictures in this process, each as soon as it is there."""

    def render_all(pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray | InputError]:
        for picture in pictures:
            try:
                result = render(picture)
            except InputError as error:
                result = error
            yield result
            del picture, result  # large, maybe, and the next as well

    return render_all


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


@dataclass(frozen=True)
class Written:
    """How results are written.

    Attributes
    ----------
    bits, quality : int
        As in `neuralstyle.pictures.writing.write_image`.
    text : callable or None
        From the path of a picture to the text that its result carries, where that is a PNG.
    """

    bits: int = 8
    quality: int = 95
    text: Callable[[Path], Mapping[str, str]] | None = None

    def write(self, source: Picture, result: Path, picture: np.ndarray) -> None:
        """Write the result that was made of a picture, as transparent as that one."""
        text = self.text(source.path) if self.text and result.suffix.lower() == ".png" else None
        alpha = None if source.alpha is None else fitted_plane(source.alpha, picture)
        write_image(result, picture, bits=self.bits, quality=self.quality, text=text, alpha=alpha)


def render_files(
    render: Render,
    content: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    written: Written = Written(),
    report: Callable[[str], None] = print,
    render_all: RenderAll | None = None,
) -> int:
    """Render a picture, or every picture in a folder; what is transparent stays so.

    What cannot be read, rendered or written in a folder is told of, and the rest goes on.

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
    resume : bool
        Whether results of a folder that exist are kept, and only the others made.
    written : Written
    report : callable
        Called with a line for what fails in a folder, one that counts it, and one for every picture whose
        profile changed it, or whose transparency is lost.
    render_all : callable, optional
        What renders the pictures of a folder; default: the renderer, one after the other.

    Returns
    -------
    int
        How many pictures were written.

    Raises
    ------
    InputError
        If nothing can be read; at the end, if a picture could not be rendered or written; before any work
        for files that must not be overwritten and folders that cannot be used.
    """
    content, output = Path(content), Path(output)
    if not content.is_dir():
        check_output(output, overwrite, written.bits, written.quality)
        source = read_picture(content, report, keep_alpha=True)
        tell_of_white(source, output, report)
        written.write(source, output, render(source.pixels))
        return 1
    results = plan(content, output)
    waiting = missing_results(results, report) if resume else results
    for result in waiting.values():
        check_output(result, overwrite, written.bits, written.quality)
    skipped, failed = _render_each(render_all or one_by_one(render), waiting, written, report)
    report_failures(content, len(results), skipped, failed, report)
    return len(waiting) - skipped


def _render_each(
    render_all: RenderAll, results: Mapping[Path, Path], written: Written, report: Callable[[str], None]
) -> tuple[int, int]:
    """Render pictures; how many of them could not be read, and how many not rendered or written."""
    skipped = failed = 0
    waiting: deque[tuple[Picture, Path]] = deque()

    def pictures() -> Iterator[np.ndarray]:
        nonlocal skipped
        for path, result in results.items():
            try:
                source = read_picture(path, report, keep_alpha=True)
            except InputError as error:
                report(f"{error}; skipped")
                skipped += 1
                continue
            tell_of_white(source, result, report)
            waiting.append((source, result))
            yield source.pixels
            del source

    for outcome in render_all(pictures()):
        source, result = waiting.popleft()
        try:
            if isinstance(outcome, InputError):
                raise outcome
            written.write(source, result, outcome)
        except InputError as error:
            report(f"{source.path}: {error}")
            failed += 1
        del source, outcome
    return skipped, failed

"""Where a film goes and where its frames are kept, found good before any work."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.files import InputError

if TYPE_CHECKING:
    from neuralstyle.video.frames import Frames


def check_kept_and_written(
    options: Namespace, frames: "Frames", size: tuple[int, int], folder: Path | None
) -> None:
    """Find out whether the film can be written, and frames kept, and nothing is lost by it.

    Parameters
    ----------
    options : argparse.Namespace
    frames : Frames
    size : (int, int)
        Height and width of the result.
    folder : pathlib.Path or None
        Where finished frames are kept, if they are.

    Raises
    ------
    InputError
        If one of them cannot be used, or exists and may neither be gone on with nor replaced.
    """
    from neuralstyle.video.folder import is_begun
    from neuralstyle.video.outputs import check_film_output

    there = False
    if folder is not None:
        if options.keep_frames and not folder.parent.is_dir():
            raise InputError(f"{folder}: the folder {folder.parent} does not exist; make it first")
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; name a folder with --keep-frames")
        there = is_begun(folder)
    check_film_output(options.output, frames, size, options.overwrite or (options.resume and there))
    if there and not (options.resume or options.overwrite):
        raise InputError(
            f"{folder}: holds a film that was begun; --resume goes on with it, --overwrite starts afresh"
        )

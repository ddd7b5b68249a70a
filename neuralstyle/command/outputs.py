"""What a run is going to write, found good before any work: names, folders, kinds of file, room."""

import shutil
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from neuralstyle.files import InputError, check_writable, unfinished
from neuralstyle.recipes import Recipe, stages


@dataclass(frozen=True)
class Outputs:
    """The files that a run leaves behind.

    Attributes
    ----------
    picture : pathlib.Path
    unfinished : pathlib.Path
        The state of a run that was stopped.
    tables : mapping of pathlib.Path to callable
        What is written from the history, and what writes it.
    record, film : pathlib.Path or None
    snapshots : str or None
        The form of their names.
    replaced : tuple of pathlib.Path
        Those among them that may be replaced without being asked, as neural-style does it.
    """

    picture: Path
    unfinished: Path
    tables: dict[Path, Callable] = field(default_factory=dict)
    record: Path | None = None
    film: Path | None = None
    snapshots: str | None = None
    replaced: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All that have one name each, but for the unfinished run's."""
        others = (self.record, self.film)
        return (self.picture, *self.tables, *(path for path in others if path is not None))


def outputs_of(options: Namespace) -> Outputs:
    """The files that the options ask for."""
    from neuralstyle.runs import history

    picture = Path(options.output)
    tables: dict[Path, Callable] = {}
    progress = []
    if options.history:
        tables[Path(options.history)] = history.write_history
    if options.progress_write:
        progress.append(picture.with_name("progress.txt"))
        tables[progress[-1]] = history.write_history
    if options.progress_plot:
        progress.append(picture.with_name("progress.png"))
        tables[progress[-1]] = history.plot_history
    return Outputs(
        picture,
        unfinished(picture),
        tables,
        Path(options.record) if options.record else None,
        Path(options.timelapse) if options.timelapse else None,
        options.checkpoint_output,
        tuple(progress),
    )


def goes_on(outputs: Outputs, options: Namespace) -> bool:
    """Whether there is a run that was stopped, and it is asked for."""
    return options.resume and outputs.unfinished.exists()


def check_outputs(outputs: Outputs, options: Namespace, inputs: Sequence[Path]) -> None:
    """Find out, before any work, that everything can be written and nothing is lost by it.

    What a run that was stopped has written may be replaced by the run that goes on from it.

    Parameters
    ----------
    outputs : Outputs
    options : argparse.Namespace
    inputs : sequence of pathlib.Path
        The files that the run reads, none of which it may write.

    Raises
    ------
    InputError
        If a file exists and nobody said that it may be overwritten, has the name of another or of an input,
        or cannot be written.
    """
    from neuralstyle.pictures.writing import check_output

    resuming = goes_on(outputs, options)
    check_output(outputs.picture, options.overwrite or resuming, options.bits, options.quality)
    check_writable(outputs.unfinished)
    check_unfinished(outputs.unfinished, options)
    if resuming and outputs.film and outputs.film.exists() and not options.overwrite:
        raise InputError(f"{outputs.film}: shows the run up to its stop; name another film for the rest")
    for path in outputs.files[1:]:
        check_writable(path)
        if path.exists() and not (options.overwrite or resuming or path in outputs.replaced):
            raise InputError(f"{path}: exists already; --overwrite replaces it")
    _check_names([*outputs.files, outputs.unfinished], inputs)


def _check_names(files: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Make sure that no name is another's, or that of a file that is read."""
    read = {path.resolve() for path in inputs}
    folder_of = cache(Path.resolve)  # a long run has thousands of pictures in one folder
    names = set()
    for path in files:
        name = path.resolve() if path.is_symlink() else folder_of(path.parent) / path.name
        if name in names:
            raise InputError(f"{name}: would be written twice; give each output a name of its own")
        if name in read:
            raise InputError(f"{name}: is read by this run and would be overwritten; name another output")
        names.add(name)


def check_unfinished(state: Path, options: Namespace) -> None:
    """Make sure that the options say what becomes of a run that was stopped, if there is one.

    Raises
    ------
    InputError
        If they do not.
    """
    if state.exists() and not (options.resume or options.overwrite):
        raise InputError(
            f"{state}: is a run that was stopped; --resume goes on with it, --overwrite starts afresh"
        )


def check_resumed(outputs: Outputs, options: Namespace, written: Sequence[str] | None) -> None:
    """Make sure that a run that goes on replaces only what it has written itself.

    Parameters
    ----------
    outputs : Outputs
    options : argparse.Namespace
    written : sequence of str or None
        What the stopped run wrote, from its state; None where an older version did not say.

    Raises
    ------
    InputError
        If another file exists and nobody said that it may be overwritten.
    """
    if options.overwrite or written is None:
        return
    own = {Path(path).resolve() for path in written}
    for path in outputs.files:
        if path.exists() and path.resolve() not in own and path not in outputs.replaced:
            raise InputError(f"{path}: exists, and the stopped run did not write it; --overwrite replaces it")


def check_snapshots(outputs: Outputs, options: Namespace, recipe: Recipe, inputs: Sequence[Path]) -> None:
    """Make sure that the pictures on the way can be written, and replace nothing that they should not.

    Parameters
    ----------
    outputs : Outputs
    options : argparse.Namespace
    recipe : Recipe
        For how often there is one.
    inputs : sequence of pathlib.Path

    Raises
    ------
    InputError
        As `check_outputs`.
    """
    from neuralstyle.pictures.writing import check_output
    from neuralstyle.runs.saving import snapshot_path

    if not outputs.snapshots:
        return
    first, paths = 0, []
    for stage in stages(recipe):
        every = recipe.checkpoint_every
        paths += [
            snapshot_path(outputs.snapshots, first + k) for k in range(every, stage.iterations + 1, every)
        ]
        first += stage.iterations
    resuming = goes_on(outputs, options)
    check_output(snapshot_path(outputs.snapshots, 0), overwrite=True, bits=options.bits)
    for path in paths:
        if path.exists() and not (options.overwrite or resuming):
            raise InputError(
                f"{path}: exists, and a picture on the way would replace it; --overwrite allows it"
            )
    _check_names([*paths, *outputs.files, outputs.unfinished], inputs)


def check_room(path: Path, height: int, width: int, bits: int, channels: int = 3) -> None:
    """Find out whether the disk has room for a picture, should it not shrink when it is compressed.

    Raises
    ------
    InputError
        If it has not.
    """
    needed = height * width * channels * bits // 8
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise InputError(
            f"{path}: the disk has {free / 1e6:.0f} MB free, and {width}×{height} pixels may take "
            f"{needed / 1e6:.0f} MB; make room or name another folder"
        )

"""Repaint a film: options to a recipe or a network, frames to frames.

    neuralstyle video film.mp4 --style painting.jpg --output painted.mp4 --width 320
    neuralstyle video film.mp4 --any-style --style painting.jpg --output painted.mp4 --temporal-blend

Nothing here imports TensorFlow before the options, the film, the pictures and the weights have been found
good.
"""

import threading
import warnings
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.terminal import quiet_import, tell
from neuralstyle.command.video_options import (
    KINDS,
    check_workers,
    film_recipe,
    found_frames,
    network_kind,
    parser,
    respelled,
)
from neuralstyle.files import InputError, beside, example_pair, require
from neuralstyle.recipes import Recipe, check_styles

if TYPE_CHECKING:
    from neuralstyle.networks import Network
    from neuralstyle.pictures.reading import Picture
    from neuralstyle.runs.history import Step
    from neuralstyle.runs.records import Record
    from neuralstyle.runs.watching import Watcher, Watchers
    from neuralstyle.video.flows import FlowFiles, Flows
    from neuralstyle.video.folder import WorkFolder
    from neuralstyle.video.frames import Frames
    from neuralstyle.video.loop import FilmJob

__all__ = ["KINDS", "main"]


def main(arguments: Sequence[str]) -> int:
    """Repaint a film; the exit status: 0, or 130 where it was stopped early."""
    return paint(arguments)


def paint(
    arguments: Sequence[str],
    watchers: "Sequence[Watcher]" = (),
    stop: threading.Event | None = None,
) -> int:
    """Repaint a film, with others who look on.

    Parameters
    ----------
    arguments : sequence of str
    watchers : sequence of Watcher
        Told of frames.
    stop : threading.Event, optional
        Once it is set, the run ends as after Ctrl-C.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If an option or a file cannot be used.
    """
    from neuralstyle.runs.watching import Watchers

    told, stop = Watchers(watchers), stop or threading.Event()
    options = parser().parse_args(arguments)
    try:
        for name in ("width", "threads"):
            value = getattr(options, name)
            require(value is None or value >= 1, name, value, "1 or more")
        if options.resume and options.overwrite:
            raise InputError("--resume goes on and --overwrite starts afresh; give one of them")
        kind = network_kind(options)
        check_workers(options, kind)
        if kind is None:
            return _stylize(options, told, stop)
        from neuralstyle.command.film_by_network import render

        return render(kind, options, told, stop)
    except InputError as error:
        raise InputError(respelled(error)) from error


@dataclass(frozen=True)
class _Request:
    """What is to be done, found good.

    Attributes
    ----------
    options : argparse.Namespace
    recipe : Recipe
    frames : Frames
    size : (int, int)
        Height and width of the result.
    styles : list of Picture
    network : Network
    folder : pathlib.Path
        Where frames and flow are kept.
    """

    options: Namespace
    recipe: Recipe
    frames: "Frames"
    size: tuple[int, int]
    styles: "list[Picture]"
    network: "Network"
    folder: Path


def _stylize(options: Namespace, watchers: "Watchers", stop: threading.Event) -> int:
    """Repaint a film by a recipe; the exit status."""
    request = _request(options)
    with quiet_import():
        from neuralstyle.command.progress import FilmProgress
        from neuralstyle.graphs import Machine
        from neuralstyle.preparation import Style
        from neuralstyle.runs.interrupts import stopping_on_ctrl_c
        from neuralstyle.video.loop import FilmJob, run_film

    machine = Machine(options.threads, options.device, options.tile)
    job = FilmJob(
        request.frames.numbers,
        tuple(Style(style.pixels) for style in request.styles),
        request.recipe,
        request.network,
        options.seed or 0,
        machine,
        options.scene_cuts != "none",
    )
    folder, finished = _work_folder(request), 0
    with ExitStack() as stack:
        stack.enter_context(stopping_on_ctrl_c(stop))
        stack.enter_context(warnings.catch_warnings())
        # A frame that cannot get better is done; that it is need not be said for each of thousands.
        warnings.filterwarnings("ignore", "L-BFGS stopped", module="neuralstyle")
        folder.fill(request.frames, request.size, request.recipe.resampling)
        flows = stack.enter_context(_flows(request, folder))
        progress = stack.enter_context(FilmProgress(options.quiet, job, request.size))

        def stepped(number: int, step: "Step") -> None:
            progress.step(number, step)
            watchers.frame(finished, None)

        for rendered in run_film(job, folder, flows, stepped, stop):
            progress.frame(rendered)
            finished += 1
            watchers.frame(finished, rendered.picture)
        done = not stop.is_set()
    if not done:
        tell(
            f"stopped; what is finished is kept in {folder.path}, and the same command with --resume goes on"
        )
        return 130
    _deliver(request, job, folder)
    if options.keep_frames is None:
        folder.remove()
    return 0


def _request(options: Namespace) -> _Request:
    """Find everything good before any work."""
    recipe = film_recipe(options)
    styles = options.styles or [str(example_pair()[1])]
    check_styles(recipe, len(styles))
    _check_flow_options(options)
    from neuralstyle.command.film_outputs import check_kept_and_written
    from neuralstyle.pictures.reading import read_picture

    frames = found_frames(options)
    size = _size(recipe, frames.size)
    folder = Path(options.keep_frames or _hidden(options.output))
    check_kept_and_written(options, frames, size, folder)
    pictures = [read_picture(path, tell) for path in styles]
    from neuralstyle.networks import load_network

    network = load_network(options.network)
    network.up_to([*recipe.content_layers, *recipe.style_layers])
    request = _Request(options, recipe, frames, size, pictures, network, folder)
    _check_flow(request)
    return request


def _hidden(output: str) -> Path:
    """The folder beside the output in which it is made, where no other is named."""
    path = Path(output)
    return beside(path.with_name(f".{path.name}"), ".frames")


def _size(recipe: Recipe, size: tuple[int, int]) -> tuple[int, int]:
    """The height and width of the frames of a result."""
    from neuralstyle.pictures.sizes import SMALLEST_SIDE, fitted_size
    from neuralstyle.recipes import stages

    for stage in stages(recipe.with_listing()):
        result = size
        if stage.content_size is not None:
            result = fitted_size(*size, stage.content_fit, stage.content_size)
        if min(result) < SMALLEST_SIDE:
            raise InputError(
                f"the frames would be {result[1]}×{result[0]} pixels at the scale {stage.content_size}; they "
                f"need {SMALLEST_SIDE} in each direction"
            )
    return result


def _check_flow_options(options: Namespace) -> None:
    files = options.flow_files
    if files and options.flow:
        raise InputError("--flow-files does not go with --flow; give one of them")
    if options.trust_files and not files:
        raise InputError("--trust-files goes with --flow-files; give both")
    if files and len(files) > 2:
        raise InputError("--flow-files takes two patterns, the backward and the forward flow's")
    if files and len(files) == 1 and not options.trust_files:
        raise InputError("--flow-files needs the forward flow's pattern, too, or --trust-files")


def _check_flow(request: _Request) -> None:
    """Make sure that flow can be computed, or that its files are there."""
    from neuralstyle.video.flow import check_flow

    options, motion = request.options, request.recipe.with_listing().motion
    if not options.flow_files:
        if len(request.frames.numbers) > 1:
            check_flow(options.flow or "dis")
        return
    numbers = request.frames.numbers
    offsets = {*motion.offsets, *((1,) if options.scene_cuts != "none" else ())}
    pairs = [(i, i - j) for i in numbers for j in sorted(offsets) if i - j in numbers]
    if motion.passes > 1 or motion.trust == "forward":
        pairs += [(j, i) for i, j in pairs]
    _flow_files(request).check(pairs)


def _flow_files(request: _Request) -> "FlowFiles":
    from neuralstyle.video.flows import FlowFiles

    backward, forward = (*request.options.flow_files, None)[:2]
    return FlowFiles(backward, forward, request.options.trust_files, request.size)


def _flows(request: _Request, folder: "WorkFolder") -> "Flows | FlowFiles":
    from neuralstyle.video.flows import Flows

    if request.options.flow_files:
        return _flow_files(request)
    return Flows(folder.content, folder.film, request.options.flow or "dis")


def _work_folder(request: _Request) -> "WorkFolder":
    """The folder that the film is made in, whose finished frames are of this run."""
    from neuralstyle.runs.records import read_record, write_record
    from neuralstyle.runs.repeating import difference
    from neuralstyle.video.folder import WorkFolder, hash_frames, is_begun

    options, recipe = request.options, request.recipe
    digest = hash_frames(request.frames)
    source = {
        "film": digest,
        "rate": str(request.frames.rate) if request.frames.resampled else None,
        "size": request.size,
        "resampling": recipe.resampling,
        "flow": None if options.flow_files else options.flow or "dis",
    }
    folder = WorkFolder(request.folder, source)
    record = _record(request, digest)
    if options.resume and is_begun(folder.path):
        try:
            before = read_record(folder.record)
        except InputError as error:
            raise InputError(
                f"{folder.path}: does not say by which recipe it was begun; say --overwrite"
            ) from error
        found = difference(before, record, ("threads", "device", "tile"))
        if found:
            raise InputError(
                f"{folder.path}: was begun with {found}; give the same options, or say --overwrite"
            )
    else:
        folder.forget_finished()
        write_record(folder.record, record)
    return folder


def _record(request: _Request, digest: str) -> "Record":
    """The record of a film's run."""
    from neuralstyle.graphs import Machine, thread_count
    from neuralstyle.pictures.reading import Picture
    from neuralstyle.runs.records import make_record

    options, (height, width) = request.options, request.size
    machine = Machine(options.threads, options.device, options.tile)
    import numpy as np

    first = np.broadcast_to(np.float32(0), (height, width, 3))
    content = Picture(first, Path(options.film), digest, False)
    settings = {name: getattr(options, name) for name in ("flow_files", "trust_files", "device", "tile")}
    return make_record(
        request.recipe,
        content,
        request.styles,
        request.network,
        options.seed or 0,
        options={
            "frames": [request.frames.numbers[0], request.frames.numbers[-1]],
            "flow": None if options.flow_files else options.flow or "dis",
            "scene_cuts": options.scene_cuts or "auto",
            **settings,
            "threads": thread_count(machine),
        },
    )


def _deliver(request: _Request, job: "FilmJob", folder: "WorkFolder") -> None:
    """Write the film from its finished frames."""
    from neuralstyle.video.loop import run_film
    from neuralstyle.video.outputs import film_output

    output = film_output(request.options.output, request.frames, request.size)
    with _flows(request, folder) as flows, output as write:
        for rendered in run_film(job, folder, flows):
            write(rendered.number, rendered.picture)

"""Stylise a picture: options to a recipe, pictures to a picture.

Nothing here imports TensorFlow before the options, the pictures and the weights have been found good.
"""

import os
import threading
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.options import parser, spelled
from neuralstyle.command.outputs import (
    Outputs,
    check_outputs,
    check_resumed,
    check_room,
    check_snapshots,
    goes_on,
    outputs_of,
)
from neuralstyle.command.recipe import recipe_from
from neuralstyle.command.terminal import quiet_import, tell
from neuralstyle.files import InputError, require
from neuralstyle.free_memory import OVERRIDE
from neuralstyle.recipes import Recipe, check_styles, stages
from neuralstyle.validity import STARTS

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.networks import Network
    from neuralstyle.runs.records import Record
    from neuralstyle.runs.repeating import Inputs
    from neuralstyle.runs.state import State
    from neuralstyle.runs.watching import Watcher
    from neuralstyle.transfer import Job, Result

#: Options outside the recipe that decide the picture.
_RECORDED = ("bits", "quality", "tile", "threads", "device")

#: How much work a run that is killed may lose.
_SECONDS_BETWEEN_SAVES = 20.0


def main(arguments: Sequence[str]) -> int:
    """Repaint a picture by a recipe, or in one pass by a network; the exit status."""
    return paint(arguments)


def paint(
    arguments: Sequence[str],
    watchers: "Sequence[Watcher]" = (),
    stop: threading.Event | None = None,
) -> int:
    """Do what a command line asks for, with others who look on.

    Parameters
    ----------
    arguments : sequence of str
    watchers : sequence of Watcher
        Told of a recipe's run after the command's own; a network renders in one pass, and tells nobody.
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
    options = parser().parse_args(arguments)
    if options.free_memory is not None:
        require(options.free_memory > 0, "free_memory", options.free_memory, "greater than 0")
        os.environ[OVERRIDE] = str(options.free_memory)
    if options.vary or options.contact_sheet:
        from neuralstyle.command import variants

        return variants.render(options, arguments, _work)
    return _work(options, arguments, watchers, stop)()


def _work(
    options: Namespace,
    arguments: Sequence[str],
    watchers: "Sequence[Watcher]" = (),
    stop: threading.Event | None = None,
) -> Callable[[], int]:
    """What makes the picture that the options ask for, once the options alone have been found good."""
    # Imported only now, so that --help need not wait for the libraries that read pictures.
    from neuralstyle.command import feedforward

    kind = feedforward.network_kind(options)
    if kind:
        return partial(feedforward.render, kind, options)
    return partial(_stylize, _request(options, arguments), watchers, stop or threading.Event())


@dataclass(frozen=True)
class _Request:
    """What is to be done.

    Attributes
    ----------
    options : argparse.Namespace
    recipe : Recipe
    seed : int
    inputs : Inputs
        The picture files.
    earlier : dict or None
        The record that the request comes from.
    """

    options: Namespace
    recipe: Recipe
    seed: int
    inputs: "Inputs"
    earlier: "Record | None" = None

    @property
    def files(self) -> list[Path]:
        """Every file that is read."""
        inputs, options = self.inputs, self.options
        paths = [inputs.content, *inputs.styles, *inputs.masks, *inputs.style_masks]
        paths += [options.network, options.from_record]
        if self.recipe.start not in STARTS:
            paths.append(self.recipe.start)
        return [Path(path) for path in paths if path is not None]


def _request(options: Namespace, arguments: Sequence[str]) -> _Request:
    from neuralstyle.files import example_pair
    from neuralstyle.runs import records, repeating

    if options.from_record:
        for name in ("recipe", "content", "styles", "masks", "style_masks"):
            if getattr(options, name):
                raise InputError(f"{spelled(name)} does not go with --from-record")
        record = records.read_record(options.from_record)
        # What the record says takes the place of the defaults; what is said now stands above it.
        recorded = {name: record["options"][name] for name in _RECORDED if name in record["options"]}
        options = parser().parse_args(arguments, Namespace(**recorded))
        recipe = recipe_from(options, records.recipe_from_record(record))
        seed = record["seed"] if options.seed is None else options.seed
        return _Request(options, recipe, seed, repeating.inputs_from_record(record), record)
    example_content, example_style = example_pair()
    styles = [Path(path) for path in options.styles or [example_style]]
    inputs = repeating.Inputs(
        Path(options.content or example_content),
        styles,
        _mask_paths("masks", options.masks, len(styles)),
        _mask_paths("style_masks", options.style_masks, len(styles)),
    )
    return _Request(options, recipe_from(options), options.seed or 0, inputs)


def _mask_paths(name: str, paths: Sequence[str] | None, styles: int) -> list[Path | None]:
    paths = paths or ["all"] * styles
    if len(paths) != styles:
        raise InputError(f"{spelled(name)} has {len(paths)} pictures for {styles} style pictures")
    return [None if path == "all" else Path(path) for path in paths]


def _stylize(request: _Request, others: "Sequence[Watcher]", stop: threading.Event) -> int:
    """Do what was asked for; the exit status: 0, or 130 where the run was stopped early."""
    options, recipe = request.options, request.recipe
    masked = any(mask is not None for mask in request.inputs.masks)
    check_styles(recipe, len(request.inputs.styles), masked)
    from neuralstyle.runs import repeating

    last = repeating.stopped_at(request.earlier)
    outputs = outputs_of(options)
    check_outputs(outputs, options, request.files)
    check_snapshots(outputs, options, recipe, request.files)
    network = _network(request)
    job, record = _job(request, network)
    from tensorflow.errors import ResourceExhaustedError

    from neuralstyle import transfer
    from neuralstyle.preparation import result_size
    from neuralstyle.runs.interrupts import StopWatch

    resume = _resumed(outputs, options, record)
    if resume:
        record = repeating.resumed(record, resume.record, resume.iteration)
    size = result_size(recipe.with_listing(), *job.scene.content.shape[:2])
    check_room(outputs.picture, *size, options.bits)
    with ExitStack() as stack:
        watchers = [*_watchers(stack, request, outputs, record, resume, size), *others]
        watchers.append(stack.enter_context(StopWatch(stop, last)))
        try:
            result = transfer.run(job, watchers, resume, stop)
        except (MemoryError, ResourceExhaustedError) as error:
            raise InputError(
                "the memory ran out; --tile 512 takes less, and what was saved so far goes on with --resume"
            ) from error
    return _write(request, outputs, record, result)


def _network(request: _Request) -> "Network":
    """The network, found good for the recipe and for the record that the request comes from."""
    options, recipe = request.options, request.recipe
    from neuralstyle.networks import load_network
    from neuralstyle.runs import repeating

    network = load_network(options.network)
    if request.earlier and not options.network:
        repeating.check_network(request.earlier, network)
    network.up_to([*recipe.content_layers, *recipe.style_layers])
    if recipe.normalized_network and not (network.normalized or options.quiet):
        tell("rescaling the network's filters; the first time takes a quarter of a minute")
    return network


def _job(request: _Request, network: "Network") -> "tuple[Job, Record]":
    """Everything that decides the picture, and its record so far."""
    options, recipe, inputs = request.options, request.recipe, request.inputs
    from neuralstyle.pictures.reading import read_mask, read_picture

    content, *styles = (read_picture(path, tell) for path in (inputs.content, *inputs.styles))
    masks, own_masks = (
        [None if path is None else read_mask(path) for path in paths]
        for paths in (inputs.masks, inputs.style_masks)
    )
    with quiet_import():
        from neuralstyle.graphs import Machine, thread_count
        from neuralstyle.preparation import Scene, Style
        from neuralstyle.runs import records
        from neuralstyle.transfer import Job

    machine = Machine(options.threads, options.device, options.tile, options.fast_math, options.deterministic)
    record = records.make_record(
        recipe,
        content,
        styles,
        network,
        request.seed,
        masks=inputs.masks,
        style_masks=inputs.style_masks,
        options={name: getattr(options, name) for name in _RECORDED} | {"threads": thread_count(machine)},
    )
    pictures = (style.pixels for style in styles)
    scene = Scene(content.pixels, tuple(map(Style, pictures, masks, own_masks)))
    return Job(scene, recipe, network, request.seed, machine), record


def _resumed(outputs: Outputs, options: Namespace, record: "Record") -> "State | None":
    """The state to go on from, where there is one and that is asked for."""
    if not goes_on(outputs, options):
        return None
    from neuralstyle.runs.state import check_same_run, load_state

    state = load_state(outputs.unfinished)
    check_same_run(outputs.unfinished, state, record)
    check_resumed(outputs, options, state.record.get("written"))
    return state


def _watchers(
    stack: ExitStack,
    request: _Request,
    outputs: Outputs,
    record: "Record",
    resume: "State | None",
    size: tuple[int, int],
) -> "list[Watcher]":
    """Those who look on: the state is saved first."""
    options, recipe = request.options, request.recipe
    from neuralstyle.command.progress import ProgressBar
    from neuralstyle.runs.saving import Snapshots, StateSaver

    iterations = sum(stage.iterations for stage in stages(recipe))
    watchers: list[Watcher] = [StateSaver(outputs.unfinished, record, _SECONDS_BETWEEN_SAVES)]
    watchers.append(stack.enter_context(ProgressBar(options, iterations)))
    if outputs.snapshots:
        watchers.append(Snapshots(outputs.snapshots, partial(_write_picture, options)))
    if outputs.film:
        from neuralstyle.runs.film import Timelapse

        watchers.append(_entered(stack, Timelapse(outputs.film, size)))
    if options.logdir:
        from neuralstyle.runs.events import EventWriter

        first = resume.history[-1].iteration + 1 if resume and resume.history else 0
        watchers.append(_entered(stack, EventWriter(options.logdir, first)))
    return watchers


def _entered(stack: ExitStack, watcher: "Watcher") -> "Watcher":
    """Enter a watcher that writes a file; what fails when it is closed is told, and costs nothing else."""
    watcher.__enter__()

    def close(*exception: object) -> None:
        try:
            watcher.__exit__(*exception)
        except (InputError, OSError) as error:
            tell(f"{error}; everything else is written")

    stack.push(close)
    return watcher


def _write(request: _Request, outputs: Outputs, record: "Record", result: "Result") -> int:
    """Write what the run leaves behind; nothing but the picture itself may fail it."""
    options = request.options
    from neuralstyle.runs import records, repeating
    from neuralstyle.runs.state import save_state

    last = result.history[-1].iteration
    # A run that a record says was stopped is complete where it was stopped.
    stopped = last if result.interrupted else None
    complete = records.add_result(
        record, result.step, *result.image.shape[:2], stopped=stopped, tile=result.tile
    )
    again = stopped is not None and stopped == repeating.stopped_at(request.earlier)
    unfinished = replace(result.state, record={**record, "written": [str(path) for path in outputs.files]})
    try:
        _write_picture(options, outputs.picture, result.picture, records.text_chunk(complete))
    except InputError:
        with suppress(InputError):  # --resume will write it, once there is room
            save_state(outputs.unfinished, unfinished)
        raise
    if result.interrupted and not again:
        _attempt(save_state, outputs.unfinished, unfinished)
    else:
        outputs.unfinished.unlink(missing_ok=True)
    if outputs.record:
        _attempt(records.write_record, outputs.record, complete)
    for path, write_table in outputs.tables.items():
        _attempt(write_table, path, result.history)
    if not result.interrupted or again:
        return 0
    tell(f"stopped after {last} iterations, wrote {outputs.picture}; the same command with --resume goes on")
    return 130


def _attempt(write: Callable, path: Path, value: object) -> None:
    """Write a file beside the picture; what goes wrong is told, and costs nothing else."""
    try:
        write(path, value)
    except (InputError, OSError) as error:
        tell(f"{error}; everything else is written")


def _write_picture(
    options: Namespace, path: Path, picture: "np.ndarray", text: Mapping[str, str] | None = None
) -> None:
    from neuralstyle.pictures.writing import write_image

    text = text if path.suffix.lower() == ".png" else None
    write_image(path, picture, bits=options.bits, quality=options.quality, text=text)

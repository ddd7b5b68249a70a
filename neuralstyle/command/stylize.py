"""Stylise a picture, or a folder of them: options to a recipe, pictures to a picture.

Nothing here imports TensorFlow before the options, the pictures and the weights have been found good.
"""

import threading
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.cluster import check_cluster_options, opened_cluster, threads_of
from neuralstyle.command.options import parser
from neuralstyle.command.outputs import (
    Outputs,
    check_outputs,
    check_resumed,
    check_room,
    check_snapshots,
    goes_on,
    outputs_of,
)
from neuralstyle.command.request import RECORDED, Request, request_from
from neuralstyle.command.terminal import costing_nothing_else, quiet_import, tell
from neuralstyle.files import InputError, require
from neuralstyle.free_memory import counting_on
from neuralstyle.recipes import check_styles, stages

if TYPE_CHECKING:
    from neuralstyle.command.scene import Finish, Given
    from neuralstyle.graphs import Machine
    from neuralstyle.networks import Network
    from neuralstyle.pictures.reading import Picture
    from neuralstyle.runs.records import Record
    from neuralstyle.runs.state import State
    from neuralstyle.runs.watching import Watcher
    from neuralstyle.transfer import Job, Result

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
    with counting_on(options.free_memory):
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
    from neuralstyle.command import feedforward, folder

    check_cluster_options(options)
    kind = feedforward.network_kind(options)
    if kind:
        return partial(feedforward.render, kind, options)
    if folder.asked_for(options):
        return partial(_stylize_folder, options, arguments)
    return partial(_stylize, request_from(options, arguments), watchers, stop or threading.Event())


def _stylize(request: Request, others: "Sequence[Watcher]", stop: threading.Event) -> int:
    """Do what was asked for; the exit status: 0, or 130 where the run was stopped early."""
    outputs = _checked_outputs(request)
    network = _network(request)
    from neuralstyle.command.scene import given_for, read_shared
    from neuralstyle.pictures.reading import read_picture

    content = read_picture(request.inputs.content, tell, keep_alpha=True)
    given = given_for(content, read_shared(request.inputs, request.recipe, tell), request.recipe)
    with ExitStack() as stack:
        prepared = _prepared(request, outputs, network, given, _machine(request.options, stack))
        return _write(prepared, _run(prepared, others, stop))


def _stylize_folder(options: Namespace, arguments: Sequence[str]) -> int:
    """The same for every picture of a folder."""
    from neuralstyle.command import folder

    plan = folder.planned(options)
    request = request_from(options, arguments)
    network = _network(request)
    from neuralstyle.command.scene import given_for, read_shared

    shared = read_shared(request.inputs, request.recipe, tell)
    with ExitStack() as stack:
        machine = _machine(options, stack)

        def prepared(content: "Picture", result: Path) -> _Prepared:
            own = Namespace(**{**vars(options), "content": str(content.path), "output": str(result)})
            asked = request_from(own, arguments)
            given = given_for(content, shared, asked.recipe)
            return _prepared(asked, _checked_outputs(asked), network, given, machine)

        if machine.cluster is not None:
            from neuralstyle.command import folder_on_cluster

            return folder_on_cluster.stylize(options, plan, prepared, _write, machine.cluster)
        return folder.stylize(options, plan, prepared, _run, _write)


def _checked_outputs(request: Request) -> Outputs:
    """The files that the run leaves behind, found good."""
    options, recipe = request.options, request.recipe
    from neuralstyle.runs import repeating

    repeating.stopped_at(request.earlier)
    outputs = outputs_of(options)
    check_outputs(outputs, options, request.files)
    check_snapshots(outputs, options, recipe, request.files)
    return outputs


def _machine(options: Namespace, stack: ExitStack) -> "Machine":
    """Where the run is computed."""
    with quiet_import():
        from neuralstyle.graphs import Machine

    cluster = stack.enter_context(opened_cluster(options))
    how = (options.device, options.tile, options.fast_math, options.deterministic)
    return Machine(threads_of(options), *how, cluster)


@dataclass(frozen=True)
class _Prepared:
    """A run that is about to begin.

    Attributes
    ----------
    request : Request
    outputs : Outputs
    job : Job
        Everything that decides the picture.
    record : dict
        The same, for those who want to make it again.
    resume : State or None
        What it goes on from.
    finish : Finish
        What is done to the picture at the end.
    """

    request: Request
    outputs: Outputs
    job: "Job"
    record: "Record"
    resume: "State | None"
    finish: "Finish"


def _prepared(
    request: Request, outputs: Outputs, network: "Network", given: "Given", machine: "Machine"
) -> _Prepared:
    options, inputs, content = request.options, request.inputs, given.finish.content
    from neuralstyle.graphs import thread_count
    from neuralstyle.pictures.writing import tell_of_white
    from neuralstyle.preparation import result_size
    from neuralstyle.runs import records, repeating
    from neuralstyle.transfer import Job

    tell_of_white(content, outputs.picture, tell)
    # Those of another machine's workers are not known, unless they were said.
    threads = None if options.cluster and machine.threads is None else thread_count(machine)
    record = records.make_record(
        request.recipe,
        content,
        given.styles,
        network,
        request.seed,
        masks=inputs.masks,
        style_masks=inputs.style_masks,
        options={name: getattr(options, name) for name in RECORDED} | {"threads": threads},
    )
    record = records.add_places(record, inputs.content_mask, inputs.regions)
    resume = _resumed(outputs, options, record)
    if resume:
        record = repeating.resumed(record, resume.record, resume.iteration)
    size = result_size(request.recipe.with_listing(), *content.pixels.shape[:2])
    check_room(outputs.picture, *size, options.bits, 3 if content.alpha is None else 4)
    job = Job(given.scene, given.recipe, network, request.seed, machine)
    return _Prepared(request, outputs, job, record, resume, given.finish)


def _run(
    prepared: _Prepared, others: "Sequence[Watcher]" = (), stop: threading.Event | None = None
) -> "Result":
    """Make the picture, with everybody looking on who is to, and others after them."""
    from tensorflow.errors import ResourceExhaustedError

    from neuralstyle import transfer
    from neuralstyle.runs import repeating
    from neuralstyle.runs.interrupts import StopWatch

    stop = stop or threading.Event()
    with ExitStack() as stack:
        watchers = [*_watchers(stack, prepared), *others]
        last = repeating.stopped_at(prepared.request.earlier)
        watchers.append(stack.enter_context(StopWatch(stop, last)))
        try:
            return transfer.run(prepared.job, watchers, prepared.resume, stop)
        except (MemoryError, ResourceExhaustedError) as error:
            raise InputError(
                "the memory ran out; --tile 512 takes less, and what was saved so far goes on with --resume"
            ) from error


def _network(request: Request) -> "Network":
    """The network, found good for the recipe and for the record that the request comes from."""
    options, recipe, inputs = request.options, request.recipe, request.inputs
    check_styles(recipe, len(inputs.styles), any(mask is not None for mask in inputs.masks))
    from neuralstyle.networks import load_network
    from neuralstyle.runs import repeating

    network = load_network(options.network)
    if request.earlier and not options.network:
        repeating.check_network(request.earlier, network)
    network.up_to([*recipe.content_layers, *recipe.style_layers])
    if recipe.normalized_network and not (network.normalized or options.quiet):
        tell("rescaling the network's filters; the first time takes a quarter of a minute")
    return network


def _resumed(outputs: Outputs, options: Namespace, record: "Record") -> "State | None":
    """The state to go on from, where there is one and that is asked for."""
    if not goes_on(outputs, options):
        return None
    from neuralstyle.runs.state import check_same_run, load_state

    state = load_state(outputs.unfinished)
    check_same_run(outputs.unfinished, state, record)
    check_resumed(outputs, options, state.record.get("written"))
    return state


def _watchers(stack: ExitStack, prepared: _Prepared) -> "list[Watcher]":
    """Those who look on: the state is saved first."""
    options, recipe = prepared.request.options, prepared.request.recipe
    outputs, resume, finish = prepared.outputs, prepared.resume, prepared.finish
    from neuralstyle.command.progress import ProgressBar
    from neuralstyle.command.scene import Finished
    from neuralstyle.runs.saving import Snapshots, StateSaver

    iterations = sum(stage.iterations for stage in stages(recipe))
    watchers: list[Watcher] = [StateSaver(outputs.unfinished, prepared.record, _SECONDS_BETWEEN_SAVES)]
    bar = stack.enter_context(ProgressBar(options, iterations))
    watchers.append(bar)
    if prepared.job.machine.cluster is not None:
        prepared.job.machine.cluster.on_progress = bar.tiles
    if outputs.snapshots:
        watchers.append(Snapshots(outputs.snapshots, partial(finish.write, options)))
    if outputs.film:
        from neuralstyle.preparation import result_size
        from neuralstyle.runs.film import Timelapse

        size = result_size(recipe.with_listing(), *prepared.job.scene.content.shape[:2])
        watchers.append(Finished(_entered(stack, Timelapse(outputs.film, size)), finish))
    if options.logdir:
        from neuralstyle.runs.events import EventWriter

        first = resume.history[-1].iteration + 1 if resume and resume.history else 0
        watchers.append(Finished(_entered(stack, EventWriter(options.logdir, first)), finish))
    return watchers


def _entered(stack: ExitStack, watcher: "Watcher") -> "Watcher":
    """Enter a watcher that writes a file; what fails when it is closed is told, and costs nothing else."""
    watcher.__enter__()

    def close(*exception: object) -> None:
        with costing_nothing_else():
            watcher.__exit__(*exception)

    stack.push(close)
    return watcher


def _write(prepared: _Prepared, result: "Result") -> int:
    """Write what the run leaves behind, and give the exit status; nothing but the picture may fail it."""
    request, outputs, record = prepared.request, prepared.outputs, prepared.record
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
    written = {"written": [str(path) for path in outputs.files]}
    unfinished = result.state and replace(result.state, record=record | written)
    try:
        prepared.finish.write(options, outputs.picture, result.picture, records.text_chunk(complete))
    except InputError:
        if unfinished:
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
    with costing_nothing_else():
        write(path, value)

"""Stylise a picture: options to a recipe, pictures to a picture.

Nothing here imports TensorFlow before the options, the pictures and the weights have been found good.
"""

import re
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.options import parser, spelled
from neuralstyle.command.recipe import recipe_from
from neuralstyle.command.terminal import progress, quiet_import, tell
from neuralstyle.files import InputError, check_writable
from neuralstyle.recipes import Recipe, check_styles

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.loss.losses import TiledLoss, WholeLoss
    from neuralstyle.runs.records import Inputs, Record
    from neuralstyle.runs.state import Checkpoint

#: Options outside the recipe that decide the picture.
_RECORDED = ("bits", "quality", "tile")

#: How much work a run that is killed may lose.
_SECONDS_BETWEEN_SAVES = 20.0


def main(arguments: Sequence[str]) -> int:
    """Repaint a picture by a recipe, or in one pass by a network; the exit status."""
    options = parser().parse_args(arguments)
    # Imported only now, so that --help need not wait for the libraries that read pictures.
    from neuralstyle.command import feedforward

    kind = feedforward.wanted(options)
    return feedforward.render(kind, options) if kind else stylize(arguments)


def stylize(arguments: Sequence[str]) -> int:
    """Run the subcommand; its exit status."""
    options, recipe, seed, inputs, earlier = _request(arguments)
    check_styles(recipe, len(inputs.styles))
    from neuralstyle.networks import load_network
    from neuralstyle.pictures.reading import read_image
    from neuralstyle.pictures.writing import write_image
    from neuralstyle.runs import records

    unfinished = Path(f"{options.output}.unfinished")
    tables = _check_outputs(options, recipe, unfinished)
    content, *styles = (read_image(path, tell) for path in (inputs.content, *inputs.styles))
    masks, style_masks = _read_masks(inputs.masks), _read_masks(inputs.style_masks)
    network = load_network(options.network)
    if earlier:
        records.check_network(earlier, network)
    network.up_to([*recipe.content_layers, *recipe.style_layers])
    if recipe.normalized_network and not (network.normalized or options.quiet):
        tell("rescaling the network's filters; the first time takes a quarter of a minute")
    with quiet_import():
        from neuralstyle import transfer
        from neuralstyle.graphs import Machine
        from neuralstyle.runs.state import check_same_run, load_checkpoint, save_checkpoint

    record = records.make_record(
        recipe,
        inputs.content,
        inputs.styles,
        network,
        seed,
        masks=inputs.masks,
        style_masks=inputs.style_masks,
        options={name: getattr(options, name) for name in _RECORDED},
    )
    resume = None
    if options.resume and unfinished.exists():
        resume = load_checkpoint(unfinished)
        check_same_run(unfinished, resume, record)

    def write(path: str | Path, picture: "np.ndarray", text: Mapping[str, str] | None = None) -> None:
        png = Path(path).suffix.lower() == ".png"
        write_image(path, picture, bits=options.bits, quality=options.quality, text=text if png else None)

    with ExitStack() as stack:
        on_step = [progress(stack, options, sum(stage.iterations for stage in transfer.stages(recipe)))]
        on_checkpoint, on_loss = [], [_tell_of_tiles]
        if options.checkpoint_output:
            on_checkpoint.append(
                lambda step: write(checkpoint_path(options.checkpoint_output, step.iteration), step.picture)
            )
        if options.timelapse:
            from neuralstyle.runs.film import Timelapse

            film = stack.enter_context(Timelapse(options.timelapse, transfer.result_size(recipe, content)))
            on_checkpoint.append(lambda step: film.add(step.picture))
        if options.logdir:
            from neuralstyle.runs.events import EventWriter

            first = resume.history[-1].iteration + 1 if resume and resume.history else 0
            events = stack.enter_context(EventWriter(options.logdir, first))
            on_step.append(events.add_step)
            on_checkpoint.append(lambda step: events.add_picture(step.iteration, step.picture))
            on_loss.append(lambda loss: events.add_graph(loss.graph))
        saved = time.monotonic()

        def on_state(state: "Checkpoint") -> None:
            nonlocal saved
            if time.monotonic() - saved >= _SECONDS_BETWEEN_SAVES:
                save_checkpoint(unfinished, replace(state, record=record))
                saved = time.monotonic()

        result = transfer.stylize(
            content,
            styles,
            recipe,
            network,
            seed=seed,
            masks=masks,
            style_masks=style_masks,
            on_step=_each(on_step),
            on_checkpoint=_each(on_checkpoint),
            on_state=on_state,
            on_loss=_each(on_loss),
            resume=resume,
            tile=options.tile,
            machine=Machine(options.threads, options.device),
        )
    record = records.add_result(record, result.step, *result.image.shape[:2])
    write(options.output, result.picture, records.text_chunk(record))
    if options.record:
        records.write_record(options.record, record)
    for path, write_table in tables.items():
        write_table(path, result.history)
    if result.interrupted:
        save_checkpoint(unfinished, replace(result.state, record=record))
        tell(
            f"stopped after {result.history[-1].iteration} iterations, wrote {options.output}; "
            "the same command with --resume goes on"
        )
    else:
        unfinished.unlink(missing_ok=True)
    return 0


def _request(arguments: Sequence[str]) -> "tuple[Namespace, Recipe, int, Inputs, Record | None]":
    """What is to be done: options, recipe, seed, picture files, and the record that they come from."""
    from neuralstyle.files import example_pair
    from neuralstyle.runs import records

    options = parser().parse_args(arguments)
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
        return options, recipe, seed, records.inputs_from_record(record), record
    example_content, example_style = example_pair()
    styles = [Path(path) for path in options.styles or [example_style]]
    inputs = records.Inputs(
        Path(options.content or example_content),
        styles,
        _mask_paths("--masks", options.masks, len(styles)),
        _mask_paths("--style-masks", options.style_masks, len(styles)),
    )
    return options, recipe_from(options), options.seed or 0, inputs, None


def _mask_paths(option: str, paths: Sequence[str] | None, styles: int) -> list[Path | None]:
    paths = paths or ["all"] * styles
    if len(paths) != styles:
        raise InputError(f"{option} has {len(paths)} pictures for {styles} style pictures")
    return [None if path == "all" else Path(path) for path in paths]


def _read_masks(paths: Sequence[Path | None]) -> list["np.ndarray | None"] | None:
    """Masks H×W, 0..1; None where nothing is masked."""
    from neuralstyle.pictures.reading import read_image

    if not any(paths):
        return None
    return [None if path is None else read_image(path).mean(axis=2) / 255 for path in paths]


def _tell_of_tiles(loss: "WholeLoss | TiledLoss") -> None:
    if loss.tile:
        tell(f"computing in tiles of {loss.tile} pixels")


def _check_outputs(options: Namespace, recipe: Recipe, unfinished: Path) -> dict[str | Path, Callable]:
    """Find out, before any work, that everything can be written; what is written from the history."""
    from neuralstyle.pictures.writing import check_output
    from neuralstyle.runs import history

    overwrite = options.overwrite or (options.resume and unfinished.exists())
    check_output(options.output, overwrite, options.bits, options.quality)
    if unfinished.exists() and not overwrite:
        raise InputError(
            f"{unfinished}: is a run that was stopped; --resume goes on with it, --overwrite starts afresh"
        )
    if options.checkpoint_output:
        check_output(checkpoint_path(options.checkpoint_output, 0), overwrite=True, bits=options.bits)
    folder = Path(options.output).parent
    tables: dict[str | Path, Callable] = {}
    if options.history:
        tables[options.history] = history.write_history
    # These two neural-style replaces without being asked to.
    progress: dict[str | Path, Callable] = {}
    if options.progress_write:
        progress[folder / "progress.txt"] = history.write_history
    if options.progress_plot:
        progress[folder / "progress.png"] = history.plot_history
    if options.resume and options.timelapse and Path(options.timelapse).exists() and not options.overwrite:
        raise InputError(f"{options.timelapse}: shows the run up to its stop; name another film for the rest")
    others = [path for path in (*tables, *progress, options.record, options.timelapse) if path]
    for path in others:
        check_writable(path)
        if Path(path).exists() and not (overwrite or path in progress):
            raise InputError(f"{path}: exists already; --overwrite replaces it")
    names = [Path(path).resolve() for path in (options.output, *others)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name}: would be written twice; give each output a name of its own")
    return tables | progress


def _each(callbacks: Sequence[Callable]) -> Callable:
    """One callback that calls several."""

    def call(argument: object) -> None:
        for callback in callbacks:
            callback(argument)

    return call


def checkpoint_path(form: str, iteration: int, option: str = "--checkpoint-output") -> Path:
    """The path of a picture on the way.

    Parameters
    ----------
    form : str
        A path with a placeholder for the iteration, as ``{}``, ``{:05}``, ``%d``, ``%i``, ``%s`` or
        ``%05d``: all that neural-style takes (neural_style.py, fmt_imsave).
    iteration : int
    option : str
        What the form was given with, for the message.

    Raises
    ------
    InputError
        If there is no placeholder.
    """
    try:
        path = form % iteration if re.search(r"%[-+ 0#]*\d*[dius]", form) else form.format(iteration)
    except (IndexError, KeyError, ValueError, TypeError, AttributeError):
        path = form
    if path == form:
        raise InputError(f"{option} {form}: has no placeholder; write it as out_{{:05}}.jpg")
    return Path(path)

"""Train a transform network: a style picture and photographs in, a checkpoint out.

    neuralstyle train --style wave.jpg --train photographs --output wave.ckpt
    neuralstyle --transform wave.ckpt --content me.jpg --output me_as_wave.png

What it is trained for is a recipe's objective, by default that of fast-style-transfer. With --pairs it is
fitted to pictures that were stylised slowly instead.
"""

import argparse
import hashlib
import math
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.terminal import exit_status, quiet_import, tell
from neuralstyle.command.training_options import (
    DEFAULT_RECIPE,
    PROGRAM,
    check,
    check_test_pictures,
    option,
    parser,
    test_path,
)
from neuralstyle.files import InputError
from neuralstyle.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.feedforward.crops import Crops, Example
    from neuralstyle.feedforward.training import Perception, Training
    from neuralstyle.networks import Network
    from neuralstyle.runs.events import EventWriter


#: Of the pictures held out, so many at most are measured, which keeps a report short.
MEASURED = 100


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The objective: the recipe with the weights that were given."""
    weights = {name: getattr(options, name) for name in ("content_weight", "style_weight", "tv_weight")}
    return replace(
        RECIPES[options.recipe or DEFAULT_RECIPE],
        **{name: weight for name, weight in weights.items() if weight is not None},
    )


def settings(
    options: argparse.Namespace, perception: "Perception | None", examples: "list[Example]"
) -> dict[str, object]:
    """What decides the weights, by the names that a message uses if a run goes on with others."""
    folder = Path(options.train or Path(options.pairs) / "photographs")
    names = "\n".join(example.photograph.relative_to(folder).as_posix() for example in examples)
    recipe = recipe_of(options)
    style = perception and perception.style
    return {
        "a --style of SHA-256": None if style is None else hashlib.sha256(style).hexdigest()[:12],
        "pictures whose names have SHA-256": hashlib.sha256(names.encode()).hexdigest()[:12],
        "a --network of SHA-256": perception and perception.network.digest[:12],
        "--recipe": options.recipe or DEFAULT_RECIPE,
        **{option(name): getattr(options, name) for name in ("batch", "crop", "width", "held_out", "seed")},
        **{option(name): getattr(recipe, name) for name in ("content_weight", "style_weight", "tv_weight")},
    }


@dataclass(frozen=True)
class Plan:
    """What a run of training does besides the steps: to the last of its iterations.

    Squares held out are measured, those checked must have finite losses before anything is saved, the test
    picture is rendered at every checkpoint, and events are written for training and for what is held out.
    """

    options: argparse.Namespace
    iterations: int
    held_out: "list[np.ndarray]"
    checked: "list[np.ndarray]"
    test: "np.ndarray | None"
    events: "list[EventWriter]"


def train(options: argparse.Namespace) -> int:
    """Train as the options say; the exit status."""
    from neuralstyle.pictures.reading import read_image

    test = read_image(options.test) if options.test else None
    perception_of = read_perception(options)
    with quiet_import():
        from neuralstyle.feedforward import crops
        from neuralstyle.feedforward.training import Perception, Training
        from neuralstyle.graphs import Machine
        from neuralstyle.runs.events import EventWriter
        from neuralstyle.runs.interrupts import stopping_on_ctrl_c

    perception = Perception(*perception_of) if perception_of else None
    examples = crops.pairs(options.pairs, say) if options.pairs else crops.photographs(options.train)
    trained, held_out = crops.split(examples, options.held_out, options.seed)
    rows = crops.Crops(trained, options.crop, options.batch, options.seed, say)
    squares = read_squares(rows, held_out[:MEASURED])
    iterations = options.iterations or (options.epochs or 2) * rows.batches
    if not options.resume:
        check_test_pictures(options, 0, iterations)
    say(
        f"{len(trained)} pictures to train on, {len(held_out)} held out; "
        f"{iterations} iterations of {options.batch} crops, {rows.batches} an epoch"
    )
    stop = threading.Event()
    with ExitStack() as stack:
        training = stack.enter_context(
            Training(
                rows,
                perception,
                width=options.width,
                learning_rate=options.learning_rate,
                seed=options.seed,
                settings=settings(options, perception, examples),
                machine=Machine(options.threads, options.device),
            )
        )
        if options.resume:
            go_on(training, options, iterations)
        events = []
        if options.logdir:
            first = training.steps + 1 if training.steps else 0
            folders = [Path(options.logdir) / name for name in ("training", "held-out")]
            events = [stack.enter_context(EventWriter(folder, first)) for folder in folders]
        stack.enter_context(stopping_on_ctrl_c(stop))
        checked = squares[:1] or [rows.at(0)]
        run(training, Plan(options, iterations, squares, checked, test, events), stop)
    if rows.unreadable:
        say(f"{len(rows.unreadable)} of {len(examples)} pictures skipped")
    if training.steps < iterations:
        say(
            f"stopped after {training.steps} iterations, wrote {options.output}; "
            "the same command with --resume goes on"
        )
        return 130
    return 0


def go_on(training: "Training", options: argparse.Namespace, iterations: int) -> None:
    """Take the training up where it was saved."""
    training.restore(options.output)
    if training.steps >= iterations:
        raise InputError(
            f"{options.output}: has {training.steps} iterations already; --iterations asks for more"
        )
    check_test_pictures(options, training.steps, iterations)


def read_perception(options: argparse.Namespace) -> "tuple[np.ndarray, Recipe, Network] | None":
    """The style picture, the recipe and the VGG that the options name; None for pairs."""
    from neuralstyle.networks import load_network
    from neuralstyle.pictures.reading import read_image
    from neuralstyle.pictures.sizes import fit_longer_side

    if options.pairs:
        return None
    recipe, network, style = recipe_of(options), load_network(options.network), read_image(options.style)
    if options.style_size:
        style = fit_longer_side(style, options.style_size)
    return style, recipe, network


def read_squares(rows: "Crops", examples: "list[Example]") -> "list[np.ndarray]":
    """The centre squares of examples, at the size of the crops; without those that cannot be read."""
    from neuralstyle.feedforward.pictures import centre_square
    from neuralstyle.pictures.sizes import resize

    pictures = [picture for picture in map(rows.read, examples) if picture is not None]
    return [resize(centre_square(picture), rows.size, rows.size) for picture in pictures]


def run(training: "Training", plan: Plan, stop: threading.Event) -> None:
    """Train to the last iteration or until told to stop; print, save and render on the way."""
    options, recent = plan.options, []
    began = time.perf_counter()
    last = False
    while not last:
        recent.append(training.step())
        done = training.steps
        check_finite(recent[-1], done)
        last = done >= plan.iterations or stop.is_set()
        if last or done % options.print_iterations == 0:
            print_losses(training, plan, recent, time.perf_counter() - began)
            recent = []
        if last or done % options.checkpoint_iterations == 0:
            # A step's losses are those before it; what is saved has to be good after it.
            check_finite(training.measure(plan.checked), done)
            training.save(options.output)
            if plan.test is not None:
                write_test(training, plan)


def print_losses(training: "Training", plan: Plan, recent: list[dict[str, float]], seconds: float) -> None:
    """Print the mean losses since the last time and those of what is held out, and write them as events."""
    from neuralstyle.runs.history import Step

    done = training.steps
    mean = {term: sum(losses[term] for losses in recent) / len(recent) for term in recent[0]}
    measured = training.measure(plan.held_out) if plan.held_out else {}
    line = f"epoch {1 + (done - 1) // training.batches}, iteration {done}: {told(mean)}"
    print(f"{line}; held out: {told(measured)}" if measured else line, flush=True)
    for writer, losses in zip(plan.events, (mean, measured), strict=False):
        if losses:
            writer.add_step(Step(done, seconds, losses))


def write_test(training: "Training", plan: Plan) -> None:
    """Render the test picture. One that cannot be written is told of; the training goes on."""
    from neuralstyle.pictures.writing import check_output, write_image

    path = test_path(plan.options, training.steps)
    picture = training.render(plan.test)
    try:
        check_output(path, plan.options.overwrite)
        write_image(path, picture)
    except InputError as error:
        say(f"{error}; the training goes on")
    if plan.events:
        plan.events[0].add_picture(training.steps, picture)


def check_finite(losses: dict[str, float], iteration: int) -> None:
    """Stop before a ruined network takes the place of the last checkpoint."""
    if not all(map(math.isfinite, losses.values())):
        raise InputError(
            f"the loss is no finite number after {iteration} iterations; lower --learning-rate "
            "(what was saved before is kept)"
        )


def told(losses: dict[str, float]) -> str:
    """Losses as they are printed."""
    return ", ".join(f"{term} {value:.5g}" for term, value in losses.items())


def say(line: str) -> None:
    """Tell the user something that is not a result."""
    tell(line, PROGRAM)


def main(arguments: Sequence[str]) -> int:
    """Train as the options say.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``train`` on the command line.

    Returns
    -------
    int
        Exit status: 0, 2 after bad input, 130 after Ctrl-C or SIGTERM; the checkpoint is written then,
        unless it came before the training began, or twice.
    """
    options = parser().parse_args(arguments)

    def checked_training() -> int:
        check(options)
        return train(options)

    return exit_status(checked_training, PROGRAM)

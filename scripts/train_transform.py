#!/usr/bin/env python
"""Train a transform network: a style picture and photographs in, a checkpoint out.

    python scripts/train_transform.py --style wave.jpg --train photographs --output wave.ckpt
    python scripts/stylize.py --transform wave.ckpt --content me.jpg --output me_as_wave.png

What it is trained for is a recipe's objective, by default that of fast-style-transfer. With --pairs it is
fitted to pictures that were stylised slowly instead.
"""

import argparse
import math
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.stylize import checkpoint_path
from neuralstyle.command.terminal import quiet_import
from neuralstyle.files import InputError, check_writable, require
from neuralstyle.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.feedforward.crops import Example
    from neuralstyle.feedforward.training import Training
    from neuralstyle.runs.events import EventWriter

#: Of the pictures held out, so many at most are measured, which keeps a report short.
MEASURED = 100


def parser() -> argparse.ArgumentParser:
    """The script's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--style", metavar="FILE", help="the style picture")
    add("--style-size", type=int, metavar="N", help="its longer side in pixels; default: as it is")
    add("--train", metavar="DIR", help="a folder of photographs")
    add(
        "--pairs",
        metavar="DIR",
        help="instead of both: a folder with the folders photographs and results, to be fitted to",
    )
    add("--output", metavar="CKPT", required=True, help="the checkpoint to write")
    add("--overwrite", action="store_true", help="replace a checkpoint that exists")
    add(
        "--resume",
        action="store_true",
        help="go on from a checkpoint that this command wrote; --iterations and --learning-rate may differ",
    )
    add("--recipe", default="fast-style-transfer", choices=list(RECIPES), help="default: %(default)s")
    for term, name in (("content", "content"), ("style", "style"), ("tv", "total variation")):
        add(f"--{term}-weight", type=float, metavar="W", help=f"of {name}; default: the recipe's")
    add("--network", metavar="FILE", help="weights of VGG-19; default: as for stylize")
    add("--epochs", type=int, default=2, metavar="N", help="default: %(default)s")
    add("--iterations", type=int, metavar="N", help="batches to train on, instead of epochs")
    add("--batch", type=int, default=4, metavar="N", help="pictures at a time; default: %(default)s")
    add("--crop", type=int, default=256, metavar="N", help="side of the squares; default: %(default)s")
    add("--width", type=float, default=1.0, metavar="W", help="scales the channels; default: %(default)g")
    add("--learning-rate", type=float, default=1e-3, metavar="R", help="of Adam; default: %(default)g")
    add("--held-out", type=float, default=0.1, metavar="0..1", help="share of pictures; default: %(default)g")
    add("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    add("--print-iterations", type=int, default=100, metavar="N", help="default: %(default)s")
    add("--checkpoint-iterations", type=int, default=1000, metavar="N", help="default: %(default)s")
    add("--test", metavar="FILE", help="a picture to render at every checkpoint")
    add("--test-output", metavar="FORM", default="test_{:06}.jpg", help="default: %(default)s")
    add("--logdir", metavar="DIR", help="events for TensorBoard")
    add("--threads", type=int, metavar="N", help="default: all cores")
    add("--device", metavar="NAME", help="cpu, gpu or such as /GPU:1; default: a GPU where there is one")
    return parser


def check(options: argparse.Namespace) -> None:
    """Find out, before anything is read, whether the options make sense together."""
    if options.pairs:
        for name in ("style", "train"):
            if getattr(options, name):
                raise InputError(f"--{name} does not go with --pairs; give one of them")
    elif not (options.style and options.train):
        raise InputError("give --style and --train, or --pairs")
    for name in ("epochs", "iterations", "batch", "style_size", "print_iterations", "checkpoint_iterations"):
        value = getattr(options, name)
        if value is not None:
            require(value >= 1, option(name), value, "1 or more")
    require(options.seed >= 0, "--seed", options.seed, "0 or more")
    if options.crop < 32 or options.crop % 4:
        raise InputError(f"--crop is {options.crop}; it must be a multiple of 4, and 32 or more")
    if not options.learning_rate > 0:
        raise InputError(f"--learning-rate is {options.learning_rate:g}; it must be larger than 0")
    check_writable(options.output)
    if options.test:
        check_writable(checkpoint_path(options.test_output, 0, "--test-output"))
    exists = Path(f"{options.output}.index").exists()
    if exists and not (options.overwrite or options.resume):
        raise InputError(
            f"{options.output}: exists already; --overwrite replaces it, --resume goes on with it"
        )
    if options.resume and not exists:
        raise InputError(f"{options.output}: there is no such checkpoint to go on from; leave --resume out")


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The objective: the recipe with the weights that were given."""
    weights = {name: getattr(options, name) for name in ("content_weight", "style_weight", "tv_weight")}
    return replace(
        RECIPES[options.recipe], **{name: weight for name, weight in weights.items() if weight is not None}
    )


def settings(
    options: argparse.Namespace, recipe: Recipe, style: "np.ndarray | None", examples: "list[Example]"
) -> dict[str, object]:
    """What decides the weights, by the names that a message uses if a run goes on with others."""
    names = "\n".join(example.photograph.name for example in examples)
    numbers = ("recipe", "network", "batch", "crop", "width", "held_out", "seed")
    weights = ("content_weight", "style_weight", "tv_weight")
    return {
        "a --style of SHA-256": None if style is None else sha256(style).hexdigest()[:12],
        "pictures whose names have SHA-256": sha256(names.encode()).hexdigest()[:12],
        **{option(name): getattr(options, name) for name in numbers},
        **{option(name): getattr(recipe, name) for name in weights},
    }


def train(options: argparse.Namespace) -> int:
    """Train as the options say."""
    from neuralstyle.networks import load_network
    from neuralstyle.pictures.reading import read_image
    from neuralstyle.pictures.sizes import fit_longer_side, resize

    recipe, network = recipe_of(options), load_network(options.network)
    test = read_image(options.test) if options.test else None
    style = read_image(options.style) if options.style else None
    if style is not None and options.style_size:
        style = fit_longer_side(style, options.style_size)
    with quiet_import():
        from neuralstyle.feedforward import crops
        from neuralstyle.feedforward.pictures import centre_square
        from neuralstyle.feedforward.training import Training
        from neuralstyle.graphs import Machine
        from neuralstyle.runs.events import EventWriter
        from neuralstyle.runs.interrupts import stopping_on_ctrl_c

    examples = crops.pairs(options.pairs, say) if options.pairs else crops.photographs(options.train)
    trained, held_out = crops.split(examples, options.held_out, options.seed)
    rows = crops.Crops(trained, options.crop, options.batch, options.seed, say)
    pictures = [picture for picture in map(rows.read, held_out[:MEASURED]) if picture is not None]
    squares = [resize(centre_square(picture), options.crop, options.crop) for picture in pictures]
    iterations = options.iterations or options.epochs * rows.batches
    say(
        f"{len(trained)} pictures to train on, {len(held_out)} held out; "
        f"{iterations} iterations of {options.batch} crops, {rows.batches} an epoch"
    )
    stop = threading.Event()
    with ExitStack() as stack:
        training = stack.enter_context(
            Training(
                rows,
                style,
                recipe,
                network,
                width=options.width,
                learning_rate=options.learning_rate,
                seed=options.seed,
                settings=settings(options, recipe, style, examples),
                machine=Machine(options.threads, options.device),
            )
        )
        if options.resume:
            training.restore(options.output)
            if training.steps >= iterations:
                raise InputError(
                    f"{options.output}: has {training.steps} iterations already; --iterations asks for more"
                )
        events = []
        if options.logdir:
            first = training.steps + 1 if training.steps else 0
            folders = [Path(options.logdir) / name for name in ("training", "held-out")]
            events = [stack.enter_context(EventWriter(folder, first)) for folder in folders]
        stack.enter_context(stopping_on_ctrl_c(stop))
        run(training, options, iterations, squares, test, events, stop)
    if rows.unreadable:
        say(f"{len(rows.unreadable)} of {len(examples)} pictures skipped")
    if training.steps < iterations:
        say(f"stopped after {training.steps} iterations; the same command with --resume goes on")
    return 0


def run(
    training: "Training",
    options: argparse.Namespace,
    iterations: int,
    squares: "list[np.ndarray]",
    test: "np.ndarray | None",
    events: "list[EventWriter]",
    stop: threading.Event,
) -> None:
    """Train to the last iteration or until told to stop; print, save and render on the way."""
    from neuralstyle.pictures.writing import write_image
    from neuralstyle.runs.history import Step

    began, recent = time.perf_counter(), []
    last = False
    while not last:
        recent.append(training.step())
        done = training.steps
        check_finite(recent[-1], done)
        last = done >= iterations or stop.is_set()
        if last or done % options.print_iterations == 0:
            mean = {term: sum(losses[term] for losses in recent) / len(recent) for term in recent[0]}
            recent = []
            measured = training.measure(squares) if squares else {}
            line = f"epoch {1 + (done - 1) // training.batches}, iteration {done}: {told(mean)}"
            print(f"{line}; held out: {told(measured)}" if measured else line, flush=True)
            for writer, losses in zip(events, (mean, measured), strict=False):
                if losses:
                    terms = {"content": 0.0, "style": 0.0, "tv": 0.0} | losses
                    writer.add_step(Step(done, time.perf_counter() - began, **terms))
        if last or done % options.checkpoint_iterations == 0:
            # A step's losses are those before it; what is saved has to be good after it.
            check_finite(training.measure(squares[:1]) if squares else {}, done)
            training.save(options.output)
            if test is not None:
                picture = training.render(test)
                write_image(checkpoint_path(options.test_output, done), picture)
                if events:
                    events[0].add_picture(done, picture)


def check_finite(losses: dict[str, float], iteration: int) -> None:
    """Stop before a ruined network takes the place of the last checkpoint."""
    if not all(map(math.isfinite, losses.values())):
        raise InputError(
            f"the loss is no finite number after {iteration} iterations; lower --learning-rate "
            "(what was saved before is kept)"
        )


def option(name: str) -> str:
    """What is typed for an option, from the name that it is kept under."""
    return f"--{name.replace('_', '-')}"


def told(losses: dict[str, float]) -> str:
    """Losses as they are printed."""
    return ", ".join(f"{term} {value:.5g}" for term, value in losses.items())


def say(line: str) -> None:
    """Tell the user something that is not a result."""
    print(f"train_transform: {line}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script: 0, 2 after bad input, or 130 after Ctrl-C before training began, or pressed twice."""
    try:
        options = parser().parse_args(arguments)
        check(options)
        return train(options)
    except InputError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("stopped at once; what was saved before is kept")
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""What can be said to ``neuralstyle train``, and whether it makes sense together."""

import argparse
import math
from pathlib import Path

from neuralstyle.files import InputError, check_writable, require
from neuralstyle.recipes import RECIPES

PROGRAM = "neuralstyle train"

#: The recipe whose objective a network is trained for, where none is named.
DEFAULT_RECIPE = "fast-style-transfer"

#: What ``--test`` pictures are called, where nothing else is said.
DEFAULT_TEST_OUTPUT = "test_{:06}.jpg"

#: Options that say what pictures are measured by, which pairs have no use for.
PERCEPTION = (
    *("style", "train", "style_size", "recipe", "network"),
    *("content_weight", "style_weight", "tv_weight"),
)


def parser() -> argparse.ArgumentParser:
    """The subcommand's options."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Train a transform network: a style picture and photographs in, a checkpoint out.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--style", metavar="FILE", help="the style picture")
    add("--style-size", type=int, metavar="N", help="its longer side in pixels; default: as it is")
    add("--train", metavar="DIR", help="a folder of photographs; folders in it count")
    add(
        "--pairs",
        metavar="DIR",
        help="instead of both: a folder with the folders photographs and results, to be fitted to",
    )
    add("--output", metavar="CKPT", required=True, help="the checkpoint to write")
    add("--overwrite", action="store_true", help="replace files that exist")
    add(
        "--resume",
        action="store_true",
        help="go on from a checkpoint that this command wrote; --iterations and --learning-rate may differ",
    )
    add("--recipe", choices=list(RECIPES), help=f"default: {DEFAULT_RECIPE}")
    for term, name in (("content", "content"), ("style", "style"), ("tv", "total variation")):
        add(f"--{term}-weight", type=float, metavar="W", help=f"of {name}; default: the recipe's")
    add("--network", metavar="FILE", help="weights of VGG-19; default: as for stylize")
    add("--epochs", type=int, metavar="N", help="times to go through the photographs; default: 2")
    add("--iterations", type=int, metavar="N", help="batches to train on, instead of epochs")
    add("--batch", type=int, default=4, metavar="N", help="pictures at a time; default: %(default)s")
    add("--crop", type=int, default=256, metavar="N", help="side of the squares; default: %(default)s")
    add("--width", type=float, default=1.0, metavar="W", help="scales the channels; default: %(default)g")
    add("--learning-rate", type=float, default=1e-3, metavar="R", help="of Adam; default: %(default)g")
    add("--held-out", type=float, default=0.1, metavar="0..1", help="share of pictures; default: %(default)g")
    add(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="of the crops and the first weights; default: %(default)s",
    )
    add(
        "--print-iterations",
        type=int,
        default=100,
        metavar="N",
        help="print the losses every N batches; default: 100",
    )
    add(
        "--checkpoint-iterations",
        type=int,
        default=1000,
        metavar="N",
        help="save every N batches; default: 1000",
    )
    add("--test", metavar="FILE", help="a picture to render at every checkpoint")
    add("--test-output", metavar="FORM", help=f"default: {DEFAULT_TEST_OUTPUT.replace('%', '%%')}")
    add("--logdir", metavar="DIR", help="events for TensorBoard")
    add("--threads", type=int, metavar="N", help="threads to compute with; default: one per core")
    add("--device", metavar="NAME", help="cpu, gpu or such as /GPU:1; default: a GPU where there is one")
    return parser


def check(options: argparse.Namespace) -> None:
    """Find out, before anything is read, whether the options make sense together."""
    if options.pairs:
        for name in PERCEPTION:
            if getattr(options, name) is not None:
                raise InputError(f"{option(name)} does not go with --pairs; leave one of them out")
    elif not (options.style and options.train):
        raise InputError("give --style and --train, or --pairs")
    if options.epochs and options.iterations:
        raise InputError("--epochs does not go with --iterations; give one of them")
    if options.test_output and not options.test:
        raise InputError("--test-output says where --test goes; name a picture with --test")
    if options.overwrite and options.resume:
        raise InputError("--overwrite starts afresh and --resume goes on; give one of them")
    counts = ("epochs", "iterations", "batch", "style_size", "print_iterations", "checkpoint_iterations")
    for name in (*counts, "threads"):
        value = getattr(options, name)
        if value is not None:
            require(value >= 1, option(name), value, "1 or more")
    require(options.seed >= 0, "--seed", options.seed, "0 or more")
    require(0 < options.width < math.inf, "--width", options.width, "larger than 0")
    require(0 <= options.held_out < 1, "--held-out", options.held_out, "0 or more and less than 1")
    if options.crop < 32 or options.crop % 4:
        raise InputError(f"--crop is {options.crop}; it must be a multiple of 4, and 32 or more")
    if not 0 < options.learning_rate < math.inf:
        raise InputError(f"--learning-rate is {options.learning_rate:g}; it must be larger than 0")
    for name in ("content_weight", "style_weight", "tv_weight"):
        value = getattr(options, name)
        require(value is None or math.isfinite(value), option(name), value, "a finite number")
    check_output(options)


def check_output(options: argparse.Namespace) -> None:
    """Find out, before anything is read, whether what comes out can be written."""
    check_writable(options.output)
    exists = any(Path(f"{options.output}{end}").exists() for end in (".index", ""))
    if exists and not (options.overwrite or options.resume):
        raise InputError(
            f"{options.output}: exists already; --overwrite replaces it, --resume goes on with it"
        )
    if options.resume and not exists:
        raise InputError(f"{options.output}: there is no such checkpoint to go on from; leave --resume out")
    if options.test:
        from neuralstyle.pictures.writing import check_output

        check_output(test_path(options, 0), overwrite=True)


def check_test_pictures(options: argparse.Namespace, first: int, last: int) -> None:
    """Make sure that no picture on the way takes the place of a file, unless that was allowed."""
    if not options.test or options.overwrite:
        return
    every = options.checkpoint_iterations
    for iteration in (*range(first + every - first % every, last, every), last):
        path = test_path(options, iteration)
        if path.exists():
            raise InputError(f"{path}: exists; choose another --test-output, or say --overwrite")


def test_path(options: argparse.Namespace, iteration: int) -> Path:
    """Where the picture of an iteration goes."""
    from neuralstyle.runs.saving import snapshot_path

    return snapshot_path(options.test_output or DEFAULT_TEST_OUTPUT, iteration, "--test-output")


def option(name: str) -> str:
    """What is typed for an option, from the name that it is kept under."""
    return f"--{name.replace('_', '-')}"

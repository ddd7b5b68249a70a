"""What can be said on the command line of networks that render in one pass."""

import argparse


def add(group: argparse._ArgumentGroup) -> None:
    """Add the options to a parser's group."""
    option = group.add_argument
    option("--any-style", action="store_true", help="render in the style of any picture, in one pass")
    option("--strength", type=float, metavar="0..1", help="strength of --any-style; 0: no style; default: 1")
    option(
        "--fixed-style",
        metavar="N[:W],...",
        help="render in one of 26 styles in one pass, or in several with weights, as 3:0.5,12:0.5",
    )
    option(
        "--transform",
        metavar="FILE",
        nargs="?",
        const="wheat-field.ckpt",
        help="render by a network of one style in one pass: a checkpoint of 'neuralstyle train', of "
        "fast-style-transfer or of hwalsuklee's program, a frozen graph or a SavedModel (which may take a "
        "--style as well); default: the shipped one, %(const)s",
    )
    option(
        "--hub-model",
        metavar="DIR",
        help="render by a SavedModel of two pictures: arbitrary-image-stylization-v1-256, downloaded to this "
        "folder",
    )
    option(
        "--stroke-scale",
        type=float,
        metavar="S",
        help="with a network: strokes S times as large; renders at another size and brings the picture back",
    )
    option(
        "--margin",
        type=margin,
        metavar="N|auto",
        help="with a network: extend the picture by N mirrored pixels, and crop the result; default: auto "
        "for checkpoints of 'neuralstyle train', otherwise 0",
    )


def margin(value: str) -> int | str:
    """Read what --margin takes: a number of pixels, or auto."""
    if value == "auto":
        return value
    if not value.isdecimal() or int(value) > 4096:
        raise argparse.ArgumentTypeError(f"{value!r} is not auto or a number of pixels up to 4096")
    return int(value)

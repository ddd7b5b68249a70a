"""Write a network that renders in one pass for other programs: as SavedModel, TensorFlow Lite or ONNX."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.network_options import margin
from neuralstyle.command.terminal import exit_status, quiet_import
from neuralstyle.feedforward.kinds import FORMATS, is_foreign, is_saved_model
from neuralstyle.files import InputError, check_writable

if TYPE_CHECKING:
    from neuralstyle.feedforward.export import Exported

PROGRAM = "neuralstyle export"


def main(arguments: Sequence[str]) -> int:
    """Write a network; the exit status."""
    options = _parser().parse_args(arguments)
    return exit_status(lambda: _export(options), PROGRAM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=__doc__,
        epilog="The file takes content_image, 1×H×W×3, RGB, 0..1, and gives stylized_image; any-style takes "
        "style_image, 1×256×256×3, as well, and fixed-styles takes style_weights, 26 numbers whose sum is 1.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("network", metavar="CKPT|any-style|fixed-styles", help="which network; CKPT as --transform takes it")
    add("--to", choices=tuple(FORMATS), required=True, help="the format")
    add("--output", type=Path, metavar="FILE", required=True, help="file to write; for a SavedModel a folder")
    add("--overwrite", action="store_true", help="replace what exists")
    add(
        "--precision",
        choices=FORMATS["onnx"],
        default="float32",
        help="in what weights are held; default: %(default)s",
    )
    add(
        "--margin",
        type=margin,
        metavar="N|auto",
        help="of a CKPT: extend the picture by N mirrored pixels, crop the result; default: as --transform",
    )
    return parser


def _export(options: argparse.Namespace) -> None:
    path, named = options.output, options.network in ("any-style", "fixed-styles")
    if options.precision not in FORMATS[options.to]:
        raise InputError(f"--precision {options.precision} does not go with --to {options.to}")
    if options.margin is not None and named:
        raise InputError(f"--margin does not go with {options.network}, which needs none")
    if not named and is_foreign(options.network):
        raise InputError(f"{options.network}: has a graph of its own; name a checkpoint")
    _check_output(path, options.to, options.overwrite)
    with quiet_import():
        from neuralstyle.feedforward import export

        export.write(_network(options), path, options.to, options.precision)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    print(f"{path}: {sum(file.stat().st_size for file in files)} bytes")


def _check_output(path: Path, format_: str, overwrite: bool) -> None:
    """Find out, before any work, that it can be written and nothing is lost by it."""
    if format_ != "savedmodel" or not path.is_dir():
        check_writable(path)
    elif not is_saved_model(path):
        raise InputError(
            f"{path}: is a folder, and no SavedModel, which alone is replaced; choose another name"
        )
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; --overwrite replaces it")


def _network(options: argparse.Namespace) -> "Exported":
    from neuralstyle.feedforward import checkpoints, export, transform

    if options.network == "any-style":
        return export.any_style_network()
    if options.network == "fixed-styles":
        return export.fixed_styles_network()
    stored = checkpoints.read_network(options.network)
    own = options.margin == "auto" or (options.margin is None and stored.own)
    return export.transform_network(
        stored.weights, stored.layout, transform.MARGIN if own else options.margin or 0
    )

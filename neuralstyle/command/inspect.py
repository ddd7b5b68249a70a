"""Show what a network sees in a picture: each layer's shape, minimum, maximum and mean.

With a second picture also how alike the two are in style, layer by layer; with --between, how far the
style of a result has come from its photograph's to its painting's; with a weight file that has fully
connected layers, what the network takes the picture for. Also the picture's total variation.
"""

import argparse
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.terminal import exit_status, quiet_import
from neuralstyle.files import InputError

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.networks import Network

KINDS = ("horizontal-differences", "vertical-differences", "horizontal-sobel", "vertical-sobel")


def main(arguments: Sequence[str] | None = None, program: str = "neuralstyle inspect") -> int:
    """Print what a network sees in one picture or two; the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    program : str
        What messages begin with.
    """
    options = _parser(program).parse_args(arguments)
    paths = [options.picture, options.second] if options.second else [options.picture]
    return exit_status(lambda: inspect(options, paths), program)


def _parser(program: str) -> argparse.ArgumentParser:
    head, rest = __doc__.split("\n\n")
    parser = argparse.ArgumentParser(prog=program, description=head, epilog=rest, allow_abbrev=False)
    parser.add_argument("picture", metavar="PICTURE", help="the picture to look at")
    parser.add_argument("second", metavar="SECOND", nargs="?", help="another picture, to be compared with it")
    parser.add_argument(
        "--between",
        nargs=2,
        metavar=("CONTENT", "STYLE"),
        help="the photograph and the painting that PICTURE was made from, resized to its width: where its "
        "style lies between theirs, layer by layer; 0 is the painting's, 1 the photograph's",
    )
    parser.add_argument("--network", metavar="FILE", help="weights of VGG-19 or VGG-16, .mat or .h5")
    parser.add_argument(
        "--layers",
        metavar="LAYER",
        nargs="+",
        help="such as relu4_2, or conv4_2 before its ReLU; default: all",
    )
    parser.add_argument(
        "--pooling", choices=("max", "average"), default="max", help="of the layers; default: %(default)s"
    )
    parser.add_argument(
        "--width",
        type=int,
        metavar="PIXELS",
        help="resize each picture to this width first; default: as it is",
    )
    parser.add_argument(
        "--edges",
        type=Path,
        metavar="DIR",
        help="write differences to the right (horizontal) and lower (vertical) neighbour, and Sobel "
        "derivatives in the same directions, as PNG; middle grey is no change",
    )
    parser.add_argument("--overwrite", action="store_true", help="let --edges replace files that exist")
    return parser


def inspect(options: argparse.Namespace, paths: list[str]) -> None:
    """Read the pictures and the network, and print everything that was asked for."""
    from neuralstyle.networks import load_network
    from neuralstyle.pictures.reading import read_image
    from neuralstyle.pictures.sizes import fit_width

    if options.width is not None and options.width < 1:
        raise InputError(f"--width is {options.width}; it must be 1 or more")
    if options.overwrite and not options.edges:
        raise InputError("--overwrite is for the files of --edges; give both")
    if options.between and options.second:
        raise InputError("--between compares one picture with two others; leave SECOND out")
    pictures = [read_image(path) for path in paths]
    between = [read_image(path) for path in options.between or ()]
    if options.width:
        pictures = [fit_width(picture, options.width) for picture in pictures]
    network = load_network(options.network)
    if between:
        _print_positions(network, options, pictures[0], between)
        return
    edge_files = plan_edges(options.edges, paths, options.overwrite) if options.edges else []
    with quiet_import():
        from neuralstyle.networks.inspection import (
            best_classes,
            cosine_similarity,
            edge_pictures,
            layer_statistics,
            total_variation,
        )

    print(f"network: {network.path}, {options.pooling} pooling")
    seen = []
    for path, picture in zip(paths, pictures, strict=True):
        seen.append(layer_statistics(network, picture, options.layers, options.pooling))
        print(f"\n{path}: {picture.shape[1]}×{picture.shape[0]} pixels")
        print(f"{'layer':8}  {'H×W×C':>13}  {'minimum':>12}  {'maximum':>12}  {'mean':>12}")
        for layer, found in seen[-1].items():
            shape = "×".join(map(str, found.shape))
            values = (found.minimum, found.maximum, found.mean)
            print(f"{layer:8}  {shape:>13}  " + "  ".join(f"{value:12.6g}" for value in values))
        print(f"total variation on [0, 1]: {total_variation(picture):.6g}")
        if "prob" in network.names:
            print("best classes (shorter side resized to 256 pixels, the middle 224×224 looked at):")
            for label, probability in best_classes(network, picture):
                print(f"{probability:8.4f}  {label}")
    if len(seen) == 2:
        print("\ncosine similarity of the Gram matrices")
        for layer, found in seen[0].items():
            print(f"{layer:8}  {cosine_similarity(found.gram, seen[1][layer].gram):.6f}")
    if edge_files:
        print()
    for files, picture in zip(edge_files, pictures, strict=False):
        write_edges(files, edge_pictures(picture))


def _print_positions(
    network: "Network", options: argparse.Namespace, result: "np.ndarray", between: "list[np.ndarray]"
) -> None:
    """Print where a result's style lies between its photograph's and its painting's."""
    from neuralstyle.pictures.sizes import fit_width

    with quiet_import():
        from neuralstyle.networks.distances import STYLE_LAYERS, style_positions
        from neuralstyle.networks.inspection import layer_statistics

    pictures = [result, *(fit_width(picture, result.shape[1]) for picture in between)]
    layers = options.layers or STYLE_LAYERS
    seen = [layer_statistics(network, picture, layers, options.pooling) for picture in pictures]
    print("where the style lies: 0 is the painting's, 1 the photograph's")
    print(f"{'layer':8}  {'Gram':>8}  {'Wasserstein':>11}")
    found = style_positions(*seen)
    for layer, position in found.items():
        print(f"{layer:8}  {position.gram:8.4f}  {position.wasserstein:11.4f}")
    means = [
        sum(values) / len(found) for values in zip(*(astuple(one) for one in found.values()), strict=True)
    ]
    print(f"{'mean':8}  {means[0]:8.4f}  {means[1]:11.4f}")


def plan_edges(folder: Path, paths: list[str], overwrite: bool) -> list[dict[str, Path]]:
    """Name the edge pictures of each picture after it, and find out that they can be written."""
    from neuralstyle.pictures.writing import check_output

    stems = [Path(path).stem for path in paths]
    if len(set(stems)) < len(stems):
        stems = [f"{stem}-{number}" for number, stem in enumerate(stems, start=1)]
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder ({error.strerror})") from error
    files = [{kind: folder / f"{stem}-{kind}.png" for kind in KINDS} for stem in stems]
    for path in (path for of_picture in files for path in of_picture.values()):
        check_output(path, overwrite)
    return files


def write_edges(files: dict[str, Path], pictures: "dict[str, np.ndarray]") -> None:
    """Write the edge pictures of one picture, and say where they are."""
    from neuralstyle.pictures.writing import write_image

    for kind, path in files.items():
        write_image(path, pictures[kind])
        print(path)

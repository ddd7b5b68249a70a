"""Seconds per megapixel and peak memory of an iteration, whole and in tiles, by the picture's size.

Each row is a process of its own, so that its peak memory is its own: everything is in it, Python,
TensorFlow, weights, pictures, targets and Adam's state. ``--compare`` sets tiles against whole pictures
in one process, turn by turn.

    python benchmarks/scaling.py --sizes 384x256 682x512 1364x1024 --recipe neural-style
    python benchmarks/scaling.py --sizes 4096x4096 --tile 1024 --repeats 1
    python benchmarks/scaling.py --compare --sizes 2048x1536 --tile 1024
"""

import argparse
import subprocess
import sys

import measuring
import numpy as np

from neuralstyle import RECIPES, load_network
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import TiledLoss, WholeLoss, open_loss
from neuralstyle.loss.terms import objective_of
from neuralstyle.optimizers import Adam
from neuralstyle.preparation import network_for, scene_of


def iteration(loss: object, picture: np.ndarray) -> object:
    """A function that makes one step of Adam."""
    adam = Adam()
    state = adam.start(picture)

    def run() -> None:
        _, gradient = loss.losses_and_gradient(picture)
        adam.step(picture, gradient, state, 0)

    return run


def opened(name: str, content: np.ndarray, style: np.ndarray, tile: int | None) -> WholeLoss | TiledLoss:
    """The loss of a recipe."""
    recipe = RECIPES[name]
    network = network_for(recipe, load_network())
    return open_loss(network, objective_of(recipe), scene_of(content, style), Machine(tile=tile))


def row(options: argparse.Namespace, height: int, width: int) -> str:
    """One line of the table, measured in this process."""
    content, style = measuring.pictures(height, width)
    style = np.ascontiguousarray(style[:1024, :1024])
    with opened(options.recipe, content, style, options.tile or None) as loss:
        seconds = measuring.interleaved({"iteration": iteration(loss, content.copy())}, options.repeats)
    megapixels = height * width / 1e6
    return (
        f"| {width}×{height} | {megapixels:.2f} | {options.tile or 'whole'} | {seconds['iteration']:.2f} | "
        f"{seconds['iteration'] / megapixels:.2f} | {measuring.peak_gigabytes():.2f} |"
    )


def compare(options: argparse.Namespace, height: int, width: int) -> str:
    """Tiles against the whole picture, in one process."""
    content, style = measuring.pictures(height, width)
    style = np.ascontiguousarray(style[:1024, :1024])
    with (
        opened(options.recipe, content, style, None) as whole,
        opened(options.recipe, content, style, options.tile) as tiled,
    ):
        (_, expected), (_, gradient) = (loss.losses_and_gradient(content) for loss in (whole, tiled))
        work = {"whole": iteration(whole, content.copy()), "tiled": iteration(tiled, content.copy())}
        seconds = measuring.interleaved(work, options.repeats)
    difference = np.abs(gradient - expected).max() / np.abs(expected).max()
    return (
        f"| {width}×{height} | {options.tile} | {seconds['whole']:.2f} | {seconds['tiled']:.2f} | "
        f"{seconds['tiled'] / seconds['whole']:.2f} | {difference:.0e} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=measuring.size, nargs="+", default=[(256, 384)], help="such as 512x384"
    )
    parser.add_argument("--recipe", default="neural-style", choices=list(RECIPES))
    parser.add_argument("--tile", type=int, default=0, help="0: the whole picture")
    parser.add_argument("--compare", action="store_true", help="tiles against whole pictures")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--row", action="store_true", help="measure the one size in this process")
    options = parser.parse_args()
    if options.row:
        print(row(options, *options.sizes[0]))
        return
    print(measuring.machine())
    if options.compare:
        print(
            "| size | tile | whole, s | tiled, s | ratio | gradient's difference |\n|---|---|---|---|---|---|"
        )
    else:
        print("| size | megapixels | tile | iteration, s | s per megapixel | peak, GB |\n" + "|---" * 6 + "|")
    for height, width in options.sizes:
        if options.compare:
            print(compare(options, height, width), flush=True)
            continue
        command = [sys.executable, __file__, "--row", "--sizes", f"{width}x{height}"]
        command += [
            "--recipe",
            options.recipe,
            "--tile",
            str(options.tile),
            "--repeats",
            str(options.repeats),
        ]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="", flush=True)


if __name__ == "__main__":
    main()

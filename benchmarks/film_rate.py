#!/usr/bin/env python
"""How long a frame of a film takes: by a recipe, by each kind of network, and by decoding and encoding alone.

python benchmarks/film_rate.py [--sizes 320x240 640x480] [--slow-frames 3] [--frames 48] [--evaluations 10]

Each figure is the difference between the commands for a long film and for a short one, divided by the frames
between: reading, flow, rendering and writing count, the start does not. For a recipe, the time of one
evaluation of the loss alone is measured beside it, so that what a frame costs beyond its evaluations shows.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import skimage.data
from made_film import make_film
from measuring import machine, size

from neuralstyle import RECIPES, load_network
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import open_loss
from neuralstyle.loss.terms import objective_of, temporal
from neuralstyle.preparation import Scene, Style, prepare
from neuralstyle.recipes import stages
from neuralstyle.runs.film import Film, find_ffmpeg

NETWORKS = {
    "any style": ["--any-style"],
    "any style, blended": ["--any-style", "--temporal-blend"],
    "fixed style": ["--fixed-style", "7"],
    "transform": ["--transform"],
}


def seconds_of(line: list[str]) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def write_film(path: Path, height: int, width: int, length: int) -> None:
    """A film of one shot, there and back, so that it is as long as one likes."""
    shown = make_film(height, width, (min(length, 24),), 6).frames
    with Film(str(path)) as film:
        for index in range(length):
            there, at = divmod(index, len(shown))
            film.add(shown[at if there % 2 == 0 else -1 - at])


def a_frame(folder: Path, lengths: tuple[int, int], line: list[str]) -> float:
    """Seconds a frame: what a long film takes more than a short one."""
    program = [sys.executable, "-m", "neuralstyle", "video", "--overwrite", "--quiet"]
    taken = [
        seconds_of([*program, str(folder / f"{n}.mp4"), "--output", str(folder / f"out{n}.mp4"), *line])
        for n in lengths
    ]
    return (taken[1] - taken[0]) / (lengths[1] - lengths[0])


def an_evaluation(frame: np.ndarray) -> float:
    """Seconds of one evaluation of a film's loss, the least of five."""
    recipe = replace(stages(RECIPES["painterly-film"])[-1], content_size=None)
    scene = Scene(np.float32(frame), (Style(np.float32(skimage.data.coffee())),))
    network = load_network()
    prepared = prepare(recipe, network, scene, 0).scene
    objective = objective_of(recipe, 1) + 1.0 * temporal()
    times = []
    with open_loss(network, objective, prepared, Machine(), 0) as loss:
        beside = {name: np.zeros((*frame.shape[:2], c), np.float32) for name, c in objective.beside.items()}
        loss.compare_with(scene.content, beside)
        for _ in range(6):
            began = time.perf_counter()
            loss.losses_and_gradient(scene.content)
            times.append(time.perf_counter() - began)
    return min(times[1:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=size, nargs="+", default=[(240, 320), (480, 640)], metavar="WxH")
    parser.add_argument("--slow-frames", type=int, default=3, help="by the recipe, beyond the second")
    parser.add_argument("--evaluations", type=int, default=10, help="of the loss, a frame")
    parser.add_argument("--frames", type=int, default=48, help="by a network")
    options = parser.parse_args()

    print(machine())
    print("| size | | s a frame | frames a second | frames a minute |")
    print("|---|---|---|---|---|")
    for height, width in options.sizes:
        with tempfile.TemporaryDirectory() as path:
            measure(Path(path), height, width, options)


def measure(folder: Path, height: int, width: int, options: argparse.Namespace) -> None:
    """Print the rows of a size."""

    def row(name: str, seconds: float) -> None:
        print(
            f"| {width}×{height} | {name} | {seconds:.3f} | {1 / seconds:.1f} | {60 / seconds:.1f} |",
            flush=True,
        )

    slow, fast = (2, 2 + options.slow_frames), (8, 8 + options.frames)
    for length in {*slow, *fast}:
        write_film(folder / f"{length}.mp4", height, width, length)
    count = str(options.evaluations)
    row(
        f"one evaluation, {count} times",
        options.evaluations * an_evaluation(make_film(height, width, (1,)).frames[0]),
    )
    row(
        f"painterly-film, {count} evaluations",
        a_frame(folder, slow, ["--iterations", count, count, "--width", str(width)]),
    )
    for name, line in NETWORKS.items():
        row(name, a_frame(folder, fast, line))
    long = folder / f"{fast[1]}.mp4"
    ffmpeg = [find_ffmpeg(long), *"-v error -y -i".split(), str(long)]
    ffmpeg += "-c:v libx264 -pix_fmt yuv420p".split()
    row("ffmpeg, decoding and encoding", seconds_of([*ffmpeg, str(folder / "coded.mp4")]) / fast[1])


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Time a picture in one pass, whole and in tiles, and take the peak of the memory.

Each row is a process of its own that opens a network and renders a photograph, once for TensorFlow to make
of the graph what it will (in tiles a small photograph), then again, which is timed. Of tiles there is the
largest difference, in steps of 255, from the picture rendered whole.

    python benchmarks/feedforward_tiles.py
"""

import argparse
import subprocess
import sys
import time
from contextlib import AbstractContextManager

import measuring
import numpy as np

from neuralstyle.feedforward import any_style, multi_style, transform
from neuralstyle.feedforward.pictures import Render
from neuralstyle.graphs import Machine

NETWORKS = ("any style", "fixed styles", "transform")


def opened(name: str, tile: int | None) -> AbstractContextManager[Render]:
    """A network's renderer."""
    machine = Machine(tile=tile)
    if name == "any style":
        return any_style.renderer([measuring.pictures(256, 256)[1]], machine=machine)
    if name == "fixed styles":
        return multi_style.renderer(np.eye(26)[7], machine)
    return transform.renderer(transform.initial_weights(), machine)


def row(name: str, height: int, width: int, tile: int | None) -> str:
    """One line of the table, measured in this process."""
    picture, _ = measuring.pictures(height, width)
    small, _ = measuring.pictures(height // 4, width // 4)
    with opened(name, tile) as render:
        render(small if tile else picture)
        began = time.perf_counter()
        result = render(picture)
        seconds = time.perf_counter() - began
        peak = measuring.peak_gigabytes()
        difference = "–"
        if tile:
            with opened(name, None) as whole:
                difference = f"{np.abs(result - whole(picture)).max():.3f}"
    return f"| {name} | {width}×{height} | {tile or 'whole'} | {seconds:.1f} | {peak:.2f} | {difference} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=measuring.size, default="2048x1536", metavar="WxH")
    parser.add_argument("--tile", type=int, default=512, metavar="N", help="default: %(default)s")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--row", nargs=2, help="measure this one row in this process")
    options = parser.parse_args()
    if options.row:
        name, tile = options.row
        print(row(name, *options.size, int(tile) or None))
        return
    print(measuring.machine())
    print("| network | size | tile | seconds | peak, GB | difference |\n|---|---|---|---|---|---|")
    size = f"{options.size[1]}x{options.size[0]}"
    for name in options.networks:
        for tile in (0, options.tile):
            command = [sys.executable, __file__, "--size", size, "--row", name, str(tile)]
            print(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="", flush=True
            )


if __name__ == "__main__":
    main()

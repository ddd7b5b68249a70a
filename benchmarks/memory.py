"""The memory that a run is expected to take, against its peak.

Each row is a process of its own that opens a loss and makes two steps. Estimated: what the program takes
before anything is computed (Python, TensorFlow, weights, pictures: measured in the same process), the graph
(`neuralstyle.loss.memory.graph_bytes`) and the optimiser (`optimizer_bytes`). The peak is the process's.

    python benchmarks/memory.py
"""

import argparse
import subprocess
import sys
from dataclasses import replace

import measuring
import numpy as np
import psutil

from neuralstyle import RECIPES, load_network
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import open_loss
from neuralstyle.loss.memory import graph_bytes, optimizer_bytes
from neuralstyle.loss.terms import objective_of
from neuralstyle.loss.tiles import longest_region
from neuralstyle.optimizers import LBFGS, PreconditionedLBFGS, minimize
from neuralstyle.preparation import Style, fit_masks, network_for, scene_of

#: Recipe, width, height, tile, changed fields, masks.
ROWS = (
    ("neural-style", 512, 384, None, {}, False),
    ("neural-style", 1364, 1024, None, {}, False),
    ("neural-style", 2048, 1536, 512, {}, False),
    ("neural-style", 2048, 1536, 1024, {}, False),
    ("cookbook", 1024, 768, None, {}, False),
    ("tensorflow-tutorial", 1024, 768, None, {}, False),
    ("neural-style-tf", 1024, 768, None, {"optimizer": LBFGS()}, False),
    ("painterly", 1024, 768, None, {"optimizer": PreconditionedLBFGS()}, False),
    ("neural-style", 1024, 768, None, {}, True),
    ("neural-style", 1024, 768, None, {"normalize_gradients": True}, False),
)


def row(index: int) -> str:
    """One line of the table, measured in this process."""
    name, width, height, tile, changed, masked = ROWS[index]
    recipe = replace(RECIPES[name], **changed)
    network = network_for(recipe, load_network())
    content, style = measuring.pictures(height, width)
    mask = np.linspace(0, 1, width, dtype=np.float32) * np.ones((height, 1), np.float32)
    styles = [Style(style, mask), Style(style, 1 - mask)] if masked else [Style(style)]
    scene, objective = fit_masks(scene_of(content, styles)), objective_of(recipe, len(styles))
    import tensorflow as tf

    with tf.compat.v1.Session(graph=tf.Graph()):  # its threads and its allocator
        before = psutil.Process().memory_info().rss
    region = (height, width) if tile is None else 2 * (longest_region(network, objective.layers, tile),)
    masks = (2 if masked else 0) * objective.style_layers
    expected = graph_bytes(network, objective.layers, *region, masks)
    expected += optimizer_bytes(recipe.optimizer, height, width)
    with open_loss(network, objective, scene, Machine(tile=tile), recipe.optimizer) as loss:
        minimize(recipe.optimizer, loss, content.copy(), 2, lambda *_: None)
    peak = measuring.peak_gigabytes()
    estimate = (before + expected) / 1e9
    what = ", ".join([*map(str, changed), *["two masks"] * masked]) or "–"
    return (
        f"| `{name}` | {width}×{height} | {tile or 'whole'} | {what} | {estimate:.2f} | {peak:.2f} | "
        f"{estimate / peak:.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=int, help="measure this one row in this process")
    options = parser.parse_args()
    if options.row is not None:
        print(row(options.row))
        return
    print(measuring.machine())
    print("| recipe | size | tile | with | estimate, GB | peak, GB | ratio |\n|---|---|---|---|---|---|---|")
    for index in range(len(ROWS)):
        command = [sys.executable, __file__, "--row", str(index)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="", flush=True)


if __name__ == "__main__":
    main()

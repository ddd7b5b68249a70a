"""Evaluations and seconds that other optimisers take to the loss where Adam ends.

The `neural-style` recipe from noise: Adam for so many iterations, then L-BFGS with two memories, at once
and from coarse to fine, from the same noise and from the content picture, until each is below Adam's last
loss. Seconds are those of `neuralstyle.stylize`, targets and graphs included; evaluations are those at the
picture's full size.

    python benchmarks/optimizers.py --size 341x256 --iterations 1000
"""

import argparse
import time
from dataclasses import replace

import measuring
import numpy as np

from neuralstyle import RECIPES, Recipe, Step, load_network, stylize
from neuralstyle.networks import Network
from neuralstyle.optimizers import LBFGS


class _Reached(Exception):
    """Ends a run that has got where it should."""


def run(
    network: Network, recipe: Recipe, content: np.ndarray, style: np.ndarray, goal: float = 0.0
) -> list[tuple[float, float]]:
    """Seconds and total loss of each evaluation at the full size, up to the first one at the goal."""
    trace, began = [], time.perf_counter()

    def take(step: Step) -> None:
        if step.picture.shape != content.shape:
            return
        trace.append((time.perf_counter() - began, step.total))
        if step.total <= goal:
            raise _Reached

    try:
        stylize(content, style, recipe, network, on_step=take)
    except _Reached:
        pass
    return trace


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=measuring.size, default=(256, 341), help="such as 341x256")
    parser.add_argument("--iterations", type=int, default=1000, help="of Adam")
    parser.add_argument("--evaluations", type=int, default=400, help="of L-BFGS, at most")
    options = parser.parse_args()
    network = load_network()
    content, style = measuring.pictures(*options.size)
    width = options.size[1]
    print(measuring.machine())
    print("| optimiser | start | evaluations | seconds | total loss | share of Adam's time |")
    print("|---|---|---|---|---|---|")
    adam = replace(RECIPES["neural-style"], iterations=options.iterations, keep_best=False)
    trace = run(network, adam, content, style)
    whole, end = trace[-1]
    print(f"| Adam | noise | {len(trace) - 1} | {whole:.0f} | {end:.4g} | 1 |", flush=True)
    for start in ("noise", "content"):
        for memory in (10, 40):
            for scales in ((), (width // 4, width // 2, width)):
                recipe = replace(
                    adam,
                    optimizer=LBFGS(memory=memory),
                    start=start,
                    iterations=options.evaluations,
                    scales=scales,
                    scale_iterations=(60, 60, options.evaluations) if scales else (),
                )
                found = run(network, recipe, content, style, end)
                seconds, total = found[-1]
                print(
                    f"| L-BFGS, memory {memory}{', coarse to fine' if scales else ''} | {start} | "
                    f"{len(found)} | {seconds:.0f} | {total:.4g}{'' if total <= end else ' (not reached)'} | "
                    f"{seconds / whole:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

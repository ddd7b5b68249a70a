"""Evaluations and seconds that L-BFGS and Adam take to the loss where Adam ends.

The `neural-style` recipe from noise: Adam for so many iterations, then L-BFGS from the same noise and
from the content picture, until each is below Adam's last loss (or its best).

    python benchmarks/optimizers.py --size 341x256 --iterations 1000
"""

import argparse
import time
from dataclasses import replace

import measuring
import numpy as np

from neuralstyle import RECIPES, load_network
from neuralstyle.loss import open_loss
from neuralstyle.optimizers import LBFGS, Adam, Optimizer, minimize
from neuralstyle.transfer import starting_picture


class _Reached(Exception):
    """Ends a run that has got where it should."""


def run(
    loss: object, optimizer: Optimizer, start: np.ndarray, iterations: int, goal: float = 0.0
) -> list[tuple[float, float]]:
    """Seconds and total loss of each evaluation, up to the first one at the goal."""
    trace, began = [], time.perf_counter()

    def report(iteration: int, losses: dict[str, float], picture: np.ndarray, state: object) -> None:
        trace.append((time.perf_counter() - began, losses["total"]))
        if losses["total"] <= goal:
            raise _Reached

    try:
        minimize(optimizer, loss, start, iterations, report)
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
    network, recipe = load_network(), RECIPES["neural-style"]
    content, style = measuring.pictures(*options.size)
    print(measuring.machine())
    print("| optimiser | start | evaluations | seconds | total loss | share of Adam's time |")
    print("|---|---|---|---|---|---|")
    with open_loss(network, recipe, content, [style]) as loss:
        noise = starting_picture(recipe, network, content, [style], 0)
        trace = run(loss, Adam(), noise, options.iterations)
        whole, end = trace[-1]
        best = min(total for _, total in trace)
        print(
            f"| Adam | noise | {len(trace) - 1} | {whole:.0f} | {end:.4g}, best {best:.4g} | 1 |", flush=True
        )
        for begin in ("noise", "content"):
            start = starting_picture(replace(recipe, start=begin), network, content, [style], 0)
            for memory in (10, 40):
                found = run(loss, LBFGS(memory=memory), start, options.evaluations, end)
                seconds, total = found[-1]
                print(
                    f"| L-BFGS, memory {memory} | {begin} | {len(found)} | {seconds:.0f} | {total:.4g}"
                    f"{'' if total <= end else ' (not reached)'} | {seconds / whole:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

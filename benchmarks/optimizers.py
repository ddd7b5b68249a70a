"""Evaluations and seconds of other optimisers to the loss where Adam ends, and what they cost themselves.

The `neural-style` recipe from noise: Adam for so many iterations, then our own L-BFGS with and without its
filter, and SciPy's, from the content picture and from the same noise, until each is below Adam's last loss.
Seconds are those of `neuralstyle.stylize`, targets and graphs included. With --goal, a loss that is known
already, Adam is left out.

    python benchmarks/optimizers.py --size 341x256 --iterations 1000
    python benchmarks/optimizers.py --size 341x256 --goal 2.345e6

What an optimiser does between two evaluations, as a share of an iteration (losses, gradient, Adam's step):

    python benchmarks/optimizers.py --size 1364x768 --work
"""

import argparse
import time
import warnings
from dataclasses import replace

import measuring
import numpy as np

from neuralstyle import RECIPES, Recipe, Step, load_network, stylize
from neuralstyle.networks import Network
from neuralstyle.optimizers import LBFGS, Adam, Optimizer, PreconditionedLBFGS, minimize

OPTIMIZERS = {
    "preconditioned L-BFGS": PreconditionedLBFGS(),
    "the same, without its filter": PreconditionedLBFGS(exponent=0.0),
    "SciPy's L-BFGS-B": LBFGS(memory=20),
}


class _Reached(Exception):
    """Ends a run that has got where it should."""


def run(
    network: Network, recipe: Recipe, content: np.ndarray, style: np.ndarray, goal: float = 0.0
) -> list[tuple[float, float]]:
    """Seconds and total loss of each evaluation, up to the first one at the goal."""
    trace, began = [], time.perf_counter()

    def take(step: Step) -> None:
        trace.append((time.perf_counter() - began, step.total))
        if step.total <= goal:
            raise _Reached

    try:
        stylize(content, style, recipe, network, on_step=take)
    except _Reached:
        pass
    return trace


class _Nearness:
    """A loss that costs little, to see what the optimiser costs; `seconds` are the loss's own."""

    def __init__(self, target: np.ndarray) -> None:
        self._target = target
        self._weights = np.linspace(1, 30, target.shape[1], dtype=np.float32)[:, None]
        self.seconds = 0.0

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The weighted squared distance from the target."""
        began = time.perf_counter()
        gradient = picture - self._target
        weighted = gradient * self._weights
        total = float(np.einsum("hwc,hwc->", gradient, weighted, dtype=np.float64))
        self.seconds += time.perf_counter() - began
        return {"total": total}, weighted

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """Its total."""
        return self.losses_and_gradient(picture)[0]


def work_between_evaluations(optimizer: Optimizer, target: np.ndarray) -> float:
    """Seconds of an optimiser itself from one evaluation to the next, its memory full; the least of five."""
    loss, times = _Nearness(target), []

    def take(iteration: int, *_: object) -> None:
        times.append(time.perf_counter() - loss.seconds)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the minimum may be found
        minimize(optimizer, loss, np.full_like(target, 128), 27, take)
    return min(np.diff(times[20:26]))


def print_work(network: Network, content: np.ndarray, style: np.ndarray) -> None:
    """The table of what the optimisers cost themselves."""
    print("| optimiser | between two evaluations, s | an iteration, s | share |")
    print("|---|---|---|---|")
    for name, optimizer in {"Adam": Adam(), **OPTIMIZERS}.items():
        # One beside the other, because a machine's speed changes.
        recipe = replace(RECIPES["neural-style"], iterations=3, keep_best=False)
        iteration = min(np.diff([seconds for seconds, _ in run(network, recipe, content, style)][:-1]))
        work = work_between_evaluations(optimizer, content)
        print(f"| {name} | {work:.3f} | {iteration:.2f} | {work / iteration:.3f} |", flush=True)


def print_runs(network: Network, content: np.ndarray, style: np.ndarray, options: argparse.Namespace) -> None:
    """The table of evaluations and seconds to the goal."""
    print("| optimiser | start | evaluations | seconds | total loss | share of Adam's time |")
    print("|---|---|---|---|---|---|")
    recipe = replace(RECIPES["neural-style"], iterations=options.iterations, keep_best=False)
    whole, goal = np.inf, options.goal
    if goal is None:
        trace = run(network, recipe, content, style)
        whole, goal = trace[-1]
        print(f"| Adam | noise | {len(trace) - 1} | {whole:.0f} | {goal:.4g} | 1 |", flush=True)
    for start in ("content", "noise"):
        for name, optimizer in OPTIMIZERS.items():
            other = replace(recipe, optimizer=optimizer, start=start, iterations=options.evaluations)
            found = run(network, other, content, style, goal)
            seconds, total = found[-1]
            print(
                f"| {name} | {start} | {len(found)} | {seconds:.0f} | "
                f"{total:.4g}{'' if total <= goal else ' (not reached)'} | "
                f"{seconds / whole:.3f} |",
                flush=True,
            )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=measuring.size, default=(256, 341), help="such as 341x256")
    parser.add_argument("--iterations", type=int, default=1000, help="of Adam")
    parser.add_argument("--evaluations", type=int, default=400, help="of L-BFGS, at most")
    parser.add_argument("--goal", type=float, help="a loss to reach; without it, the one where Adam ends")
    parser.add_argument("--work", action="store_true", help="measure the optimisers' own work instead")
    options = parser.parse_args()
    network = load_network()
    content, style = measuring.pictures(*options.size)
    print(measuring.machine())
    if options.work:
        print_work(network, content, style)
    else:
        print_runs(network, content, style, options)


if __name__ == "__main__":
    main()

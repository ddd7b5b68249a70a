"""How good each optical flow is on a film whose flow is known, and how well trust tells what is visible.

python benchmarks/video.py [--size 320x240] [--frames 4 4] [--speed 20]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from made_film import MadeFilm, make_film
from measuring import machine, size

from neuralstyle.video.flow import METHODS, flow_trust, optical_flow

#: From a frame and its neighbour to the flow between them.
Estimate = Callable[[int, int], np.ndarray]


def estimates(made: MadeFilm) -> dict[str, Estimate]:
    """Each method, on a film's frames by their index; and for comparison the exact flow, and none."""

    def exact(first: int, second: int) -> np.ndarray:
        return made.backward[first] if second < first else made.forward[second]

    def none(first: int, second: int) -> np.ndarray:
        return np.zeros_like(made.backward[first])

    methods = {
        method: lambda first, second, method=method: optical_flow(
            made.frames[first], made.frames[second], method
        )
        for method in METHODS
    }
    return {"exact": exact, **methods, "none": none}


def measure(made: MadeFilm, estimate: Estimate) -> dict[str, float]:
    """Means over a film: errors in pixels, precision and recall of trust, seconds a flow."""
    errors, trusted_errors, both, trusted, visible = [], [], 0, 0, 0
    began = time.perf_counter()
    pairs = [index for index in range(1, len(made.frames)) if index not in made.cuts]
    found = [(estimate(index - 1, index), estimate(index, index - 1)) for index in pairs]
    seconds = (time.perf_counter() - began) / (2 * len(pairs))
    for index, (forward, backward) in zip(pairs, found, strict=True):
        error = np.linalg.norm(backward - made.backward[index], axis=2)
        seen, trust = made.visible[index], flow_trust(forward, backward) == 1
        errors.append(error[seen].mean())
        trusted_errors.append(error[trust].mean() if trust.any() else np.nan)
        both += (trust & seen).sum()
        trusted += trust.sum()
        visible += seen.sum()
    return {
        "error, visible": float(np.mean(errors)),
        "error, trusted": float(np.mean(trusted_errors)),
        "precision": both / max(trusted, 1),
        "recall": both / visible,
        "seconds": seconds,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=size, default=(240, 320), metavar="WxH")
    parser.add_argument("--frames", type=int, nargs="+", default=[4, 4], help="of each shot")
    parser.add_argument("--speed", type=float, default=20, help="pixels a frame")
    options = parser.parse_args()

    print(machine())
    height, width = options.size
    made = make_film(height, width, options.frames, options.speed)
    print(
        f"{width}×{height}, {options.speed:g} pixels a frame; visible: {made.visible.mean():.2f} of the film"
    )
    print("| flow | error where visible | error where trusted | precision | recall | time | s |")
    print("|---|---|---|---|---|---|---|")
    rows = {name: measure(made, estimate) for name, estimate in estimates(made).items()}
    for name, row in rows.items():
        ratio = row["seconds"] / rows["dis"]["seconds"]
        print(
            f"| {name} | {row['error, visible']:.2f} | {row['error, trusted']:.2f} | "
            f"{row['precision']:.3f} | {row['recall']:.3f} | {ratio:.1f} | {row['seconds']:.3f} |"
        )


if __name__ == "__main__":
    main()

"""Where the time goes from the command to the first iteration.

Each part is timed in a fresh process; the least of several runs counts.

    python benchmarks/startup.py --size 341x256
"""

import argparse
import json
import subprocess
import sys

import measuring

_PARTS = """
import json, os, sys, time
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
clock, parts = time.perf_counter, {}

def part(name, began):
    parts[name] = clock() - began

began = clock(); import numpy, skimage.data; part("NumPy and scikit-image", began)
began = clock(); import tensorflow; part("TensorFlow", began)
began = clock(); import neuralstyle.loss.losses, neuralstyle.transfer; part("this package", began)
from neuralstyle import RECIPES, load_network
from neuralstyle.pictures.sizes import resize
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import WholeLoss
from neuralstyle.loss.targets import measure
from neuralstyle.loss.terms import objective_of
from neuralstyle.preparation import scene_of
height, width = int(sys.argv[1]), int(sys.argv[2])
content = resize(skimage.data.coffee().astype("float32"), height, width)
style = resize(skimage.data.astronaut().astype("float32"), height, width)
began = clock(); network = load_network(); part("reading the weights", began)
objective = objective_of(RECIPES["neural-style"])
layers = objective.content_layers, objective.style_layers
whole = Machine(tile=None)
began = clock(); targets = measure(network, scene_of(content, style), *layers, whole); part("targets", began)
began = clock(); loss = WholeLoss(network, objective, targets, whole); part("graph and session", began)
began = clock(); loss.losses_and_gradient(content); part("first iteration", began)
began = clock(); loss.losses_and_gradient(content); part("second iteration, for comparison", began)
print(json.dumps(parts))
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=measuring.size, default=(256, 341), help="such as 341x256")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    command = [sys.executable, "-c", _PARTS, *map(str, options.size)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(options.repeats)
    ]
    print(measuring.machine())
    print("| part | seconds |\n|---|---|")
    for part in runs[0]:
        print(f"| {part} | {min(run[part] for run in runs):.2f} |")


if __name__ == "__main__":
    main()

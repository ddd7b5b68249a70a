"""The forms of a convolution, layer by layer: what `neuralstyle.networks.convolutions` chooses between.

For each layer of a VGG-19 at a picture's size: ``conv2d`` with bias and ReLU and TensorFlow's derivative of a
convolution, and in relation to those the derivative as a ``conv2d`` with the mirrored kernel, and both in
Winograd's form. Counted are the processor's seconds, of all threads together, which other work on the machine
disturbs less than those of the clock (``--clock``).

    python benchmarks/convolutions.py --size 512x384
"""

import argparse
import time
from collections.abc import Callable

import measuring
import numpy as np
import tensorflow as tf

from neuralstyle import load_network
from neuralstyle.graphs import held, new_graph, open_session
from neuralstyle.networks import winograd
from neuralstyle.networks.network import Layer

FORMS = ("plain", "derivative", "mirrored", "winograd", "winograd mirrored")


def forms(layer: Layer, height: int, width: int) -> dict[str, Callable[[], object]]:
    """A function to run for each form of a layer's convolution."""
    random = np.random.default_rng(0)
    inputs, outputs = layer.kernel.shape[2:]
    mirrored = np.ascontiguousarray(layer.kernel[::-1, ::-1].swapaxes(2, 3))
    with new_graph() as graph:
        x = held(random.normal(size=(1, height, width, inputs)).astype(np.float32), "x")
        y = held(random.normal(size=(1, height, width, outputs)).astype(np.float32), "y")
        kernel, bias = held(layer.kernel, "kernel"), held(layer.bias, "bias")
        backprop = tf.compat.v1.nn.conv2d_backprop_input
        results = (
            tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)),
            backprop((1, height, width, inputs), kernel, y, [1, 1, 1, 1], "SAME"),
            tf.nn.conv2d(y, held(mirrored, "mirrored"), 1, "SAME"),
            winograd.convolve(x, held(winograd.transformed(layer.kernel), "spectrum"), 1, bias, True),
            winograd.convolve(y, held(winograd.transformed(mirrored), "mirrored_spectrum"), 1),
        )
    session = open_session(graph)
    return {
        form: lambda operation=result.op: session.run(operation)
        for form, result in zip(FORMS, results, strict=True)
    }


def row(layer: Layer, height: int, width: int, repeats: int, clock: Callable[[], float]) -> str:
    """One line of the table: the least of many, one of each form in turn."""
    work = forms(layer, height, width)
    best = dict.fromkeys(work, float("inf"))
    for repeat in range(repeats + 1):
        for form, run in work.items():
            began = clock()
            run()
            if repeat:
                best[form] = min(best[form], clock() - began)
    plain, derivative = best["plain"], best["derivative"]
    inputs, outputs = layer.kernel.shape[2:]
    return (
        f"| {layer.name}: {height}×{width}, {inputs}→{outputs} | "
        f"{1000 * plain:.1f} | {1000 * derivative:.1f} | "
        f"{best['winograd'] / plain:.2f} | {best['mirrored'] / derivative:.2f} | "
        f"{best['winograd mirrored'] / derivative:.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=measuring.size, default=(384, 512), help="such as 512x384")
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--clock", action="store_true", help="seconds of the clock, not of the processor")
    options = parser.parse_args()
    print(measuring.machine())
    print(
        "| layer | conv2d, ms | its derivative, ms | Winograd / conv2d | mirrored / derivative | "
        "Winograd / derivative |"
    )
    print("|---|---|---|---|---|---|")
    network, seen = load_network(), set()
    height, width = options.size
    for layer in network.up_to(["relu5_1"]):
        if layer.kind == "pool":
            height, width = network.halved(height), network.halved(width)
        if layer.kind == "convolution" and (height, layer.kernel.shape) not in seen:
            seen.add((height, layer.kernel.shape))
            clock = time.perf_counter if options.clock else time.process_time
            print(row(layer, height, width, options.repeats, clock), flush=True)


if __name__ == "__main__":
    main()

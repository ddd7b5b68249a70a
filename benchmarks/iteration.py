"""How an iteration compares with its bare convolutions, and with the published program's graph.

Prints ratios from one run: an iteration of a recipe (loss, gradient, and a step of Adam) against

- the bare convolutions: for each layer in use, forward and backward to its input, each timed alone;
  ``tf.nn.conv2d`` for the one and TensorFlow's derivative of it for the other.
- the graph as ``cookbook`` and ``neural-style`` build it: weights as constants, every layer built,
  derivatives as TensorFlow derives them, the default session, Adam in the graph, and, in the cookbook, the
  loss read in a run of its own.

    python benchmarks/iteration.py --sizes 512x384 1024x768 --recipes cookbook neural-style
"""

import argparse
from collections.abc import Callable

import measuring
import numpy as np
import tensorflow as tf

from neuralstyle import RECIPES, Recipe, load_network
from neuralstyle.graphs import Machine, held, new_graph, open_session
from neuralstyle.loss.losses import WholeLoss
from neuralstyle.loss.targets import Targets, measure
from neuralstyle.loss.terms import objective_of
from neuralstyle.networks import Network
from neuralstyle.optimizers import Adam
from neuralstyle.preparation import network_for, scene_of

#: The recipes whose programs build their graph in TensorFlow, as `published_graph` does.
PUBLISHED = ("cookbook", "neural-style")


def bare_convolutions(
    network: Network, layers: tuple[str, ...], height: int, width: int
) -> dict[str, Callable[[], object]]:
    """For each layer in use: its convolution and its derivative."""
    random = np.random.default_rng(0)
    work = {}
    for layer in network.up_to(layers):
        if layer.kind == "pool":
            height, width = network.halved(height), network.halved(width)
        if layer.kind != "convolution":
            continue
        inputs, outputs = layer.kernel.shape[2:]
        with new_graph() as graph:
            x = held(random.normal(size=(1, height, width, inputs)).astype(np.float32), "x")
            y = held(random.normal(size=(1, height, width, outputs)).astype(np.float32), "y")
            kernel = held(layer.kernel, "kernel")
            operations = {
                "forward": tf.nn.conv2d(x, kernel, 1, "SAME").op,
                "backward": derivative(y, kernel, inputs).op,
            }
        session = open_session(graph)
        for name, operation in operations.items():
            work[f"{name} {layer.name}"] = lambda session=session, operation=operation: session.run(operation)
    return work


def derivative(upstream: tf.Tensor, kernel: tf.Tensor, channels: int) -> tf.Tensor:
    """The derivative of a convolution with respect to its input, of so many channels."""
    shape = [*upstream.shape[:3], channels]
    return tf.compat.v1.nn.conv2d_backprop_input(shape, kernel, upstream, [1, 1, 1, 1], "SAME")


def published_graph(
    recipe: Recipe, network: Network, targets: Targets, picture: np.ndarray
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A step of a recipe's graph as its program builds it, and the reading of its loss."""
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.Variable(picture[np.newaxis], use_resource=False)
        layers, x = {}, image - network.mean_pixel
        for layer in network.layers:
            if layer.kind == "convolution":
                x = tf.nn.conv2d(x, tf.constant(layer.kernel), [1, 1, 1, 1], "SAME")
                x = tf.nn.bias_add(x, tf.constant(layer.bias))
            elif layer.kind == "relu":
                x = tf.nn.relu(x)
            elif layer.kind == "pool":
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
            layers[layer.name] = x
        loss = 0.0
        for name in objective_of(recipe).content_layers:
            weight = recipe.content_layers[name]
            wanted = targets.content[name]
            loss += recipe.content_weight * weight * 2 * tf.nn.l2_loss(layers[name] - wanted) / wanted.size
        for name, weight in recipe.style_layers.items():
            _, height, width, channels = layers[name].shape.as_list()
            flat = tf.reshape(layers[name], (-1, channels))
            gram = tf.matmul(tf.transpose(flat), flat) / (height * width * channels)
            wanted = targets.styles[0].grams[name] / (targets.styles[0].positions[name] * channels)
            loss += recipe.style_weight * weight * 2 * tf.nn.l2_loss(gram - wanted) / wanted.size
        dy, dx = image[:, 1:] - image[:, :-1], image[:, :, 1:] - image[:, :, :-1]
        sizes = (int(np.prod(d.shape.as_list())) for d in (dy, dx))
        loss += sum(
            recipe.tv_weight * 2 * tf.nn.l2_loss(d) / count for d, count in zip((dy, dx), sizes, strict=True)
        )
        step = tf.compat.v1.train.AdamOptimizer(10.0).minimize(loss)
        start = tf.compat.v1.global_variables_initializer()
    session = tf.compat.v1.Session(graph=graph)
    session.run(start)
    return lambda: session.run(step), lambda: session.run(loss)


def row(name: str, height: int, width: int, repeats: int) -> str:
    """One line of the table."""
    recipe = RECIPES[name]
    network, objective = network_for(recipe, load_network()), objective_of(recipe)
    content, style = measuring.pictures(height, width)
    layers = objective.content_layers, objective.style_layers
    targets = measure(network, scene_of(content, style), *layers, Machine(tile=None))
    adam = Adam()
    with WholeLoss(network, objective, targets, optimizer=adam) as loss:
        loss.descent.begin(content, None, {}, True)

        def iteration() -> None:
            loss.descent.advance(adam.rate(0), True)

        work = {"iteration": iteration, **bare_convolutions(network, objective.layers, height, width)}
        if name in PUBLISHED:
            work["step"], work["reading"] = published_graph(recipe, network, targets, content)
        seconds = measuring.interleaved(work, repeats)
    ours = seconds.pop("iteration")
    step, reading = seconds.pop("step", None), seconds.pop("reading", None)
    bare = sum(seconds.values())
    line = f"| {name} | {width}×{height} | {ours:.2f} | {bare:.2f} | {ours / bare:.2f} |"
    if step is None:
        return f"{line} | | |"
    return f"{line} {step:.2f} | {ours / step:.2f} | {ours / (step + reading):.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=measuring.size, nargs="+", default=[(384, 512)], help="such as 512x384"
    )
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    print(measuring.machine())
    print(
        "| recipe | size | iteration, s | bare convolutions, s | ratio | the program's step, s | ratio | "
        "ratio to a step and a reading of the loss |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for height, width in options.sizes:
        for name in options.recipes:
            print(row(name, height, width, options.repeats), flush=True)


if __name__ == "__main__":
    main()

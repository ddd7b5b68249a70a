"""How close an iteration comes to its bare convolutions, and how it compares with a plain graph.

Prints ratios from one run: an iteration of a recipe (loss, gradient, and a step of Adam) against

- the bare convolutions: for each layer in use, forward and backward to its input, each timed alone;
  ``tf.nn.conv2d`` for the one and its derivative for the other. That is what TensorFlow offers; this
  package computes forward convolutions of many channels in a faster form (`neuralstyle.networks.vgg`), whose
  limit is the second column.
- the cookbook's graph: weights as constants, every layer built, derivatives as TensorFlow derives them,
  the default session, and the loss read in a run of its own.

    python benchmarks/iteration.py --sizes 512x384 682x512 --recipes cookbook neural-style
"""

import argparse

import measuring
import numpy as np
import tensorflow as tf

from neuralstyle import RECIPES, Recipe, load_network
from neuralstyle.graphs import held, new_graph, open_session
from neuralstyle.loss.losses import WholeLoss, measure_targets, network_for
from neuralstyle.loss.objectives import layers_in_use
from neuralstyle.loss.targets import Targets
from neuralstyle.networks import Network
from neuralstyle.optimizers import Adam


def bare_convolutions(network: Network, recipe: Recipe, height: int, width: int) -> dict[str, object]:
    """For each layer: its convolution, the same in the transposed form, and its derivative."""
    random = np.random.default_rng(0)
    content_layers, style_layers = layers_in_use(recipe)
    work = {}
    odd = recipe.padding == "SAME"
    for layer in network.up_to((*content_layers, *style_layers)):
        if layer.kind == "pool":
            height, width = (height + odd) // 2, (width + odd) // 2
        if layer.kind != "convolution":
            continue
        inputs, outputs = layer.kernel.shape[2:]
        with new_graph() as graph:
            x = held(random.normal(size=(1, height, width, inputs)).astype(np.float32), "x")
            y = held(random.normal(size=(1, height, width, outputs)).astype(np.float32), "y")
            kernel = held(layer.kernel, "kernel")
            mirrored = held(np.ascontiguousarray(layer.kernel[::-1, ::-1].swapaxes(2, 3)), "mirrored")
            operations = {
                "forward": tf.nn.conv2d(x, kernel, 1, "SAME").op,
                "transposed": derivative(x, mirrored, outputs).op,
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


def cookbook_graph(network: Network, targets: Targets, picture: np.ndarray) -> tuple[object, object]:
    """A step of the cookbook recipe's plain graph, and the reading of its loss."""
    recipe = RECIPES["cookbook"]
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
        for name, weight in recipe.content_layers.items():
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


def measure(name: str, height: int, width: int, repeats: int) -> str:
    """One line of the table."""
    recipe = RECIPES[name]
    network = network_for(recipe, load_network())
    content, style = measuring.pictures(height, width)
    targets = measure_targets(network, recipe, content, [style])
    adam, picture = Adam(), content.copy()
    state = adam.start(picture)
    with WholeLoss(network, recipe, targets) as loss:

        def iteration() -> None:
            _, gradient = loss.losses_and_gradient(picture)
            adam.step(picture, gradient, state, 0)

        work = {"iteration": iteration, **bare_convolutions(network, recipe, height, width)}
        if name == "cookbook":
            work["plain step"], work["plain loss"] = cookbook_graph(network, targets, content)
        seconds = measuring.interleaved(work, repeats)
    layers = [key.removeprefix("forward ") for key in seconds if key.startswith("forward ")]
    backward = sum(seconds[f"backward {layer}"] for layer in layers)
    bare = backward + sum(seconds[f"forward {layer}"] for layer in layers)
    least = backward + sum(
        min(seconds[f"forward {layer}"], seconds[f"transposed {layer}"]) for layer in layers
    )
    line = (
        f"| {name} | {width}×{height} | {seconds['iteration']:.2f} | {bare:.2f} | "
        f"{seconds['iteration'] / bare:.2f} | {least:.2f} | {seconds['iteration'] / least:.2f} |"
    )
    if "plain step" not in seconds:
        return f"{line} | |"
    step, reading = seconds["plain step"], seconds["plain loss"]
    ratios = (step / seconds["iteration"], (step + reading) / seconds["iteration"])
    return f"{line} {ratios[0]:.2f} | {ratios[1]:.2f} |"


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
        "| recipe | size | iteration, s | convolutions, s | ratio | fastest form, s | ratio | "
        "cookbook's step / ours | with its loss / ours |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for height, width in options.sizes:
        for name in options.recipes:
            print(measure(name, height, width, options.repeats), flush=True)


if __name__ == "__main__":
    main()

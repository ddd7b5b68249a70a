"""A `Network` as a TensorFlow graph, built from raw ``tf.nn`` operations, as deep as it is needed."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.graphs import open_session
from neuralstyle.networks import Network
from neuralstyle.networks.convolutions import convolution, plain_convolution
from neuralstyle.pictures.reading import as_image


def _l2_pool(x: tf.Tensor, *window: object, name: str) -> tf.Tensor:
    """0.78 √(Σ x²) over a window; of what padding cuts short, as much as of the whole of it."""
    mean = tf.nn.avg_pool2d(tf.square(x), *window)
    # At 0 the root has no slope, and after a ReLU many windows are 0.
    return tf.multiply(0.78 * 2, tf.sqrt(tf.maximum(mean, 1e-12)), name=name)


_POOLING = {
    "max": tf.nn.max_pool2d,
    "average": tf.nn.avg_pool2d,
    "average-scaled": lambda x, *window, name: tf.multiply(2.0, tf.nn.avg_pool2d(x, *window), name=name),
    "l2-scaled": _l2_pool,
}


def build(
    network: Network, pixels: tf.Tensor, layers: Iterable[str], plain: bool = False
) -> dict[str, tf.Tensor]:
    """Build a network in the default graph, from the pixels to the deepest of the layers asked for.

    Parameters
    ----------
    network : Network
    pixels : tf.Tensor
        Pictures N×H×W×3, float32, RGB, 0..255. The mean pixel is taken off here.
    layers : iterable of str
        Names such as ``relu4_2``; ``conv4_2`` is the same layer before its ReLU.
    plain : bool
        Whether all convolutions take the plain form, which opens in a second: for graphs that run a few
        times only, or for small pictures. Winograd's form takes some seconds to build and to start.

    Returns
    -------
    dict of str to tf.Tensor
        Activations N×h×w×C of each layer asked for.

    Raises
    ------
    InputError
        If the network has no such layer.
    """
    layers = tuple(layers)
    tensors = {}
    x = pixels - tf.constant(network.mean_pixel)
    needed = network.up_to(layers)
    for layer, following in zip_longest(needed, needed[1:]):
        if layer.kind == "convolution":
            # MatConvNet pads the 3×3 convolutions with zeros; a fully connected layer sees its input once.
            edges = "VALID" if layer.name.startswith("fc") else "SAME"
            if layer is needed[0] and network.border == "replicated":
                x, edges = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC"), "VALID"
            # Its ReLU comes along, unless it is asked for as it is before.
            rectified = layer.name not in layers and following is not None and following.kind == "relu"
            if plain:
                x = plain_convolution(x, layer.kernel, layer.bias, edges, rectified, layer.name)
            else:
                x = convolution(x, layer.kernel, layer.bias, edges, rectified, layer.name)
        elif layer.kind == "relu":
            x = x if rectified else tf.nn.relu(x, name=layer.name)
        elif layer.kind == "pool":
            x = _POOLING[network.pooling](x, 2, 2, network.padding, name=layer.name)
        else:
            x = tf.nn.softmax(x, name=layer.name)
        if layer.name in layers:
            tensors[layer.name] = x
    return tensors


def features(
    network: Network,
    image: np.ndarray | str | Path,
    layers: str | Iterable[str],
    pooling: str = "max",
    padding: str = "SAME",
) -> dict[str, np.ndarray]:
    """Compute the activations of a network for one picture, in a graph of their own.

    Parameters
    ----------
    network : Network
    image : ndarray or path
        H×W×3, uint8 or float32, RGB, 0..255.
    layers : str or iterable of str
        As in `build`.
    pooling, padding
        As in `Network`.

    Returns
    -------
    dict of str to ndarray
        float32 h×w×C for each layer.

    Raises
    ------
    InputError
        If the network has no such layer, there is no such pooling or padding, or the picture cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstyle
    >>> picture = np.random.default_rng(0).uniform(0, 255, (32, 48, 3))
    >>> activations = neuralstyle.features(neuralstyle.load_network(), picture, ["relu1_1", "relu4_2"])
    >>> activations["relu1_1"].shape, activations["relu4_2"].shape
    ((32, 48, 64), (4, 6, 512))
    """
    image = as_image(image)
    layers = [layers] if isinstance(layers, str) else layers
    network = replace(network, pooling=pooling, padding=padding)
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, (1, *image.shape))
        tensors = build(network, pixels, layers)
    with open_session(graph) as session:
        activations = session.run(tensors, {pixels: image[np.newaxis]})
    return {layer: activation[0] for layer, activation in activations.items()}

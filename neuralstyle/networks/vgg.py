"""A `Network` as a TensorFlow graph, built from raw ``tf.nn`` operations, as deep as it is needed."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.graphs import held, open_session
from neuralstyle.networks import Network
from neuralstyle.networks.network import Layer
from neuralstyle.pictures.reading import as_image

_POOLING = {"max": tf.nn.max_pool2d, "average": tf.nn.avg_pool2d}


def build(network: Network, pixels: tf.Tensor, layers: Iterable[str]) -> dict[str, tf.Tensor]:
    """Build a network in the default graph, from the pixels to the deepest of the layers asked for.

    Parameters
    ----------
    network : Network
    pixels : tf.Tensor
        Pictures N×H×W×3, float32, RGB, 0..255. The mean pixel is taken off here.
    layers : iterable of str
        Names such as ``relu4_2``; ``conv4_2`` is the same layer before its ReLU.

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
    for layer in network.up_to(layers):
        if layer.kind == "convolution":
            # MatConvNet pads the 3×3 convolutions with zeros; a fully connected layer sees its input once.
            edges = "VALID" if layer.name.startswith("fc") else "SAME"
            x = _convolve(x, layer, edges)
            x = tf.nn.bias_add(x, held(layer.bias, f"{layer.name}_bias"))
        elif layer.kind == "relu":
            x = tf.nn.relu(x, name=layer.name)
        elif layer.kind == "pool":
            x = _POOLING[network.pooling](x, 2, 2, network.padding, name=layer.name)
        else:
            x = tf.nn.softmax(x, name=layer.name)
        if layer.name in layers:
            tensors[layer.name] = x
    return tensors


def _convolve(x: tf.Tensor, layer: Layer, edges: str) -> tf.Tensor:
    """Convolve with a layer's kernel, in the form that is faster.

    A convolution that keeps the size is also the derivative of a convolution, the one whose kernel is
    mirrored in both directions and has its input and output channels swapped:

        y[p, c] = Σ_d Σ_b K[d, b, c] · x[p + d − 1, b] = Σ_d Σ_b K'[d, c, b] · x[p − d + 1, b]
        with K'[d, c, b] = K[2 − d, b, c]    (3×3; d, p and 1 stand for pairs)

    TensorFlow's CPU kernel of a convolution takes the kernel as it lies in memory, that of the
    derivative repacks it into blocks. From 256 output channels on the second is faster: 113 instead of
    189 ms for conv4_2 at 512×384 on one core; below, the first, which takes bias and ReLU along.
    """
    kernel = held(layer.kernel, f"{layer.name}_kernel")
    channels = layer.kernel.shape[-1]
    if edges == "VALID" or channels < 256:
        return tf.nn.conv2d(x, kernel, 1, edges, name=layer.name)
    mirrored = np.ascontiguousarray(layer.kernel[::-1, ::-1].swapaxes(2, 3))

    @tf.custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor, mirrored: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
            return _derivative(upstream, kernel), None, None

        return _derivative(x, mirrored), gradient

    return convolve(x, kernel, held(mirrored, f"{layer.name}_mirrored"))


def _derivative(upstream: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The derivative of a convolution that keeps the size with respect to its input."""
    channels = kernel.shape[2]
    shape = [*(tf.shape(upstream)[axis] for axis in range(3)), channels]
    if upstream.shape.is_fully_defined():
        shape = [*upstream.shape[:3], channels]
    derivative = tf.compat.v1.nn.conv2d_backprop_input(shape, kernel, upstream, [1, 1, 1, 1], "SAME")
    derivative.set_shape([*upstream.shape[:3], channels])
    return derivative


def features(
    network: Network,
    image: np.ndarray | str | Path,
    layers: Iterable[str],
    pooling: str = "max",
    padding: str = "SAME",
) -> dict[str, np.ndarray]:
    """Compute the activations of a network for one picture, in a graph of their own.

    Parameters
    ----------
    network : Network
    image : ndarray or path
        H×W×3, uint8 or float32, RGB, 0..255.
    layers : iterable of str
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
    """
    image = as_image(image)
    network = replace(network, pooling=pooling, padding=padding)
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, (1, *image.shape))
        tensors = build(network, pixels, layers)
    with open_session(graph) as session:
        activations = session.run(tensors, {pixels: image[np.newaxis]})
    return {layer: activation[0] for layer, activation in activations.items()}

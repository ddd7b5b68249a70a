"""Convolutions of stride 1: one call, its derivative beside it, and the form that is fastest where it runs.

There are two forms, *plain* and *Winograd* (`neuralstyle.networks.winograd`), and `form` chooses between
them by a device, a kernel and nothing else. The derivative with respect to the input is a convolution too, of
what comes from above, with the kernel whose rows and columns are mirrored and whose input and output channels
are swapped:

    y[p, k] = Σ_d Σ_c K[d, c, k] · x[p + d, c]
    dL/dx[q, c] = Σ_p Σ_k K[q − p, c, k] · dL/dy[p, k] = Σ_d Σ_k K'[d, k, c] · dL/dy[q − 2 + d, k]
    with K'[d, k, c] = K[2 − d, c, k]    (3×3; d, p, q and 2 stand for pairs)

so it takes the same form, which depends on the channels at both ends; Winograd's with the same numbers.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neuralstyle.graphs import custom_gradient, held
from neuralstyle.networks import winograd

#: From so many channels on, at either end, Winograd's form is faster on a processor.
WINOGRAD_CHANNELS = 128

#: Up to so many pixels the graph of a picture or a tile has plain convolutions: faster ones would take longer
#: to build than they save in a hundred evaluations.
SMALL = 128**2

#: A derivative with fewer channels than this is computed by TensorFlow's own operation for it.
_FEW = 16


def form(device: str, kernel: tuple[int, ...]) -> str:
    """Choose the form of a convolution.

    On a processor TensorFlow computes each convolution directly, as one large matrix product; Winograd's form
    has a quarter of the multiplications, and transforms whose cost does not depend on the number of
    channels at the other end. On a GPU, cuDNN has Winograd's form itself, and chooses it itself.

    Parameters
    ----------
    device : {"CPU", "GPU"}
        What the graph runs on.
    kernel : tuple of int
        The kernel's shape, h×w×C×K.

    Returns
    -------
    {"plain", "winograd"}
    """
    many = min(kernel[2:]) >= WINOGRAD_CHANNELS
    return "winograd" if device == "CPU" and tuple(kernel[:2]) == (3, 3) and many else "plain"


def convolution(
    x: tf.Tensor,
    kernel: np.ndarray | tf.Tensor,
    bias: np.ndarray | None = None,
    padding: str = "SAME",
    relu: bool = False,
    name: str = "convolution",
) -> tf.Tensor:
    """Convolve pictures, in the form that is fastest where the graph runs.

    Parameters
    ----------
    x : tf.Tensor
        N×H×W×C; N, H and W may be known only when the graph runs.
    kernel : ndarray or tf.Tensor
        h×w×C×K, h = w. An array is fixed: the graph holds it (`neuralstyle.graphs.held`) in the form that is
        computed with, and what else the derivative needs from when a derivative is asked for. A tensor
        may be trained.
    bias : ndarray, optional
        K numbers, fixed.
    padding : {"SAME", "VALID"}
        Whether zeros are put around the pictures first, so that they keep their size; h is odd then.
    relu : bool
        Whether negative results are replaced by 0.
    name : str
        Of the operations in the graph.

    Returns
    -------
    tf.Tensor
        N×H'×W'×K. Its derivative with respect to the input, and to a kernel that is a tensor, is defined; the
        derivative of that is not.
    """
    margin = _margin(kernel, padding)
    fixed = isinstance(kernel, np.ndarray)
    device = _device(x)
    chosen = form(device, kernel.shape)
    weights = held(_prepared(kernel, chosen), f"{name}_kernel") if fixed else kernel
    biases = [] if bias is None else [held(bias, f"{name}_bias")]

    def compute(x: tf.Tensor, prepared: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
        return _convolve(x, prepared, chosen, margin, bias, relu, name)

    if device == "GPU":  # TensorFlow derives it as well as can be
        return compute(x, weights, *biases)

    # What is held comes in as arguments: behind anything else TensorFlow looks for variables to derive by.
    @custom_gradient
    def convolve(x: tf.Tensor, weights: tf.Tensor, *biases: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        prepared = weights if fixed else _prepared(weights, chosen)
        y = compute(x, prepared, *biases)

        def gradient(upstream: tf.Tensor) -> list[tf.Tensor | None]:
            if relu:
                upstream = tf.raw_ops.ReluGrad(gradients=upstream, features=y)
            if chosen == "winograd":
                by_input = winograd.convolve(upstream, prepared, kernel.shape[0] - 1 - margin, mirrored=True)
            else:
                by_input = _input_derivative(upstream, x, kernel, margin, name)
            by_kernel = None if fixed else _kernel_derivative(x, upstream, kernel.shape, chosen, margin)
            return [by_input, by_kernel, *([None] * len(biases))]

        return y, gradient

    return convolve(x, weights, *biases)


def plain_convolution(
    x: tf.Tensor, kernel: np.ndarray, bias: np.ndarray, padding: str, relu: bool, name: str
) -> tf.Tensor:
    """Convolve as `convolution` does, with a fixed kernel, as TensorFlow computes it."""
    weights, biases = held(kernel, f"{name}_kernel"), held(bias, f"{name}_bias")
    return _convolve(x, weights, "plain", _margin(kernel, padding), biases, relu, name)


def _margin(kernel: np.ndarray | tf.Tensor, padding: str) -> int:
    """How many zeros are put around a picture on each side."""
    return kernel.shape[0] // 2 if padding == "SAME" else 0


def _device(x: tf.Tensor) -> str:
    """Whether a graph in which there is this tensor runs on a "CPU" or a "GPU"."""
    kind = tf.DeviceSpec.from_string(x.device or "").device_type
    return kind or ("GPU" if tf.config.list_physical_devices("GPU") else "CPU")


def _prepared(kernel: np.ndarray | tf.Tensor, chosen: str) -> np.ndarray | tf.Tensor:
    """A kernel as a form computes with it."""
    return winograd.transformed(kernel) if chosen == "winograd" else kernel


def _convolve(
    x: tf.Tensor,
    weights: tf.Tensor,
    chosen: str,
    margin: int,
    bias: tf.Tensor | None = None,
    relu: bool = False,
    name: str | None = None,
) -> tf.Tensor:
    """One convolution with a margin of zeros, in the form chosen, with a kernel prepared for it."""
    if chosen == "winograd":
        return winograd.convolve(x, weights, margin, bias, relu)
    # TensorFlow computes a convolution, bias and ReLU in this order as one operation.
    y = tf.nn.conv2d(x, weights, 1, _margins(margin), name=name)
    y = y if bias is None else tf.nn.bias_add(y, bias)
    return tf.nn.relu(y) if relu else y


def _margins(margin: int) -> list[list[int]]:
    return [[0, 0], [margin, margin], [margin, margin], [0, 0]]


def _input_derivative(
    upstream: tf.Tensor, x: tf.Tensor, kernel: np.ndarray | tf.Tensor, margin: int, name: str
) -> tf.Tensor:
    """The derivative with respect to the input of a convolution in the plain form."""
    side, _, inputs, _ = kernel.shape
    fixed = isinstance(kernel, np.ndarray)
    if inputs < _FEW:
        kernel = held(kernel, f"{name}_kernel") if fixed else kernel
        derivative = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(x),
            filter=kernel,
            out_backprop=upstream,
            strides=[1] * 4,
            padding="EXPLICIT",
            explicit_paddings=sum(_margins(margin), []),
        )
        derivative.set_shape(x.shape)
        return derivative
    if fixed:
        mirrored = held(np.ascontiguousarray(kernel[::-1, ::-1].swapaxes(2, 3)), f"{name}_mirrored")
    else:
        mirrored = tf.transpose(tf.reverse(kernel, [0, 1]), (0, 1, 3, 2))
    return _convolve(upstream, mirrored, "plain", side - 1 - margin)


def _kernel_derivative(
    x: tf.Tensor, upstream: tf.Tensor, shape: tf.TensorShape, chosen: str, margin: int
) -> tf.Tensor:
    """The derivative with respect to the kernel of a convolution."""
    if chosen == "winograd":
        return winograd.kernel_derivative(x, upstream, margin)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x,
        filter_sizes=shape,
        out_backprop=upstream,
        strides=[1] * 4,
        padding="EXPLICIT",
        explicit_paddings=sum(_margins(margin), []),
    )

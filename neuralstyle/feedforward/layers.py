"""Pieces of graph that the feed-forward networks share.

They are there twice: written so that TensorFlow runs them well on a processor (`FAST`), and with the
operations that every format of networks has (`PLAIN`). Both give the same values.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from neuralstyle.graphs import custom_gradient
from neuralstyle.networks import convolutions


def mirrored(x: tf.Tensor, margin: int, repeat_edge: bool = False) -> tf.Tensor:
    """Extend pictures on all four sides by their own mirror image.

    The same values as ``tf.pad`` gives, in less than half the time: that one works pixel by pixel, this
    one copies whole rows.

    Parameters
    ----------
    x : tf.Tensor
        N×H×W×C, H and W larger than the margin.
    margin : int
        Pixels on each side.
    repeat_edge : bool
        Whether the mirror stands at the picture's edge (``tf.pad``'s SYMMETRIC), so that the outermost
        pixels appear twice, or in their middle (REFLECT).

    Returns
    -------
    tf.Tensor
        N×(H + 2·margin)×(W + 2·margin)×C.
    """
    first = 0 if repeat_edge else 1
    # Width first: the rows joined afterwards are contiguous.
    for axis in (2, 1):
        before = [_line(x, axis, first + i) for i in reversed(range(margin))]
        after = [_line(x, axis, -1 - first - i) for i in range(margin)]
        x = tf.concat([*before, x, *after], axis)
    return x


def _line(x: tf.Tensor, axis: int, position: int) -> tf.Tensor:
    """One row (axis 1) or column (axis 2); a negative position counts from the end."""
    line = slice(position, position + 1 or None)
    return x[:, line] if axis == 1 else x[:, :, line]


def convolution(
    x: tf.Tensor, kernel: tf.Tensor | np.ndarray, stride: int = 1, padding: str = "VALID"
) -> tf.Tensor:
    """Convolve with a kernel that may have very few output channels.

    oneDNN computes 16 output channels at a time and throws away those that a layer has not. So a layer with
    few is computed as one that steps over 2 or 4 columns and gives the channels of all of them at once:
    the same numbers, in a third of the time where there are 3 channels.

    Parameters
    ----------
    x : tf.Tensor
        N×H×W×C.
    kernel : tf.Tensor or ndarray
        h×w×C×out, h = w. With more than 8 outputs and stride 1, computed and held by the graph as
        `neuralstyle.networks.convolutions.convolution` says. With 8 outputs or fewer and stride 1, the
        result's width must be a multiple of 4.
    stride : int
    padding : {"SAME", "VALID"}
        Whether zeros are put around the picture first, so that it keeps its size; the kernel's sides are
        odd then.

    Returns
    -------
    tf.Tensor
        N×H'×W'×out.
    """
    height, width, inputs, outputs = kernel.shape
    columns = 4 if outputs <= 4 else 2 if outputs <= 8 else 1
    if stride > 1:
        return tf.nn.conv2d(x, kernel, stride, padding)
    if columns == 1:
        return convolutions.convolution(x, kernel, padding=padding)
    zeros = [[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]] if padding == "SAME" else "VALID"

    @custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        # The kernel once for each column, moved to the right by as much.
        moved = [tf.pad(kernel, [[0, 0], [i, columns - 1 - i], [0, 0], [0, 0]]) for i in range(columns)]
        wide = tf.reshape(tf.stack(moved, axis=3), (height, width + columns - 1, inputs, columns * outputs))
        y = tf.nn.conv2d(x, wide, (1, 1, columns, 1), zeros)
        shape = tf.shape(y)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # That of the plain form: oneDNN derives no convolution whose strides differ.
            backprop = tf.compat.v1.nn
            return (
                backprop.conv2d_backprop_input(tf.shape(x), kernel, upstream, [1] * 4, padding),
                backprop.conv2d_backprop_filter(x, tf.shape(kernel), upstream, [1] * 4, padding),
            )

        return tf.reshape(y, (shape[0], shape[1], columns * shape[2], outputs)), gradient

    return convolve(x, tf.convert_to_tensor(kernel))


def enlarged_convolution(x: tf.Tensor, kernel: np.ndarray) -> tf.Tensor:
    """Double pictures by repeating pixels, extend them by one mirrored pixel, and convolve, 3×3.

    All three at once: of the nine pixels that a result depends on, only four differ, and which four
    depends on whether its row and column are even. So the small picture is convolved with four kernels,
    and their results are interleaved.

    Parameters
    ----------
    x : tf.Tensor
        N×H×W×C.
    kernel : ndarray
        3×3×C×out.

    Returns
    -------
    tf.Tensor
        N×2H×2W×out.
    """
    # gather[p, i, j]: whether tap j at a row of parity p falls on row i of the three rows around it.
    gather = np.zeros((2, 3, 3), np.float32)
    for parity in (0, 1):
        for tap in range(3):
            gather[parity, (parity + tap - 1) // 2 + 1, tap] = 1
    four = np.einsum("pyi,qxj,ijcd->yxcpqd", gather, gather, kernel)
    four = four.reshape(3, 3, kernel.shape[2], 4 * kernel.shape[3])
    # A doubled picture mirrored about its outermost pixel is a picture that repeats its edge, doubled.
    return tf.nn.depth_to_space(tf.nn.conv2d(mirrored(x, 1, repeat_edge=True), four, 1, "VALID"), 2)


def instance_norm(
    x: tf.Tensor,
    scale: tf.Tensor | np.ndarray,
    shift: tf.Tensor | np.ndarray,
    epsilon: float,
    reduced: bool = False,
) -> tf.Tensor:
    """Normalise every channel of every picture, then scale and shift it.

    ``scale · (x − mean) / sqrt(variance + epsilon) + shift``, mean and (biased) variance over the positions
    of one picture (Ulyanov, Vedaldi and Lempitsky 2016, equation 2).

    Parameters
    ----------
    x : tf.Tensor
        N×H×W×C. With 4 channels or fewer, W must be a multiple of 4.
    scale, shift : tf.Tensor or ndarray
        One number per channel, C.
    epsilon : float
    reduced : bool
        Whether the layer has only a sixteenth of the picture's positions. oneDNN may then add them up by
        itself, which is faster. It adds one after the other in single precision: with a million positions
        the result is off by 2e-4, and flat parts of a picture of 2048×1536 came out up to 6 of 255 off.

    Returns
    -------
    tf.Tensor
        N×H×W×C.
    """
    if x.shape[0] != 1:
        mean, variance = tf.compat.v1.nn.moments(x, [1, 2], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, shift, scale, epsilon)
    # Over a batch of one, batch normalisation is instance normalisation, in one kernel of oneDNN's.
    if reduced:
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=shift, mean=[], variance=[], epsilon=epsilon, is_training=True
        ).y
    # Loops over 3 or 4 channels leave most of a vector register empty: four positions side by side.
    columns = 4 if x.shape[3] <= 4 else 1
    shape, channels = tf.shape(x), columns * x.shape[3]
    wide = tf.reshape(x, (1, shape[1], -1, channels)) if columns == 4 else x
    mean, variance = _moments(wide, columns)
    factor = scale * tf.math.rsqrt(variance + epsilon)
    # The same kernel with a mean of 0 and a variance of 1 multiplies, adds, and can apply a ReLU at once. (It
    # has no derivative with respect to the mean and variance that it is given.)
    y = tf.raw_ops.FusedBatchNormV3(
        x=wide,
        scale=tf.tile(factor, [columns]),
        offset=tf.tile(shift - mean * factor, [columns]),
        mean=tf.zeros(channels),
        variance=tf.ones(channels),
        epsilon=0,
        is_training=False,
    ).y
    return tf.reshape(y, shape) if columns == 4 else y


def _moments(x: tf.Tensor, columns: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each channel of one picture, from the sums of its rows.

    The sums of the squares are the diagonal of a matrix product, which with few channels costs less than
    squaring; adding up by rows first keeps their rounding errors small.

    Parameters
    ----------
    x : tf.Tensor
        1×H×W×(columns·C).
    columns : int
        How many positions lie side by side, as if they were channels.

    Returns
    -------
    mean, variance : tf.Tensor
        C each.
    """
    rows = x[0]
    width = tf.shape(rows)[1]
    sums = tf.matmul(tf.ones((1, 1, width)), rows)
    squares = tf.linalg.diag_part(tf.matmul(rows, rows, transpose_a=True))
    mean, square = (
        tf.reduce_mean(tf.reshape(tf.reduce_mean(value, 0), (columns, -1)), 0) / tf.cast(width, tf.float32)
        for value in (sums, squares)
    )
    # Rounding must not make the variance of something flat negative.
    return mean, tf.maximum(square - tf.square(mean), 0)


def plain_convolution(
    x: tf.Tensor, kernel: tf.Tensor | np.ndarray, stride: int = 1, padding: str = "VALID"
) -> tf.Tensor:
    """`convolution`, as TensorFlow computes it."""
    return tf.nn.conv2d(x, kernel, stride, padding)


def plain_enlarged_convolution(x: tf.Tensor, kernel: np.ndarray) -> tf.Tensor:
    """`enlarged_convolution` in three steps."""
    # No resizing: by what it means at half pixels formats and versions differ.
    double = tf.nn.depth_to_space(tf.concat([x] * 4, 3), 2)
    return tf.nn.conv2d(plain_mirrored(double, 1), kernel, 1, "VALID")


def plain_mirrored(x: tf.Tensor, margin: int) -> tf.Tensor:
    """`mirrored`, without repeating the edge."""
    return tf.pad(x, [[0, 0], [margin] * 2, [margin] * 2, [0, 0]], "REFLECT")


def plain_instance_norm(
    x: tf.Tensor,
    scale: tf.Tensor | np.ndarray,
    shift: tf.Tensor | np.ndarray,
    epsilon: float,
    reduced: bool = False,
) -> tf.Tensor:
    """`instance_norm` by its formula."""
    mean = tf.reduce_mean(x, [1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), [1, 2], keepdims=True)
    return (x - mean) * (tf.math.rsqrt(variance + epsilon) * scale) + shift


@dataclass(frozen=True)
class Operations:
    """What a network is built from.

    Attributes
    ----------
    normalize, convolution, enlarged_convolution, mirrored : callable
        As `instance_norm` and the functions of these names; without the argument ``repeat_edge``.
    """

    normalize: Callable[..., tf.Tensor] = instance_norm
    convolution: Callable[..., tf.Tensor] = convolution
    enlarged_convolution: Callable[[tf.Tensor, np.ndarray], tf.Tensor] = enlarged_convolution
    mirrored: Callable[[tf.Tensor, int], tf.Tensor] = mirrored


FAST = Operations()
PLAIN = Operations(plain_instance_norm, plain_convolution, plain_enlarged_convolution, plain_mirrored)

"""Twenty-six fixed styles in one network, blended at will (Dumoulin et al. 2017).

All styles share the kernels; each has its own scales and shifts of the instance normalisation, and a blend
of styles takes a blend of those. The styles have numbers, 0 to 25: the network came without names for them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.blending import shares_of_fixed_styles
from neuralstyle.feedforward.layers import FAST, Operations, instance_norm
from neuralstyle.feedforward.pictures import Render, fitted
from neuralstyle.feedforward.rendering import Result, open_functions, picture_placeholder
from neuralstyle.feedforward.tiles import open_tiled
from neuralstyle.feedforward.weights import MULTI_STYLE, read_weights
from neuralstyle.graphs import Machine

#: What rendering takes a pixel of the picture, measured.
BYTES_PER_PIXEL = 360

#: Added to the variance by its instance normalisation.
EPSILON = 1e-5


def build(
    weights: Mapping[str, np.ndarray],
    pixels: tf.Tensor,
    blend: tf.Tensor,
    operations: Operations = FAST,
) -> tf.Tensor:
    """Build the network in the default graph.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of ``multi-style.npz``.
    pixels : tf.Tensor
        1×H×W×3, float32, RGB, 0..1; H and W multiples of 4.
    blend : tf.Tensor
        1×26: how much there is of each style.
    operations : Operations

    Returns
    -------
    tf.Tensor
        1×H×W×3, 0..1.
    """

    def styled(y: tf.Tensor, name: str, reduced: bool = False) -> tf.Tensor:
        scale, shift = (tf.matmul(blend, weights[f"{name}/{part}"])[0] for part in ("scale", "shift"))
        return operations.normalize(y, scale, shift, EPSILON, reduced)

    def layer(x: tf.Tensor, name: str, stride: int = 1, reduced: bool = False) -> tf.Tensor:
        kernel = weights[f"{name}/kernel"]
        return styled(
            operations.convolution(operations.mirrored(x, len(kernel) // 2), kernel, stride), name, reduced
        )

    x = tf.nn.relu(layer(pixels, "contract/conv1"))
    x = tf.nn.relu(layer(x, "contract/conv2", 2))
    x = tf.nn.relu(layer(x, "contract/conv3", 2, reduced=True))
    for block in range(1, 7):
        name = f"residual/residual{block}"
        x += layer(tf.nn.relu(layer(x, f"{name}/conv1", reduced=True)), f"{name}/conv2", reduced=True)
    for name in ("expand/conv1", "expand/conv2"):
        x = tf.nn.relu(styled(operations.enlarged_convolution(x, weights[f"{name}/kernel"]), name))
    return tf.sigmoid(layer(x, "expand/conv3"))


@contextmanager
def renderer(blend: np.ndarray, machine: Machine | None = None, margin: int = 0) -> Iterator[Render]:
    """Open the network for rendering pictures in a blend of its styles.

    Parameters
    ----------
    blend : ndarray
        26 numbers of 0 or more, as `blending.parse_fixed_styles` gives them; their sum does not matter.
    machine : Machine, optional
        What the graph runs on; with a number as its tile, the picture is rendered in tiles.
    margin : int
        Pixels that the picture is extended by on each side, as `pictures.fitted` does it.

    Yields
    ------
    callable
        From a picture, float32 H×W×3, RGB, 0..255, to one of the same size and kind. Sizes that are not
        multiples of 4 are padded by reflection, and the result is cropped.

    Raises
    ------
    InputError
        If the blend is of another size, or its numbers are negative, not finite, or all zero.
    """
    shares = shares_of_fixed_styles(blend)
    weights = read_weights(MULTI_STYLE)

    def build_tile(pixels: tf.Tensor, normalize: Callable[..., tf.Tensor] = instance_norm) -> tf.Tensor:
        return 255 * build(weights, pixels / 255, tf.constant(shares[np.newaxis]), Operations(normalize))

    def build_whole() -> list[Result]:
        pixels = picture_placeholder()
        return [(build_tile(pixels), [pixels])]

    if machine and isinstance(machine.tile, int):
        with open_tiled(build_tile, machine) as run:
            yield fitted(run, margin)
    else:
        with open_functions(build_whole, machine) as (run,):
            yield fitted(run, margin)

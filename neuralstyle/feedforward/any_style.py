"""Any picture as the style, in one pass (Ghiasi et al. 2017): Magenta's two networks.

The first, a MobileNetV2, turns a style picture into 100 numbers. The second renders a content picture, and
gets the scales and shifts of its instance normalisation from those numbers. Styles are mixed by mixing the
numbers. The weights were published for phones, at 8 bits; the arithmetic here is float32, and the picture
keeps its own size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.blending import check_strength, proportions
from neuralstyle.feedforward.layers import FAST, Operations, instance_norm
from neuralstyle.feedforward.pictures import Render, centre_square, fitted
from neuralstyle.feedforward.rendering import Result, open_functions, picture_placeholder
from neuralstyle.feedforward.tiles import open_tiled
from neuralstyle.feedforward.weights import ANY_STYLE, read_weights
from neuralstyle.graphs import Machine
from neuralstyle.pictures.reading import as_image
from neuralstyle.pictures.sizes import resize

#: Side of the square that a style picture is reduced to.
STYLE_SIZE = 256

#: How many numbers stand for a style.
NUMBERS = 100

#: What rendering takes a pixel of the picture, measured.
BYTES_PER_PIXEL = 110

#: Added to the variance by Magenta's instance normalisation.
EPSILON = 1e-5

#: The blocks of MobileNetV2 that halve the picture (Sandler et al. 2018, table 2).
_HALVING = (1, 3, 6, 13)


def build_prediction(weights: Mapping[str, np.ndarray], pictures: tf.Tensor) -> tf.Tensor:
    """Build the network that turns style pictures into numbers: MobileNetV2, its mean, one linear layer.

    Batch normalisation is folded into the kernels and biases.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of ``any-style.npz``.
    pictures : tf.Tensor
        N×256×256×3, float32, RGB, 0..1.

    Returns
    -------
    tf.Tensor
        N×100.
    """

    def layer(x: tf.Tensor, name: str, stride: int = 1) -> tf.Tensor:
        kernel = weights[f"MobilenetV2/{name}/kernel"]
        if name.endswith("depthwise"):
            y = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME")
        else:
            y = tf.nn.conv2d(x, kernel, stride, "SAME")
        return tf.nn.bias_add(y, weights[f"MobilenetV2/{name}/bias"])

    x = tf.nn.relu6(layer(pictures, "Conv", 2))
    for block in range(17):
        name = f"expanded_conv_{block}" if block else "expanded_conv"
        y = tf.nn.relu6(layer(x, f"{name}/expand")) if block else x
        y = tf.nn.relu6(layer(y, f"{name}/depthwise", 2 if block in _HALVING else 1))
        y = layer(y, f"{name}/project")
        x = x + y if x.shape == y.shape else y
    x = tf.reduce_mean(tf.nn.relu6(layer(x, "Conv_1")), [1, 2])
    return tf.matmul(x, weights["style/kernel"][0, 0])


def build_transformer(
    weights: Mapping[str, np.ndarray],
    pixels: tf.Tensor,
    numbers: tf.Tensor,
    operations: Operations = FAST,
) -> tf.Tensor:
    """Build the network that renders pictures in the style that 100 numbers describe.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of ``any-style.npz``.
    pixels : tf.Tensor
        1×H×W×3, float32, RGB, 0..1; H and W multiples of 4.
    numbers : tf.Tensor
        1×100.
    operations : Operations

    Returns
    -------
    tf.Tensor
        1×H×W×3, 0..1.
    """

    def contracting(x: tf.Tensor, name: str, stride: int = 1) -> tf.Tensor:
        kernel = weights[f"transformer/{name}/kernel"]
        y = operations.convolution(operations.mirrored(x, len(kernel) // 2), kernel, stride)
        return tf.nn.relu(tf.nn.bias_add(y, weights[f"transformer/{name}/bias"]))

    def styled(y: tf.Tensor, name: str, reduced: bool = False) -> tf.Tensor:
        scale, shift = (
            tf.matmul(numbers, weights[f"transformer/{name}/{part}/kernel"][0, 0])[0]
            + weights[f"transformer/{name}/{part}/bias"]
            for part in ("scale", "shift")
        )
        return operations.normalize(y, scale, shift, EPSILON, reduced)

    def layer(x: tf.Tensor, name: str, reduced: bool = False) -> tf.Tensor:
        kernel = weights[f"transformer/{name}/kernel"]
        return styled(operations.convolution(operations.mirrored(x, len(kernel) // 2), kernel), name, reduced)

    x = contracting(pixels, "contract/conv1")
    x = contracting(x, "contract/conv2", 2)
    x = contracting(x, "contract/conv3", 2)
    for block in range(1, 6):
        name = f"residual/residual{block}"
        x += layer(tf.nn.relu(layer(x, f"{name}/conv1", reduced=True)), f"{name}/conv2", reduced=True)
    for name in ("expand/conv1", "expand/conv2"):
        x = tf.nn.relu(
            styled(operations.enlarged_convolution(x, weights[f"transformer/{name}/kernel"]), name)
        )
    return tf.sigmoid(layer(x, "expand/conv3"))


@contextmanager
def networks(
    machine: Machine | None = None,
) -> Iterator[tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray, np.ndarray], np.ndarray]]]:
    """Open both networks with the weights that come with the program.

    Parameters
    ----------
    machine : Machine, optional
        What the graph runs on; with a number as its tile, the picture is rendered in tiles.

    Yields
    ------
    predict : callable
        From a style picture, float32 H×W×3, RGB, 0..255, to its 100 numbers. It looks at the centre
        square, reduced to 256×256.
    stylize : callable
        From a content picture (sides multiples of 4) and 100 numbers to a picture, float32 H×W×3, 0..255.

    Raises
    ------
    InputError
        If the file of weights is missing or damaged.
    """
    weights = read_weights(ANY_STYLE)

    def predicted() -> Result:
        style = tf.compat.v1.placeholder(tf.float32, (1, STYLE_SIZE, STYLE_SIZE, 3))
        return build_prediction(weights, style / 255), [style]

    def build_whole() -> list[Result]:
        content, numbers = picture_placeholder(), tf.compat.v1.placeholder(tf.float32, (1, NUMBERS))
        return [predicted(), (build_tile(content, instance_norm, numbers), [content, numbers])]

    def build_tile(pixels: tf.Tensor, normalize: Callable[..., tf.Tensor], numbers: tf.Tensor) -> tf.Tensor:
        return 255 * build_transformer(weights, pixels / 255, numbers, Operations(normalize))

    with ExitStack() as stack:
        if machine and isinstance(machine.tile, int):
            (predict,) = stack.enter_context(open_functions(lambda: [predicted()], machine))
            stylize = stack.enter_context(open_tiled(build_tile, machine, [NUMBERS]))
        else:
            predict, stylize = stack.enter_context(open_functions(build_whole, machine))
        yield lambda picture: predict(resize(centre_square(picture), STYLE_SIZE, STYLE_SIZE)), stylize


@contextmanager
def renderer(
    styles: Sequence[np.ndarray],
    blend_weights: Sequence[float] | None = None,
    strength: float = 1.0,
    machine: Machine | None = None,
    margin: int = 0,
) -> Iterator[Render]:
    """Open the networks for rendering pictures in the style of others.

    Parameters
    ----------
    styles : sequence of ndarray
        Style pictures, H×W×3, uint8 or float32, RGB, 0..255.
    blend_weights : sequence of float, optional
        One a style picture; their sum does not matter. Default: equal.
    strength : float
        0..1. Between the content picture's own numbers (0) and those of the style (1).
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
        If the strength or the weights are out of range or do not match the pictures.
    """
    check_strength(strength)
    shares = proportions(blend_weights, len(styles))
    pictures = [as_image(style) for style in styles]
    with networks(machine) as (predict, stylize):
        style = sum(share * predict(picture) for share, picture in zip(shares, pictures, strict=True))

        def render(picture: np.ndarray) -> np.ndarray:
            numbers = style
            if strength < 1:
                numbers = strength * style + (1 - strength) * predict(picture)
            return fitted(lambda padded: stylize(padded, numbers), margin)(picture)

        yield render

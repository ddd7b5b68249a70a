"""The transform network of Johnson, Alahi and Fei-Fei (2016), as fast-style-transfer builds it.

``neuralstyle.feedforward.checkpoints`` reads its weights; here is what they are and what they compute.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.layers import FAST, Operations
from neuralstyle.feedforward.pictures import Render, fitted
from neuralstyle.feedforward.rendering import Result, open_functions, picture_placeholder
from neuralstyle.feedforward.tiles import open_tiled
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine

#: Added to the variance by fast-style-transfer (``src/transform.py``, ``_instance_norm``).
EPSILON = 1e-3


#: Pixels on each side of a picture to be rendered and cropped, where a network is not to paint a frame: its
#: layers are padded with zeros. As many as hwalsuklee's networks are trained with.
MARGIN = 40

#: Of its layers' names, those that run at a sixteenth of the picture's positions.
_REDUCED = ("conv3", "residual")


@dataclass(frozen=True)
class Layout:
    """What differs between the programs that train this network.

    Attributes
    ----------
    margin : int
        Pixels on each side that the picture has to be extended by: the network's result is smaller by as
        many.
    padding : {"SAME", "VALID"}
        Of the convolutions of the residual blocks. Without padding a block's input is cropped by two
        positions on each side before it is added.
    unit : float
        What pixels 0..255 are divided by.
    amplitude : float
        Of the hyperbolic tangent that the network ends with.
    """

    margin: int = 0
    padding: str = "SAME"
    unit: float = 1.0
    amplitude: float = 150.0


#: lengstrom/fast-style-transfer (``src/transform.py``, ``net``; ``evaluate.py`` feeds pixels as they are).
FAST_STYLE_TRANSFER = Layout()

#: hwalsuklee/tensorflow-fast-style-transfer (``transform.py``, ``net``; ``style_transfer_tester.py``). Two
#: positions of four pixels a side and block, five blocks: the 40 pixels.
HWALSUKLEE = Layout(margin=40, padding="VALID", unit=255.0, amplitude=127.5)


@dataclass(frozen=True)
class Convolution:
    """One convolution of the transform network.

    Attributes
    ----------
    name : str
    size : int
        Of its square kernel.
    channels : int
        Of its output, in a network of full width.
    stride : int
    transposed : bool
        Whether it enlarges: its kernel is then H×W×out×in.
    """

    name: str
    size: int
    channels: int
    stride: int = 1
    transposed: bool = False


#: In the order in which a picture runs through them. Instance normalisation follows each.
CONVOLUTIONS = (
    Convolution("conv1", 9, 32),
    Convolution("conv2", 3, 64, stride=2),
    Convolution("conv3", 3, 128, stride=2),
    *(Convolution(f"residual{block}/conv{index}", 3, 128) for block in range(1, 6) for index in (1, 2)),
    Convolution("transposed1", 3, 64, stride=2, transposed=True),
    Convolution("transposed2", 3, 32, stride=2, transposed=True),
    Convolution("output", 9, 3),
)

#: Names of the weights, in the order in which fast-style-transfer creates its variables.
WEIGHTS = tuple(f"{layer.name}/{part}" for layer in CONVOLUTIONS for part in ("kernel", "shift", "scale"))


def initial_weights(width: float = 1.0, seed: int = 1) -> dict[str, np.ndarray]:
    """Weights to start training from.

    Kernels are drawn from a normal distribution of standard deviation 0.1 cut off at two deviations,
    scales are 1 and shifts 0 (fast-style-transfer, ``src/transform.py``).

    Parameters
    ----------
    width : float
        Scales the number of channels of every layer but the last; 0.5 is half.
    seed : int

    Returns
    -------
    dict of str to ndarray
        float32, under the names in `WEIGHTS`: kernels H×W×in×out (H×W×out×in where transposed), one
        shift and one scale an output channel.

    Raises
    ------
    InputError
        If the width is not positive.
    """
    if not width > 0:
        raise InputError(f"--width is {width}; it must be larger than 0")
    rng = np.random.default_rng(seed)
    weights = {}
    inputs = 3
    for layer in CONVOLUTIONS:
        last = layer is CONVOLUTIONS[-1]
        outputs = layer.channels if last else max(1, round(width * layer.channels))
        channels = (outputs, inputs) if layer.transposed else (inputs, outputs)
        kernel = rng.standard_normal((layer.size, layer.size, *channels), np.float32)
        while (outside := np.abs(kernel) > 2).any():
            kernel[outside] = rng.standard_normal(np.count_nonzero(outside), np.float32)
        weights[f"{layer.name}/kernel"] = np.float32(0.1) * kernel
        weights[f"{layer.name}/shift"] = np.zeros(outputs, np.float32)
        weights[f"{layer.name}/scale"] = np.ones(outputs, np.float32)
        inputs = outputs
    return weights


def check_weights(
    weights: Mapping[str, np.ndarray], where: str = "", names: Mapping[str, str] | None = None
) -> None:
    """Make sure that weights are those of a transform network, of any width.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As `initial_weights` gives them.
    where : str
        Put in front of the message: the file's name.
    names : mapping of str to str, optional
        What a file calls the weights, where that differs.

    Raises
    ------
    InputError
        If one is missing, does not fit the layer before it, or holds numbers that are not finite.
    """
    inputs = 3
    for layer in CONVOLUTIONS:
        for part in ("kernel", "shift", "scale"):
            name = f"{layer.name}/{part}"
            called = (names or {}).get(name, name)
            if name not in weights:
                raise InputError(f"{where}variable {called} is missing; it should hold {name}")
            shape = weights[name].shape
            if part == "kernel":
                outputs = shape[2 if layer.transposed else 3] if len(shape) == 4 else 0
                if layer is CONVOLUTIONS[-1]:
                    outputs = 3
                channels = (outputs, inputs) if layer.transposed else (inputs, outputs)
                expected = (layer.size, layer.size, *channels)
            else:
                expected = (outputs,)
            if shape != expected:
                raise InputError(
                    f"{where}variable {called} has the shape {shape}; {name} should have {expected}"
                )
            if not np.isfinite(weights[name]).all():
                raise InputError(f"{where}variable {called} holds values that are not finite")
        inputs = outputs


def bytes_per_pixel(weights: Mapping[str, np.ndarray]) -> int:
    """What rendering takes a pixel of the picture, in bytes: measured 330 at full width, 275 at half."""
    return 200 + 150 * weights["conv1/kernel"].shape[3] // 32


def build(
    weights: Mapping[str, np.ndarray | tf.Tensor | tf.Variable],
    pixels: tf.Tensor,
    layout: Layout = FAST_STYLE_TRANSFER,
    operations: Operations = FAST,
) -> tf.Tensor:
    """Build the network in the default graph.

    Layers of fast-style-transfer's ``transform.net``: SAME padding, no biases, every convolution followed
    by instance normalisation and, but for the second of each residual block and the last, ReLU.

    Parameters
    ----------
    weights : mapping of str to ndarray, tf.Tensor or tf.Variable
        Under the names in `WEIGHTS`. Variables make a network to train.
    pixels : tf.Tensor
        Pictures N×H×W×3, float32, RGB; H and W multiples of 4. 0..255, or 0..1 as fast-style-transfer
        trains: the first normalisation takes the scale out again, but for the epsilon beside its variance.
    layout : Layout
        The program whose network it is.
    operations : Operations

    Returns
    -------
    tf.Tensor
        N×H×W×3, less the layout's margin on each side: ``150 · tanh(·) + 127.5``, −22.5..277.5. To be clipped
        where it is shown.
    """

    def layer(x: tf.Tensor, convolution_: Convolution) -> tf.Tensor:
        name, stride = convolution_.name, convolution_.stride
        kernel = weights[f"{name}/kernel"]
        if not isinstance(kernel, np.ndarray):  # an array's graph holds it in the form that it computes with
            kernel = tf.convert_to_tensor(kernel)
        channels = kernel.shape[2 if convolution_.transposed else 3]
        padding = layout.padding if name.startswith("residual") else "SAME"
        # At the picture's own size the width is a multiple of 4; below, a layer of very few channels cannot
        # be computed several columns at a time.
        whole = name in ("conv1", "transposed2", "output")
        if convolution_.transposed:
            shape = tf.shape(x)
            shape = tf.stack([shape[0], stride * shape[1], stride * shape[2], channels])
            y = tf.nn.conv2d_transpose(x, kernel, shape, stride, "SAME")
        elif stride > 1 or (channels <= 8 and not whole):
            y = tf.nn.conv2d(x, kernel, stride, padding)
        else:
            y = operations.convolution(x, kernel, padding=padding)
        reduced = name.startswith(_REDUCED) or (channels <= 4 and not whole)
        return operations.normalize(y, weights[f"{name}/scale"], weights[f"{name}/shift"], EPSILON, reduced)

    layers = iter(CONVOLUTIONS)
    x = pixels / layout.unit if layout.unit != 1 else pixels
    for _ in range(3):
        x = tf.nn.relu(layer(x, next(layers)))
    for _ in range(5):
        y = layer(tf.nn.relu(layer(x, next(layers))), next(layers))
        x = (x if layout.padding == "SAME" else x[:, 2:-2, 2:-2]) + y
    for _ in range(2):
        x = tf.nn.relu(layer(x, next(layers)))
    return layout.amplitude * tf.tanh(layer(x, next(layers))) + 127.5


def build_renderer(
    weights: Mapping[str, np.ndarray | tf.Variable], layout: Layout = FAST_STYLE_TRANSFER
) -> Result:
    """Build the network in the default graph for one picture of any size, clipped to 0..255."""
    pixels = picture_placeholder()
    return tf.clip_by_value(build(weights, pixels, layout), 0, 255), [pixels]


@contextmanager
def renderer(
    weights: Mapping[str, np.ndarray],
    machine: Machine | None = None,
    layout: Layout = FAST_STYLE_TRANSFER,
    margin: int = 0,
) -> Iterator[Render]:
    """Open a transform network for use on pictures of any size.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As `checkpoints.read_checkpoint` gives them.
    machine : Machine, optional
        What the graph runs on; with a number as its tile, the picture is rendered in tiles.
    layout : Layout
        The program whose network it is.
    margin : int
        Pixels that the picture is extended by on each side, beside the layout's own, as `pictures.fitted`
        does it. Zeros lie beyond the picture's border, and many a network paints a frame there.

    Yields
    ------
    callable
        From a picture, float32 H×W×3, RGB, 0..255, to one of the same size and kind. Sizes that are not
        multiples of 4 are padded by reflection, and the result is cropped.
    """
    if machine and isinstance(machine.tile, int):
        if layout.margin:
            raise InputError("tile does not go with networks that crop their own margin", fields=("tile",))

        def build_tile(pixels: tf.Tensor, normalize: Callable[..., tf.Tensor]) -> tf.Tensor:
            return tf.clip_by_value(build(weights, pixels, layout, Operations(normalize)), 0, 255)

        with open_tiled(build_tile, machine) as run:
            yield fitted(run, margin)
        return
    with open_functions(lambda: [build_renderer(weights, layout)], machine) as (run,):
        yield fitted(run, layout.margin + margin)

"""A network as plain data: an ordered list of layers and the mean pixel. No TensorFlow here."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError

#: Mean pixel of the training set, RGB, 0..255, as the VGG networks were published with.
MEAN_PIXEL = (123.68, 116.779, 103.939)

#: How many convolutions each of the five blocks has (Simonyan & Zisserman 2015, table 1, D and E).
BLOCKS = {"VGG-16": (2, 2, 3, 3, 3), "VGG-19": (2, 2, 4, 4, 4)}

#: How a network may pool, and what it may do with an odd last row or column.
POOLINGS = ("max", "average", "average-scaled", "l2-scaled")
PADDINGS = ("SAME", "VALID")

#: What the first convolution sees beyond the picture's border. All others see zeros.
BORDERS = ("zeros", "replicated")


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes
    ----------
    name : str
        ``conv1_1`` … ``conv5_4``, ``relu1_1`` …, ``pool1`` … ``pool5``, ``fc6``, ``relu6``, ``fc7``,
        ``relu7``, ``fc8``, ``prob``.
    kind : {"convolution", "relu", "pool", "softmax"}
        Fully connected layers are convolutions, as in MatConvNet: ``fc6`` is 7×7 and takes no padding.
    kernel : ndarray or None
        H×W×in×out, float32. Only convolutions have one.
    bias : ndarray or None
        One number an output channel, float32.
    """

    name: str
    kind: str
    kernel: np.ndarray | None = None
    bias: np.ndarray | None = None


@dataclass(frozen=True)
class Network:
    """A VGG network as plain data.

    Attributes
    ----------
    layers : tuple of Layer
        In the order in which a picture runs through them.
    mean_pixel : ndarray
        RGB, 0..255, float32: what is taken off every pixel before the first convolution.
    labels : tuple of str
        What the outputs of ``prob`` stand for; empty where the file does not say.
    normalized : bool
        Whether every filter was rescaled to a mean activation of 1 (Gatys et al. 2016, section 2).
    path : pathlib.Path or None
        The file it was read from.
    pooling : {"max", "average", "average-scaled", "l2-scaled"}
        2×2, stride 2. MatConvNet's file says max; Gatys et al. (2016, section 2) take the average,
        which leaves padded positions out of the count. Scaled ones keep activations about as large as
        the largest does: twice the average, and 0.78 times the root of the sum of the four squares
        (style-transfer-pytorch, style_transfer.py, VGGFeatures).
    padding : {"SAME", "VALID"}
        What pooling does with an odd last row or column: MatConvNet and Caffe keep it ("SAME", sizes
        are rounded up), Keras drops it ("VALID").
    border : {"zeros", "replicated"}
        What the first convolution sees beyond the picture: zeros (the mean pixel), as every other
        convolution does, or its last pixels repeated (style-transfer-pytorch).
    sha256 : str or None
        Of that file's content, as it was when it was read.

    Raises
    ------
    InputError
        If there is no such pooling, padding or border.
    """

    layers: tuple[Layer, ...]
    mean_pixel: np.ndarray
    labels: tuple[str, ...] = ()
    normalized: bool = False
    path: Path | None = None
    pooling: str = "max"
    padding: str = "SAME"
    border: str = "zeros"
    sha256: str | None = None

    def __post_init__(self) -> None:
        for what, value, known in (
            ("pooling", self.pooling, POOLINGS),
            ("padding", self.padding, PADDINGS),
            ("border", self.border, BORDERS),
        ):
            if value not in known:
                raise InputError(f"unknown {what} {value!r}; choose one of {', '.join(known)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The layers' names, in order."""
        return tuple(layer.name for layer in self.layers)

    @property
    def convolutions(self) -> tuple[Layer, ...]:
        """The layers that have a kernel, fully connected ones among them, in order."""
        return tuple(layer for layer in self.layers if layer.kind == "convolution")

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal: of its file, or of its numbers where it was read from none."""
        return self.sha256 or hash_numbers(self, self.convolutions)

    def up_to(self, names: Iterable[str]) -> tuple[Layer, ...]:
        """The layers from the first to the deepest of those named.

        Raises
        ------
        InputError
            If the network has no layer of one of the names.
        """
        own = self.names
        unknown = [name for name in names if name not in own]
        if unknown:
            raise InputError(f"unknown layer {unknown[0]}; the network has {', '.join(own)}")
        depth = max((own.index(name) + 1 for name in names), default=0)
        return self.layers[:depth]

    def halved(self, side: int) -> int:
        """How many positions pooling leaves of a side: an odd last one is kept (SAME) or dropped (VALID)."""
        return (side + (self.padding == "SAME")) // 2

    def sizes(self, height: int, width: int, layers: Iterable[str]) -> dict[str, tuple[int, int, int]]:
        """The height, width and channels of layers for a picture of a given size, without running anything.

        Parameters
        ----------
        height, width : int
            Of the picture.
        layers : iterable of str
            Of the convolutional part.

        Returns
        -------
        dict of str to (int, int, int)
            In the order of the network.
        """
        layers = tuple(layers)
        found = {}
        channels = 3
        for layer in self.up_to(layers):
            if layer.kind == "convolution":
                channels = layer.kernel.shape[-1]
            elif layer.kind == "pool":
                height, width = self.halved(height), self.halved(width)
            if layer.name in layers:
                found[layer.name] = (height, width, channels)
        return found

    def strides_and_reach(self, layers: Iterable[str]) -> tuple[dict[str, int], int]:
        """The stride of layers, and how far beyond its own cell a position of the deepest of them looks.

        Parameters
        ----------
        layers : iterable of str
            Of the convolutional part.

        Returns
        -------
        strides : dict of str to int
            Layer to stride, in pixels.
        reach : int
            In pixels: R in the text of `neuralstyle.loss.tiles`.

        Raises
        ------
        InputError
            If the network has no such layer, or the layer is fully connected.
        """
        layers = tuple(layers)
        strides, stride, reach = {}, 1, 0
        for layer in self.up_to(layers):
            if layer.name.startswith("fc"):
                raise InputError(f"from {layer.name} on, a layer has no positions; choose layers before it")
            if layer.kind == "convolution":
                reach += stride * (layer.kernel.shape[0] // 2)
            elif layer.kind == "pool":
                stride *= 2
            if layer.name in layers:
                strides[layer.name] = stride
        return strides, reach

    def divided(self, unit: float) -> "Network":
        """The same network with every activation divided by a number: the first kernel and all biases are.

        ReLU, convolution and pooling commute with a positive factor; ``prob`` alone does not.
        """
        layers = tuple(
            replace(
                layer,
                kernel=layer.kernel / np.float32(unit) if layer is self.convolutions[0] else layer.kernel,
                bias=layer.bias / np.float32(unit),
            )
            if layer.kind == "convolution"
            else layer
            for layer in self.layers
        )
        return replace(self, layers=layers)

    def transposed(self) -> "Network":
        """The same network with every kernel mirrored about its diagonal, H and W swapped.

        That is what the cookbook listing, neural-style and fast-style-transfer compute with: they
        apply ``np.transpose(weights, (1, 0, 2, 3))`` to kernels that are H×W×in×out already.
        """
        layers = tuple(
            replace(layer, kernel=layer.kernel.transpose(1, 0, 2, 3))
            if layer.kind == "convolution"
            else layer
            for layer in self.layers
        )
        return replace(self, layers=layers)


def hash_numbers(network: Network, layers: Iterable[Layer]) -> str:
    """SHA-256 of a network's mean pixel and some of its convolutions, whatever file they are from."""
    digest = hashlib.sha256(network.mean_pixel.tobytes())
    for layer in layers:
        digest.update(f"{layer.name} {layer.kernel.shape}".encode())
        digest.update(np.ascontiguousarray(layer.kernel))
        digest.update(layer.bias.tobytes())
    return digest.hexdigest()


def assemble(
    weights: Mapping[str, tuple[np.ndarray, np.ndarray]],
    mean_pixel: Iterable[float] = MEAN_PIXEL,
    labels: Iterable[str] = (),
    normalized: bool = False,
    path: Path | None = None,
    sha256: str | None = None,
) -> Network:
    """Put a VGG-16 or VGG-19 together from its named weights, and check them.

    Parameters
    ----------
    weights : mapping of str to (kernel, bias)
        Kernels H×W×in×out, biases of any shape with one number an output channel. All of
        ``conv1_1`` … ``conv5_3`` or ``conv5_4``; ``fc6``, ``fc7`` and ``fc8`` all three or none.
        Channels may be fewer than in the published networks, as long as each layer fits the next.
    mean_pixel : three floats
        RGB, 0..255.
    labels, normalized, path, sha256
        As in `Network`.

    Raises
    ------
    InputError
        If a layer is missing, of the wrong shape, or holds numbers that are not finite.
    """
    where = f"{path}: " if path else ""
    deep = any(name in weights for name in ("conv3_4", "conv4_4", "conv5_4"))
    blocks = BLOCKS["VGG-19" if deep else "VGG-16"]
    layers: list[Layer] = []
    channels = 3

    def convolution(name: str, size: int) -> Layer:
        nonlocal channels
        if name not in weights:
            raise InputError(f"{where}layer {name} is missing; the file is incomplete or not a VGG")
        try:
            kernel = np.asarray(weights[name][0], np.float32)
            bias = np.asarray(weights[name][1], np.float32).reshape(-1)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}layer {name} holds something that is not numbers") from error
        if kernel.ndim != 4 or kernel.shape[:3] != (size, size, channels):
            raise InputError(
                f"{where}layer {name} has a kernel of shape {kernel.shape}, "
                f"expected ({size}, {size}, {channels}, …)"
            )
        if bias.shape != kernel.shape[3:]:
            raise InputError(f"{where}layer {name} has {bias.size} biases for {kernel.shape[3]} channels")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise InputError(f"{where}layer {name} holds values that are not finite (NaN or infinity)")
        channels = kernel.shape[3]
        return Layer(name, "convolution", kernel, bias)

    for block, count in enumerate(blocks, start=1):
        for index in range(1, count + 1):
            layers.append(convolution(f"conv{block}_{index}", 3))
            layers.append(Layer(f"relu{block}_{index}", "relu"))
        layers.append(Layer(f"pool{block}", "pool"))
    if any(name in weights for name in ("fc6", "fc7", "fc8")):
        layers += [convolution("fc6", 7), Layer("relu6", "relu")]
        layers += [convolution("fc7", 1), Layer("relu7", "relu")]
        layers += [convolution("fc8", 1), Layer("prob", "softmax")]

    mean = np.asarray(list(mean_pixel), np.float32)
    if mean.shape != (3,) or not np.isfinite(mean).all():
        raise InputError(f"{where}the mean pixel must be three finite numbers, R, G and B")
    return Network(tuple(layers), mean, tuple(labels), normalized, path, sha256=sha256)

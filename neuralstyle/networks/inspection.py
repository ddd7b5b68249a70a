"""What a network sees in a picture, and what a picture looks like in differences.

The values are those that the TensorFlow tutorial on style transfer shows (tensorflow.org,
tutorials/generative/style_transfer): statistics of layers, the five best classes, differences, Sobel edges
and total variation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy import ndimage

from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, new_graph, open_session
from neuralstyle.networks import Network
from neuralstyle.networks.gram import gram_matrix
from neuralstyle.networks.vgg import build
from neuralstyle.pictures.reading import as_image
from neuralstyle.pictures.sizes import fit_height, fit_width

#: A picture to be classified is resized so that its shorter side has SHORTER_SIDE pixels; of that the middle
#: CROP×CROP are taken. 224 is what the networks were trained on (Simonyan & Zisserman 2015, section 2.1).
SHORTER_SIDE = 256
CROP = 224


@dataclass(frozen=True)
class LayerStatistics:
    """What one layer makes of a picture.

    Attributes
    ----------
    shape : (int, int, int)
        Height, width and channels.
    minimum, maximum, mean : float
        Over all positions and channels.
    gram : ndarray
        C×C, float32: the raw Gram matrix (Gatys et al. 2016, equation 3).
    channel_means : ndarray
        C, float32: over all positions.
    """

    shape: tuple[int, int, int]
    minimum: float
    maximum: float
    mean: float
    gram: np.ndarray
    channel_means: np.ndarray


def layer_statistics(
    network: Network,
    image: np.ndarray | str | Path,
    layers: Iterable[str] | None = None,
    pooling: str = "max",
    machine: Machine | None = None,
) -> dict[str, LayerStatistics]:
    """Run a picture through a network and sum each layer up.

    Parameters
    ----------
    network : Network
    image : ndarray or path
        H×W×3, uint8 or floating point, RGB, 0..255.
    layers : iterable of str, optional
        Of the convolutional part, which takes pictures of any size. Default: all of it.
    pooling : {"max", "average"}
        As in `Network`.
    machine : Machine, optional
        What the layers are computed on.

    Returns
    -------
    dict of str to LayerStatistics
        In the order of the network.

    Raises
    ------
    InputError
        If the picture cannot be read, a layer is unknown or belongs to the fully connected part, or there
        is no such pooling.
    """
    image = as_image(image)
    network = replace(network, pooling=pooling)
    part = [layer.name for layer in network.up_to(["pool5"])]
    asked = set(part if layers is None else layers)
    network.up_to(asked)
    if deeper := [layer for layer in network.names if layer in asked and layer not in part]:
        raise InputError(f"layer {deeper[0]} takes 224×224 pictures only; name layers up to pool5")
    names = [name for name in part if name in asked]
    with new_graph(machine) as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, (1, *image.shape))
        activations = build(network, pixels, names)
        # Summed up inside the graph: the activations of a large picture fill gigabytes.
        values = {
            name: (
                *(tf.reduce_min(x), tf.reduce_max(x), tf.reduce_mean(x)),
                *(gram_matrix(x), tf.reduce_mean(x, (0, 1, 2))),
            )
            for name, x in activations.items()
        }
    with open_session(graph, machine) as session:
        found = session.run(values, {pixels: image[np.newaxis]})
    shapes = network.sizes(*image.shape[:2], names)
    return {
        name: LayerStatistics(shapes[name], *(float(value) for value in found[name][:3]), *found[name][3:])
        for name in names
    }


def cosine_similarity(gram: np.ndarray, other: np.ndarray) -> float:
    """How alike two Gram matrices are, whatever the sizes of their pictures: Σ G·A / (‖G‖ ‖A‖).

    Parameters
    ----------
    gram, other : ndarray
        C×C.

    Returns
    -------
    float
        1 where one is a multiple of the other, 0 where no pair of channels fires together in both, NaN where
        one of them is zero.
    """
    gram, other = gram.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(gram) * np.linalg.norm(other)
    return float(np.sum(gram * other) / norms) if norms else float("nan")


def best_classes(
    network: Network, image: np.ndarray | str | Path, count: int = 5, machine: Machine | None = None
) -> list[tuple[str, float]]:
    """What a network with fully connected layers takes a picture for.

    The picture's shorter side is resized to 256 pixels, bilinear, and the middle 224×224 of it are looked
    at. Pooling takes the maximum, as in training. (MatConvNet's own example stretches the whole picture
    to 224×224 instead.)

    Parameters
    ----------
    network : Network
        With ``prob``.
    image : ndarray or path
        H×W×3, uint8 or floating point, RGB, 0..255.
    count : int
        How many classes.
    machine : Machine, optional
        What the network is computed on.

    Returns
    -------
    list of (str, float)
        Label and probability, the best first. Where the file has no label, ``class 281``, counted from 0.

    Raises
    ------
    InputError
        If the network has no fully connected layers, or the picture cannot be read.
    """
    if "prob" not in network.names:
        raise InputError("the network has no fully connected layers; take a full file, such as vgg19-beta16")
    with new_graph(machine) as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, (1, CROP, CROP, 3))
        outputs = build(replace(network, pooling="max", padding="SAME"), pixels, ["prob"])["prob"]
    with open_session(graph, machine) as session:
        probabilities = session.run(outputs, {pixels: classifier_input(image)[np.newaxis]}).reshape(-1)
    best = np.argsort(-probabilities, kind="stable")[:count]
    labels = dict(enumerate(network.labels))
    return [(labels.get(int(index), f"class {index}"), float(probabilities[index])) for index in best]


def classifier_input(image: np.ndarray | str | Path) -> np.ndarray:
    """The 224×224×3 pixels that `best_classes` looks at, float32, 0..255."""
    image = as_image(image)
    height, width = image.shape[:2]
    image = fit_width(image, SHORTER_SIDE) if width < height else fit_height(image, SHORTER_SIDE)
    top, left = ((side - CROP) // 2 for side in image.shape[:2])
    return image[top : top + CROP, left : left + CROP]


def total_variation(image: np.ndarray | str | Path) -> float:
    """Σ|dy| + Σ|dx| over neighbouring pixels and channels on [0, 1], as `tf.image.total_variation`.

    Parameters
    ----------
    image : ndarray or path
        H×W×3, uint8 or floating point, RGB, 0..255.

    Returns
    -------
    float
    """
    pixels = as_image(image).astype(np.float64) / 255
    return float(sum(np.abs(np.diff(pixels, axis=axis)).sum() for axis in (0, 1)))


def differences(image: np.ndarray | str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel taken from its right, and from its lower neighbour, on [0, 1].

    Parameters
    ----------
    image : ndarray or path
        H×W×3, uint8 or floating point, RGB, 0..255.

    Returns
    -------
    horizontal, vertical : ndarray
        H×(W−1)×3 and (H−1)×W×3, float32, −1..1.
    """
    pixels = as_image(image) / 255
    return np.diff(pixels, axis=1), np.diff(pixels, axis=0)


def sobel_edges(image: np.ndarray | str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Sobel derivatives of each channel on [0, 1], as `tf.image.sobel_edges`.

    The kernel is [−1, 0, 1] along the derivative and [1, 2, 1] across it. At the border the picture is
    mirrored about its outermost pixels.

    Parameters
    ----------
    image : ndarray or path
        H×W×3, uint8 or floating point, RGB, 0..255.

    Returns
    -------
    horizontal, vertical : ndarray
        H×W×3, float32, −4..4. The horizontal derivative is large at upright edges.
    """
    pixels = as_image(image) / 255
    along, across = [-1, 0, 1], [1, 2, 1]

    def derivative(axis: int) -> np.ndarray:
        smooth = ndimage.correlate1d(pixels, across, 1 - axis, mode="mirror")
        return ndimage.correlate1d(smooth, along, axis, mode="mirror")

    return derivative(1), derivative(0)


def edge_pictures(image: np.ndarray | str | Path) -> dict[str, np.ndarray]:
    """Differences and Sobel derivatives as pictures: middle grey is no change.

    Scaled as in the tutorial: ½ + 2·difference and ½ + derivative / 4, on [0, 1]. The tutorial titles them
    by the edges that show: its "horizontal" ones are ``vertical-…`` here.

    Parameters
    ----------
    image : ndarray or path
        H×W×3, uint8 or floating point, RGB, 0..255.

    Returns
    -------
    dict of str to ndarray
        ``horizontal-differences``, ``vertical-differences``, ``horizontal-sobel``, ``vertical-sobel``: H×W×3
        or a pixel less along the difference, float32, clipped to 0..255.
    """
    scaled = {
        f"{direction}-{kind}": 0.5 + factor * values
        for kind, factor, pair in (
            ("differences", 2, differences(image)),
            ("sobel", 1 / 4, sobel_edges(image)),
        )
        for direction, values in zip(("horizontal", "vertical"), pair, strict=True)
    }
    return {name: 255 * np.clip(values, 0, 1) for name, values in scaled.items()}

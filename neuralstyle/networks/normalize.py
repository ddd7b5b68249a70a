"""The normalised network of Gatys et al.: every filter rescaled to a mean activation of 1.

Source: Gatys, Ecker & Bethge, Image Style Transfer Using Convolutional Neural Networks, CVPR 2016,
section 2, where the mean of each filter is taken over images and positions.

ReLU, convolution and pooling (maximum or average) all commute with a positive factor per channel. So one
look at the network as it is gives every factor at once: where filter *c* of layer *l* has the mean
activation m[l, c], its kernel and bias are divided by m[l, c], and the next layer's kernel takes
m[l, c] back on its input *c*. Deeper layers see no difference.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import skimage.data
import tensorflow as tf

from neuralstyle.files import InputError, first_line, replacing
from neuralstyle.graphs import Machine, new_graph, open_session
from neuralstyle.networks import Network
from neuralstyle.networks.network import hash_numbers
from neuralstyle.networks.vgg import build
from neuralstyle.pictures.reading import as_image
from neuralstyle.pictures.sizes import fit_longer_side

#: Colour photographs of `skimage.data` that are inside its wheel: nothing is downloaded.
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "rocket", "stereo_motorcycle")

#: A picture whose longer side has more pixels is shrunk to that.
LONGEST_SIDE = 384

#: Part of a cached file's name: whoever changes what `photographs` or `mean_activations` give raises it.
PROCEDURE = 1


def mean_activations(
    network: Network,
    pictures: Iterable[np.ndarray | str | Path],
    pooling: str = "average",
    machine: Machine | None = None,
) -> dict[str, np.ndarray]:
    """The mean activation of every filter after its ReLU, over pictures and all their positions.

    Parameters
    ----------
    network : Network
    pictures : iterable of ndarray or path
        H×W×3, RGB, 0..255, of any sizes; one is in memory at a time. A larger picture has more
        positions, and counts for more. They should be many and of all colours: a filter that hardly
        fires on them is blown up, and drowns the others in a picture on which it does fire.
    pooling : {"average", "max"}
        2×2.
    machine : Machine, optional
        What the activations are computed on.

    Returns
    -------
    dict of str to ndarray
        For each convolution, fully connected ones left out, float64, one number a filter.

    Raises
    ------
    InputError
        If there is no picture, one cannot be used, or there is no such pooling.
    """
    convolutions = [layer for layer in network.convolutions if layer.name.startswith("conv")]
    relus = {layer.name: layer.name.replace("conv", "relu") for layer in convolutions}
    network = replace(network, pooling=pooling, padding="SAME")
    with new_graph(machine) as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3))
        activations = build(network, pixels, relus.values())
        means = {name: tf.reduce_mean(activations[relu], (0, 1, 2)) for name, relu in relus.items()}
    sums = {layer.name: np.zeros(layer.bias.shape) for layer in convolutions}
    positions = dict.fromkeys(relus, 0)
    with open_session(graph, machine) as session:
        for picture in pictures:
            image = as_image(picture)
            found = network.sizes(*image.shape[:2], relus.values())
            for name, mean in session.run(means, {pixels: image[np.newaxis]}).items():
                height, width, _ = found[relus[name]]
                sums[name] += mean.astype(np.float64) * (height * width)
                positions[name] += height * width
    if not all(positions.values()):
        raise InputError("there is no picture to take mean activations from; give at least one")
    return {name: sums[name] / positions[name] for name in relus}


def rescale(network: Network, means: Mapping[str, np.ndarray]) -> Network:
    """Divide every filter by its mean activation, and take it back in the next layer.

    The new network computes the same as the old one up to a factor per channel, and its fully connected
    layers, if it has any, the same outputs.

    Parameters
    ----------
    network : Network
    means : mapping of str to ndarray
        As `mean_activations` gives it. A filter whose mean is 0 is left alone.

    Returns
    -------
    Network
        With `normalized` set; all but kernels and biases is kept.
    """
    layers = []
    before = np.ones(3)
    for layer in network.layers:
        if layer.kind == "convolution":
            # Fully connected layers have no means: the first of them only takes back what came before.
            mean = means.get(layer.name, np.ones(layer.bias.shape))
            mean = np.where(mean > 0, mean, 1.0)
            factors = (before[:, np.newaxis] / mean).astype(np.float32)
            layer = replace(layer, kernel=layer.kernel * factors, bias=layer.bias / mean.astype(np.float32))
            before = mean
        layers.append(layer)
    return replace(network, layers=tuple(layers), normalized=True)


def normalized_network(
    network: Network, cache_folder: str | Path | None = None, machine: Machine | None = None
) -> Network:
    """The normalised form of a network, made with `photographs` and average pooling as the paper does.

    Mean activations take about a quarter of a minute to find, once for each set of weights: they are kept
    in a file of some 40 kB, and dividing by them takes no time. The same weights give the same network, bit
    for bit, whether the file was there or not. A file that is damaged is made anew.

    Parameters
    ----------
    network : Network
    cache_folder : path, optional
        Where means are kept, made when it is missing. Default: the user's cache folder for this program.
    machine : Machine, optional
        What mean activations are computed on where they are not kept yet.

    Returns
    -------
    Network
        With `normalized` set. One that is normalised already is given back as it is.

    Warns
    -----
    UserWarning
        If the folder cannot be written; the network is made all the same.
    """
    if network.normalized:
        return network
    folder = Path(pooch.os_cache("neuralstyle") if cache_folder is None else cache_folder)
    path = folder / f"mean-activations-{PROCEDURE}-{_digest(network)}.npz"
    means = _read_means(path, network)
    if means is None:
        means = mean_activations(network, photographs(), machine=machine)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                np.savez(temporary, **means)
        except (OSError, InputError) as error:
            warnings.warn(
                f"{folder}: mean activations cannot be kept there ({first_line(error)}); "
                "the next run has to find them again",
                stacklevel=2,
            )
    return rescale(network, means)


def _digest(network: Network) -> str:
    """What the means depend on: the numbers of the convolutional part, whatever file they are from."""
    return hash_numbers(network, [layer for layer in network.convolutions if layer.name.startswith("conv")])


def _read_means(path: Path, network: Network) -> dict[str, np.ndarray] | None:
    """Read means that were kept; None where there are none, or none that can be used."""
    try:
        with np.load(path, allow_pickle=False) as file:
            means = {name: file[name] for name in file.files}
    except Exception:  # a damaged file makes numpy raise anything from EOFError to zlib.error
        return None
    shapes = {layer.name: layer.bias.shape for layer in network.convolutions if layer.name.startswith("conv")}
    if {name: mean.shape for name, mean in means.items()} != shapes:
        return None
    usable = all(mean.dtype == np.float64 and np.isfinite(mean).all() for mean in means.values())
    return means if usable else None


def photographs() -> Iterator[np.ndarray]:
    """The pictures that a network is normalised with when nobody names others.

    Six photographs, each three times: as it is, and with its colours exchanged in a circle. As they are
    they have no blue sky and no green meadow, and hardly fire filters that look for those: one of
    ``conv2_1`` has a mean activation of 0.0001 on them, and of 23 on a photograph of a street by a river.
    With the exchanged colours among them it is 38.

    Yields
    ------
    ndarray
        H×W×3, float32, 0..255, the longer side 384 pixels at most.
    """
    for name in PHOTOGRAPHS:
        picture = getattr(skimage.data, name)()
        if isinstance(picture, tuple):  # two photographs and their depths
            picture = picture[0]
        picture = shrink(picture)
        for turn in range(3):
            yield np.roll(picture, turn, axis=2)


def shrink(picture: np.ndarray | str | Path) -> np.ndarray:
    """Shrink a picture to a longer side of 384 pixels where it is larger: H×W×3, float32, 0..255."""
    image = as_image(picture)
    return fit_longer_side(image, LONGEST_SIDE) if max(image.shape[:2]) > LONGEST_SIDE else image

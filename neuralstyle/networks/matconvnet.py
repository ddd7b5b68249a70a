"""MatConvNet's ``imagenet-vgg-verydeep-16.mat`` and ``-19.mat``, read and written.

The files come in three generations. They differ in which fields a layer has, in the fields' order, and in
where the mean pixel and the class names are. So everything is found by the *name* of its field, never by
its position: readers that count positions are the ones that fail with ``KeyError: 'normalization'``.

============ ====================================== ========================== =====================
generation   weights of a layer                     mean                       class names
============ ====================================== ========================== =====================
``oldest``   fields ``filters`` and ``biases``      ``normalization``          ``classes``
``beta16``   a cell ``weights = {kernel, bias}``    ``normalization``          ``classes``
``current``  the same, with more fields around it   ``meta.normalization``     ``meta.classes``
============ ====================================== ========================== =====================

Kernels in these files are H×W×in×out: MatConvNet's Caffe importer swaps the first two axes, so that
nothing has to be transposed here. ``conv1_1`` takes RGB.
"""

import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import scipy.io

from neuralstyle.files import InputError, replacing
from neuralstyle.networks.network import Layer, Network, assemble

#: The generations that `write_matconvnet` writes, from old to new.
GENERATIONS = ("oldest", "beta16", "current")

#: MAT-file data types (MathWorks, MAT-File Format, table 1-1).
MI_COMPRESSED = 15

HEADER_TEXT = b"MATLAB 5.0 MAT-file, written by neuralstyle"


def read_matconvnet(stream: BinaryIO, path: Path, sha256: str) -> Network:
    """Read a VGG-16 or VGG-19 from a MATLAB 5 file of any MatConvNet generation.

    Parameters
    ----------
    stream : binary file
        The whole file, at its start.
    path : path
        What it is called.
    sha256 : str
        Of its content.

    Returns
    -------
    Network
        With ``fc6``, ``fc7``, ``fc8`` and the labels when the file has them.

    Raises
    ------
    InputError
        If the file is damaged, holds something else, or lacks the mean pixel; and all that
        `neuralstyle.networks.network.assemble` finds wrong with the layers.
    """
    try:
        content = scipy.io.loadmat(stream, struct_as_record=False)
    except Exception as error:
        # A cut or damaged file makes scipy raise anything from zlib.error to TypeError.
        raise InputError(f"{path}: is damaged or cut short; fetch it again") from error
    if "layers" not in content:
        raise InputError(f"{path}: is a MATLAB file, but holds no MatConvNet network (no 'layers')")

    try:
        weights = dict(_weights(layer) for layer in content["layers"].flat if _has_weights(layer))
        meta = content.get("meta")
        normalization = content.get("normalization", _field(meta, "normalization"))
        classes = content.get("classes", _field(meta, "classes"))
        labels = [str(_only(label)) for label in np.ravel(_field(classes, "description", ()))]
        mean_image = _field(normalization, "averageImage")
        normalized = bool(np.any(_field(normalization, "unitMeanActivations", False)))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is a MATLAB file, but not laid out as a MatConvNet network") from error
    return assemble(weights, _mean_pixel(mean_image, path), labels, normalized, path, sha256)


def _only(value: Any) -> Any:
    """The one element of a 1×1 array, as which MATLAB keeps every struct and every string."""
    return value.flat[0] if isinstance(value, np.ndarray) and value.size == 1 else value


def _field(struct: Any, name: str, default: Any = None) -> Any:
    return getattr(_only(struct), name, default)


def _has_weights(layer: Any) -> bool:
    # Later generations give every layer a field ``weights``, an empty cell where there are none.
    return np.size(_field(layer, "weights", ())) == 2 or hasattr(_only(layer), "filters")


def _weights(layer: Any) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    layer = _only(layer)
    kernel, bias = (layer.filters, layer.biases) if hasattr(layer, "filters") else np.ravel(layer.weights)
    return str(_only(layer.name)), (kernel, bias)


def _mean_pixel(mean_image: Any, path: Path) -> np.ndarray:
    """Reduce ``averageImage`` to one pixel: it is 224×224×3, 1×1×3 or three numbers."""
    if mean_image is None:
        raise InputError(f"{path}: holds no mean pixel (no 'normalization.averageImage')")
    mean_image = np.asarray(mean_image)
    if mean_image.size != 3 and mean_image.shape[2:] != (3,):
        raise InputError(f"{path}: averageImage has shape {mean_image.shape}, expected (224, 224, 3)")
    return mean_image.reshape(-1, 3).mean(axis=0, dtype=np.float64)


def write_matconvnet(
    network: Network,
    path: str | Path,
    generation: str = "beta16",
    compress: Callable[[bytes], bytes] = zlib.compress,
) -> None:
    """Write a network as a MATLAB 5 file, as MatConvNet published it.

    The same network gives the same bytes, whenever it is written: the header has no date.

    Parameters
    ----------
    network : Network
        Fully connected layers and labels are written when it has them. That its filters are normalized
        is kept in a field of our own, ``unitMeanActivations``, beside the mean.
    path : path
        The file, replaced in one step.
    generation : {"beta16", "oldest", "current"}
        Field names and order; see the head of this module. ``beta16`` is what most programs read. They
        find the weights in a layer's first field and the mean in the first of ``normalization``. It
        also has ``meta``, for readers that look for the mean there.
    compress : callable
        Bytes to a zlib stream.

    Raises
    ------
    ValueError
        If the generation is unknown.
    """
    if generation not in GENERATIONS:
        raise ValueError(f"unknown generation {generation!r}; there are {', '.join(GENERATIONS)}")
    layers = [_layer_fields(layer, generation) for layer in network.layers]
    # The means of the file's readers are sums of 50,176 numbers: double precision keeps them exact.
    mean_image = np.broadcast_to(network.mean_pixel.astype(np.float64), (224, 224, 3))
    flag = {"unitMeanActivations": True} if network.normalized else {}
    image_size = np.array([[224.0, 224.0, 3.0]])
    classes = {"name": _cell([]), "description": _cell(network.labels)}
    normalization = {"averageImage": mean_image, "imageSize": image_size} | flag
    # Readers of the current generation take the third field of this struct.
    meta_normalization = {
        "imageSize": image_size,
        "interpolation": "bicubic",
        "averageImage": mean_image[:1, :1],
    } | flag
    meta = {"normalization": meta_normalization, "classes": classes}
    content = {"layers": _cell(layers)}
    if generation != "current":
        content |= {"classes": classes, "normalization": normalization}
    if generation != "oldest":
        content |= {"meta": meta}

    with replacing(path) as temporary:
        temporary.write_bytes(_mat_bytes(content, compress))


def _cell(values: Any) -> np.ndarray:
    """Make a MATLAB cell array, 1×N."""
    cell = np.empty((1, len(values)), object)
    cell[0, :] = values
    return cell


def _layer_fields(layer: Layer, generation: str) -> dict[str, Any]:
    """Give a layer's fields the names, and the order, that they have in published files."""
    current = generation == "current"
    if layer.kind == "convolution":
        bias = layer.bias.reshape(1, -1)
        pad = np.full((1, 4), layer.kernel.shape[0] // 2 if layer.name.startswith("conv") else 0, np.float64)
        if generation == "oldest":
            weights = {"filters": layer.kernel, "biases": bias}
        else:
            weights = {"weights": _cell([layer.kernel, bias])}
        if current:
            size = np.array([layer.kernel.shape], np.float64)
            fields = {"name": layer.name, "type": "conv"} | weights | {"size": size, "pad": pad}
            return fields | {"stride": np.ones((1, 2)), "precious": 0.0, "dilate": 1.0, "opts": _cell([])}
        return weights | {"pad": pad, "type": "conv", "name": layer.name, "stride": np.ones((1, 2))}
    if layer.kind == "pool":
        method = {"method": "max", "pool": np.full((1, 2), 2.0)}
        # Bottom and right only, in MatConvNet's order top, bottom, left, right.
        moves = {"stride": np.full((1, 2), 2.0), "pad": np.array([[0.0, 1.0, 0.0, 1.0]])}
        if current:
            return (
                {"name": layer.name, "type": "pool"} | method | moves | {"precious": 0.0, "opts": _cell([])}
            )
        return {"name": layer.name} | moves | {"type": "pool"} | method
    if current:
        return {"name": layer.name, "type": layer.kind, "weights": _cell([]), "precious": 0.0}
    return {"type": layer.kind, "name": layer.name}


def _mat_bytes(content: Mapping[str, Any], compress: Callable[[bytes], bytes]) -> bytes:
    """Lay variables out as a MATLAB 5 file, each compressed by itself.

    ``scipy.io.savemat`` puts the date into the header and compresses with zlib's middle level, so only
    its uncompressed form is used here.
    """
    stream = io.BytesIO()
    scipy.io.savemat(stream, content)
    plain = stream.getvalue()
    # The header is 116 bytes of text, then 12 that say version and byte order.
    parts = [HEADER_TEXT.ljust(116), plain[116:128]]
    start = 128
    while start < len(plain):
        _, size = np.frombuffer(plain, np.uint32, 2, start)
        end = start + 8 + int(size)
        packed = compress(plain[start:end])
        parts += [np.array([MI_COMPRESSED, len(packed)], np.uint32).tobytes(), packed]
        start = end
    return b"".join(parts)

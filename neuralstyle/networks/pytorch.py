"""PyTorch's VGG weights: what ``torch.save(model.state_dict(), …)`` writes, read without PyTorch.

Two formats are in circulation (``torch/serialization.py``). A zip archive, since version 1.6, holds
``NAME/data.pkl`` and the numbers of each storage in ``NAME/data/KEY``. Before, a file was five pickles one
after another (a magic number, the protocol's version, the system, the object, the list of storages' keys),
then for each key the number of elements, 8 bytes, and the elements.

The object maps names to tensors; a tensor is a call of ``_rebuild_tensor_v2`` with its storage, offset, shape
and strides. A pickle can call anything, so only those names that such a file needs are admitted.

Kernels are out×in×H×W. What the first layer takes differs:

======================================= ================== =============================================
file                                    names              ``conv1_1`` takes
======================================= ================== =============================================
torchvision's                           ``features.0`` …   RGB, (x/255 − mean) / deviation
Johnson's conversions of Caffe's files  the same           BGR, x − mean pixel; known by their SHA-256
Gatys's ``vgg_conv.pth``                ``conv1_1`` …      BGR, x − mean pixel
======================================= ================== =============================================

Torchvision's numbers are folded into ``conv1_1``: (x/255 − m)/s = (x − 255·m) / (255·s), so its kernel is
divided by 255·s and the mean pixel is 255·m.
"""

import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.networks.kernels import from_channels_first, with_rgb
from neuralstyle.networks.network import BLOCKS, MEAN_PIXEL, Network, assemble

#: Mean and standard deviation of the pictures that torchvision's networks take, RGB, 0..1
#: (pytorch.org/vision, "Models and pre-trained weights").
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

#: First digits of the SHA-256 of vgg16-00b39a1b.pth and vgg19-d01eb7cb.pth
#: (github.com/jcjohnson/pytorch-vgg), whose names end in them.
CAFFE_CONVERSIONS = ("00b39a1b", "d01eb7cb")

_DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8"}


class _Storage(NamedTuple):
    dtype: str
    key: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


# The unpickler that is written in Python: the other one makes room for as many objects as a damaged file
# says there are.
class _Unpickler(pickle._Unpickler):
    """Builds dictionaries of `_Tensor`, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        raise _OtherObjectError(f"{module}.{name}")

    def persistent_load(self, identity: tuple) -> _Storage:
        _, dtype, key, *_ = identity
        return _Storage(dtype, key)


class _OtherObjectError(Exception):
    """A pickle asks for something that no file of weights needs."""


def read_pytorch(stream: BinaryIO, path: Path, sha256: str) -> Network:
    """Read a VGG-16 or VGG-19 from a PyTorch file of either format.

    Parameters
    ----------
    stream : binary file
        The whole file, at its start.
    path : path
        What it is called.
    sha256 : str
        Of its content: some files are known by it.

    Returns
    -------
    Network
        Kernels H×W×in×out, ``conv1_1`` taking RGB minus the mean pixel, 0..255; no labels.

    Raises
    ------
    InputError
        If the file is damaged or holds anything but tensors, the network has batch normalisation, and all
        that `neuralstyle.networks.network.assemble` finds wrong with the layers.
    """
    try:
        zipped = zipfile.is_zipfile(stream)
        stream.seek(0)
        tensors, read = _open_zip(stream) if zipped else _open_legacy(stream)
        arrays = {
            str(name).removeprefix("module."): _array(tensor, read(tensor.storage))
            for name, tensor in tensors.items()
            if isinstance(tensor, _Tensor)
        }
    except _OtherObjectError as error:
        raise InputError(
            f"{path}: holds {error}, not tensors alone; save the model's state_dict() instead"
        ) from error
    except Exception as error:
        # A cut or damaged file makes zipfile, pickle and numpy raise anything.
        raise InputError(f"{path}: is damaged or cut short; fetch it again") from error
    if "features.1.weight" in arrays:
        raise InputError(f"{path}: is a VGG with batch normalisation; take one without")
    names = _layer_names(arrays)
    weights = {
        ours: (from_channels_first(ours, arrays[f"{theirs}.weight"]), arrays[f"{theirs}.bias"])
        for theirs, ours in names.items()
        if f"{theirs}.weight" in arrays and f"{theirs}.bias" in arrays
    }
    mean_pixel = MEAN_PIXEL
    if "conv1_1" in weights:
        kernel, bias = weights["conv1_1"]
        if "conv1_1" in names or sha256.startswith(CAFFE_CONVERSIONS):
            kernel = with_rgb(kernel)
        elif kernel.ndim == 4 and kernel.shape[2] == 3:
            kernel = kernel / np.reshape(np.multiply(255, DEVIATION), (3, 1))
            mean_pixel = np.multiply(255, MEAN)
        weights["conv1_1"] = kernel, bias
    return assemble(weights, mean_pixel, path=path, sha256=sha256)


def _open_zip(stream: BinaryIO) -> tuple[dict, Callable[[_Storage], bytes]]:
    """The object of a zip archive, and what reads a storage's bytes."""
    archive = zipfile.ZipFile(stream)
    (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    folder = pickled.removesuffix(".pkl")
    with archive.open(pickled) as file:
        tensors = _Unpickler(file).load()
    return tensors, lambda storage: archive.read(f"{folder}/{storage.key}")


def _open_legacy(stream: BinaryIO) -> tuple[dict, Callable[[_Storage], bytes]]:
    """The object of a file of the older format, and what gives a storage's bytes."""
    _magic, _protocol, _system, tensors, keys = (_Unpickler(stream).load() for _ in range(5))
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    content = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        content[key] = stream.read(count * np.dtype(dtypes[key]).itemsize)
    return tensors, lambda storage: content[storage.key]


def _array(tensor: _Tensor, content: bytes) -> np.ndarray:
    """A tensor's numbers; numpy raises where they are not all inside the storage."""
    dtype = np.dtype(tensor.storage.dtype)
    strides = [dtype.itemsize * stride for stride in tensor.strides]
    return np.ndarray(tuple(tensor.shape), dtype, content, dtype.itemsize * tensor.offset, strides)


def _layer_names(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """PyTorch's names of the layers, and ours."""
    convolutions = [name for name in arrays if re.fullmatch(r"features\.\d+\.weight", name)]
    if not convolutions:
        own = {re.sub(r"\.\w+$", "", name) for name in arrays}
        return {name: name for name in own}
    names = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}
    position = 0
    for block, count in enumerate(BLOCKS["VGG-19" if len(convolutions) > 13 else "VGG-16"], start=1):
        for index in range(1, count + 1):
            names[f"features.{position}"] = f"conv{block}_{index}"
            position += 2  # a ReLU follows each convolution
        position += 1  # and pooling the block
    return names

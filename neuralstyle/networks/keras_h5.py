"""Keras's VGG weights, in every layout that Keras has written them in.

===================== ======================================================== ==================
written by            kernel                                                   bias
===================== ======================================================== ==================
Keras 1               ``block1_conv1/block1_conv1_W_1:0``                      ``…_b_1:0``
Keras 2               ``block1_conv1/block1_conv1/kernel:0``                   ``…/bias:0``
Keras 1, 2, 3, model  the same below ``model_weights``                         the same
Keras 2.12, 3,        ``layers/<name>/vars/0``; ``<name>`` is the layer's      ``…/vars/1``
weights               name, or its class's (``conv2d_3``, numbered from none),
                      then with or without the name in an attribute ``name``
                      of ``vars``; in Keras 2.12 to 2.14 below
                      ``_layer_checkpoint_dependencies`` instead of ``layers``
Keras 2.12, 3, model  the same in ``model.weights.h5`` of a zip archive        the same
===================== ======================================================== ==================

Beside ``model_weights`` a file may hold ``optimizer_weights``, in which the optimiser's slots have the names
of the kernels that they belong to: they are not looked at.

Kernels are H×W×in×out. ``block1_conv1`` takes BGR. ``fc1`` and what follows are matrices in×out, of the
picture flattened in the order H, W, channel.

Keras 1 with Theano (``…_th_dim_ordering_th_kernels.h5``) has kernels out×in×H×W, which shows from their
shape; its pictures are flattened in the order channel, H, W; and Theano turns a kernel by 180° before it
lays it on the picture (``keras/utils/np_utils.py``, ``convert_kernel``). Files of Keras 2 that were written
with Theano have such turned kernels H×W×in×out, and say so in an attribute ``backend``.

A layer here includes its ReLU.
"""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from neuralstyle.files import InputError
from neuralstyle.networks.kernels import from_channels_first, fully_connected_size, with_rgb
from neuralstyle.networks.network import BLOCKS, Network, assemble

#: Keras's names of the layers, and ours.
NAMES = {
    f"block{block}_conv{index}": f"conv{block}_{index}" for block in range(1, 6) for index in range(1, 5)
} | {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}

#: The file with the weights in Keras's zip archives.
ZIPPED_WEIGHTS = "model.weights.h5"


def read_keras(stream: BinaryIO, path: Path, sha256: str) -> Network:
    """Read a VGG-16 or VGG-19 from an HDF5 file or a zip archive that Keras wrote.

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
        Kernels H×W×in×out, ``conv1_1`` turned to RGB; the published mean pixel and no labels, since these
        files have neither.

    Raises
    ------
    InputError
        If the file is damaged or has two layers of one name, and all that
        `neuralstyle.networks.network.assemble` finds wrong with the layers.
    """
    arrays: dict[tuple[str, bool], np.ndarray] = {}
    try:
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                stream = BytesIO(archive.read(ZIPPED_WEIGHTS))
        with h5py.File(stream, "r") as file:
            backend = file.attrs.get("backend", b"")
            for name, is_kernel, dataset in _weights(file):
                if (name, is_kernel) in arrays:
                    raise InputError(f"{path}: has layer {name} twice; save the VGG by itself")
                arrays[name, is_kernel] = dataset[()]
    except InputError:
        raise
    except Exception as error:
        # A cut or damaged file makes h5py raise anything from OSError to TypeError.
        raise InputError(f"{path}: is damaged or cut short; fetch it again") from error
    kernels = {name: array for (name, is_kernel), array in arrays.items() if is_kernel}
    first = kernels.get("conv1_1", np.empty(0))
    channels_first = first.shape[2:] == (3, 3) and first.shape[:2] != (3, 3)
    turned = backend in (b"theano", "theano") or (channels_first and not backend)
    weights = {
        name: (_as_convolution(name, kernel, channels_first, turned), arrays[name, False])
        for name, kernel in kernels.items()
        if (name, False) in arrays
    }
    return assemble(weights, path=path, sha256=sha256)


def _weights(file: h5py.File) -> Iterator[tuple[str, bool, h5py.Dataset]]:
    """Each dataset that belongs to a layer of a VGG: the layer, whether it is the kernel, the dataset."""
    datasets: list[h5py.Dataset] = []

    def collect(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            datasets.append(item)

    (file["model_weights"] if "model_weights" in file else file).visititems(collect)
    numbered = _numbered_layers([dataset.name for dataset in datasets])
    for dataset in datasets:
        *folders, leaf = dataset.name.split("/")
        if folders[-1] == "vars" and leaf in ("0", "1"):
            folders.append(str(dataset.parent.attrs.get("name")))
            is_kernel = leaf == "0"
        elif found := re.fullmatch(r"(?:.*_)?(?:(W|kernel)|b|bias)(?:_\d+)?(?::0)?", leaf):
            is_kernel = found[1] is not None
        else:
            continue
        name = next((NAMES[folder] for folder in reversed(folders) if folder in NAMES), None)
        name = name or numbered.get("/".join(dataset.name.split("/")[:-2]))
        if name is not None:
            yield name, is_kernel, dataset


def _numbered_layers(names: list[str]) -> dict[str, str]:
    """Our names of layers that a file knows by class and number alone: ``layers/conv2d_3``."""
    convolutions, dense = {}, {}
    for name in names:
        if found := re.fullmatch(r"(.*/(conv2d|dense)(?:_(\d+))?)/vars/0", name):
            (convolutions if found[2] == "conv2d" else dense)[found[1]] = int(found[3] or 0)
    for counts in BLOCKS.values():
        if len(convolutions) == sum(counts):
            ours = [f"conv{block}_{index + 1}" for block, n in enumerate(counts, 1) for index in range(n)]
            ours = dict(zip(sorted(convolutions, key=convolutions.get), ours, strict=True))
            return ours | dict(zip(sorted(dense, key=dense.get), ("fc6", "fc7", "fc8"), strict=False))
    return {}


def _as_convolution(name: str, kernel: np.ndarray, channels_first: bool, turned: bool) -> np.ndarray:
    """Turn a kernel as Keras keeps it into H×W×in×out, RGB."""
    size = fully_connected_size(name)
    if name.startswith("fc") and kernel.ndim == 2:
        if channels_first:
            return from_channels_first(name, kernel.T)
        if kernel.shape[0] % size**2 == 0:
            return kernel.reshape(size, size, -1, kernel.shape[1])
    if kernel.ndim != 4:
        return kernel
    if channels_first:
        kernel = from_channels_first(name, kernel)
    if turned:
        kernel = kernel[::-1, ::-1]
    return with_rgb(kernel) if name == "conv1_1" else kernel

"""Keras's VGG weights in HDF5, in every layout that Keras has written them in.

================= ============================================================ ==================
written by        kernel                                                       bias
================= ============================================================ ==================
Keras 1           ``block1_conv1/block1_conv1_W_1:0``                          ``…_b_1:0``
Keras 2           ``block1_conv1/block1_conv1/kernel:0``                       ``…/bias:0``
Keras 2, 3, model ``model_weights/block1_conv1/block1_conv1/kernel``           ``…/bias``
Keras 3, weights  ``layers/<name>/vars/0``; ``<name>`` is the layer's name, or ``…/vars/1``
                  its class's (``conv2d_3``) with the name in an attribute
                  ``name`` of ``vars``
================= ============================================================ ==================

Kernels are H×W×in×out. ``block1_conv1`` takes BGR. ``fc1`` and what follows are matrices in×out, of the
picture flattened in the order H, W, channel. A layer here includes its ReLU.
"""

import re
from pathlib import Path

import h5py
import numpy as np

from neuralstyle.files import InputError
from neuralstyle.networks.network import Network, assemble

#: Keras's names of the layers, and ours.
NAMES = {
    f"block{block}_conv{index}": f"conv{block}_{index}" for block in range(1, 6) for index in range(1, 5)
} | {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


def read_keras(path: str | Path) -> Network:
    """Read a VGG-16 or VGG-19 from an HDF5 file that Keras wrote.

    Parameters
    ----------
    path : path
        The file. Its suffix does not matter.

    Returns
    -------
    Network
        Kernels H×W×in×out, ``conv1_1`` turned to RGB; the published mean pixel and no labels, since these
        files have neither.

    Raises
    ------
    OSError
        If the file cannot be opened.
    InputError
        If the file is damaged, and all that `neuralstyle.networks.network.assemble` finds wrong with the
        layers.
    """
    path = Path(path)
    kernels: dict[str, np.ndarray] = {}
    biases: dict[str, np.ndarray] = {}

    def collect(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        name, is_kernel = _layer_and_role(item)
        if name is not None:
            (kernels if is_kernel else biases)[name] = item[()]

    with path.open("rb") as stream:
        try:
            with h5py.File(stream, "r") as file:
                file.visititems(collect)
        except Exception as error:
            # A cut or damaged file makes h5py raise anything from OSError to TypeError.
            raise InputError(f"{path}: is damaged or cut short; fetch it again") from error
    weights = {
        name: (_as_convolution(name, kernel), biases[name])
        for name, kernel in kernels.items()
        if name in biases
    }
    return assemble(weights, path=path)


def _layer_and_role(dataset: h5py.Dataset) -> tuple[str | None, bool]:
    """Which layer a dataset belongs to (None: no layer of a VGG), and whether it is the kernel."""
    *folders, leaf = dataset.name.split("/")
    if folders[-1] == "vars" and leaf in ("0", "1"):
        folders.append(str(dataset.parent.attrs.get("name")))
        is_kernel = leaf == "0"
    elif found := re.fullmatch(r"(?:.*_)?(?:(W|kernel)|b|bias)(?:_\d+)?(?::0)?", leaf):
        is_kernel = found[1] is not None
    else:
        return None, False
    return next((NAMES[folder] for folder in reversed(folders) if folder in NAMES), None), is_kernel


def _as_convolution(name: str, kernel: np.ndarray) -> np.ndarray:
    """Turn a kernel as Keras keeps it into H×W×in×out, RGB."""
    if name == "conv1_1" and kernel.ndim == 4:
        return kernel[:, :, ::-1]
    size = 7 if name == "fc6" else 1
    if name.startswith("fc") and kernel.ndim == 2 and kernel.shape[0] % size**2 == 0:
        return kernel.reshape(size, size, -1, kernel.shape[1])
    return kernel

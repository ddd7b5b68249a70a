"""Kernels as other programs keep them, turned into ours: H×W×in×out."""

import numpy as np


def fully_connected_size(name: str) -> int:
    """Height and width of a fully connected layer's kernel: ``fc6`` sees the 7×7 positions of ``pool5``."""
    return 7 if name == "fc6" else 1


def from_channels_first(name: str, kernel: np.ndarray) -> np.ndarray:
    """Turn a kernel of a program that computes on channels×H×W pictures into H×W×in×out.

    Parameters
    ----------
    name : str
        The layer's, such as ``conv1_1`` or ``fc6``.
    kernel : ndarray
        out×in×H×W; of fully connected layers also a matrix out×(in·H·W), of pictures flattened in the
        order channel, H, W.

    Returns
    -------
    ndarray
        A view, or the array itself where it has neither shape.
    """
    size = fully_connected_size(name)
    if kernel.ndim == 2 and name.startswith("fc") and kernel.shape[1] % size**2 == 0:
        kernel = kernel.reshape(len(kernel), kernel.shape[1] // size**2, size, size)
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel


def with_rgb(kernel: np.ndarray) -> np.ndarray:
    """Turn an H×W×in×out kernel that takes BGR into one that takes RGB, or the other way round."""
    return kernel[:, :, ::-1] if kernel.ndim == 4 else kernel

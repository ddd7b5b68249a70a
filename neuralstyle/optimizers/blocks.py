"""Products of large float32 arrays, added up in float64.

A float32 sum over millions of pixels loses three or four of its seven digits. Blocks are multiplied in
float32, which BLAS does on every core, and their sums are added in float64. No temporary array is larger
than a block.
"""

import numpy as np

_BLOCK = 65536


def dots(rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """The products of each row with a vector.

    Parameters
    ----------
    rows : ndarray
        K×…, float32.
    vector : ndarray
        The shape of a row, float32.

    Returns
    -------
    ndarray
        K, float64.
    """
    rows, vector = rows.reshape(len(rows), -1), vector.reshape(-1)
    total = np.zeros(len(rows))
    for start in range(0, vector.size, _BLOCK):
        total += rows[:, start : start + _BLOCK] @ vector[start : start + _BLOCK]
    return total


def dot(one: np.ndarray, other: np.ndarray) -> float:
    """The product of two arrays of one shape, float32."""
    return float(dots(one[None], other)[0])


def add_rows(target: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> None:
    """Add the weighted sum of rows to an array, in place.

    Parameters
    ----------
    target : ndarray
        The shape of a row, float32, contiguous.
    weights : ndarray
        K.
    rows : ndarray
        K×…, float32.
    """
    weights, rows, target = weights.astype(np.float32), rows.reshape(len(rows), -1), target.reshape(-1)
    for start in range(0, target.size, _BLOCK):
        target[start : start + _BLOCK] += weights @ rows[:, start : start + _BLOCK]


def mean_size(array: np.ndarray) -> float:
    """The mean of the absolute values."""
    flat, total = array.reshape(-1), 0.0
    for start in range(0, flat.size, _BLOCK):
        total += float(np.abs(flat[start : start + _BLOCK]).sum(dtype=np.float64))
    return total / flat.size

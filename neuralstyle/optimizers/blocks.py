"""Large float32 arrays in blocks on all cores: their products, added up in float64, and work in place.

A float32 sum over millions of pixels loses three or four of its seven digits; sums over blocks are exact
enough and are added in float64, in one order whatever the number of threads. BLAS is a little faster on an
idle machine, but its threads spin while they wait for each other at every block: on one that does other
things too, they took four times the processor time and fifteen times as long.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

#: How many threads work on a picture.
THREADS = min(8, os.cpu_count() or 1)

_BLOCK = 32768


def _in_blocks(work: Callable[[slice], object], size: int) -> list:
    """What some work gives for each block of so many values, in order."""
    blocks = [slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]
    if len(blocks) == 1:
        return [work(blocks[0])]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, blocks))


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
    parts = _in_blocks(lambda block: np.einsum("kn,n->k", rows[:, block], vector[block]), vector.size)
    return np.sum(parts, axis=0, dtype=np.float64)


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

    def add(block: slice) -> None:
        target[block] += np.einsum("k,kn->n", weights, rows[:, block])

    _in_blocks(add, target.size)


def mean_size(array: np.ndarray) -> float:
    """The mean of the absolute values."""
    flat = array.reshape(-1)
    parts = _in_blocks(lambda block: np.abs(flat[block]).sum(dtype=np.float64), flat.size)
    return float(np.sum(parts)) / flat.size

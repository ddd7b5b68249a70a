"""Where in a picture a style is wanted, at the size of each layer."""

from collections.abc import Iterable

import numpy as np

from neuralstyle.networks import Network


def shrink(network: Network, mask: np.ndarray, layers: Iterable[str]) -> dict[str, np.ndarray]:
    """Shrink a mask to the size of each layer, the way pooling shrinks the picture.

    Each pooling layer on the way takes the mean of the mask under its 2×2 window, so that a position
    of a layer is masked by the pixels that it stands for.

    Parameters
    ----------
    network : Network
    mask : ndarray
        H×W, float32, 0..1.
    layers : iterable of str

    Returns
    -------
    dict of str to ndarray
        Layer to float32 h×w.
    """
    shrunk = {}
    for layer in layers:
        small = np.asarray(mask, np.float32)
        for _ in range(sum(step.kind == "pool" for step in network.up_to([layer]))):
            small = _halve(network, small)
        shrunk[layer] = small
    return shrunk


def _halve(network: Network, mask: np.ndarray) -> np.ndarray:
    height, width = (2 * network.halved(side) for side in mask.shape)
    # Where a last row or column is odd it is dropped, or repeated: that leaves it out of the mean, as
    # average pooling does.
    mask = mask[:height, :width]
    mask = np.pad(mask, ((0, height - mask.shape[0]), (0, width - mask.shape[1])), mode="edge")
    return mask.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))

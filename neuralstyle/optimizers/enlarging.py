"""What an optimiser remembers, for a picture of another size."""

from collections.abc import Mapping

import numpy as np

from neuralstyle.pictures.sizes import resize


def enlarge_moments(
    state: Mapping[str, np.ndarray], iterations: int, height: int, width: int
) -> dict[str, np.ndarray]:
    """Adam's moments, to go on with at the next scale.

    The first is resized bicubically, the second bilinearly, which leaves it 0 or more. The count of steps, by
    which both are corrected for their start at 0, goes on as well.

    Source: crowsonkb/style-transfer-pytorch (style_transfer.py, scale_adam).

    Parameters
    ----------
    state : mapping of str to ndarray
        As Adam has it after its last step.
    iterations : int
        How many steps it took at its own scale.
    height, width : int
        Of the next scale.

    Returns
    -------
    dict of str to ndarray
        "mean", "variance", and "earlier", the number of steps so far.
    """
    return {
        "mean": np.array(resize(state["mean"], height, width, "bicubic")),
        "variance": np.array(resize(state["variance"], height, width, "bilinear")),
        "earlier": np.array(int(state.get("earlier", 0)) + iterations),
    }

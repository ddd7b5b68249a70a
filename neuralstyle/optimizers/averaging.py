"""The average of the pictures on the way, which is smoother than the last of them."""

import numpy as np


def averaged(average: np.ndarray | None, picture: np.ndarray, decay: float, before: int) -> np.ndarray:
    """The moving average of pictures, each of which weighs `decay` times what the next one does.

    With n pictures before this one and weights that add up to 1,

        average_n = Σ decay^(n − i) picture_i / Σ decay^(n − i)
                  = average_(n−1) + (picture_n − average_(n−1)) · (1 − decay) / (1 − decay^(n + 1))

    which is Adam's correction of the start (Kingma & Ba 2015, section 3).

    Source: crowsonkb/style-transfer-pytorch (style_transfer.py, EMA).
    """
    if average is None:
        return picture.copy()
    return average + np.float32((1 - decay) / (1 - decay ** (before + 1))) * (picture - average)

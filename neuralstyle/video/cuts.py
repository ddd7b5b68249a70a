"""Where one shot of a film ends and another begins."""

import numpy as np

from neuralstyle.video.flow import luma, warp

#: Across a cut less of a frame than this can be followed. In a film of bicycles with five cuts it is at most
#: 0.07 there and at least 0.46 everywhere else.
_LEAST_TRUST = 0.25

#: And what can be followed does not look like it: there the correlation is at most 0.44, elsewhere at least
#: 0.94. Grain, in which flow cannot be trusted either, leaves it high.
_LEAST_LIKENESS = 0.7


def is_cut(earlier: np.ndarray, later: np.ndarray, backward: np.ndarray, trust: np.ndarray) -> bool:
    """Tell whether a frame begins another shot than the frame before it.

    That is so where next to none of its flow can be trusted, and the earlier frame, warped by it, does
    not look like the later one (correlation of luma).

    Parameters
    ----------
    earlier, later : ndarray
        H×W×3, 0..255.
    backward : ndarray
        H×W×2, from the later frame into the earlier one.
    trust : ndarray
        H×W, 0..1, of the later frame's pixels, as `neuralstyle.video.flow.flow_trust` gives it.

    Returns
    -------
    bool
    """
    if trust.mean() >= _LEAST_TRUST:
        return False
    guess, truth = (luma(picture) for picture in (warp(earlier, backward), later))
    guess, truth = guess - guess.mean(), truth - truth.mean()
    return bool((guess * truth).sum() <= _LEAST_LIKENESS * np.sqrt((guess**2).sum() * (truth**2).sum()))

"""Transparency: what stands under it while a picture is painted, and pictures laid over one another."""

import numpy as np
from scipy.ndimage import gaussian_filter

from neuralstyle.files import InputError
from neuralstyle.pictures.sizes import resize

#: From this opacity on a pixel's own colours are taken as they are; below, they count less and less.
_OWN_COLOURS_FROM = 0.1


def fill_transparent(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give transparent pixels colours that continue those around them.

    What a file holds under its transparent pixels is nobody's choice: black, mostly. A network would see
    black beside every edge, and paint it. Colours are averaged over ever larger squares, opaque pixels
    alone counting, until each square has some; from there they are smoothly enlarged into the gaps (the
    pull-push algorithm: Gortler et al. 1996, The Lumigraph, section 3.4).

    Parameters
    ----------
    colours : ndarray
        H×W×3 or H×W×1, float32, not multiplied by alpha. Overwritten: large pictures leave no room for
        copies.
    alpha : ndarray
        H×W, float32, 0..1; not 0 everywhere.

    Returns
    -------
    ndarray
        Of the same shape. Where alpha is 0.1 or more, the very colours that were there.

    Raises
    ------
    InputError
        If the picture is transparent everywhere.
    """
    if not alpha.any():
        raise InputError("is transparent everywhere; there is nothing to paint")
    counts = np.minimum(alpha / np.float32(_OWN_COLOURS_FROM), 1)[..., np.newaxis]
    colours *= counts
    return _filled(colours, counts)


def _filled(weighted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Colours where they count fully, and elsewhere as much of what lies around as is missing.

    Parameters
    ----------
    weighted : ndarray
        H×W×C: colours times how much they count.
    counts : ndarray
        H×W×1, 0..1.
    """
    if counts.min() == 1:
        return weighted
    height, width = counts.shape[:2]
    if max(height, width) == 1:  # of a picture so faint that it nowhere counts fully
        return weighted / counts
    even = [(0, height % 2), (0, width % 2), (0, 0)]
    # Four pixels become one. One that is opaque is enough for the square to count fully.
    sums, total = (_squares(np.pad(array, even)) for array in (weighted, counts))
    share = np.minimum(total, 1)
    around = _filled(sums * (share / np.where(total > 0, total, 1)), share)
    filled = resize(around, 2 * around.shape[0], 2 * around.shape[1])[:height, :width]
    filled *= 1 - counts
    filled += weighted
    return filled


def _squares(array: np.ndarray) -> np.ndarray:
    """The sums of an array's squares of 2×2."""
    return array[::2, ::2] + array[1::2, ::2] + array[::2, 1::2] + array[1::2, 1::2]


def on_white(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A picture, H×W×3, 0..255, laid on white where its alpha, H×W, 0..1, is less than 1."""
    alpha = alpha[..., np.newaxis]
    laid = image * alpha
    laid += 255 * (1 - alpha)
    return laid


def fitted_plane(plane: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Alpha or a mask, H×W, at the size of a picture."""
    return resize(plane[..., np.newaxis], *image.shape[:2])[..., 0]


def softened(mask: np.ndarray) -> np.ndarray:
    """A mask, H×W, 0..1, with a soft border: smoothed by a Gaussian of a 200th of its longer side."""
    return gaussian_filter(mask, max(mask.shape) / 200, truncate=3)


def laid_over(painted: np.ndarray, photograph: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The painted picture where a mask is 1, the photograph where it is 0, and mixed between.

    Parameters
    ----------
    painted, photograph : ndarray
        H×W×3, of one size.
    mask : ndarray
        H×W, 0..1.
    """
    mixed = painted - photograph
    mixed *= mask[..., np.newaxis]
    mixed += photograph
    return mixed

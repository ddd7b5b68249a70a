"""The size of pictures: resizing them, and the arithmetic of it alone."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from neuralstyle.files import InputError

#: No side of a picture may be shorter: four poolings leave one pixel of it.
SMALLEST_SIDE = 16

#: Ways to resize, and the filter of Pillow that each one is.
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def resize(image: np.ndarray, height: int, width: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture, smoothing it as much as shrinking needs.

    Pixels are squares: the centre of the first one lies at ½. Where a picture shrinks the filter is
    widened by the same factor, so that nothing is skipped (except by ``nearest``). Pillow does it, in
    floating point and six times as fast as scikit-image at 4096×4096.

    Parameters
    ----------
    image : ndarray
        H×W×C, any real type.
    height, width : int
        The new size, at least 1.
    method : {"bilinear", "bicubic", "nearest"}
        ``bicubic`` overshoots at edges; the result is clipped to the values that the picture had.

    Returns
    -------
    ndarray
        height×width×C, float32. The same array if it has that size and type already.

    Raises
    ------
    InputError
        If the method is unknown.
    """
    if method not in FILTERS:
        raise InputError(f"cannot resize by {method!r}; choose one of {', '.join(FILTERS)}")
    image = np.asarray(image, dtype=np.float32)
    if image.shape[:2] == (height, width):
        return image
    resized = np.empty((height, width, image.shape[2]), np.float32)
    for channel in range(image.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
        resized[..., channel] = plane.resize((width, height), FILTERS[method])
    if method == "bicubic":
        np.clip(resized, image.min(), image.max(), out=resized)
    return resized


def blocks_of_rows(picture: np.ndarray, pixels: int = 2**18) -> Iterator[slice]:
    """The rows of a picture, H×W×C, in blocks of so many pixels: work on one takes little memory."""
    height, width = picture.shape[:2]
    step = max(1, pixels // max(1, width))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def fitted_size(height: int, width: int, rule: str, size: int) -> tuple[int, int]:
    """The height and width of a picture resized by a rule; the other side follows, rounded (halves up).

    Parameters
    ----------
    height, width : int
        Of the picture, in pixels.
    rule : {"width", "height", "longer side"}
        Which side gets the size.
    size : int
        In pixels, at least 1.

    Returns
    -------
    height, width : int

    Raises
    ------
    InputError
        If the rule is unknown.
    """
    if rule not in ("width", "height", "longer side"):
        raise InputError(f"cannot resize by {rule!r}; choose width, height or longer side")
    if rule == "width" or (rule == "longer side" and width >= height):
        return _in_proportion(height, size, width), size
    return size, _in_proportion(width, size, height)


def fit_width(image: np.ndarray, width: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture to a width; the height follows, rounded to the nearest pixel (halves up)."""
    return resize(image, *fitted_size(*image.shape[:2], "width", width), method)


def fit_height(image: np.ndarray, height: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture to a height; the width follows, rounded to the nearest pixel (halves up)."""
    return resize(image, *fitted_size(*image.shape[:2], "height", height), method)


def fit_longer_side(image: np.ndarray, size: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture so that its longer side has a size; the other follows, rounded (halves up)."""
    return resize(image, *fitted_size(*image.shape[:2], "longer side", size), method)


def reduced(picture: np.ndarray, longest: int) -> np.ndarray:
    """A picture, H×W×C, whose longer side is at most so many pixels; a smaller one is as it was."""
    return fit_longer_side(picture, longest) if max(picture.shape[:2]) > longest else picture


def _in_proportion(side: int, new: int, old: int) -> int:
    """``side · new / old``, rounded half up, in whole numbers so that no rounding error decides."""
    return max(1, (2 * side * new + old) // (2 * old))


def check_size(image: np.ndarray, name: str) -> None:
    """Refuse a picture, H×W×C, that is too small; the message calls it by the name given."""
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise InputError(
            f"{name}: {width}×{height} pixels are too few; {SMALLEST_SIDE} are needed in each direction"
        )

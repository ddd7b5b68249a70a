"""Pictures of any kind that may be transparent: their colours and their alpha apart, and together again."""

import os

import numpy as np
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import FILLED, AnyPicture, as_image, of_pillow, read_picture
from neuralstyle.pictures.sizes import blocks_of_rows, check_size
from neuralstyle.pictures.transparency import fill_transparent, fitted_plane


def as_cut_out(image: AnyPicture) -> tuple[np.ndarray, np.ndarray | None]:
    """Take a picture as `neuralstyle.pictures.reading.as_image` does, and keep how transparent it is.

    Parameters
    ----------
    image : ndarray, PIL.Image.Image or path
        As there; an array may be H×W×4, with alpha last, in the same range and not multiplied in.

    Returns
    -------
    colours : ndarray
        H×W×3, float32, 0..255; transparent pixels have colours that continue those around them.
    alpha : ndarray or None
        H×W, float32, 0..1; None for a picture that is opaque everywhere.

    Raises
    ------
    InputError
        As there, and if the picture is transparent everywhere.
    """
    if isinstance(image, (str, os.PathLike)):
        picture = read_picture(image, keep_alpha=True)
        return picture.pixels, picture.alpha
    if isinstance(image, Image.Image):
        colours, alpha = of_pillow(image, FILLED)
        check_size(colours, "the picture")
        return colours, alpha
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 4:
        return as_image(image), None
    colours, alpha = as_image(image[..., :3]), np.float32(image[..., 3]) / 255
    if not (alpha.min() >= 0 and alpha.max() <= 1):  # NaN included
        raise InputError("the picture's alpha must be numbers in 0..255")
    if alpha.min() == 1:
        return colours, None
    try:
        return fill_transparent(colours.copy(), alpha), alpha
    except InputError as error:
        raise InputError(f"the picture: {error}") from error


def rounded(picture: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """A picture, H×W×3, 0..255, as uint8; H×W×4 with an alpha, 0..1, of whatever size."""
    pixels = np.empty((*picture.shape[:2], 3 if alpha is None else 4), np.uint8)
    for rows in blocks_of_rows(picture):
        pixels[rows][..., :3] = np.rint(picture[rows])
    if alpha is not None:
        pixels[..., 3] = np.rint(255 * np.clip(fitted_plane(alpha, picture), 0, 1))
    return pixels

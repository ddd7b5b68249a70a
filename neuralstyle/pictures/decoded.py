"""A picture as its file holds it, and what every way of decoding shares."""

from dataclasses import dataclass

import numpy as np
from PIL import ExifTags

from neuralstyle.files import InputError
from neuralstyle.free_memory import free_bytes

ORIENTATION = ExifTags.Base.Orientation

#: What reading takes at its height for each pixel, in bytes, measured over 17 kinds of file: 15 to 27 of grey
#: and RGB, 28 to 50 of what has alpha, ink or floating point.
PLAIN, OTHER = 28, 52


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture as its file holds it.

    Attributes
    ----------
    colours : ndarray
        H×W×1 (grey), H×W×3 (RGB) or H×W×4 (CMYK, 255 is full ink); uint8, uint16, uint32 or float.
    alpha : ndarray or None
        H×W×1, of the same type.
    profile : bytes or None
        The ICC profile that says what the colours stand for.
    orientation : int
        1..8, as EXIF and TIFF number them.
    notes : tuple of str
        What whoever handed the file in should know: that it holds more than was read.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    orientation: int = 1
    notes: tuple[str, ...] = ()


def check_memory(height: int, width: int, plain: bool) -> None:
    """Find out, before a picture is decoded, whether it fits into the memory that is free.

    Parameters
    ----------
    height, width : int
    plain : bool
        Whether it is grey or RGB, in whole numbers, and nothing else.

    Raises
    ------
    InputError
        If it does not.
    """
    needed, free = height * width * (PLAIN if plain else OTHER), free_bytes()
    if needed > free:
        raise InputError(
            f"{width}×{height} pixels take {needed / 1e9:.1f} GB to read and {free / 1e9:.1f} GB are free; "
            "make it smaller first"
        )


def split(pixels: np.ndarray) -> Decoded:
    """Tell colours from alpha by the number of channels: grey, grey and alpha, RGB, RGB and alpha."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4):
        raise ValueError(f"an array of shape {pixels.shape} is no picture")
    if pixels.shape[2] in (2, 4):
        return Decoded(pixels[..., :-1], pixels[..., -1:])
    return Decoded(pixels)


def as_float(pixels: np.ndarray) -> np.ndarray:
    """Pixels of any type as float32 0..255."""
    if pixels.dtype.kind == "u":
        scaled = pixels.astype(np.float32)
        scaled /= np.float32(np.iinfo(pixels.dtype).max / 255)
        return scaled
    if pixels.dtype.kind != "f":
        raise ValueError(f"pixels of type {pixels.dtype}")
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError("floating point pixels must lie in 0..1")
    return 255 * pixels.astype(np.float32)

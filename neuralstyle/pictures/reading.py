"""Pictures read: from files and arrays. Everywhere else a picture is float32 H×W×3, sRGB, 0..255.

Colour management happens here and nowhere else: a picture with an ICC profile is converted to sRGB as it
is read, because the networks were trained on sRGB pictures, and what is written is sRGB.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from neuralstyle.files import InputError, first_line
from neuralstyle.pictures.decoding import as_float, decode
from neuralstyle.pictures.sizes import check_size


def read_image(path: str | Path, tell: Callable[[str], None] | None = None) -> np.ndarray:
    """Read a picture.

    JPEG, PNG, TIFF, WebP, BMP, GIF and whatever else Pillow, tifffile or imageio read; of several frames
    the first. Grey becomes RGB. 16 bits keep their precision: 65535 is 255, neighbours lie 1/257 apart.
    Floating point must lie in 0..1. What is transparent is laid on white. The picture is turned the way
    its EXIF or TIFF orientation says.

    A picture with an ICC profile other than sRGB is converted to sRGB, perceptual intent, at 16 bits
    whatever its own depth. A profile that cannot be used (broken, or made for another kind of pixel)
    counts as none, and a picture without one counts as sRGB.

    Parameters
    ----------
    path : path
        The file.
    tell : callable, optional
        Called with one line if a profile changed the colours.

    Returns
    -------
    ndarray
        H×W×3, float32, sRGB, 0..255.

    Raises
    ------
    InputError
        If the file is missing, is a folder, cannot be read, is cut short, holds something else than a
        picture, or if the picture has fewer than 16 pixels in a direction.
    """
    path = Path(path)
    with _naming(path):
        decoded = decode(path)
        converted = _converted(decoded.colours, decoded.profile) if decoded.profile else None
        image = _rgb(decoded.colours) if converted is None else as_float(converted)
        if decoded.alpha is not None:
            alpha = as_float(decoded.alpha) / 255
            image = image * alpha + 255 * (1 - alpha)
        image = np.broadcast_to(image, (*image.shape[:2], 3))
    image = np.ascontiguousarray(_upright(image, decoded.orientation))
    check_size(image, str(path))
    if tell is not None and converted is not None:
        tell(f"{path}: its colour profile was applied; the result is sRGB")
    return image


def as_image(image: np.ndarray | str | Path) -> np.ndarray:
    """Take a picture that is an array or a file.

    Parameters
    ----------
    image : ndarray or path
        H×W×3, uint8 or floating point, sRGB, 0..255; or a file, which is read.

    Returns
    -------
    ndarray
        H×W×3, float32, 0..255. May be the very array that was given: do not write to it.

    Raises
    ------
    InputError
        If an array has another shape or type, is smaller than 16 pixels in a direction, or holds NaN or
        infinity; or as `read_image` does.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(Path(image))
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"a picture must be an array of height × width × 3, not {image.shape}")
    if image.dtype != np.uint8 and image.dtype.kind != "f":
        raise InputError(f"a picture must be uint8 or floating point in 0..255, not {image.dtype}")
    check_size(image, "the picture")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise InputError("the picture holds NaN or infinity; every pixel must be a number in 0..255")
    return np.ascontiguousarray(image, dtype=np.float32)


def read_text(path: str | Path) -> dict[str, str]:
    """Read what `write_image` was given as ``text``.

    Parameters
    ----------
    path : path
        A PNG.

    Returns
    -------
    dict of str to str
        The text chunks by their keyword; empty where there are none.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or is not a PNG.
    """
    path = Path(path)
    with _naming(path), Image.open(path, formats=["PNG"]) as image:
        return {str(key): str(value) for key, value in image.text.items()}


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Report whatever goes wrong with a picture that is read in one line that names the file."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a picture in it")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the name")
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they like on a damaged file
        raise InputError(f"{path}: cannot be read as a picture ({first_line(error)})") from error


def _rgb(colours: np.ndarray) -> np.ndarray:
    """Colours without a profile, H×W×3 (or H×W×1, grey), float32 0..255."""
    colours = as_float(colours)
    if colours.shape[2] == 4:
        return (255 - colours[..., :3]) * (255 - colours[..., 3:]) / 255
    return colours


def _converted(colours: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Colours in sRGB, H×W×3 uint16; None where the profile is sRGB already or cannot be used."""
    import imagecodecs

    channels = colours.shape[2]
    if colours.dtype not in (np.uint8, np.uint16):
        colours = np.rint(257 * as_float(colours)).astype(np.uint16)

    # Little CMS is fast and precise for 8-bit RGB. For everything else its optimiser puts a coarse table in
    # the place of the formulas, up to 11 of 255 off.
    fast = channels == 3 and colours.dtype == np.uint8
    flags = None if fast else imagecodecs.CMS.FLAGS.NOOPTIMIZE

    def transform(pixels: np.ndarray) -> np.ndarray:
        return imagecodecs.cms_transform(
            pixels if channels > 1 else pixels[..., 0],
            profile,
            imagecodecs.cms_profile("srgb"),
            colorspace={1: "gray", 3: "rgb", 4: "cmyk"}[channels],
            outcolorspace="rgb",
            outdtype=np.uint16,
            intent=imagecodecs.CMS.INTENT.PERCEPTUAL,
            flags=flags,
        )

    steps = np.arange(0, 256, 17, dtype=np.uint8)
    probe = np.stack(np.meshgrid(*[steps] * min(channels, 3), indexing="ij"), axis=-1)
    probe = probe.reshape(1, -1, probe.shape[-1])
    try:
        # Most pictures that carry a profile carry sRGB's: their pixels stay exactly as they are.
        if channels < 4 and np.abs(transform(probe) / 257 - probe).max() < 1:
            return None
        return transform(colours)
    except imagecodecs.CmsError:
        return None


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture as EXIF and TIFF number its orientation (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image

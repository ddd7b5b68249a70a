"""Pictures read: from files and arrays. Everywhere else a picture is float32 H×W×3, sRGB, 0..255.

Colour management happens here and nowhere else: a picture with an ICC profile is converted to sRGB as it
is read, because the networks were trained on sRGB pictures, and what is written is sRGB.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from neuralstyle.files import InputError, first_line
from neuralstyle.free_memory import free_bytes
from neuralstyle.pictures import decoding, with_pillow
from neuralstyle.pictures.decoded import Decoded, as_float
from neuralstyle.pictures.sizes import check_size
from neuralstyle.pictures.transparency import fill_transparent, on_white

#: What becomes of transparent pixels: they are laid on white, or on black (of a mask, where they are not
#: wanted), or filled with the colours around them.
WHITE, BLACK, FILLED = "white", "black", "filled"

#: What is taken for a picture wherever one is wanted.
AnyPicture = np.ndarray | Image.Image | str | os.PathLike


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture read from a file, and what a record says of the file.

    Attributes
    ----------
    pixels : ndarray
        H×W×3, float32, sRGB, 0..255.
    path : pathlib.Path
        As it was given.
    sha256 : str
        Of the file's bytes, the very ones that were decoded; hexadecimal.
    converted : bool
        Whether a colour profile changed the colours.
    alpha : ndarray or None
        H×W, float32, 0..1, where it was asked for; None for a picture that is opaque everywhere.
    """

    pixels: np.ndarray
    path: Path
    sha256: str
    converted: bool
    alpha: np.ndarray | None = None

    @property
    def height(self) -> int:
        """In pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.pixels.shape[1]


def read_picture(
    path: str | os.PathLike,
    tell: Callable[[str], None] | None = None,
    at_least: tuple[int, int] | None = None,
    keep_alpha: bool = False,
) -> Picture:
    """Read a picture file once: its pixels, and its digest from the same bytes.

    JPEG, PNG, TIFF, WebP, BMP, GIF, AVIF, JPEG XL, HEIC (with the package pillow-heif) and whatever else
    Pillow, tifffile or imageio read. Of a moving picture the first frame, of a TIFF the largest page; films
    and the raw files of cameras are refused. Grey becomes RGB. 16 bits keep their precision: 65535 is 255,
    neighbours lie 1/257 apart. Floating point must lie in 0..1. What is transparent is laid on white. The
    picture is turned the way its EXIF or TIFF orientation says; metadata that are damaged count as none.

    A picture with an ICC profile other than sRGB is converted to sRGB, perceptual intent, at 16 bits
    whatever its own depth. A profile that cannot be used (broken, or made for another kind of pixel)
    counts as none, and a picture without one counts as sRGB.

    Parameters
    ----------
    path : path
        The file.
    tell : callable, optional
        Called with one line if a profile changed the colours, and with one if the file holds other
        pictures beside the one that was read.
    at_least : (int, int), optional
        A height and width that are enough. A JPEG of more than 179 megapixels may then be decoded at a
        half, a quarter or an eighth of its size, which saves its memory; every other picture comes whole.
    keep_alpha : bool
        Whether to keep how transparent the picture is, instead of laying it on white. Its transparent
        pixels then have the colours of those around them.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If the file is missing, is a folder, cannot be read, is cut short, holds something else than a
        picture, or more pixels than memory is free for, if the picture has fewer than 16 pixels in a
        direction, or is transparent everywhere and that is to be kept.
    """
    path = Path(path)
    with _naming(path):
        data = _bytes(path)
        decoded = decoding.decode(data, path.suffix, at_least)
        pixels, alpha, converted = _finished(decoded, FILLED if keep_alpha else WHITE)
    check_size(pixels, str(path))
    if tell is not None:
        for note in (*decoded.notes, *["its colour profile was applied; the result is sRGB"] * converted):
            tell(f"{path}: {note}")
    return Picture(pixels, path, hashlib.sha256(data).hexdigest(), converted, alpha)


def read_image(path: str | os.PathLike, tell: Callable[[str], None] | None = None) -> np.ndarray:
    """Read a picture: the pixels of `read_picture`, H×W×3, float32, sRGB, 0..255."""
    return read_picture(path, tell).pixels


def read_mask(path: str | os.PathLike) -> np.ndarray:
    """Read a mask: white where something is wanted, black or transparent where it is not.

    Parameters
    ----------
    path : path
        A picture, read as `read_picture` does. The mean of its colours counts.

    Returns
    -------
    ndarray
        H×W, float32, 0..1.

    Raises
    ------
    InputError
        As `read_picture` does.
    """
    path = Path(path)
    with _naming(path):
        pixels, *_ = _finished(decoding.decode(_bytes(path), path.suffix), BLACK)
    check_size(pixels, str(path))
    return pixels.mean(axis=2) / 255


def picture_size(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of a picture file, the right way up, without decoding its pixels.

    (Of JPEG XL, whose headers no installed library reads alone, the pixels are decoded.)

    Raises
    ------
    InputError
        If the file is missing or its header cannot be read.
    """
    path = Path(path)
    with _naming(path), path.open("rb") as file:
        return decoding.size(file, path.suffix)


def as_image(image: AnyPicture) -> np.ndarray:
    """Take a picture that is an array, a picture of Pillow's, or a file.

    Parameters
    ----------
    image : ndarray, PIL.Image.Image or path
        H×W×3, uint8 or floating point, sRGB, 0..255. A picture of Pillow's may be of any mode; it is
        turned and coloured as if it were read from a file. A file is read.

    Returns
    -------
    ndarray
        H×W×3, float32, 0..255. May be the very array that was given: do not write to it.

    Raises
    ------
    InputError
        If an array has another shape or type, is smaller than 16 pixels in a direction, holds NaN or
        infinity, or holds floating point numbers of which none exceeds 1, which are 0..1 and not 0..255;
        or as `read_image` does.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    if isinstance(image, Image.Image):
        image = of_pillow(image, WHITE)[0]
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"a picture must be an array of height × width × 3, not {image.shape}")
    if image.dtype != np.uint8 and image.dtype.kind != "f":
        raise InputError(f"a picture must be uint8 or floating point in 0..255, not {image.dtype}")
    check_size(image, "the picture")
    if image.dtype.kind == "f":
        if not np.isfinite(image).all():
            raise InputError("the picture holds NaN or infinity; every pixel must be a number in 0..255")
        if image.max() <= 1 and image.any():
            raise InputError("no pixel of the picture exceeds 1; they must be in 0..255, so multiply by 255")
    return np.ascontiguousarray(image, dtype=np.float32)


def as_mask(mask: AnyPicture) -> np.ndarray:
    """Take a mask that is an array, a picture of Pillow's, or a file.

    Parameters
    ----------
    mask : ndarray, PIL.Image.Image or path
        H×W, boolean or numbers in 0..1: 1 where something is wanted. Pictures and files as in `read_mask`.

    Returns
    -------
    ndarray
        H×W, float32, 0..1.

    Raises
    ------
    InputError
        If an array has another shape, or numbers outside 0..1; or as `read_mask` does.
    """
    if isinstance(mask, (str, os.PathLike)):
        return read_mask(mask)
    if isinstance(mask, Image.Image):
        return of_pillow(mask, BLACK)[0].mean(axis=2) / 255
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype.kind not in "buif":
        raise InputError(f"a mask must be an array of height × width, not {mask.shape} of {mask.dtype}")
    mask = mask.astype(np.float32)
    if not (mask.size and mask.min() >= 0 and mask.max() <= 1):
        raise InputError("a mask must hold numbers in 0..1: 1 where the style is wanted")
    return mask


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
    with _naming(path), path.open("rb") as file, with_pillow.opened(file) as image:
        if image.format != "PNG":
            raise InputError("only a PNG keeps text; name a .png file")
        return {str(key): str(value) for key, value in image.text.items()}


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Report whatever goes wrong with a picture that is read in one line that names the file."""
    try:
        if path.is_dir():
            raise InputError("is a folder; name a picture in it")
        if not path.exists():
            raise InputError("no such file; check the name")
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{path}: takes more memory than there is; make it smaller first") from error
    except UnidentifiedImageError as error:  # its own message names no file, or a temporary one
        raise InputError(f"{path}: cannot be read as a picture (it is damaged)") from error
    except Exception as error:  # decoders raise whatever they like on a damaged file
        raise InputError(f"{path}: cannot be read as a picture ({first_line(error)})") from error


def _bytes(path: Path) -> bytes:
    """The whole file."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            raise InputError("is a device; name a picture")
        if status.st_size > free_bytes():
            raise MemoryError
        return file.read()


def of_pillow(image: Image.Image, background: str) -> tuple[np.ndarray, np.ndarray | None]:
    """A picture of Pillow's as an array H×W×3, float32, sRGB, 0..255; and its alpha, where it is `FILLED`."""
    try:
        return _finished(with_pillow.decode(image), background)[:2]
    except InputError as error:
        raise InputError(f"the picture: {error}") from error
    except Exception as error:
        raise InputError(f"the picture cannot be used ({first_line(error)})") from error


def _finished(decoded: Decoded, background: str) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """The pixels H×W×3, sRGB, 0..255, the right way up; their alpha; whether a profile changed the colours.

    The alpha, H×W, 0..1, only where the background is `FILLED`, and the picture is not opaque.
    """
    converted = _converted(decoded.colours, decoded.profile) if decoded.profile else None
    image = _rgb(decoded.colours) if converted is None else as_float(converted)
    alpha = None if decoded.alpha is None else as_float(decoded.alpha)[..., 0] / 255
    if alpha is not None and alpha.min() == 1:
        alpha = None
    if alpha is not None and background == FILLED:
        image = fill_transparent(image, alpha)
        alpha = np.ascontiguousarray(_upright(alpha, decoded.orientation))
    elif alpha is not None:
        image = on_white(image, alpha) if background == WHITE else image * alpha[..., np.newaxis]
        alpha = None
    image = np.broadcast_to(image, (*image.shape[:2], 3))
    return np.ascontiguousarray(_upright(image, decoded.orientation)), alpha, converted is not None


def _rgb(colours: np.ndarray) -> np.ndarray:
    """Colours without a profile, H×W×3 (or H×W×1, grey), float32 0..255."""
    colours = as_float(colours)
    if colours.shape[2] == 4:
        light = 255 - colours[..., :3]
        light *= 255 - colours[..., 3:]
        light /= 255
        return light
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

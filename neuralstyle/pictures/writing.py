"""Pictures written: checked beforehand, replaced in one step, sRGB."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from neuralstyle.files import InputError, check_writable, first_line, replacing, require
from neuralstyle.pictures.reading import Picture
from neuralstyle.pictures.sizes import blocks_of_rows
from neuralstyle.pictures.transparency import on_white

#: The kinds of file that can be written, each with the bits per channel that it can hold.
DEPTHS = {
    ".png": (8, 16),
    ".tif": (8, 16),
    ".tiff": (8, 16),
    ".jpg": (8,),
    ".jpeg": (8,),
    ".webp": (8,),
    ".bmp": (8,),
}

#: Those that can hold transparency. (Few programs look for it in a BMP.)
TRANSPARENT = (".png", ".tif", ".tiff", ".webp")

#: The longest side in pixels that a kind of file, or the library that writes it, can have. (JPEG itself has
#: 65535, libjpeg 65500; PNG has 2³¹ − 1, libpng a million.)
LONGEST_SIDES = {
    ".png": 1_000_000,
    ".jpg": 65_500,
    ".jpeg": 65_500,
    ".webp": 16_383,
}


def check_output(
    path: str | os.PathLike,
    overwrite: bool = False,
    bits: int = 8,
    quality: int = 95,
    size: tuple[int, int] | None = None,
) -> None:
    """Find out, before any work starts, whether a picture could be written.

    Parameters
    ----------
    path : path
        Where the picture is to go; its suffix names the kind of file.
    overwrite : bool
        Whether a file that exists may be replaced.
    bits : {8, 16}
        Bits a channel.
    quality : int
        1..100, of JPEG and WebP.
    size : (int, int), optional
        The height and width that the picture will have, where they are known.

    Raises
    ------
    InputError
        If the suffix is unknown, its kind of file cannot hold that many bits or pixels, there is no such
        quality, the file exists and must not be replaced, or the folder is missing or cannot be written.
    """
    path = Path(path)
    check_writable(path)
    _check_kind(path, bits, quality, size)
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; choose another name, or say that it may be overwritten")


def tell_of_white(content: Picture, path: Path, tell: Callable[[str], None]) -> None:
    """Say so where what is made of a transparent picture goes to a kind of file without transparency."""
    if content.alpha is not None and path.suffix.lower() not in TRANSPARENT:
        tell(
            f"{path}: is laid on white, for {content.path.name} is transparent; PNG, WebP and TIFF keep that"
        )


def write_image(
    path: str | os.PathLike,
    image: np.ndarray,
    *,
    bits: int = 8,
    quality: int = 95,
    text: Mapping[str, str] | None = None,
    alpha: np.ndarray | None = None,
) -> None:
    r"""Write a picture, its kind named by the suffix; a file of that name is replaced.

    Values are clipped to 0..255 and rounded to the nearest step: nothing wraps around. The file carries no
    colour profile, which means sRGB.

    Parameters
    ----------
    path : path
        ``.png``, ``.tif``, ``.tiff``, ``.jpg``, ``.jpeg``, ``.webp`` or ``.bmp``.
    image : ndarray
        H×W×3, any real type, sRGB, 0..255.
    bits : {8, 16}
        Bits a channel; 16 in PNG and TIFF only, where 255 becomes 65535.
    quality : int
        1..100, of JPEG and WebP. JPEG keeps the colours at full resolution (4:4:4).
    text : mapping of str to str, optional
        Kept in a PNG as international text chunks (iTXt); `read_text` gives it back. A lone surrogate, which
        stands for a byte of a file's name that is no UTF-8, is spelled out as JSON would: ``\udce9``.
    alpha : ndarray, optional
        H×W, 0..1: how opaque the picture is. A kind of file that holds no transparency (`TRANSPARENT` are
        those that do) gets the picture laid on white.

    Raises
    ------
    InputError
        If the picture holds NaN, the suffix is unknown, the kind of file cannot hold what was asked for,
        or the file cannot be written.
    """
    path = Path(path)
    _check_kind(path, bits, quality, np.shape(image)[:2])
    suffix = path.suffix.lower()
    if text and suffix != ".png":
        raise InputError(f"{path}: only a PNG keeps text; name a .png file")
    if alpha is not None and suffix not in TRANSPARENT:
        image, alpha = on_white(np.clip(image, 0, 255), alpha), None
    pixels = _quantised(image, bits, alpha)
    check_writable(path)
    try:
        with replacing(path) as temporary:
            _WRITERS[suffix](temporary, pixels, quality=quality, text=text or {})
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # a codec that gives up
        raise InputError(f"{path}: cannot be written ({first_line(error)})") from error


def _check_kind(path: Path, bits: int, quality: int, size: tuple[int, int] | None) -> None:
    whole = isinstance(quality, (int, np.integer))
    require(whole and 1 <= quality <= 100, "quality", quality, "a number from 1 to 100")
    suffix = path.suffix.lower()
    if suffix not in DEPTHS:
        raise InputError(f"{path}: cannot write pictures of that kind; use one of {', '.join(DEPTHS)}")
    require(bits in (8, 16), "bits", bits, "8 or 16")
    if bits not in DEPTHS[suffix]:
        raise InputError(f"{path}: this kind of file holds 8 bits per channel; use .png or .tiff for {bits}")
    if size and max(size) > LONGEST_SIDES.get(suffix, np.inf):
        raise InputError(
            f"{path}: cannot be written with {size[1]}×{size[0]} pixels; this kind of file holds "
            f"{LONGEST_SIDES[suffix]} in a direction; use .tiff"
        )


def _quantised(image: np.ndarray, bits: int, alpha: np.ndarray | None = None) -> np.ndarray:
    """H×W×3 pixels in 0..255, clipped and rounded, as uint8 or uint16; H×W×4 with alpha, H×W, 0..1."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"a picture must be an array of height × width × 3, not {image.shape}")
    scale, kind = (257, np.uint16) if bits == 16 else (1, np.uint8)
    pixels = np.empty((*image.shape[:2], 3 if alpha is None else 4), kind)
    for rows in blocks_of_rows(image):
        part = image[rows]
        if np.isnan(part).any():
            raise InputError("the picture holds NaN and is not written")
        if alpha is not None:
            part = np.dstack([part, 255 * alpha[rows]])
        pixels[rows] = np.rint(np.clip(part, 0, 255).astype(np.float32) * scale)
    return pixels


def _write_png(path: Path, pixels: np.ndarray, *, text: Mapping[str, str], **_: object) -> None:
    """Write a PNG; Pillow writes none of 16 bits, imagecodecs none with text."""
    import imagecodecs

    encoded = imagecodecs.png_encode(pixels, level=6)
    chunks = PngImagePlugin.PngInfo()
    for keyword, value in text.items():
        chunks.add_itxt(keyword, value.encode(errors="backslashreplace").decode())
    header = 33  # the signature and the first chunk, IHDR, which all others follow
    with path.open("wb") as file:
        file.write(encoded[:header])
        for kind, data, *_rest in chunks.chunks:
            PngImagePlugin.putchunk(file, kind, data)
        file.write(memoryview(encoded)[header:])


def _write_tiff(path: Path, pixels: np.ndarray, **_: object) -> None:
    import tifffile

    options = {"photometric": "rgb", "compression": "zlib", "predictor": True, "metadata": None}
    if pixels.shape[2] == 4:
        options["extrasamples"] = ["unassalpha"]
    tifffile.imwrite(path, pixels, **options)


def _write_jpeg(path: Path, pixels: np.ndarray, *, quality: int, **_: object) -> None:
    Image.fromarray(pixels).save(path, "JPEG", quality=quality, subsampling="4:4:4")


def _write_webp(path: Path, pixels: np.ndarray, *, quality: int, **_: object) -> None:
    Image.fromarray(pixels).save(path, "WEBP", quality=quality)


def _write_bmp(path: Path, pixels: np.ndarray, **_: object) -> None:
    Image.fromarray(pixels).save(path, "BMP")


#: What writes each kind of file.
_WRITERS: dict[str, Callable[..., None]] = {
    ".png": _write_png,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".jpg": _write_jpeg,
    ".jpeg": _write_jpeg,
    ".webp": _write_webp,
    ".bmp": _write_bmp,
}

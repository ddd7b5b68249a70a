"""Pictures written: checked beforehand, replaced in one step, sRGB."""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from neuralstyle.files import InputError, check_writable, first_line, replacing

#: The kinds of file that can be written, each with the bits a channel that it can hold.
DEPTHS = {
    ".png": (8, 16),
    ".tif": (8, 16),
    ".tiff": (8, 16),
    ".jpg": (8,),
    ".jpeg": (8,),
    ".webp": (8,),
    ".bmp": (8,),
}


def check_output(path: str | Path, overwrite: bool = False, bits: int = 8, quality: int = 95) -> None:
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

    Raises
    ------
    InputError
        If the suffix is unknown, its kind of file cannot hold that many bits, there is no such quality,
        the file exists and must not be replaced, or the folder is missing or cannot be written.
    """
    path = Path(path)
    check_writable(path)
    _check_kind(path, bits, quality)
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; choose another name, or say that it may be overwritten")


def write_image(
    path: str | Path,
    image: np.ndarray,
    *,
    bits: int = 8,
    quality: int = 95,
    icc_profile: bytes | None = None,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write a picture, its kind named by the suffix; a file of that name is replaced.

    Values are clipped to 0..255 and rounded to the nearest step: nothing wraps around.

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
    icc_profile : bytes, optional
        Embedded as it is, in every kind of file but BMP, which gets none. Without one the file is
        untagged, which means sRGB.
    text : mapping of str to str, optional
        Kept in a PNG as international text chunks (iTXt); `read_text` gives it back.

    Raises
    ------
    InputError
        If the picture holds NaN, the suffix is unknown, the kind of file cannot hold what was asked for,
        or the file cannot be written.
    """
    path = Path(path)
    _check_kind(path, bits, quality)
    suffix = path.suffix.lower()
    if text and suffix != ".png":
        raise InputError(f"{path}: only a PNG keeps text; name a .png file")
    pixels = _quantised(image, bits)
    check_writable(path)
    try:
        with replacing(path) as temporary:
            if suffix == ".png":
                temporary.write_bytes(_png(pixels, icc_profile, text or {}))
            elif suffix in (".tif", ".tiff"):
                import tifffile

                tifffile.imwrite(
                    temporary,
                    pixels,
                    photometric="rgb",
                    compression="zlib",
                    predictor=True,
                    iccprofile=icc_profile,
                    metadata=None,
                )
            else:
                options = {
                    ".jpg": {"quality": quality, "subsampling": "4:4:4", "icc_profile": icc_profile},
                    ".webp": {"quality": quality, "icc_profile": icc_profile},
                    ".bmp": {},
                }
                kind = ".jpg" if suffix == ".jpeg" else suffix
                Image.fromarray(pixels).save(temporary, **options[kind])
    except (OSError, ValueError) as error:  # a full disk, a side too long for the format
        raise InputError(f"{path}: cannot be written ({first_line(error)})") from error


def _check_kind(path: Path, bits: int, quality: int) -> None:
    if not (isinstance(quality, int) and 1 <= quality <= 100):
        raise InputError(f"--quality is {quality}; it must be a number from 1 to 100")
    depths = DEPTHS.get(path.suffix.lower())
    if depths is None:
        raise InputError(f"{path}: cannot write pictures of that kind; use one of {', '.join(DEPTHS)}")
    if bits not in (8, 16):
        raise InputError(f"--bits is {bits}; a picture has 8 or 16 bits a channel")
    if bits not in depths:
        raise InputError(f"{path}: this kind of file holds 8 bits a channel; use .png or .tiff for {bits}")


def _quantised(image: np.ndarray, bits: int) -> np.ndarray:
    """H×W×3 pixels in 0..255, clipped and rounded, as uint8 or uint16."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"a picture must be an array of height × width × 3, not {image.shape}")
    if np.isnan(image).any():
        raise InputError("the picture holds NaN and is not written")
    scale, kind = (257, np.uint16) if bits == 16 else (1, np.uint8)
    return np.rint(np.clip(image, 0, 255).astype(np.float32) * scale).astype(kind)


def _png(pixels: np.ndarray, profile: bytes | None, text: Mapping[str, str]) -> bytes:
    """A PNG; Pillow writes none of 16 bits, imagecodecs none with text or a profile."""
    import imagecodecs

    encoded = imagecodecs.png_encode(pixels, level=6)
    chunks = PngImagePlugin.PngInfo()
    if profile:
        chunks.add(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    for keyword, value in text.items():
        chunks.add_itxt(keyword, value)
    header = 33  # the signature and the first chunk, IHDR, which all others follow
    file = io.BytesIO()
    file.write(encoded[:header])
    for kind, data, *_ in chunks.chunks:
        PngImagePlugin.putchunk(file, kind, data)
    file.write(encoded[header:])
    return file.getvalue()

"""Picture files that Pillow reads."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import Image

from neuralstyle.pictures import printing
from neuralstyle.pictures.decoded import ORIENTATION, Decoded, check_memory, split

#: A JPEG of more pixels may be decoded at reduced size. Twice Pillow's limit, beyond which it reads nothing.
LARGE = 178_956_970


@contextmanager
def unlimited() -> Iterator[None]:
    """Without Pillow's limit on pixels, and without its warnings of metadata that are damaged."""
    with printing.alone, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def knows(start: bytes) -> bool:
    """Whether a file that begins so is of a kind that Pillow reads, damaged or not."""
    Image.init()
    return any(accept and accept(start) is True for _, accept in Image.OPEN.values())


@contextmanager
def opened(file: BinaryIO, page: int = 0) -> Iterator[Image.Image]:
    """Open a picture of any number of pixels; nothing is decoded yet.

    Raises
    ------
    PIL.UnidentifiedImageError
        If Pillow knows no such kind of file.
    """
    with unlimited():
        image = Image.open(file)
    with image:
        if page:
            image.seek(page)
        yield image


def orientation(image: Image.Image) -> int:
    """1..8, as EXIF numbers them; 1 where EXIF says nothing, or is damaged."""
    try:
        with unlimited():
            return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # metadata that cannot be read are no reason to refuse a picture
        return 1


def size(image: Image.Image) -> tuple[int, int]:
    """Height and width of an opened picture, the way up that its EXIF block says."""
    # Only a PNG may have its EXIF block after the pixels, where looking for it would decode them.
    known = image.format != "PNG" or "exif" in image.info
    turned = known and orientation(image) in (5, 6, 7, 8)
    return (image.width, image.height) if turned else (image.height, image.width)


def check_fits(image: Image.Image) -> None:
    """Find out, before an opened picture is decoded, whether it fits into the memory that is free."""
    plain = image.mode in ("1", "L", "P", "RGB") or image.mode.startswith("I")
    check_memory(image.height, image.width, plain and not image.has_transparency_data)


def decode(image: Image.Image, at_least: tuple[int, int] | None = None) -> Decoded:
    """Decode an opened picture, or take one that a program made.

    Parameters
    ----------
    image : PIL.Image.Image
    at_least : (int, int), optional
        The height and width that are needed, the right way up. A JPEG of more than `LARGE` pixels may then
        come smaller, halved up to three times; its other pixels never take memory.
    """
    if at_least and image.format in ("JPEG", "MPO") and image.width * image.height > LARGE:
        turned = orientation(image) in (5, 6, 7, 8)
        image.draft(None, at_least if turned else at_least[::-1])
    check_fits(image)
    profile = image.info.get("icc_profile")
    # Pillow turns some kinds of file by itself while it loads them, and then drops the tag.
    with printing.without_libtiff() if image.format == "TIFF" else nullcontext():
        image.load()
    found = orientation(image)
    if image.has_transparency_data and image.mode != "LA":
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "F") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.dtype == np.int32:  # Pillow's "I" is what 16 bits of other formats become
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ValueError("whole numbers beyond 0..65535")
        pixels = pixels.astype(np.uint16)
    if image.mode == "CMYK":
        return Decoded(pixels, None, profile, found)
    return replace(split(pixels), profile=profile, orientation=found)

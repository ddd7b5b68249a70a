"""TIFF files, in full depth: which of their pages is the picture, and its pixels."""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import tifffile

from neuralstyle.pictures import kinds, printing, with_pillow
from neuralstyle.pictures.decoded import ORIENTATION, Decoded, as_float, check_memory

#: The kinds of TIFF that are read in full depth, and their channels without alpha.
CHANNELS = {"MINISWHITE": 1, "MINISBLACK": 1, "RGB": 3, "SEPARATED": 4}

#: Whatever takes part in reading a TIFF may log what is wrong with it.
LOGGERS = ("tifffile", "imagecodecs", "PIL.TiffImagePlugin")

#: How many pages are looked at; a stack of thousands is no picture in several sizes.
MOST_PAGES = 100

#: A DNG has this tag (Digital Negative Specification), and a raw file's pixels are of one of these kinds.
DNG_VERSION = 50706
RAW_KINDS = ("CFA", "LINEAR_RAW")

#: A sample format (TIFF 6.0, tag 339): floating point.
FLOATING = 3

#: Bits of NewSubfileType (TIFF 6.0, tag 254): a smaller version of another page; where it is transparent.
REDUCED, MASK = 1, 4

#: How many bytes one byte of a file can stand for, at the very most: nothing, PackBits, LZW, Deflate (twice).
EXPANSION = {1: 1, 32773: 64, 5: 2600, 8: 1100, 32946: 1100}
OTHER_EXPANSION = 40_000


def decode(data: bytes) -> Decoded:
    """Decode the largest page of a TIFF.

    Raises
    ------
    InputError
        If it is a raw file, or takes more memory than there is.
    """
    with _opened(io.BytesIO(data)) as (page, notes):
        plain = _kind(page) != "SEPARATED" and not page.extrasamples and page.sampleformat != FLOATING
        check_memory(page.imagelength, page.imagewidth, plain)
        if not page.dataoffsets:
            raise ValueError("it is damaged: it does not say where its pixels are")
        # Pillow knows the rarer kinds, and cuts whatever is deeper down to 8 bits.
        if page.bitspersample >= 8 and _kind(page) in CHANNELS:
            decoded = _pixels(page)
        else:
            # It reads the tags of a TIFF when they are asked for, and warns of them then.
            with with_pillow.unlimited(), with_pillow.opened(io.BytesIO(data), page.index) as image:
                decoded = with_pillow.decode(image)
    return replace(decoded, notes=notes)


def size(file: BinaryIO) -> tuple[int, int]:
    """Height and width of the page that `decode` takes, the way up that its tag says."""
    with _opened(file) as (page, _):
        height, width = page.imagelength, page.imagewidth
        return (width, height) if _orientation(page) in (5, 6, 7, 8) else (height, width)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[tuple[tifffile.TiffPage, tuple[str, ...]]]:
    """The page that is the picture, and what should be told of the others."""
    with printing.collected(*LOGGERS) as complaints, tifffile.TiffFile(file) as tiff:
        pages = []
        for page in itertools.islice(tiff.pages, MOST_PAGES):
            pages += [page, *itertools.islice(page.pages or (), MOST_PAGES)]
        if any(DNG_VERSION in page.tags or _kind(page) in RAW_KINDS for page in pages):
            raise kinds.raw()
        yield _largest(pages, any("page" in complaint for complaint in complaints))


def _largest(pages: list[tifffile.TiffPage], damaged: bool) -> tuple[tifffile.TiffPage, tuple[str, ...]]:
    """The largest page, of equal ones the first, and what should be told of the others."""
    pictures = [page for page in pages if not page.subfiletype & MASK]
    if not pictures:
        raise ValueError("it holds no picture")
    largest = max(pictures, key=lambda page: page.imagelength * page.imagewidth)
    number = pages.index(largest) + 1
    if damaged and largest.subfiletype & REDUCED:
        raise ValueError("it is cut short: only a reduced picture is left")
    if damaged:
        return largest, (f"its list of pages is damaged; page {number} was read",)
    if all(page is largest or _is_smaller_version(page, largest) for page in pictures):
        return largest, ()
    return largest, (f"it holds {len(pictures)} pages; page {number}, the largest, was read",)


def _is_smaller_version(page: tifffile.TiffPage, of: tifffile.TiffPage) -> bool:
    """Whether a page shows another one at a smaller size: it says so, or has the same proportions."""
    skew = abs(page.imagewidth * of.imagelength - of.imagewidth * page.imagelength)
    smaller = page.imagewidth < of.imagewidth
    return bool(page.subfiletype & REDUCED) or (smaller and skew <= of.imagewidth + of.imagelength)


def _kind(page: tifffile.TiffPage) -> str:
    """The name of what TIFF calls its photometric interpretation; empty for one that has none."""
    return getattr(page.photometric, "name", "")


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(ORIENTATION)
    return tag.value if tag else 1


def _check_length(page: tifffile.TiffPage) -> None:
    """Refuse a page whose header claims more than its bytes can hold, before memory is taken for it."""
    claimed = page.imagelength * page.imagewidth * page.samplesperpixel * page.bitspersample // 8
    stored = sum(page.databytecounts)
    if claimed > stored * EXPANSION.get(int(page.compression), OTHER_EXPANSION):
        raise ValueError(
            f"it is cut short or damaged: {page.imagewidth}×{page.imagelength} pixels in {stored} bytes"
        )


def _pixels(page: tifffile.TiffPage) -> Decoded:
    """Decode a page of a kind in `CHANNELS`."""
    _check_length(page)
    kind = _kind(page)
    channels = CHANNELS[kind]
    pixels = page.asarray()
    if page.axes.startswith("S"):  # one plane a channel
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.dtype.kind == "u" and page.bitspersample < 8 * pixels.dtype.itemsize:
        # 12 bits, say, come as 0..4095 of 16; bring them to where 65535 is white.
        whole = np.iinfo(pixels.dtype).max
        pixels = np.rint(pixels * (whole / (2**page.bitspersample - 1))).astype(pixels.dtype)
    colours, alpha = pixels[..., :channels], None
    if kind == "MINISWHITE":
        colours = np.iinfo(colours.dtype).max - colours
    extra = page.extrasamples[0].name if page.extrasamples else None
    if extra in ("ASSOCALPHA", "UNASSALPHA"):
        alpha = pixels[..., channels : channels + 1]
    if extra == "ASSOCALPHA":  # the colours were multiplied by it
        colours = np.clip(as_float(colours) / np.maximum(as_float(alpha), 1e-3), 0, 1)
    return Decoded(colours, alpha, page.iccprofile, _orientation(page))

"""Picture files as they are: each read with the library that keeps its depth, nothing converted yet."""

import io
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import UnidentifiedImageError

from neuralstyle.files import InputError
from neuralstyle.pictures import kinds, printing, with_pillow
from neuralstyle.pictures.decoded import Decoded, split

#: More than any colour profile has, in bytes.
_LARGEST_PROFILE = 2**25


def decode(data: bytes, suffix: str = "", at_least: tuple[int, int] | None = None) -> Decoded:
    """Decode the bytes of a picture file; what kind it is shows from them.

    Parameters
    ----------
    data : bytes
    suffix : str
        Of the file's name: a hint for kinds that Pillow and tifffile do not know.
    at_least : (int, int), optional
        As in `neuralstyle.pictures.reading.read_picture`.

    Raises
    ------
    InputError
        If it is a film or a raw file, if a package is missing that could read it, or if there is too little
        memory. The message does not name the file, and begins as if it had.
    Exception
        Whatever a decoder raises on a damaged file.
    """
    start = data[: kinds.START]
    _refuse(start)
    if start.startswith(kinds.TIFF_SIGNATURES):
        from neuralstyle.pictures import with_tifffile

        return with_tifffile.decode(data)
    if start.startswith(kinds.JPEG_XL_SIGNATURES):
        return _decode_jpeg_xl(data)
    if kinds.is_heic(start):
        return _decode_heic(data)
    if start.startswith(kinds.PNG_SIGNATURE):
        return _decode_png(data)
    try:
        with with_pillow.opened(io.BytesIO(data)) as image:
            return with_pillow.decode(image, at_least)
    except UnidentifiedImageError:
        if with_pillow.knows(start):
            raise
        return _decode_with_imageio(data, suffix)


def size(file: BinaryIO, suffix: str = "") -> tuple[int, int]:
    """Height and width of a picture file, the right way up, from its header where the format has one.

    Parameters
    ----------
    file : binary file
        At its start.
    suffix : str
        As in `decode`.
    """
    start = file.read(kinds.START)
    file.seek(0)
    _refuse(start)
    if start.startswith(kinds.TIFF_SIGNATURES):
        from neuralstyle.pictures import with_tifffile

        return with_tifffile.size(file)
    if start.startswith(kinds.PNG_SIGNATURE):
        file = io.BytesIO(_pixels_alone(file.read())[0])
    try:
        with with_pillow.opened(file) as image:
            return with_pillow.size(image)
    except UnidentifiedImageError:
        file.seek(0)
        decoded = decode(file.read(), suffix)
        height, width = decoded.colours.shape[:2]
        return (width, height) if decoded.orientation in (5, 6, 7, 8) else (height, width)


def _refuse(start: bytes) -> None:
    if kinds.is_raw(start):
        raise kinds.raw()
    if kinds.is_film(start):
        raise kinds.film()


def _decode_png(data: bytes) -> Decoded:
    """Decode a PNG, whatever is wrong with the notes that it carries."""
    try:
        return _decode_whole_png(data)
    except InputError:
        raise
    except Exception:
        bare, profile = _pixels_alone(data)
    return replace(_decode_whole_png(bare), profile=profile)


def _decode_whole_png(data: bytes) -> Decoded:
    with with_pillow.opened(io.BytesIO(data)) as image:
        if data[24] != 16:
            return with_pillow.decode(image)
        # 16 bits per channel, which Pillow would cut down to 8; what stands around them Pillow reads.
        import imagecodecs

        with_pillow.check_fits(image)
        image.load()  # EXIF may stand after the pixels
        with printing.collected("imagecodecs"):
            decoded = split(imagecodecs.png_decode(data))
        return replace(
            decoded,
            profile=image.info.get("icc_profile"),
            orientation=with_pillow.orientation(image),
        )


def _pixels_alone(png: bytes) -> tuple[bytes, bytes | None]:
    """A PNG without what says nothing about its pixels, which would stop its readers where it is damaged.

    Returns
    -------
    png : bytes
        An EXIF block, if it is sound, stands before the pixels.
    profile : bytes or None
        The colour profile, if it is sound; a reader may take a large one for an attack.
    """
    places = {b"IHDR": 0, b"PLTE": 1, b"tRNS": 2, b"eXIf": 2}
    chunks, profile, position = [], None, len(kinds.PNG_SIGNATURE)
    while position + 12 <= len(png):
        length, kind = int.from_bytes(png[position : position + 4], "big"), png[position + 4 : position + 8]
        chunk = png[position : position + 12 + length]
        position += len(chunk)
        sound = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        # The case of a name's first letter says whether a reader must know the chunk (PNG, section 5.4).
        if kind[:1].isupper() or kind == b"tRNS" or (kind == b"eXIf" and sound):
            chunks.append((places.get(kind, 3), chunk))
        elif kind == b"iCCP" and sound:
            with suppress(zlib.error):  # a name, a zero, the method, which is 0, too
                compressed = chunk[8:-4].partition(b"\0")[2][1:]
                profile = zlib.decompressobj().decompress(compressed, _LARGEST_PROFILE)
    chunks.sort(key=lambda chunk: chunk[0])
    return b"".join([kinds.PNG_SIGNATURE, *(chunk for _, chunk in chunks)]), profile


def _decode_jpeg_xl(data: bytes) -> Decoded:
    """Decode a JPEG XL; its decoder turns it the right way up, and tells of no profile: sRGB it is."""
    import imagecodecs

    if not imagecodecs.JPEGXL.available:
        raise InputError("is a JPEG XL picture; `pip install -U imagecodecs`, or convert it to PNG")
    return split(imagecodecs.jpegxl_decode(data, index=0))


def _decode_heic(data: bytes) -> Decoded:
    """Decode a HEIC; its decoder turns it the right way up."""
    try:
        import pillow_heif
    except ImportError:
        raise InputError("is a HEIC picture; `pip install pillow-heif`, or convert it to PNG") from None
    return with_pillow.decode(pillow_heif.open_heif(io.BytesIO(data)).to_pillow())


def _decode_with_imageio(data: bytes, suffix: str) -> Decoded:
    """Read what neither tifffile nor Pillow knows, with whatever else imageio finds installed."""
    if suffix.lower() in kinds.FILM_SUFFIXES:
        raise kinds.film()
    import imageio.v3

    try:
        with printing.without_opencv():
            pixels = imageio.v3.imread(data, index=0, extension=suffix or None)
    except (OSError, ValueError) as error:  # its messages are about packages that it would like to have
        raise ValueError("it is damaged or of an unknown kind") from error
    return split(np.asarray(pixels))

"""Picture files as they are: each read with the library that keeps its depth, nothing converted yet."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

ORIENTATION = ExifTags.Base.Orientation

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

#: The kinds of TIFF that are read in full depth, and their channels without alpha.
TIFF_CHANNELS = {"MINISWHITE": 1, "MINISBLACK": 1, "RGB": 3, "SEPARATED": 4}


@dataclass(frozen=True)
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
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    orientation: int = 1


def decode(path: Path) -> Decoded:
    """Read a picture with the library that keeps its depth."""
    with path.open("rb") as file:
        start = file.read(25)
    if start.startswith(TIFF_SIGNATURES):
        import tifffile

        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            # Pillow knows the rarer kinds, and cuts whatever is deeper down to 8 bits.
            if page.bitspersample >= 8 and page.photometric.name in TIFF_CHANNELS:
                return _decode_tiff(page)
    try:
        with Image.open(path) as image:
            if start.startswith(b"\x89PNG") and start[24] == 16:
                return _decode_deep_png(path, image)
            return _decode_with_pillow(image)
    except UnidentifiedImageError:
        return _decode_with_imageio(path)


def _decode_with_pillow(image: Image.Image) -> Decoded:
    profile = image.info.get("icc_profile")
    # Pillow turns some kinds of file by itself while it loads them, and then drops the tag.
    image.load()
    orientation = image.getexif().get(ORIENTATION, 1)
    if image.has_transparency_data and image.mode != "LA":
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "F") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.dtype == np.int32:
        pixels = pixels.astype(np.uint16)  # Pillow's "I" is what 16 bits of other formats become
    if image.mode == "CMYK":
        return Decoded(pixels, None, profile, orientation)
    return replace(_split(pixels), profile=profile, orientation=orientation)


def _decode_deep_png(path: Path, image: Image.Image) -> Decoded:
    """Read 16 bits a channel, which Pillow would cut down to 8; what stands around them Pillow reads."""
    import imagecodecs

    image.load()  # EXIF may stand after the pixels
    return replace(
        _split(imagecodecs.png_decode(path.read_bytes())),
        profile=image.info.get("icc_profile"),
        orientation=image.getexif().get(ORIENTATION, 1),
    )


def _decode_tiff(page) -> Decoded:
    """Read a page of a TIFF file (`tifffile.TiffPage`)."""
    kind = page.photometric.name
    channels = TIFF_CHANNELS[kind]
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
    tag = page.tags.get(ORIENTATION)
    return Decoded(colours, alpha, page.iccprofile, tag.value if tag else 1)


def _decode_with_imageio(path: Path) -> Decoded:
    """Read what neither tifffile nor Pillow knows, with whatever else imageio finds installed."""
    import imageio.v3

    try:
        pixels = imageio.v3.imread(path, index=0)
    except OSError as error:  # its own message lists the packages that it would like to have
        raise ValueError("it is damaged or of an unknown kind") from error
    return _split(np.asarray(pixels))


def _split(pixels: np.ndarray) -> Decoded:
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
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max / 255)
    if pixels.dtype.kind != "f":
        raise ValueError(f"pixels of type {pixels.dtype}")
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError("floating point pixels must lie in 0..1")
    return 255 * pixels.astype(np.float32)

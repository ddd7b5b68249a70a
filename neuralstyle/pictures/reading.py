"""Pictures: read, check, resize, write. Everywhere else a picture is float32 H×W×3, sRGB, 0..255.

Colour management happens here and nowhere else: a picture with an ICC profile is converted to sRGB as it
is read, because the networks were trained on sRGB pictures, and what is written is sRGB.
"""

import io
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from neuralstyle.files import InputError, check_writable, replacing

#: No side of a picture may be shorter: four poolings leave one pixel of it.
SMALLEST_SIDE = 16

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

#: Ways to resize, and the filter of Pillow that each one is.
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}

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
        decoded = _decode(path)
        converted = _converted(decoded.colours, decoded.profile) if decoded.profile else None
        image = _rgb(decoded.colours) if converted is None else _as_float(converted)
        if decoded.alpha is not None:
            alpha = _as_float(decoded.alpha) / 255
            image = image * alpha + 255 * (1 - alpha)
        image = np.broadcast_to(image, (*image.shape[:2], 3))
    image = np.ascontiguousarray(_upright(image, decoded.orientation))
    _check_size(image, str(path))
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
    _check_size(image, "the picture")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise InputError("the picture holds NaN or infinity; every pixel must be a number in 0..255")
    return np.ascontiguousarray(image, dtype=np.float32)


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
        raise InputError(f"{path}: cannot be written ({_first_line(error)})") from error


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


def example_pair() -> tuple[Path, Path]:
    """The bundled content and style picture: a cup of coffee, and a painting of a night over a wheat field.

    Returns
    -------
    content, style : pathlib.Path
        480×320 and 768×512 pixels.
    """
    package = Path(__file__).resolve().parents[1]
    # Inside an installed package, or at the top of a source tree.
    folder = package / "examples" if (package / "examples").is_dir() else package.parent / "examples"
    return folder / "content.jpg", folder / "style.jpg"


def resize(image: np.ndarray, height: int, width: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture, smoothing it as much as shrinking needs.

    Pixels are squares: the centre of the first one lies at ½. Where a picture shrinks the filter is
    widened by the same factor, so that nothing is skipped (except by ``nearest``). Pillow does it, in
    floating point and six times as fast as scikit-image at 4096×4096.

    Parameters
    ----------
    image : ndarray
        H×W×C, any real type.
    height, width : int
        The new size, at least 1.
    method : {"bilinear", "bicubic", "nearest"}
        ``bicubic`` overshoots at edges; the result is clipped to the values that the picture had.

    Returns
    -------
    ndarray
        height×width×C, float32. The same array if it has that size and type already.

    Raises
    ------
    InputError
        If the method is unknown.
    """
    if method not in FILTERS:
        raise InputError(f"cannot resize by {method!r}; choose one of {', '.join(FILTERS)}")
    image = np.asarray(image, dtype=np.float32)
    if image.shape[:2] == (height, width):
        return image
    resized = np.empty((height, width, image.shape[2]), np.float32)
    for channel in range(image.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
        resized[..., channel] = plane.resize((width, height), FILTERS[method])
    if method == "bicubic":
        np.clip(resized, image.min(), image.max(), out=resized)
    return resized


def fit_width(image: np.ndarray, width: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture to a width; the height follows, rounded to the nearest pixel (halves up)."""
    return resize(image, _in_proportion(image.shape[0], width, image.shape[1]), width, method)


def fit_height(image: np.ndarray, height: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture to a height; the width follows, rounded to the nearest pixel (halves up)."""
    return resize(image, height, _in_proportion(image.shape[1], height, image.shape[0]), method)


def fit_longer_side(image: np.ndarray, size: int, method: str = "bilinear") -> np.ndarray:
    """Resize a picture so that its longer side has a size; the other follows, rounded (halves up)."""
    height, width = image.shape[:2]
    return fit_width(image, size, method) if width >= height else fit_height(image, size, method)


def _in_proportion(side: int, new: int, old: int) -> int:
    """``side · new / old``, rounded half up, in whole numbers so that no rounding error decides."""
    return max(1, (2 * side * new + old) // (2 * old))


def _check_size(image: np.ndarray, name: str) -> None:
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise InputError(
            f"{name}: {width}×{height} pixels are too few; {SMALLEST_SIDE} are needed in each direction"
        )


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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


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
        raise InputError(f"{path}: cannot be read as a picture ({_first_line(error)})") from error


def _decode(path: Path) -> Decoded:
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
        colours = np.clip(_as_float(colours) / np.maximum(_as_float(alpha), 1e-3), 0, 1)
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


def _as_float(pixels: np.ndarray) -> np.ndarray:
    """Pixels of any type as float32 0..255."""
    if pixels.dtype.kind == "u":
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max / 255)
    if pixels.dtype.kind != "f":
        raise ValueError(f"pixels of type {pixels.dtype}")
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError("floating point pixels must lie in 0..1")
    return 255 * pixels.astype(np.float32)


def _rgb(colours: np.ndarray) -> np.ndarray:
    """Colours without a profile, H×W×3 (or H×W×1, grey), float32 0..255."""
    colours = _as_float(colours)
    if colours.shape[2] == 4:
        return (255 - colours[..., :3]) * (255 - colours[..., 3:]) / 255
    return colours


def _converted(colours: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Colours in sRGB, H×W×3 uint16; None where the profile is sRGB already or cannot be used."""
    import imagecodecs

    channels = colours.shape[2]
    if colours.dtype not in (np.uint8, np.uint16):
        colours = np.rint(257 * _as_float(colours)).astype(np.uint16)

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

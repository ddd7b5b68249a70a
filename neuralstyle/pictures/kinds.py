"""What kind of file it is, by its first bytes: what is refused with a line that says what to use instead."""

from neuralstyle.files import InputError

#: How many bytes from the start these functions look at.
START = 64

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: A bare code stream, and one in a container (ISO/IEC 18181-2).
JPEG_XL_SIGNATURES = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

#: Brands of HEIF whose pictures are coded by HEVC (ISO/IEC 23008-12), and those that Pillow reads (AVIF).
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")

#: Of Fujifilm, Olympus (three), Panasonic, Minolta and Sigma; others are TIFF or ISO files.
RAW_SIGNATURES = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb")

#: Matroska and WebM, MPEG program streams, Flash, Ogg, Windows Media.
FILM_SIGNATURES = (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"FLV\x01", b"OggS", b"0&\xb2u\x8ef\xcf\x11")

#: Boxes that QuickTime files without a brand begin with.
QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")

FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".3gp")


def brand(start: bytes) -> bytes | None:
    """The brand of an ISO base media file (HEIF, AVIF, MP4, CR3 …); None for other files."""
    return start[8:12] if start[4:8] == b"ftyp" else None


def is_heic(start: bytes) -> bool:
    """Whether it is a HEIC. The brands of any HEIF go for AVIF, too, which then is named after them."""
    return brand(start) in HEIC_BRANDS and not any(found in start for found in AVIF_BRANDS)


def is_raw(start: bytes) -> bool:
    """Whether it is what a camera's sensor measured; what of it is TIFF, only TIFF's tags tell."""
    canon = start.startswith(TIFF_SIGNATURES) and start[8:10] == b"CR"
    return canon or start.startswith(RAW_SIGNATURES) or brand(start) == b"crx "


def is_film(start: bytes) -> bool:
    """Whether it is a film. A moving GIF, WebP or AVIF is a picture: its first."""
    if (found := brand(start)) is not None:
        return found not in (*HEIC_BRANDS, *AVIF_BRANDS, b"crx ")
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return True
    return start.startswith(FILM_SIGNATURES) or start[4:8] in QUICKTIME_BOXES


def raw() -> InputError:
    """What is said of a raw file."""
    return InputError("is a camera's raw file; develop it first (darktable, RawTherapee) and give its TIFF")


def film() -> InputError:
    """What is said of a film."""
    return InputError("is a film; give it to `neuralstyle video`, or a single picture of it here")

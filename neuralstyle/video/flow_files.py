"""Optical flow and trust in files: Middlebury's .flo, and the .pgm and .txt of two published programs.

The names of a film's files come from patterns in which ``{i}`` is the number of a frame and ``{j}`` that of
an earlier one, such as artistic-videos' ``backward_{i}_{j}.flo``, ``forward_{j}_{i}.flo`` and
``reliable_{i}_{j}.pgm``; ``{i:04}`` pads a number with zeros.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.video.flow import UNKNOWN

#: The first four bytes of a .flo file; read as a float they are 202021.25.
_MAGIC = b"PIEH"

#: No side of a picture is longer; Middlebury's own reader takes more for damage, too.
_LONGEST_SIDE = 99_999


def name_of(pattern: str, i: int, j: int) -> Path:
    """The file of a pair of frames.

    Parameters
    ----------
    pattern : str
        Holds ``{i}`` and ``{j}``.
    i, j : int
        The number of a frame and of an earlier one.

    Raises
    ------
    InputError
        If the pattern holds something else, or lacks one of the two.
    """
    try:
        name = pattern.format(i=i, j=j)
        complete = len({name, pattern.format(i=i + 1, j=j), pattern.format(i=i, j=j + 1)}) == 3
    except (KeyError, IndexError, ValueError, AttributeError):
        complete = False
    if not complete:
        raise InputError(f"{pattern}: names no file for each pair of frames; write {{i}} and {{j}} in it")
    return Path(name)


def check_flow_files(pattern: str, pairs: Iterable[tuple[int, int]], height: int, width: int) -> None:
    """Find out, before any work starts, whether the files of a film are there and have its size.

    Parameters
    ----------
    pattern : str
        As in `name_of`; of .flo, .pgm or .txt files.
    pairs : iterable of (int, int)
        The numbers i and j of each pair of frames that is needed.
    height, width : int
        Of the frames.

    Raises
    ------
    InputError
        If a file is missing, is of another kind, or has another size; the first one is named.
    """
    for i, j in pairs:
        path = name_of(pattern, i, j)
        if not path.is_file():
            raise InputError(f"{path}: no such file; frames {j} and {i} need it")
        if path.suffix.lower() == ".flo":
            with path.open("rb") as file:
                found = _flow_size(path, file.read(12))
        else:
            found = read_trust(path).shape
        _check_size(path, found, (height, width))


def read_flow(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a flow from Middlebury's .flo format.

    The four bytes PIEH, the width and the height as little-endian int32, then rows of pairs (u, v) of
    float32. Source: Middlebury's flowIO.cpp.

    Parameters
    ----------
    path : path
    size : (int, int), optional
        The height and width that it must have.

    Returns
    -------
    ndarray
        H×W×2, float32. Steps of more than 10⁹ pixels mean that the flow there is unknown.

    Raises
    ------
    InputError
        If the file is missing, is no .flo file, is cut short or too long, has another size, or holds NaN.
    """
    path = Path(path)
    data = _bytes_of(path)
    height, width = _flow_size(path, data)
    if size is not None:
        _check_size(path, (height, width), size)
    wanted = 12 + 8 * height * width
    if len(data) != wanted:
        fault = "is cut short" if len(data) < wanted else "is too long"
        raise InputError(f"{path}: {fault}; {width}×{height} pixels take {wanted} bytes, it has {len(data)}")
    flow = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)
    if np.isnan(flow).any():
        raise InputError(f"{path}: holds NaN; write 1e10 where the flow is unknown")
    return flow


def write_flow(path: str | Path, flow: np.ndarray) -> None:
    """Write a flow as `read_flow` reads it; what is unknown as 10¹⁰.

    Parameters
    ----------
    path : path
    flow : ndarray
        H×W×2.

    Raises
    ------
    InputError
        If the folder is missing or cannot be written, or the disk is full.
    """
    flow = np.asarray(flow, "<f4")
    known = (np.abs(flow) <= UNKNOWN).all(axis=2, keepdims=True)
    height, width = flow.shape[:2]
    data = (
        _MAGIC
        + np.array([width, height], "<i4").tobytes()
        + np.where(known, flow, np.float32(1e10)).tobytes()
    )
    _write(path, data)


def read_trust(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read how far a flow can be trusted.

    Parameters
    ----------
    path : path
        ``.pgm``, a grey picture, white where the flow can be trusted and black where it cannot
        (artistic-videos); or ``.txt``: the width and the height on the first line, then a row of the
        picture a line, numbers from 0 to 255 of which only 255 counts as trusted (neural-style-tf).
    size : (int, int), optional
        The height and width that it must have.

    Returns
    -------
    ndarray
        H×W, float32, 0..1. From a .txt 0 or 1.

    Raises
    ------
    InputError
        If the file is missing, is of another kind, is damaged, or has another size.
    """
    path = Path(path)
    data = _bytes_of(path)
    suffix = path.suffix.lower()
    if suffix == ".pgm":
        trust = _read_pgm(path)
    elif suffix == ".txt":
        trust = _parse_txt(path, data)
    else:
        raise InputError(f"{path}: trust is read from .pgm and .txt files only; convert it")
    if size is not None:
        _check_size(path, trust.shape, size)
    return trust


def write_trust(path: str | Path, trust: np.ndarray) -> None:
    """Write trust as `read_trust` reads it.

    Parameters
    ----------
    path : path
        ``.pgm`` or ``.txt``.
    trust : ndarray
        H×W, 0..1; kept in steps of 1/255.

    Raises
    ------
    InputError
        If the suffix is another, the folder is missing or cannot be written, or the disk is full.
    """
    path = Path(path)
    levels = np.rint(255 * np.clip(trust, 0, 1)).astype(np.uint8)
    height, width = levels.shape
    if path.suffix.lower() == ".pgm":
        _write(path, f"P5\n{width} {height}\n255\n".encode() + levels.tobytes())
    elif path.suffix.lower() == ".txt":
        rows = "\n".join(" ".join(map(str, row)) for row in levels.tolist())
        _write(path, f"{width} {height}\n{rows}\n".encode())
    else:
        raise InputError(f"{path}: trust is written to .pgm and .txt files only; choose one of these")


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the name") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _write(path: str | Path, data: bytes) -> None:
    check_writable(path)
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _flow_size(path: Path, data: bytes) -> tuple[int, int]:
    """The height and width that the first bytes of a .flo file tell."""
    if data[:4] != _MAGIC:
        raise InputError(f"{path}: is no .flo file; its first four bytes must be PIEH, not {data[:4]!r}")
    if len(data) < 12:
        raise InputError(f"{path}: is cut short; it ends before its size")
    width, height = (int(side) for side in np.frombuffer(data[4:12], "<i4"))
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
        raise InputError(f"{path}: is damaged; it says that it has {width}×{height} pixels")
    return height, width


def _check_size(path: Path, found: tuple[int, int], wanted: tuple[int, int]) -> None:
    if tuple(found) != tuple(wanted):
        raise InputError(
            f"{path}: is for frames of {found[1]}×{found[0]} pixels; these have {wanted[1]}×{wanted[0]}"
        )


def _read_pgm(path: Path) -> np.ndarray:
    try:
        with Image.open(path, formats=["PPM"]) as image:
            levels = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read as a .pgm file ({error})") from error
    if levels.ndim != 2:
        raise InputError(f"{path}: is a colour picture; trust is a grey one")
    # Pillow scales every depth to 8 or 16 bits.
    whitest = {"bool": 1, "uint8": 255}.get(levels.dtype.name, 65535)
    return levels.astype(np.float32) / whitest


def _parse_txt(path: Path, data: bytes) -> np.ndarray:
    try:
        first, _, rest = data.decode("ascii").partition("\n")
        width, height = map(int, first.split())
        levels = np.array(rest.split(), np.float32)
    except ValueError as error:
        raise InputError(
            f"{path}: is no trust file; the first line must be its width and height, the others numbers"
        ) from error
    if width < 1 or height < 1 or levels.size != width * height:
        raise InputError(f"{path}: has {levels.size} numbers; {width}×{height} pixels need {width * height}")
    if not ((levels >= 0) & (levels <= 255)).all():
        raise InputError(f"{path}: holds a number that is not from 0 to 255")
    return (levels.reshape(height, width) == 255).astype(np.float32)

"""The record of a run: everything that decides its picture, so that the picture can be made again."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.networks import Network
from neuralstyle.pictures.reading import Picture, picture_size, read_text
from neuralstyle.recipes import Recipe
from neuralstyle.runs.codec import decode, encode
from neuralstyle.runs.history import Step
from neuralstyle.validity import STARTS

#: The keyword of the PNG text chunk that holds a record.
KEYWORD = "neuralstyle"

#: The number of the format described in `make_record`.
FORMAT = 1

Described = np.ndarray | str | Path | Picture
Record = dict[str, object]


def make_record(
    recipe: Recipe,
    content: Described,
    styles: Sequence[Described],
    network: Network,
    seed: int,
    *,
    masks: Sequence[Described | None] = (),
    style_masks: Sequence[Described | None] = (),
    options: Mapping[str, object] | None = None,
) -> Record:
    """Describe a run before it begins; `add_result` completes the record at its end.

    The files are read and hashed here, at the start, because they may be replaced while the run goes on.
    There is no date and no time in a record: the same run gives the same record.

    Parameters
    ----------
    recipe : Recipe
        As it was asked for, before `Recipe.with_listing`.
    content : Picture, ndarray or path
        A path is kept as it is given, and found again from the same folder only. Of an array only its
        hash is kept.
    styles : sequence of (Picture, ndarray or path)
    network : Network
        As `neuralstyle.load_network` gives it. Of its path only the file's name is kept.
    seed : int
    masks, style_masks : sequence of (ndarray, path or None)
    options : mapping, optional
        Whatever else decides the picture; values that JSON holds.

    Returns
    -------
    dict
        What JSON holds and nothing else, in this order: program, format, recipe, seed, content, styles,
        masks, style_masks, start (a file that the recipe starts from, or null), network, options,
        versions. Each picture has path, sha256, width and height.

    Raises
    ------
    InputError
        If a file cannot be read, or a number of the recipe is not finite.
    """
    # Slow to import; a run has imported it, and whoever only reads records has not.
    import tensorflow

    def described(pictures: Sequence[Described | None]) -> list[Record | None]:
        return [None if picture is None else _describe(picture) for picture in pictures]

    record = {
        "program": "neuralstyle",
        "format": FORMAT,
        "recipe": encode(recipe),
        "seed": int(seed),
        "content": _describe(content),
        "styles": described(styles),
        "masks": described(masks),
        "style_masks": described(style_masks),
        "start": None if recipe.start in STARTS else _describe(recipe.start),
        "network": {
            "name": network.path.name if network.path else None,
            "sha256": network.digest,
        },
        "options": encode(options or {}),
        "versions": {
            "neuralstyle": metadata.version("neuralstyle"),
            "tensorflow": tensorflow.__version__,
            "numpy": np.__version__,
            "scipy": metadata.version("scipy"),
            "pillow": metadata.version("pillow"),
            "python": platform.python_version(),
        },
    }
    to_json(record)
    return record


def add_places(record: Record, content_mask: Described | None, regions: Sequence[Described]) -> Record:
    """Describe the pictures that say where a picture is painted, if there are any.

    Parameters
    ----------
    record : dict
        From `make_record`; it is not changed.
    content_mask : ndarray, path or None
    regions : sequence of (ndarray or path)
        The content's, and each style's.

    Returns
    -------
    dict
        The record, with the entries content_mask and regions as far as there are such pictures.
    """
    mask = {} if content_mask is None else {"content_mask": _describe(content_mask)}
    return {**record, **mask, **({"regions": [_describe(path) for path in regions]} if regions else {})}


def add_result(
    record: Record,
    step: Step,
    height: int,
    width: int,
    *,
    stopped: int | None = None,
    tile: int | None = None,
) -> Record:
    """Complete a record with what came out.

    Parameters
    ----------
    record : dict
        From `make_record`; it is not changed.
    step : Step
        The step whose picture is the result.
    height, width : int
        Of the result, in pixels.
    stopped : int, optional
        The iteration that the run was stopped after, where it was.
    tile : int, optional
        The size of the tiles that the picture was computed in, whatever was asked for.

    Returns
    -------
    dict
        The record with one more entry, ``result``: width, height, iteration, losses, and stopped if it was.
    """
    losses = {name: float(value) for name, value in step.losses.items()}
    result = {"width": int(width), "height": int(height), "iteration": int(step.iteration), "losses": losses}
    if stopped is not None:
        result["stopped"] = int(stopped)
    options = record["options"]
    if "tile" in options:
        options = {**options, "tile": tile}
    return {**record, "options": options, "result": result}


def to_json(record: Record) -> str:
    """A record as strict JSON, indented, in the record's own order.

    Raises
    ------
    InputError
        If a number is NaN or infinite, which JSON cannot hold.
    """
    try:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(f"a record holds finite numbers only ({error})") from error
    # A byte of a file's name that is no UTF-8 is a lone surrogate: spelled out, \udce9, JSON gives it back.
    return text.encode(errors="backslashreplace").decode()


def text_chunk(record: Record) -> dict[str, str]:
    """A record as the ``text`` that `neuralstyle.pictures.writing.write_image` puts into a PNG."""
    return {KEYWORD: to_json(record)}


def write_record(path: str | Path, record: Record) -> None:
    """Write a record as a JSON file.

    Parameters
    ----------
    path : path
    record : dict

    Raises
    ------
    InputError
        If the folder is missing or cannot be written.
    """
    check_writable(path)
    with replacing(path) as temporary:
        temporary.write_text(to_json(record) + "\n", encoding="utf-8")


def read_record(path: str | Path) -> Record:
    """Read a record from a JSON file or from a PNG that carries one.

    What kind of file it is shows from its content, not from its name.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        As `make_record` describes it.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or holds no record, or one of a later format.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if content.startswith(b"\x89PNG"):
        text = read_text(path).get(KEYWORD)
        if text is None:
            raise InputError(f"{path}: this PNG carries no record; name one that neuralstyle wrote")
        content = text.encode()
    try:
        record = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or record.get("program") != "neuralstyle":
        raise InputError(
            f"{path}: holds no record of a run; name a PNG that neuralstyle wrote, or what --record did"
        )
    if record.get("format") != FORMAT:
        raise InputError(
            f"{path}: is a record of format {record.get('format')}, and this version reads format {FORMAT}"
        )
    check_record(path, record)
    return record


def check_record(path: str | Path, record: Record) -> None:
    """Make sure that a record has what a run needs of it.

    Raises
    ------
    InputError
        If something is missing, or of another kind; the message begins with the path.
    """
    try:
        recipe_from_record(record)
        inputs = [record["content"], record["start"], *record["styles"]]
        inputs += [*record["masks"], *record["style_masks"]]
        inputs += [record.get("content_mask"), *record.get("regions", ())]
        for entry in [entry for entry in inputs if entry is not None]:
            decode(entry["path"], str | None), decode(entry["sha256"], str)
        decode(record["network"]["sha256"], str)
        decode(record["seed"], int)
        record["options"].items()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: the record is incomplete or was changed by hand ({error})") from error


def recipe_from_record(record: Record) -> Recipe:
    """The recipe of a record: the very value that it was made from.

    A field that the record lacks, because an older version made it, has its default.

    Raises
    ------
    InputError
        If the record has a field that this version does not know, or a value of the wrong kind.
    """
    try:
        return decode(record["recipe"], Recipe)
    except (KeyError, TypeError) as error:
        raise InputError(f"the record's recipe cannot be used ({error})") from error


def _refuse(constant: str) -> None:
    """What Python reads beyond JSON: NaN, Infinity."""
    raise ValueError(constant)


def _describe(picture: Described) -> Record:
    if isinstance(picture, Picture):
        path, digest, (height, width) = str(picture.path), picture.sha256, picture.pixels.shape[:2]
    elif isinstance(picture, np.ndarray):
        image = np.asarray(picture, np.float32)
        path, digest, (height, width) = None, hashlib.sha256(image.tobytes()).hexdigest(), image.shape[:2]
    else:
        path, digest, (height, width) = str(picture), hash_file(picture), picture_size(picture)
    return {"path": path, "sha256": digest, "width": width, "height": height}


def hash_file(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

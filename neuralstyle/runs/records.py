"""The record of a run: everything that decides its picture, so that the picture can be made again."""

import hashlib
import json
import platform
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.networks import Network
from neuralstyle.optimizers import LBFGS
from neuralstyle.pictures.reading import Picture, picture_size, read_text
from neuralstyle.recipes import Recipe
from neuralstyle.runs.history import Step

#: The keyword of the PNG text chunk that holds a record.
KEYWORD = "neuralstyle"

#: The number of the format described in `make_record`.
FORMAT = 1

#: Starts of a recipe that are no file.
_NO_FILE = ("noise", "content", "style")

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
        As it was asked for, before `Recipe.in_force`.
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
        If a file cannot be read, or a figure of the recipe is not finite.
    """
    # Slow to import; a run has imported it, and whoever only reads records has not.
    import tensorflow

    def described(pictures: Sequence[Described | None]) -> list[Record | None]:
        return [None if picture is None else _describe(picture) for picture in pictures]

    record = {
        "program": "neuralstyle",
        "format": FORMAT,
        "recipe": _encode(recipe),
        "seed": int(seed),
        "content": _describe(content),
        "styles": described(styles),
        "masks": described(masks),
        "style_masks": described(style_masks),
        "start": None if recipe.start in _NO_FILE else _describe(recipe.start),
        "network": {
            "name": network.path.name if network.path else None,
            "sha256": _hash_file(network.path) if network.path else _hash_network(network),
        },
        "options": _encode(options or {}),
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


def resumed(record: Record, before: Record, iteration: int) -> Record:
    """The record of a run that goes on from where another left off.

    With the optimisers whose runs go on bit for bit there is nothing to say. SciPy's L-BFGS forgets what it
    remembered, so a run of it that was never stopped would give another picture.

    Parameters
    ----------
    record : dict
        Of the run that goes on.
    before : dict
        Of the run that was stopped.
    iteration : int
        Where it was stopped.
    """
    if not isinstance(recipe_from_record(record).optimizer, LBFGS):
        return record
    return {**record, "resumed": [*before.get("resumed", ()), int(iteration)]}


def stopped_at(record: Record | None) -> int | None:
    """The iteration that the run of a record was stopped after; None where it ran to its end.

    Raises
    ------
    InputError
        If no run can repeat what that run did.
    """
    if record is None:
        return None
    if record.get("resumed"):
        at = ", ".join(map(str, record["resumed"]))
        raise InputError(
            f"the record's run was stopped and went on with an empty memory (after iteration {at}), which no "
            "run repeats; give the same options without --from-record"
        )
    return record.get("result", {}).get("stopped")


def to_json(record: Record) -> str:
    """A record as strict JSON, indented, in the record's own order.

    Raises
    ------
    InputError
        If a number is NaN or infinite, which JSON cannot hold.
    """
    try:
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(f"a record holds finite numbers only ({error})") from error


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
    try:
        recipe_from_record(record)
        inputs = [record["content"], record["start"], *record["styles"]]
        inputs += [*record["masks"], *record["style_masks"]]
        for entry in [entry for entry in inputs if entry is not None]:
            _decode(entry["path"], str | None), _decode(entry["sha256"], str)
        _decode(record["network"]["sha256"], str)
        _decode(record["seed"], int)
        record["options"].items()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: the record is incomplete or was changed by hand ({error})") from error
    return record


def recipe_from_record(record: Record) -> Recipe:
    """The recipe of a record: the very value that it was made from.

    A field that the record lacks, because an older version made it, has its default.

    Raises
    ------
    InputError
        If the record has a field that this version does not know, or a value of the wrong kind.
    """
    try:
        return _decode(record["recipe"], Recipe)
    except (KeyError, TypeError) as error:
        raise InputError(f"the record's recipe cannot be used ({error})") from error


@dataclass(frozen=True)
class Inputs:
    """The files that a run was made from.

    Attributes
    ----------
    content : pathlib.Path
    styles : list of pathlib.Path
    masks, style_masks : list of (pathlib.Path or None)
    """

    content: Path
    styles: list[Path]
    masks: list[Path | None]
    style_masks: list[Path | None]


def inputs_from_record(record: Record) -> Inputs:
    """Find the pictures of a record again, and make sure that they are the same.

    The picture that a recipe starts from is checked as well; `recipe_from_record` has its path.

    Parameters
    ----------
    record : dict

    Returns
    -------
    Inputs

    Raises
    ------
    InputError
        If one of the files is gone, or holds something else than it did.
    """

    def found(entry: Record | None, what: str) -> Path | None:
        if entry is None:
            return None
        if entry["path"] is None:
            raise InputError(f"the record's {what} picture was given as an array; there is no file to read")
        path = Path(entry["path"])
        if not path.is_file():
            raise InputError(f"{path}: the record's {what} picture is gone; start from the same folder again")
        if _hash_file(path) != entry["sha256"]:
            raise InputError(f"{path}: the record's {what} picture has changed since; put the old one back")
        return path

    found(record["start"], "starting")
    return Inputs(
        content=found(record["content"], "content"),
        styles=[found(entry, "style") for entry in record["styles"]],
        masks=[found(entry, "mask") for entry in record["masks"]],
        style_masks=[found(entry, "style mask") for entry in record["style_masks"]],
    )


def check_network(record: Record, network: Network) -> None:
    """Make sure that a network is the one that a record was made with.

    Raises
    ------
    InputError
        If its file holds other weights.
    """
    entry = record["network"]
    found = _hash_file(network.path) if network.path else _hash_network(network)
    if found != entry["sha256"]:
        raise InputError(
            f"{network.path or 'the network'}: other weights than the record's; name with --network the file "
            f"{entry['name']} of SHA-256 {entry['sha256']}"
        )


def difference(before: Record, now: Record, ignoring: Sequence[str] = ()) -> str | None:
    """What decides the picture in one record and is otherwise in another.

    Versions, paths and results are not compared; of files only what they hold counts.

    Parameters
    ----------
    before, now : dict
        Records, with or without a result.
    ignoring : sequence of str
        Fields of the recipe, and options, that may differ.

    Returns
    -------
    str or None
        A phrase such as "style_weight 500.0 instead of 300.0", `before` first; None where there is no
        difference.
    """
    old, new = recipe_from_record(before), recipe_from_record(now)
    values = [
        (field.name, getattr(old, field.name), getattr(new, field.name))
        for field in fields(Recipe)
        # A file to start from is compared by what it holds.
        if field.name not in ignoring and not (field.name == "start" and before["start"] and now["start"])
    ]
    values.append(("seed", before["seed"], now["seed"]))
    options = {**before["options"], **now["options"]}
    values += [
        (name, before["options"].get(name), now["options"].get(name))
        for name in options
        if name not in ignoring
    ]
    for name, was, is_now in values:
        if was != is_now:
            return f"{name} {was!r} instead of {is_now!r}"

    def contents(entry: Record | Sequence[Record | None] | None) -> object:
        if isinstance(entry, list):
            return [contents(item) for item in entry]
        return entry and entry["sha256"]

    files = {
        "content": "content picture",
        "styles": "style pictures",
        "masks": "masks",
        "style_masks": "style masks",
        "start": "starting picture",
        "network": "weight file",
    }
    for name, what in files.items():
        if contents(before[name]) != contents(now[name]):
            return f"other {what}" if what.endswith("s") else f"another {what}"
    return None


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
        path, digest, (height, width) = str(picture), _hash_file(picture), picture_size(picture)
    return {"path": path, "sha256": digest, "width": width, "height": height}


def _hash_file(path: str | Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _hash_network(network: Network) -> str:
    digest = hashlib.sha256(network.mean_pixel.tobytes())
    for layer in network.convolutions:
        digest.update(layer.kernel.tobytes())
        digest.update(layer.bias.tobytes())
    return digest.hexdigest()


def _encode(value: object) -> object:
    """A value of a recipe as what JSON holds; a dataclass becomes a dict that begins with its name."""
    if is_dataclass(value):
        own = {field.name: _encode(getattr(value, field.name)) for field in fields(value)}
        return own if isinstance(value, Recipe) else {"name": type(value).__name__, **own}
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_encode(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def _decode(value: object, hint: object) -> object:
    """The inverse of `_encode`, led by a type annotation; TypeError where the value does not fit it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in inner:
            try:
                return _decode(value, option)
            except TypeError as error:
                # Of several classes the one that is named; its complaint is the one that helps.
                if is_dataclass(option) and isinstance(value, dict) and value.get("name") == option.__name__:
                    raise error
    elif origin is tuple and isinstance(value, list):
        return tuple(_decode(item, inner[0]) for item in value)
    elif origin is Mapping and isinstance(value, dict):
        return {key: _decode(item, inner[1]) for key, item in value.items()}
    elif is_dataclass(hint) and isinstance(value, dict):
        return _decode_fields(value, hint)
    elif type(value) is hint or (hint is float and type(value) is int):
        return value
    raise TypeError(f"{value!r} is not {getattr(hint, '__name__', hint)}")


def _decode_fields(value: Record, kind: type) -> object:
    hints = typing.get_type_hints(kind)
    value = dict(value)
    if kind is not Recipe and value.pop("name", None) != kind.__name__:
        raise TypeError(f"it is not {kind.__name__}")
    decoded = {}
    for name, item in value.items():
        if name not in hints:
            raise TypeError(f"{name} is unknown to this version of neuralstyle")
        try:
            if name == "listing":  # fields of the recipe in their turn
                decoded[name] = {key: _decode(part, hints[key]) for key, part in item.items()}
            else:
                decoded[name] = _decode(item, hints[name])
        except (TypeError, KeyError, AttributeError) as error:
            raise TypeError(f"{name}: {error}") from error
    missing = [
        field.name
        for field in fields(kind)
        if field.name not in decoded and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise TypeError(f"{missing[0]} is missing")
    return kind(**decoded)

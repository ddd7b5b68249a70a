"""The record of a picture that a feed-forward network rendered: what made it, so that it can be made again.

It has the program, the format and the pictures of `neuralstyle.runs.records`, under the same names; ``kind``
instead of a recipe tells the two apart.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError, check_writable
from neuralstyle.runs.records import FORMAT, KEYWORD, Record


@dataclass(frozen=True)
class Pictures:
    """The files that a picture is rendered from.

    Attributes
    ----------
    content : path
    styles : sequence of path
    content_mask : path or None
        Where the content is rendered.
    """

    content: str | Path
    styles: Sequence[str | Path] = ()
    content_mask: str | Path | None = None


def make_record(
    kind: str, pictures: Pictures, network: Mapping[str, str], options: Mapping[str, object]
) -> Record:
    """Describe how a picture is rendered.

    Parameters
    ----------
    kind : str
        "transform", "any_style", "fixed_style" or "hub_model".
    pictures : Pictures
        Their paths are kept as they are given, and found again from the same folder only.
    network : mapping of str to str
        ``name`` and ``sha256``, as `hash_files` and `hash_weights` give it.
    options : mapping
        Whatever else decides the picture; values that JSON holds.

    Returns
    -------
    dict
        What JSON holds and nothing else: program, format, kind, content, styles, content_mask if there is
        one, network, options, versions. Each picture has path and sha256.
    """
    mask = pictures.content_mask
    return {
        "program": "neuralstyle",
        "format": FORMAT,
        "kind": kind,
        "content": _described(pictures.content),
        "styles": [_described(path) for path in pictures.styles],
        **({} if mask is None else {"content_mask": _described(mask)}),
        "network": dict(network),
        "options": dict(options),
        "versions": {name: metadata.version(name) for name in ("neuralstyle", "tensorflow", "numpy")},
    }


def read_record(path: str | Path) -> Record | None:
    """Read a record of this kind from a JSON file or from a PNG that carries one.

    Returns
    -------
    dict or None
        None where there is none of this kind, whatever else the file is.

    Raises
    ------
    InputError
        If the record is incomplete, or of another format.
    """
    from neuralstyle.pictures.reading import read_text

    try:
        with open(path, "rb") as file:
            png = file.read(4) == b"\x89PNG"
        text = read_text(path).get(KEYWORD, "") if png else Path(path).read_text(encoding="utf-8")
        record = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("program") != "neuralstyle" or "kind" not in record:
        return None
    if record.get("format") != FORMAT:
        raise InputError(
            f"{path}: is a record of format {record.get('format')}, and this version reads format {FORMAT}"
        )
    try:
        pictures = _entries(record)
        texts = [entry[name] for entry in pictures for name in ("path", "sha256")]
        texts += [record["kind"], record["network"]["sha256"]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a path or a hash is no text")
        record["options"].items()
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: the record is incomplete or was changed by hand ({error})") from error
    return record


def check_new(path: str | Path, overwrite: bool, picture: str | Path) -> None:
    """Find out, before any work, whether a record could be written beside a picture.

    Raises
    ------
    InputError
        If it exists and must not be replaced, is the picture's own file, or cannot be written.
    """
    check_writable(path)
    if Path(path).resolve() == Path(picture).resolve():
        raise InputError(f"{path}: would be written twice; give each output a name of its own")
    if Path(path).exists() and not overwrite:
        raise InputError(f"{path}: exists already; --overwrite replaces it")


def check_pictures(record: Record) -> None:
    """Make sure that the pictures of a record are still what they were.

    Raises
    ------
    InputError
        If one is gone, or holds something else than it did.
    """
    for entry in _entries(record):
        path = Path(entry["path"])
        if not path.is_file():
            raise InputError(f"{path}: a picture of the record is gone; start from the same folder again")
        if _described(path)["sha256"] != entry["sha256"]:
            raise InputError(f"{path}: a picture of the record has changed since; put the old one back")


def _entries(record: Record) -> list[dict[str, str]]:
    """The pictures that a record describes."""
    masks = [record["content_mask"]] if "content_mask" in record else []
    return [record["content"], *record["styles"], *masks]


def hash_files(path: Path) -> str:
    """The SHA-256 of a file, or of all the files in a folder and their names."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        digest.update(file.read_bytes())
    return digest.hexdigest()


def hash_weights(weights: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of weights, in whatever file they are kept."""
    digest = hashlib.sha256()
    for name, value in weights.items():
        digest.update(f"{name} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value))
    return digest.hexdigest()


def _described(path: str | Path) -> dict[str, str]:
    return {"path": str(path), "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}

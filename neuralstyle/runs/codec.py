"""A recipe as what JSON holds, and back: led by the type annotations of its fields."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import numpy as np

from neuralstyle.recipes import Recipe


def encode(value: object) -> object:
    """A value of a recipe as what JSON holds; a dataclass becomes a dict that begins with its name."""
    if is_dataclass(value):
        own = {field.name: encode(getattr(value, field.name)) for field in fields(value)}
        return own if isinstance(value, Recipe) else {"name": type(value).__name__, **own}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def decode(value: object, hint: object) -> object:
    """The inverse of `encode`, led by a type annotation; TypeError where the value does not fit it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in inner:
            try:
                return decode(value, option)
            except TypeError as error:
                # Of several classes the one that is named; its complaint is the one that helps.
                if is_dataclass(option) and isinstance(value, dict) and value.get("name") == option.__name__:
                    raise error
    elif origin is tuple and isinstance(value, list):
        return tuple(decode(item, inner[0]) for item in value)
    elif origin is Mapping and isinstance(value, dict):
        return {key: decode(item, inner[1]) for key, item in value.items()}
    elif is_dataclass(hint) and isinstance(value, dict):
        return _decode_fields(value, hint)
    elif type(value) is hint or (hint is float and type(value) is int):
        return value
    raise TypeError(f"{value!r} is not {getattr(hint, '__name__', hint)}")


def _decode_fields(value: dict[str, object], kind: type) -> object:
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
                decoded[name] = {key: decode(part, hints[key]) for key, part in item.items()}
            else:
                decoded[name] = decode(item, hints[name])
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

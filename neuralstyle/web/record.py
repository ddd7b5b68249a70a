"""What is to be said on the page for a picture that carries a record."""

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path

from neuralstyle.files import InputError
from neuralstyle.recipe import Recipe
from neuralstyle.recipes import RECIPES
from neuralstyle.web import form
from neuralstyle.web.folder import Folder


def value_of(recipe: Recipe, name: str) -> str:
    """A field of a recipe, or of its optimiser, as it is typed; empty where there is none."""
    value = getattr(recipe, name, getattr(recipe.optimizer, name, None))
    return typed(value)


def typed(value: object) -> str:
    """A value as it is typed for an option."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_dataclass(value):
        return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "-", type(value).__name__).lower()
    if isinstance(value, Mapping):
        return " ".join(f"{layer}={weight:.6g}" for layer, weight in value.items())
    if isinstance(value, tuple):
        return " ".join(map(typed, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def wish_of_record(result: Path, folder: Folder, program: form.Program) -> form.Wish:
    """What is to be said on the page for the settings of a PNG that carries a record.

    Raises
    ------
    InputError
        If it carries none, or of a recipe whose settings the page has no controls for.
    """
    from neuralstyle.runs import records

    record = records.read_record(result)
    recipe = records.recipe_from_record(record)
    method = next((name for name, own in RECIPES.items() if own.source == recipe.source), None)
    if method is None:
        raise InputError(f"{result.name}: was made by a recipe that this version does not have")
    settings = {
        setting.name: value_of(recipe, setting.name)
        for setting in program.settings
        if value_of(recipe, setting.name) != value_of(RECIPES[method], setting.name)
    }
    kept = {path.name for path in folder.inputs.iterdir()}

    def found(entry: dict) -> str:
        name = next((name for name in kept if name.startswith(entry["sha256"][:12])), "")
        return name

    size = max(record["result"][side] for side in ("width", "height"))
    return form.Wish(
        content=found(record["content"]),
        styles=tuple(filter(None, map(found, record["styles"]))),
        method=method,
        size=size,
        weights=recipe.style_blend,
        seed=record["seed"],
        settings=settings,
    )

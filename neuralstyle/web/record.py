"""What is to be said on the page for a picture that carries a record."""

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import picture_size
from neuralstyle.recipe import Recipe
from neuralstyle.recipes import RECIPES
from neuralstyle.web import form
from neuralstyle.web.folder import Folder


def value_of(recipe: Recipe, name: str) -> str:
    """A field of a recipe, or of its optimiser, as it is typed; empty where there is none."""
    value = getattr(recipe, name, getattr(recipe.optimizer, name, None))
    if name == "iterations" and recipe.scale_iterations:
        value = recipe.scale_iterations
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
    from neuralstyle.feedforward.record import read_record
    from neuralstyle.runs import records

    rendered = read_record(result)
    if rendered is not None:
        return _wish_of_one_pass(result, rendered, folder, program)
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
    initial = ""
    if record["start"]:  # a file
        settings.pop("start")
        initial = _found(record["start"], folder)
    size = max(record["result"][side] for side in ("width", "height"))
    return form.Wish(
        content=_found(record["content"], folder),
        styles=_styles(record, folder),
        method=method,
        size=size,
        strokes=recipe.style_scales[0] if len(set(recipe.style_scales)) == 1 else 1.0,
        colours=_colours(recipe),
        weights=recipe.style_blend,
        seed=record["seed"],
        settings=settings,
        initial=initial,
    )


def _wish_of_one_pass(result: Path, record: Mapping, folder: Folder, program: form.Program) -> form.Wish:
    """The same for a picture that a network rendered in one pass."""
    methods = {"any_style": form.ANY_STYLE, "fixed_style": form.FIXED_STYLE, "transform": form.ONE_STYLE}
    method, options = methods.get(record["kind"]), record["options"]
    if method is None:
        raise InputError(f"{result.name}: was rendered by a network that the page does not have")
    for name, path in program.networks.items():
        if method == form.ONE_STYLE and options["transform"] == str(path):
            method = f"{form.OWN}{name}"
    own, back, *_ = form.COLOURS
    return form.Wish(
        content=_found(record["content"], folder),
        styles=_styles(record, folder),
        method=method,
        size=max(picture_size(result)),
        strength=options.get("strength", 1.0),
        strokes=options.get("stroke_scale", 1.0),
        colours=back if options.get("keep_colours") else own,
        weights=tuple(options.get("style_blend", ())),
        fixed=options.get("fixed_style", form.Wish().fixed),
    )


def _colours(recipe: Recipe) -> str:
    """What the page says about colours where a recipe has them so."""
    own, back, first, grey = form.COLOURS
    if recipe.match_colours:
        return grey if recipe.match_colours == "luminance" else first
    return back if recipe.keep_colours else own


def _found(entry: Mapping, folder: Folder) -> str:
    """The name of a record's picture among those that were put in; empty where it is not there."""
    names = sorted(path.name for path in folder.inputs.iterdir())
    return next((name for name in names if name.startswith(entry["sha256"][:12])), "")


def _styles(record: Mapping, folder: Folder) -> tuple[str, ...]:
    return tuple(filter(None, (_found(entry, folder) for entry in record["styles"])))

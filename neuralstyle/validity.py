"""What makes a recipe valid: names that exist, values in their ranges, nothing that contradicts itself.

`neuralstyle.recipe.Recipe` is held to it when it is made, so that a recipe that exists can be run. The
names stand here as well as beside what they name, because a wrong one is to be found before TensorFlow
is imported.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from math import inf
from numbers import Integral
from typing import TYPE_CHECKING

from neuralstyle.files import InputError, require
from neuralstyle.optimizers import Adam

if TYPE_CHECKING:
    from neuralstyle.recipe import Recipe

#: The names that a field of a recipe can have.
NAMES: dict[str, tuple[str, ...]] = {
    "content_formula": ("mean", "half-sum", "sum", "root"),
    "style_formula": ("neural-style", "gatys", "chollet", "mean", "wasserstein"),
    "style_blending": ("losses", "targets"),
    "tv_formula": (
        *("mean-squares", "swapped-mean-squares", "power", "half-squares", "absolute"),
        "nine-point",
    ),
    "pooling": ("max", "average", "average-scaled", "l2-scaled"),
    "padding": ("SAME", "VALID"),
    "border": ("zeros", "replicated"),
    "content_fit": ("width", "height", "longer side"),
    "style_fit": ("stretch", "width", "area", "alone", "longer-side"),
    "resampling": ("bilinear", "bicubic", "nearest"),
    "keep_colours": ("yuv", "ycbcr", "lab", "luv"),
    "match_colours": ("cholesky", "symmetric", "luminance"),
}

#: Starts that are drawn at random, and all that are no file.
RANDOM_STARTS = ("noise", "grey", "uniform", "truncated-normal", "style-statistics")
STARTS = (*RANDOM_STARTS, "content", "style")

#: Fields that may be None.
_OPTIONAL = ("keep_colours", "match_colours", "content_size", "coarsest", "checkpoint_every")

#: A range: whether a value lies in it, and how a message says so.
_Range = tuple[Callable[[object], bool], str]
_COUNT: _Range = (lambda value: isinstance(value, Integral) and value >= 1, "1 or more")
_POSITIVE: _Range = (lambda value: 0 < value < inf, "greater than 0, and finite")
_NOT_NEGATIVE: _Range = (lambda value: 0 <= value < inf, "0 or more, and finite")
_SHARE: _Range = (lambda value: 0 <= value <= 1, "between 0 and 1")
_DECAY: _Range = (lambda value: 0 <= value < 1, "0 or more and less than 1")

_RANGES: dict[str, _Range] = {
    "content_weight": _NOT_NEGATIVE,
    "style_weight": _NOT_NEGATIVE,
    "tv_weight": _NOT_NEGATIVE,
    "unit": _POSITIVE,
    "style_range": _POSITIVE,
    "activation_unit": _POSITIVE,
    "content_size": _COUNT,
    "coarsest": _COUNT,
    "growth": (lambda value: 1.1 <= value < inf, "1.1 or more, and finite"),
    "average_decay": _DECAY,
    "noise": _NOT_NEGATIVE,
    "noise_blend": _SHARE,
    "iterations": _COUNT,
    "checkpoint_every": _COUNT,
}

#: The same for each value of a sequence.
_RANGES_OF_EACH: dict[str, _Range] = {
    "scales": _COUNT,
    "scale_iterations": _COUNT,
    "style_scales": _POSITIVE,
}

#: How the layers of a VGG are called; whether a network has one of them, it knows itself.
_LAYER = re.compile(r"(conv|relu)\d+_\d+|pool\d+|fc\d+|relu\d+|prob")


def check_recipe(recipe: "Recipe") -> None:
    """Make sure that a recipe can be run.

    Raises
    ------
    InputError
        If one of its fields has a name that does not exist or a value out of its range, or if two of
        them contradict each other.
    """
    for name, names in NAMES.items():
        value = getattr(recipe, name)
        if value not in names and not (value is None and name in _OPTIONAL):
            what = name.replace("_", " ")
            raise InputError(f"unknown {what} {value!r}; choose one of {', '.join(names)}")
    for name, allowed in _RANGES.items():
        value = getattr(recipe, name)
        if not (value is None and name in _OPTIONAL):
            require(_lies_in(allowed, value), name, value, allowed[1])
    for name, allowed in _RANGES_OF_EACH.items():
        if not all(_lies_in(allowed, value) for value in getattr(recipe, name)):
            raise InputError(f"{name} must be {allowed[1]}, each of them", fields=(name,))
    for name in ("content_layers", "style_layers"):
        _check_layers(name, getattr(recipe, name))
    if recipe.style_blend:
        shares_of(recipe.style_blend, "style_blend")
    _check_combinations(recipe)
    _check_listing(recipe)


def shares_of(weights: Sequence[float], name: str) -> tuple[float, ...]:
    """Scale weights so that they add up to 1.

    Parameters
    ----------
    weights : sequence of float
    name : str
        What a message calls them: the name of a field or parameter.

    Returns
    -------
    tuple of float

    Raises
    ------
    InputError
        If one of them is negative or not finite, or all of them are 0.
    """
    if not all(_lies_in(_NOT_NEGATIVE, weight) for weight in weights):
        raise InputError(f"{name} must be {_NOT_NEGATIVE[1]}, each of them", fields=(name,))
    total = sum(weights)
    if not 0 < total < inf:
        raise InputError(f"{name} must add up to more than 0, and to a finite number", fields=(name,))
    return tuple(weight / total for weight in weights)


def check_one_target(styles: int, masked: bool) -> None:
    """Make sure that one target blended of several styles needs no masks.

    Raises
    ------
    InputError
        If there are several styles, and masks that say where in the picture each is wanted.
    """
    if masked and styles > 1:
        raise InputError(
            "style_blending makes one target of several styles, which does not go with masks that say "
            "where each is wanted; choose losses",
            fields=("style_blending",),
        )


def _lies_in(allowed: _Range, value: object) -> bool:
    try:
        return bool(allowed[0](value))
    except TypeError:  # a text, say, which is neither more nor less than 0
        return False


def _check_layers(name: str, layers: Mapping[str, float]) -> None:
    for layer, weight in layers.items():
        if not _LAYER.fullmatch(layer):
            raise InputError(
                f"{name}: {layer!r} is not a layer of a VGG; write it as relu4_2 or conv4_2", fields=(name,)
            )
        if not _lies_in(_NOT_NEGATIVE, weight):
            raise InputError(
                f"{name}: {layer} has the weight {weight}; it must be {_NOT_NEGATIVE[1]}", fields=(name,)
            )


def _check_combinations(recipe: "Recipe") -> None:
    if not recipe.coarsest and recipe.scale_iterations and len(recipe.scale_iterations) != len(recipe.scales):
        raise InputError(
            f"scale_iterations has {len(recipe.scale_iterations)} numbers for {len(recipe.scales)} scales",
            fields=("scale_iterations", "scales"),
        )
    if recipe.coarsest and (recipe.scales or not recipe.content_size):
        raise InputError(
            "coarsest begins a ladder of sizes up to the result's; it needs a content_size, and no scales",
            fields=("coarsest", "content_size", "scales"),
        )
    if recipe.carry_moments and not isinstance(recipe.optimizer, Adam):
        raise InputError(
            "carry_moments goes with Adam, which has moments; choose adam as the optimizer",
            fields=("carry_moments", "optimizer"),
        )
    if recipe.average_decay and recipe.keep_best:
        raise InputError(
            "average_decay makes the result an average, and keep_best the best picture; choose one of them",
            fields=("average_decay", "keep_best"),
        )
    if not recipe.start:
        raise InputError(f"start is empty; it must be {', '.join(STARTS)} or a file", fields=("start",))
    if recipe.noise_blend and recipe.start in RANDOM_STARTS:
        raise InputError(
            f"noise_blend mixes noise into a picture, and start is {recipe.start}; "
            "name content, style or a file",
            fields=("noise_blend", "start"),
        )
    weights = {
        "content_weight": recipe.content_weight and any(recipe.content_layers.values()),
        "style_weight": recipe.style_weight and any(recipe.style_layers.values()),
        "tv_weight": recipe.tv_weight,
    }
    if not any(weights.values()):
        raise InputError(
            "content_weight, style_weight and tv_weight, or the weights of their layers, are all 0; "
            "one must count",
            fields=tuple(weights),
        )


def _check_listing(recipe: "Recipe") -> None:
    """Make sure that the recipe would be valid with its listing's fields, too."""
    known = {field.name for field in fields(recipe)} - {"listing", "as_published"}
    for name in recipe.listing:
        if name not in known:
            raise InputError(f"listing: a recipe has no field {name}")
    if recipe.listing:
        replace(recipe, **recipe.listing, listing={}, as_published=False)

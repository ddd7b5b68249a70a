"""The recipes as text: a table of all, and every field of one."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields

from neuralstyle.recipes import RECIPES, find_recipe, stages


def main(arguments: Sequence[str]) -> int:
    """Print the table of recipes, or those that are named, in full; the exit status."""
    parser = argparse.ArgumentParser(
        prog="neuralstyle recipes", description="Print the recipes as a table, or some of them in full."
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="a recipe to print in full")
    names = parser.parse_args(arguments).names
    print("\n\n".join(map(recipe_in_full, names)) if names else recipes_table())
    return 0


def recipes_table() -> str:
    """The recipes as a table, a recipe a line."""
    columns = {
        "recipe": lambda name, recipe: name,
        "content": lambda name, recipe: _weighted(recipe.content_layers),
        "style": lambda name, recipe: recipe.style_formula,
        "weights": lambda name, recipe: (
            f"{recipe.content_weight:g}, {recipe.style_weight:g}, {recipe.tv_weight:g}"
        ),
        "pooling": lambda name, recipe: f"{recipe.pooling} {recipe.padding}",
        "start": lambda name, recipe: recipe.start,
        "optimizer": lambda name, recipe: type(recipe.optimizer).__name__,
        "iterations": lambda name, recipe: " + ".join(str(stage.iterations) for stage in stages(recipe)),
        "from": lambda name, recipe: recipe.source,
    }
    rows = [list(columns)]
    rows += [[show(name, RECIPES[name]) for show in columns.values()] for name in RECIPES]
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return "\n".join(lines)


def recipe_in_full(name: str) -> str:
    """Every field of one recipe, a field a line."""
    recipe = find_recipe(name)
    shown = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    shown |= {
        "content_layers": _weighted(recipe.content_layers),
        "style_layers": _weighted(recipe.style_layers),
    }
    return "\n".join(f"{field:<20} {value}" for field, value in shown.items())


def _weighted(layers: Mapping[str, float]) -> str:
    return " ".join(f"{layer}={weight:g}" for layer, weight in layers.items() if weight)

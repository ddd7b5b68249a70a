"""What is to be done: options, the recipe that they amount to, and the picture files."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.options import parser, spelled
from neuralstyle.command.recipe import recipe_from
from neuralstyle.files import InputError
from neuralstyle.recipes import Recipe
from neuralstyle.validity import STARTS

if TYPE_CHECKING:
    from neuralstyle.runs.records import Record
    from neuralstyle.runs.repeating import Inputs

#: Options outside the recipe that decide the picture.
RECORDED = ("bits", "quality", "tile", "threads", "device")


@dataclass(frozen=True)
class Request:
    """What is to be done.

    Attributes
    ----------
    options : argparse.Namespace
    recipe : Recipe
    seed : int
    inputs : Inputs
        The picture files.
    earlier : dict or None
        The record that the request comes from.
    """

    options: Namespace
    recipe: Recipe
    seed: int
    inputs: "Inputs"
    earlier: "Record | None" = None

    @property
    def files(self) -> list[Path]:
        """Every file that is read."""
        inputs, options = self.inputs, self.options
        paths = [inputs.content, *inputs.styles, *inputs.masks, *inputs.style_masks]
        paths += [inputs.content_mask, *inputs.regions, options.network, options.from_record]
        if self.recipe.start not in STARTS:
            paths.append(self.recipe.start)
        return [Path(path) for path in paths if path is not None]


def request_from(options: Namespace, arguments: Sequence[str]) -> Request:
    """What options ask for.

    Parameters
    ----------
    options : argparse.Namespace
    arguments : sequence of str
        What was typed: with a record, it stands above what the record says.

    Raises
    ------
    InputError
        If the options do not go together, or the record cannot be followed.
    """
    from neuralstyle.files import example_pair
    from neuralstyle.runs import records, repeating

    if options.from_record:
        for name in ("recipe", "content", "styles", "masks", "style_masks", "regions", "content_mask"):
            if getattr(options, name):
                raise InputError(f"{spelled(name)} does not go with --from-record")
        record = records.read_record(options.from_record)
        # What the record says takes the place of the defaults; what is said now stands above it.
        recorded = {name: record["options"][name] for name in RECORDED if name in record["options"]}
        options = parser().parse_args(arguments, Namespace(**recorded))
        recipe = recipe_from(options, records.recipe_from_record(record))
        seed = record["seed"] if options.seed is None else options.seed
        return Request(options, recipe, seed, repeating.inputs_from_record(record), record)
    example_content, example_style = example_pair()
    styles = [Path(path) for path in options.styles or [example_style]]
    inputs = repeating.Inputs(
        Path(options.content or example_content),
        styles,
        _mask_paths("masks", options.masks, len(styles)),
        _mask_paths("style_masks", options.style_masks, len(styles)),
        Path(options.content_mask) if options.content_mask else None,
        _region_paths(options, len(styles)),
    )
    return Request(options, recipe_from(options), options.seed or 0, inputs)


def _mask_paths(name: str, paths: Sequence[str] | None, styles: int) -> list[Path | None]:
    paths = paths or ["all"] * styles
    if len(paths) != styles:
        raise InputError(f"{spelled(name)} has {len(paths)} pictures for {styles} style pictures")
    return [None if path == "all" else Path(path) for path in paths]


def _region_paths(options: Namespace, styles: int) -> list[Path]:
    paths = [Path(path) for path in options.regions or ()]
    if not paths:
        return []
    for name in ("masks", "style_masks"):
        if getattr(options, name):
            raise InputError(f"--regions does not go with {spelled(name)}; give one of them")
    if len(paths) != styles + 1:
        raise InputError(
            f"--regions has {len(paths)} pictures; it needs one for the content and one for each of {styles} "
            "style pictures"
        )
    return paths

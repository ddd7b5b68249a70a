"""The command line: options to a recipe, pictures to a picture.

Nothing here imports TensorFlow before the options, the pictures and the weights have been found good.
"""

import re
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.files import InputError, check_writable
from neuralstyle.options import parser, recipe_from
from neuralstyle.quiet import quiet_import
from neuralstyle.recipes import RECIPES, find_recipe

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.history import Step


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        Exit status: 0, 2 after bad input, 130 after Ctrl-C before there was a picture.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with warnings.catch_warnings():
            # Other people's warnings are for programmers; ours are for users.
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", module="neuralstyle")
            warnings.showwarning = _show_warning
            if arguments[:1] == ["recipes"]:
                return _print_recipes(arguments[1:])
            return _stylize(parser().parse_args(arguments))
    except InputError as error:
        print(f"neuralstyle: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("neuralstyle: stopped before there was a picture; nothing was written", file=sys.stderr)
        return 130


def _stylize(options: Namespace) -> int:
    recipe = recipe_from(options)
    from neuralstyle.images import check_output, example_pair, read_image, write_image
    from neuralstyle.networks import load_network

    check_output(options.output, options.overwrite, options.bits)
    tables = _tables(options)
    for path in tables:
        _check_table(path, options.overwrite)
    if options.checkpoint_output:
        check_output(checkpoint_path(options.checkpoint_output, 0), overwrite=True)
    example_content, example_style = example_pair()
    content = read_image(options.content or example_content)
    styles = [read_image(path) for path in options.styles or [example_style]]
    masks, style_masks = _masks(options.masks), _masks(options.style_masks)
    network = load_network(options.network)
    network.up_to([*recipe.content_layers, *recipe.style_layers])
    with quiet_import():
        from neuralstyle.transfer import stages, stylize

    def write(path: str | Path, picture: "np.ndarray") -> None:
        write_image(path, picture, bits=options.bits, quality=options.quality)

    with ExitStack() as stack:
        on_step = stack.enter_context(_progress(options, sum(stage.iterations for stage in stages(recipe))))

        def on_checkpoint(step: "Step") -> None:
            if options.checkpoint_output:
                write(checkpoint_path(options.checkpoint_output, step.iteration), step.picture)

        result = stylize(
            content,
            styles,
            recipe,
            network,
            seed=options.seed or 0,
            masks=masks,
            style_masks=style_masks,
            on_step=on_step,
            on_checkpoint=on_checkpoint,
        )
    write(options.output, result.picture)
    for path, write_table in tables.items():
        write_table(path, result.history)
    if result.interrupted:
        done = result.history[-1].iteration
        print(f"neuralstyle: stopped after {done} iterations, wrote {options.output}", file=sys.stderr)
    return 0


def checkpoint_path(form: str, iteration: int) -> Path:
    """The path of a picture on the way.

    Parameters
    ----------
    form : str
        A path with a placeholder for the iteration, as ``{}``, ``{:05}``, ``%d`` or ``%05d``.
    iteration : int

    Raises
    ------
    InputError
        If there is no placeholder.
    """
    try:
        path = form % iteration if re.search(r"%0?\d*d", form) else form.format(iteration)
    except (IndexError, KeyError, ValueError):
        path = form
    if path == form:
        raise InputError(f"--checkpoint-output {form}: has no placeholder; write it as out_{{:05}}.jpg")
    return Path(path)


def _tables(options: Namespace) -> Mapping[str | Path, Callable]:
    """What is written from the history at the end: paths, and what writes each."""
    from neuralstyle import history

    tables: dict[str | Path, Callable] = {}
    if options.history:
        tables[options.history] = history.write_history
    return tables


def _check_table(path: str | Path, overwrite: bool) -> None:
    check_writable(path)
    if Path(path).exists() and not overwrite:
        raise InputError(f"{path}: exists already; --overwrite replaces it")


def _masks(paths: Sequence[str] | None) -> list["np.ndarray | None"] | None:
    """The mask of each style, H×W, 0..1; None where it is wanted everywhere."""
    from neuralstyle.images import read_image

    if paths is None:
        return None
    return [None if path == "all" else read_image(path).mean(axis=2) / 255 for path in paths]


@contextmanager
def _progress(options: Namespace, iterations: int) -> Iterator[Callable[["Step"], None]]:
    """A progress bar: iteration, time left, total loss; and the losses in lines, where they are asked for."""
    from tqdm import tqdm

    every = options.print_iterations
    with tqdm(total=iterations, unit="it", disable=options.quiet, dynamic_ncols=True) as bar:

        def on_step(step: "Step") -> None:
            if every and step.iteration % every == 0:
                bar.write(
                    f"iteration {step.iteration}: total {step.total:.6g}, content {step.content:.6g}, "
                    f"style {step.style:.6g}, tv {step.tv:.6g}"
                )
            bar.set_postfix_str(f"loss {step.total:.4g}", refresh=False)
            bar.update(step.iteration - bar.n)

        yield on_step


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"neuralstyle: {message}", file=sys.stderr)


def _print_recipes(names: Sequence[str]) -> int:
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
        "iterations": lambda name, recipe: str(recipe.iterations),
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


def _weighted(layers: dict[str, float]) -> str:
    return " ".join(f"{layer}={weight:g}" for layer, weight in layers.items() if weight)


if __name__ == "__main__":
    sys.exit(main())

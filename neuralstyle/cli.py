"""The command line: options to a recipe, pictures to a picture.

Nothing here imports TensorFlow before the options, the pictures and the weights have been found good.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from neuralstyle.files import InputError, check_writable
from neuralstyle.recipes import RECIPES, Recipe, find_recipe

#: Options whose value is a field of the recipe as it stands.
_FIELDS = ("iterations", "as_published")


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
    options = _parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    try:
        return _stylize(options)
    except InputError as error:
        print(f"neuralstyle: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("neuralstyle: stopped before there was a picture; nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuralstyle",
        description="Render a picture in the style of others. Without options: the bundled example pair.",
        allow_abbrev=False,
    )
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument("--content", metavar="FILE", help="the picture to render (default: an example)")
    pictures.add_argument(
        "--styles",
        "--style",
        metavar="FILE",
        nargs="+",
        help="one or more style pictures (default: an example)",
    )
    pictures.add_argument(
        "--output", metavar="FILE", default="stylized.png", help="picture to write; default: %(default)s"
    )
    pictures.add_argument("--overwrite", action="store_true", help="replace files that exist")
    pictures.add_argument("--width", type=int, metavar="PIXELS", help="width of the result")

    method = parser.add_argument_group("method")
    method.add_argument(
        "--recipe", metavar="NAME", default="cookbook", help=f"{', '.join(RECIPES)}; default: %(default)s"
    )
    method.add_argument("--iterations", type=int, metavar="N", help="steps, or evaluations with L-BFGS")
    method.add_argument(
        "--as-published", action="store_const", const=True, help="with the mistakes of the recipe's listing"
    )
    method.add_argument("--seed", type=int, metavar="N", default=0, help="of the noise; default: %(default)s")
    method.add_argument("--network", metavar="FILE", help="weights of VGG-19 or VGG-16, .mat or .h5")

    report = parser.add_argument_group("report")
    report.add_argument("--history", metavar="FILE.csv", help="write the losses of every iteration")
    report.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe that was named, with the fields that other options set."""
    recipe = find_recipe(options.recipe)
    given = {name: getattr(options, name) for name in _FIELDS if getattr(options, name) is not None}
    if options.width is not None:
        _positive("--width", options.width)
        given |= {"content_fit": "width", "content_size": options.width}
    recipe = replace(recipe, **given)
    _positive("--iterations", recipe.iterations)
    return recipe


def _positive(option: str, value: int) -> None:
    if value < 1:
        raise InputError(f"{option} is {value}; it must be 1 or more")


def _stylize(options: argparse.Namespace) -> int:
    recipe = _recipe(options)
    from neuralstyle.images import check_output, example_pair, read_image, write_image
    from neuralstyle.networks import load_network

    check_output(options.output, options.overwrite)
    if options.history:
        _check_table(options.history, options.overwrite)
    example_content, example_style = example_pair()
    content = read_image(options.content or example_content)
    styles = [read_image(path) for path in options.styles or [example_style]]
    network = load_network(options.network)
    network.up_to([*recipe.content_layers, *recipe.style_layers])
    with _quiet_import():
        from neuralstyle.transfer import stylize

    with _progress(options, recipe) as on_step:
        result = stylize(content, styles, recipe, network, seed=options.seed, on_step=on_step)
    write_image(options.output, result.image)
    if options.history:
        from neuralstyle.history import write_history

        write_history(options.history, result.history)
    if result.interrupted:
        done = result.history[-1].iteration
        print(
            f"neuralstyle: stopped after {done} iterations; {options.output} is what there was",
            file=sys.stderr,
        )
    return 0


def _check_table(path: str, overwrite: bool) -> None:
    check_writable(path)
    if Path(path).exists() and not overwrite:
        raise InputError(f"{path}: exists already; --overwrite replaces it")


@contextmanager
def _progress(options: argparse.Namespace, recipe: Recipe) -> Iterator:
    """A progress bar: iteration, time left, total loss."""
    from tqdm import tqdm

    with tqdm(total=recipe.iterations, unit="it", disable=options.quiet, dynamic_ncols=True) as bar:

        def on_step(step) -> None:
            bar.set_postfix_str(f"loss {step.total:.4g}", refresh=False)
            bar.update(step.iteration - bar.n)

        yield on_step


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Keep what TensorFlow's libraries print while they load off the screen.

    Some of it comes before any setting of theirs is read, so standard error itself is put aside. An
    import that fails raises, and says why itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"neuralstyle: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

"""The command line's feed-forward options: a network's pictures at once, instead of a recipe's."""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

from neuralstyle.command.options import parser, spelled
from neuralstyle.command.terminal import quiet_import
from neuralstyle.feedforward import blending
from neuralstyle.files import InputError, example_pair
from neuralstyle.pictures.colours import keep_colours
from neuralstyle.pictures.reading import read_image

#: The options that each choose a network; at most one may be given.
KINDS = ("transform", "any_style", "fixed_style", "hub_model")

#: Those of them that render in the style of a picture.
TAKE_STYLES = ("any_style", "hub_model")

#: The options that go with all of them.
TAKEN = (
    *("content", "styles", "output", "overwrite", "bits", "quality"),
    *("keep_colours", "threads", "device", "quiet"),
)

#: Options that would give the result another size than the content's.
SIZES = ("width", "height", "longer_side", "scales")


def wanted(options: Namespace) -> str | None:
    """The kind of network that the options ask for; None for a recipe.

    Raises
    ------
    InputError
        If they ask for two, or give one something that it does not take.
    """
    kinds = [kind for kind in KINDS if getattr(options, kind)]
    if not kinds:
        if options.strength is not None:
            raise InputError("--strength goes with --any-style only")
        return None
    if len(kinds) > 1:
        raise InputError(f"{spelled(kinds[0])} and {spelled(kinds[1])} do not go together; give one of them")
    kind = kinds[0]
    if options.styles and kind not in TAKE_STYLES:
        raise InputError(f"--styles does not go with {spelled(kind)}, whose styles are its own")
    if kind == "hub_model" and options.styles and len(options.styles) > 1:
        raise InputError("--hub-model takes one style picture")
    taken = {*TAKEN, kind, *(("strength", "style_blend") if kind == "any_style" else ())}
    for name, default in vars(parser().parse_args([])).items():
        if name not in taken and getattr(options, name) != default:
            why = ", which keeps the content's size" if name in SIZES else ""
            raise InputError(f"{spelled(name)} does not go with {spelled(kind)}{why}")
    return kind


def render(kind: str, options: Namespace) -> int:
    """Render a picture or a folder of pictures by a feed-forward network.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    options : argparse.Namespace

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If an option or a file cannot be used.
    """
    example_content, example_style = example_pair()
    content = Path(options.content or example_content)
    if content.is_dir() and options.output == parser().get_default("output"):
        raise InputError(f"--output: name a folder for the pictures of {content}")
    strength = 1.0 if options.strength is None else options.strength
    blending.check_strength(strength)
    if kind in TAKE_STYLES:
        styles = [read_image(path) for path in options.styles or [example_style]]
        blending.proportions(options.style_blend, len(styles))
    blend = blending.parse_fixed_styles(options.fixed_style) if options.fixed_style else None
    with quiet_import():
        from neuralstyle.feedforward import any_style, checkpoints, multi_style, saved_model, transform
        from neuralstyle.feedforward.pictures import render_files
        from neuralstyle.graphs import Machine
    machine = Machine(options.threads, options.device)
    if kind == "transform":
        renderer = transform.renderer(checkpoints.read_checkpoint(options.transform), machine)
    elif kind == "fixed_style":
        renderer = multi_style.renderer(blend, machine)
    elif kind == "hub_model":
        renderer = saved_model.renderer(options.hub_model, styles[0], machine)
    else:
        renderer = any_style.renderer(styles, options.style_blend, strength, machine)
    with renderer as render_one:

        def render_picture(picture: np.ndarray) -> np.ndarray:
            result = render_one(picture)
            return keep_colours(result, picture, options.keep_colours) if options.keep_colours else result

        render_files(
            render_picture,
            content,
            options.output,
            overwrite=options.overwrite,
            bits=options.bits,
            quality=options.quality,
            report=lambda line: print(f"neuralstyle: {line}", file=sys.stderr),
        )
    return 0

"""What can be said on the command line.

An option whose destination is a field of `Recipe` sets that field; the names of neural-style's options
are kept, with their meanings. What the options amount to is in `neuralstyle.command.recipe`.
"""

import argparse
import re
from functools import cache

from neuralstyle.command import network_options
from neuralstyle.command.cluster_options import add_cluster_options
from neuralstyle.command.report_options import add_report_options
from neuralstyle.files import InputError
from neuralstyle.recipes import RECIPES
from neuralstyle.validity import NAMES, STARTS

DEFAULT_RECIPE = "cookbook"

#: Options of several fields, which the parser keeps under names of their own.
_SPELLED = {"scale_iterations": "--iterations", "content_size": "--width"}

#: Several values; an option that is given twice has those of both.
_LIST = {"nargs": "+", "action": "extend"}


@cache
def parser() -> argparse.ArgumentParser:
    """The command's options; the parser is built once, and parsing does not change it."""
    parser = argparse.ArgumentParser(
        prog="neuralstyle",
        usage="neuralstyle [stylize] [options]",
        description="Repaint a photograph in the style of a painting. "
        "Without options, the bundled photograph in the style of the bundled painting.",
        epilog="'neuralstyle recipes' prints the recipes, 'neuralstyle recipes NAME' one in full.",
        allow_abbrev=False,
    )
    _add_pictures(parser.add_argument_group("pictures"))
    _add_sizes(parser.add_argument_group("sizes"))
    _add_method(parser.add_argument_group("method"))
    _add_objective(parser.add_argument_group("what is optimised (default: as in the recipe)"))
    _add_optimizer(parser.add_argument_group("how it is optimised (default: as in the recipe)"))
    _add_colours(parser.add_argument_group("colours"))
    network_options.add(parser.add_argument_group("networks that render in one pass, instead of a recipe"))
    _add_machine(parser.add_argument_group("machine"))
    add_cluster_options(parser.add_argument_group("several processes or machines"))
    add_report_options(parser.add_argument_group("what a run leaves behind"))
    return parser


@cache
def _spellings() -> dict[str, str]:
    own = {action.dest: action.option_strings[0] for action in parser()._actions}
    return own | _SPELLED


def spelled(name: str) -> str:
    """What is typed for an option, from the name that it is kept under; that name if there is no option."""
    return _spellings().get(name, name)


def respelled(error: InputError) -> str:
    """The message of an error, with the fields that it names spelled as the options that set them."""
    if not error.fields:
        return str(error)
    words = "|".join(map(re.escape, error.fields))
    return re.sub(rf"\b({words})\b", lambda found: spelled(found[0]), str(error))


def _add_pictures(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--content", metavar="FILE", help="the picture to repaint; default: the bundled photograph")
    add(
        "--styles",
        "--style",
        metavar="FILE",
        **_LIST,
        help="one or more style pictures; default: the bundled painting",
    )
    add("--output", metavar="FILE", default="stylized.png", help="picture to write; default: %(default)s")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--bits", type=int, choices=(8, 16), default=8, help="bits per channel; 16 for PNG and TIFF only")
    add(
        "--quality",
        type=int,
        metavar="1..100",
        default=95,
        help="quality of JPEG and WebP files; default: %(default)s",
    )
    add(
        "--style-blend-weights",
        dest="style_blend",
        type=float,
        **_LIST,
        metavar="W",
        help="how much each style picture counts, one number per picture; default: all the same",
    )
    add(
        "--masks",
        **_LIST,
        metavar="FILE",
        help="per style, a picture that is white where in the result the style is wanted; 'all': everywhere",
    )
    add(
        "--style-masks",
        **_LIST,
        metavar="FILE",
        help="per style, a picture that is white where the style picture counts; 'all': everywhere",
    )
    add(
        "--regions",
        **_LIST,
        metavar="FILE",
        help="a picture of flat colours for the content, and one for each style: what has a colour in the "
        "content gets the style of what has it in the style picture",
    )
    add(
        "--content-mask",
        metavar="FILE",
        help="a picture that is white where to paint; elsewhere the photograph stays, with a soft border",
    )


def _add_sizes(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    size = group.add_mutually_exclusive_group()
    size.add_argument(
        "--width",
        type=int,
        metavar="PIXELS",
        help="width of the result; without a size, most recipes keep the photograph's, which may take hours",
    )
    size.add_argument("--height", type=int, metavar="PIXELS", help="height of the result")
    size.add_argument("--longer-side", type=int, metavar="PIXELS", help="longer side of the result")
    size.add_argument(
        "--scales",
        type=int,
        **_LIST,
        metavar="PIXELS",
        help="sizes of the result from coarse to fine, each starting from the one before, enlarged",
    )
    add(
        "--coarsest",
        type=int,
        metavar="PIXELS",
        help="sizes from this one up to the result's, each --growth times the one before",
    )
    add("--growth", type=float, metavar="F", help="factor between those sizes; default: √2")
    add(
        "--style-scales",
        type=float,
        **_LIST,
        metavar="S",
        help="factor for the size of each style picture, one number per picture; default: 1",
    )
    add(
        "--style-fit",
        choices=NAMES["style_fit"],
        help="how style pictures are sized: stretched to the content's size, to its width or area, or alone",
    )
    add("--resampling", choices=NAMES["resampling"], help="how pictures are resized")


def _add_method(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--recipe",
        metavar="NAME",
        help=f"whose method to use: {', '.join(RECIPES)}; default: {DEFAULT_RECIPE}",
    )
    add(
        "--iterations",
        type=int,
        nargs="+",
        metavar="N",
        help="how many steps to take (with L-BFGS, evaluations of the loss); or one number per scale",
    )
    add(
        "--as-published",
        action=argparse.BooleanOptionalAction,
        help="bring back the mistakes of the recipe's published listing",
    )
    add("--seed", type=int, metavar="N", help="seed of the noise; default: 0")
    add("--network", metavar="FILE", help="weights of a VGG-19 or VGG-16; default: the shipped ones")
    add(
        "--normalized-network",
        action=argparse.BooleanOptionalAction,
        help="rescale the network's filters to a mean activation of 1",
    )
    add(
        "--transpose-kernels",
        action=argparse.BooleanOptionalAction,
        help="mirror the network's kernels about their diagonal",
    )
    add("--pooling", choices=("avg", *NAMES["pooling"]), help="pool by the largest value, average or squares")
    add("--padding", choices=NAMES["padding"], help="whether pooling keeps or drops an odd last row")
    add("--border", choices=NAMES["border"], help="what the network sees beyond the picture's border")


def _add_objective(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--content-weight", type=float, metavar="W", help="weight of the content loss")
    add("--style-weight", type=float, metavar="W", help="weight of the style loss")
    add("--tv-weight", type=float, metavar="W", help="weight of total variation: how smooth the result is")
    layers = {**_LIST, "metavar": "LAYER=WEIGHT"}
    add("--content-layers", **layers, help="layers of the content loss, such as relu4_2=1 relu5_2=0.5")
    add("--style-layers", **layers, help="layers of the style loss, such as relu1_1=1 relu2_1=0.5")
    add(
        "--content-weight-blend",
        type=float,
        metavar="0..1",
        help="share of relu4_2 in the content loss; relu5_2 has the rest",
    )
    add(
        "--style-layer-weight-exp",
        type=float,
        metavar="E",
        help="weight of each style layer, as a multiple of the layer before it",
    )
    for name, what in (("content", "content loss"), ("style", "style loss"), ("tv", "total variation")):
        names = ", ".join(NAMES[f"{name}_formula"])
        add(f"--{name}-formula", metavar="NAME", help=f"formula of the {what}: {names}")
    add("--style-blending", choices=NAMES["style_blending"], help="what is blended of several styles")
    add(
        "--normalize-gradients",
        action=argparse.BooleanOptionalAction,
        help="scale each layer's gradient to an L1 norm of 1 before its weight is applied",
    )


def _add_optimizer(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--optimizer",
        choices=("adam", "gradient-descent", "lbfgs", "preconditioned-lbfgs"),
        help="how the picture is improved; lbfgs is SciPy's, preconditioned-lbfgs this program's own",
    )
    add("--learning-rate", type=float, metavar="R", help="size of a step of Adam or gradient descent")
    add("--beta1", type=float, metavar="B", help="Adam's decay of the mean gradient")
    add("--beta2", type=float, metavar="B", help="Adam's decay of the mean squared gradient")
    add("--eps", dest="epsilon", type=float, metavar="E", help="what Adam adds to its denominator")
    add("--decay-rate", type=float, metavar="R", help="factor of the learning rate over --decay-steps steps")
    add("--decay-steps", type=int, metavar="N", help="steps over which --decay-rate is reached")
    add(
        "--carry-moments",
        action=argparse.BooleanOptionalAction,
        help="let Adam go on at the next size with the moments of the one before, enlarged",
    )
    add("--memory", type=int, metavar="N", help="how many past steps L-BFGS remembers")
    add("--restart", type=int, metavar="N", help="evaluations after which SciPy's L-BFGS starts afresh")
    add(
        "--exponent",
        type=float,
        metavar="P",
        help="how much more preconditioned L-BFGS moves low frequencies than high ones; 0: as much",
    )
    add(
        "--corner-frequency",
        type=float,
        metavar="F",
        help="cycles per pixel below which it moves all frequencies alike",
    )
    add(
        "--initial",
        "--init",
        dest="start",
        metavar="NAME|FILE",
        help=f"picture to start from: {', '.join(STARTS)} or a file",
    )
    add(
        "--initial-noiseblend",
        dest="noise_blend",
        type=float,
        metavar="0..1",
        help="share of noise in the picture to start from; without --initial, the content picture",
    )
    add("--noise", type=float, metavar="S", help="standard deviation of the starting noise, in pixel values")
    add(
        "--clip",
        action=argparse.BooleanOptionalAction,
        help="clip the picture to its range after each step",
    )
    add("--average-decay", type=float, metavar="D", help="average the pictures, each D times the next one")
    add(
        "--keep-best",
        action=argparse.BooleanOptionalAction,
        help="write the picture of the lowest loss among the snapshots and the last one, not simply the last",
    )


def _add_colours(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--preserve-colors",
        dest="keep_colours",
        nargs="?",
        const="yuv",
        choices=NAMES["keep_colours"],
        help="keep the content's colours, with the result's luminance in this space; default space: yuv",
    )
    add(
        "--match-colors",
        dest="match_colours",
        nargs="?",
        const="cholesky",
        choices=("cholesky", "symmetric"),
        help="first give the style pictures the content's mean and covariance of colour",
    )
    add(
        "--luminance-only",
        action="store_true",
        help="transfer the style of light and dark only; the colours stay the content's",
    )


def _add_machine(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--tile",
        type=tile_size,
        default="auto",
        metavar="N|auto|none",
        help="compute in tiles of N pixels, with the same result; auto: where memory is short; default: auto",
    )
    add(
        "--free-memory",
        type=float,
        metavar="GB",
        help="count on so much memory, whatever the system says is free; default: ask the system",
    )
    add("--threads", type=int, metavar="N", help="threads to compute with; default: one per core")
    add("--device", metavar="NAME", help="cpu, gpu or such as /GPU:1; default: a GPU where there is one")
    add("--fast-math", action="store_true", help="let a GPU round factors to 10 bits (TensorFloat-32)")
    add("--deterministic", action="store_true", help="let a GPU compute the same bits every time, slower")


def tile_size(value: str) -> int | str | None:
    """Read what --tile takes: a number of pixels, auto, or none."""
    if value in ("auto", "none"):
        return value if value == "auto" else None
    if not value.isdigit() or int(value) < 16:
        raise argparse.ArgumentTypeError(f"{value!r} is not auto, none or a number of pixels from 16 up")
    return int(value)

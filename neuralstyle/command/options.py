"""What can be said on the command line, and the recipe that it amounts to.

An option whose destination is a field of `Recipe` sets that field; the names of neural-style's options
are kept, with their meanings.
"""

import argparse
from dataclasses import fields, replace
from math import inf

from neuralstyle.files import InputError, require
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent, Optimizer
from neuralstyle.recipes import RECIPES, Recipe, find_recipe, layer_weights

DEFAULT_RECIPE = "cookbook"

_OPTIMIZERS = {"adam": Adam, "gradient-descent": GradientDescent, "lbfgs": LBFGS}

#: Options that set a field of the optimiser.
_OPTIMIZER_OPTIONS = (
    *("learning_rate", "beta1", "beta2", "epsilon"),
    *("decay_rate", "decay_steps", "memory", "restart"),
)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="neuralstyle",
        description="Render a picture in the style of others. Without options: the bundled example pair.",
        epilog="'neuralstyle recipes' prints the recipes, 'neuralstyle recipes NAME' one in full.",
        allow_abbrev=False,
    )
    _add_pictures(parser.add_argument_group("pictures"))
    _add_method(parser.add_argument_group("method"))
    _add_objective(parser.add_argument_group("what is optimised (default: as in the recipe)"))
    _add_optimizer(parser.add_argument_group("how it is optimised (default: as in the recipe)"))
    _add_colours(parser.add_argument_group("colours"))
    _add_feedforward(parser.add_argument_group("feed-forward networks, instead of a recipe"))
    _add_machine(parser.add_argument_group("machine"))
    _add_report(parser.add_argument_group("what a run leaves behind"))
    return parser


def _add_pictures(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--content", metavar="FILE", help="the picture to render (default: an example)")
    group.add_argument(
        "--styles", "--style", metavar="FILE", nargs="+", help="style pictures (default: an example)"
    )
    group.add_argument(
        "--output", metavar="FILE", default="stylized.png", help="picture to write; default: %(default)s"
    )
    group.add_argument("--overwrite", action="store_true", help="replace files that exist")
    group.add_argument("--bits", type=int, choices=(8, 16), default=8, help="a channel; 16 for PNG and TIFF")
    group.add_argument(
        "--quality", type=int, metavar="1..100", default=95, help="of JPEG and WebP; default: %(default)s"
    )
    group.add_argument(
        "--style-blend-weights",
        dest="style_blend",
        type=float,
        nargs="+",
        metavar="W",
        help="weight of each style",
    )
    group.add_argument(
        "--style-scales", type=float, nargs="+", metavar="S", help="size of each style, as a factor"
    )
    group.add_argument(
        "--masks",
        nargs="+",
        metavar="FILE",
        help="for each style, a picture that is white where it is wanted; 'all' for everywhere",
    )
    group.add_argument(
        "--style-masks",
        nargs="+",
        metavar="FILE",
        help="for each style, white where the style picture counts",
    )
    size = group.add_mutually_exclusive_group()
    size.add_argument("--width", type=int, metavar="PIXELS", help="width of the result")
    size.add_argument("--height", type=int, metavar="PIXELS", help="height of the result")
    size.add_argument("--longer-side", type=int, metavar="PIXELS", help="longer side of the result")
    size.add_argument(
        "--scales", type=int, nargs="+", metavar="PIXELS", help="coarse to fine: one size after the other"
    )
    group.add_argument(
        "--style-fit",
        choices=("stretch", "width", "alone"),
        help="stretch styles to the content, give them its width, or fit them by themselves",
    )
    group.add_argument("--resampling", choices=("bilinear", "nearest"), help="how pictures are resized")


def _add_method(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--recipe", metavar="NAME", help=f"{', '.join(RECIPES)}; default: {DEFAULT_RECIPE}")
    group.add_argument(
        "--iterations", type=int, nargs="+", metavar="N", help="evaluations with L-BFGS; one number a scale"
    )
    group.add_argument(
        "--as-published",
        action=argparse.BooleanOptionalAction,
        help="with the mistakes of the recipe's listing",
    )
    group.add_argument("--seed", type=int, metavar="N", help="of the noise; default: 0")
    group.add_argument("--network", metavar="FILE", help="weights of VGG-19 or VGG-16, .mat or .h5")
    group.add_argument(
        "--normalized-network",
        action=argparse.BooleanOptionalAction,
        help="rescale its filters to a mean activation of 1",
    )
    group.add_argument(
        "--transpose-kernels", action=argparse.BooleanOptionalAction, help="mirror its kernels first"
    )
    group.add_argument("--pooling", choices=("max", "avg", "average"))
    group.add_argument("--padding", choices=("SAME", "VALID"), help="of pooling at an odd edge")


def _add_objective(group: argparse._ArgumentGroup) -> None:
    layers = {"nargs": "+", "metavar": "LAYER=WEIGHT"}
    group.add_argument("--content-weight", type=float, metavar="W")
    group.add_argument("--style-weight", type=float, metavar="W")
    group.add_argument("--tv-weight", type=float, metavar="W", help="of total variation")
    group.add_argument("--content-layers", **layers, help="such as relu4_2=1 relu5_2=0.5")
    group.add_argument("--style-layers", **layers)
    group.add_argument(
        "--content-weight-blend", type=float, metavar="0..1", help="share of relu4_2; relu5_2 has the rest"
    )
    group.add_argument(
        "--style-layer-weight-exp", type=float, metavar="E", help="each style layer weighs E times the last"
    )
    group.add_argument("--content-formula", metavar="NAME", help="mean, half-sum, sum, root")
    group.add_argument("--style-formula", metavar="NAME", help="neural-style, gatys, chollet, mean")
    group.add_argument(
        "--tv-formula", metavar="NAME", help="mean-squares, swapped-mean-squares, power, absolute"
    )
    group.add_argument(
        "--normalize-gradients",
        action=argparse.BooleanOptionalAction,
        help="give each layer's gradient an L1 norm of 1",
    )


def _add_optimizer(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--optimizer", choices=tuple(_OPTIMIZERS))
    group.add_argument("--learning-rate", type=float, metavar="R")
    group.add_argument("--beta1", type=float, metavar="B", help="of Adam")
    group.add_argument("--beta2", type=float, metavar="B", help="of Adam")
    group.add_argument("--eps", dest="epsilon", type=float, metavar="E", help="of Adam")
    group.add_argument("--decay-rate", type=float, metavar="R", help="of gradient descent")
    group.add_argument("--decay-steps", type=int, metavar="N", help="of gradient descent")
    group.add_argument("--memory", type=int, metavar="N", help="past steps that L-BFGS remembers")
    group.add_argument("--restart", type=int, metavar="N", help="L-BFGS forgets them after N evaluations")
    group.add_argument(
        "--initial",
        "--init",
        dest="start",
        metavar="noise|content|style|FILE",
        help="the picture to start from",
    )
    group.add_argument(
        "--initial-noiseblend", dest="noise_blend", type=float, metavar="0..1", help="share of noise in it"
    )
    group.add_argument("--noise", type=float, metavar="S", help="standard deviation of the noise")
    group.add_argument(
        "--clip", action=argparse.BooleanOptionalAction, help="keep pixels in range after each step"
    )
    group.add_argument(
        "--keep-best",
        action=argparse.BooleanOptionalAction,
        help="the result is the best of the checkpoints and the last picture",
    )


def _add_colours(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--preserve-colors",
        dest="keep_colours",
        nargs="?",
        const="yuv",
        choices=("yuv", "ycbcr", "lab", "luv"),
        help="the content's colours with the result's luminance; default space: yuv",
    )
    group.add_argument(
        "--match-colors",
        dest="match_colours",
        nargs="?",
        const="cholesky",
        choices=("cholesky", "symmetric"),
        help="give the styles the content's mean and covariance of colour first",
    )
    group.add_argument(
        "--luminance-only",
        action="store_true",
        help="take the style of light and dark alone; the colours stay the content's",
    )


def _add_feedforward(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--any-style", action="store_true", help="take the style of any picture, at once")
    group.add_argument("--strength", type=float, metavar="0..1", help="of --any-style; 0: no style")
    group.add_argument(
        "--fixed-style", metavar="N[:W],...", help="one of 26 styles, or several with weights: 3:0.5,12:0.5"
    )
    group.add_argument(
        "--transform",
        metavar="CKPT",
        nargs="?",
        const="wheat-field.ckpt",
        help="a network of one style: a checkpoint of train_transform.py or of fast-style-transfer; "
        "default: the shipped one, %(const)s",
    )
    group.add_argument(
        "--hub-model", metavar="DIR", help="the SavedModel arbitrary-image-stylization-v1-256, downloaded"
    )


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--tile",
        type=_tile,
        default="auto",
        metavar="N|auto|none",
        help="compute in tiles of N pixels, exactly as whole; auto: when memory is short; default: auto",
    )
    group.add_argument("--threads", type=int, metavar="N", help="default: as many as there are cores")
    group.add_argument(
        "--device", metavar="NAME", help="cpu, gpu or /GPU:1; default: a GPU where there is one"
    )


def _tile(value: str) -> int | str | None:
    if value in ("auto", "none"):
        return value if value == "auto" else None
    if not value.isdigit() or int(value) < 16:
        raise argparse.ArgumentTypeError(f"{value!r} is not auto, none or a number of pixels from 16 up")
    return int(value)


def _add_report(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--print-iterations", type=int, metavar="N", help="print the losses every N iterations"
    )
    group.add_argument(
        "--checkpoint-output",
        metavar="FORMAT",
        help="pictures on the way, such as out_{:05}.jpg or out_%%05d.jpg",
    )
    group.add_argument(
        "--checkpoint-iterations", dest="checkpoint_every", type=int, metavar="N", help="every N iterations"
    )
    group.add_argument("--timelapse", metavar="FILE.gif|mp4", help="the checkpoints as a film")
    group.add_argument("--history", metavar="FILE.csv", help="the losses of every iteration")
    group.add_argument(
        "--progress-write", action="store_true", help="the same as progress.txt in the output's folder"
    )
    group.add_argument(
        "--progress-plot", action="store_true", help="the losses as progress.png in the output's folder"
    )
    group.add_argument("--logdir", metavar="DIR", help="TensorBoard events: losses, pictures, graph")
    group.add_argument("--record", metavar="FILE.json", help="every figure that made the picture")
    group.add_argument(
        "--from-record", metavar="FILE", help="make the picture of a record, or of a PNG of ours, again"
    )
    group.add_argument("--resume", action="store_true", help="go on where a run with this output was stopped")
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def spelled(name: str) -> str:
    """What is typed for an option, from the name that it is kept under."""
    return next(action.option_strings[0] for action in parser()._actions if action.dest == name)


def recipe_from(options: argparse.Namespace, recipe: Recipe | None = None) -> Recipe:
    """The recipe that was asked for, with the fields that other options set.

    Parameters
    ----------
    options : argparse.Namespace
        As `parser` makes it.
    recipe : Recipe, optional
        The recipe to vary; default: the one that the options name.

    Returns
    -------
    Recipe

    Raises
    ------
    InputError
        If options are out of range or contradict each other.
    """
    recipe = recipe or find_recipe(options.recipe or DEFAULT_RECIPE)
    given = {
        field.name: getattr(options, field.name)
        for field in fields(Recipe)
        if getattr(options, field.name, None) is not None
    }
    for name in ("style_blend", "style_scales", "scales"):
        if name in given:
            given[name] = tuple(given[name])
    for side in ("width", "height", "longer_side"):
        if getattr(options, side) is not None:
            _at_least_one(spelled(side), getattr(options, side))
            size = getattr(options, side)
            given |= {"content_fit": side.replace("_", " "), "content_size": size}
            if recipe.scales:
                # Every scale in its proportion to the last one, which is the size asked for.
                scales = tuple(round(scale * size / recipe.scales[-1]) for scale in recipe.scales)
                given["scales"] = scales
    if given.get("pooling") == "avg":
        given["pooling"] = "average"
    if options.iterations:
        first, *rest = options.iterations
        given |= {"iterations": first, "scale_iterations": (first, *rest) if rest else ()}
    elif options.scales and len(options.scales) != len(recipe.scale_iterations):
        given["scale_iterations"] = ()
    given |= _layers(options, recipe) | _start(options)
    given["optimizer"] = _optimizer(options, recipe.optimizer)
    if options.luminance_only:
        if options.match_colours:
            raise InputError("--luminance-only does not go with --match-colors; give one of them")
        given |= {"match_colours": "luminance", "keep_colours": options.keep_colours or "yuv"}
    if options.threads is not None:
        _at_least_one("--threads", options.threads)
    if options.seed is not None:
        require(options.seed >= 0, "--seed", options.seed, "0 or more")
    if given.get("as_published", recipe.as_published):
        # What is said on the command line stands above the listing's mistakes, too.
        given["listing"] = {name: value for name, value in recipe.listing.items() if name not in given}
    recipe = replace(recipe, **given)
    _check(recipe)
    return recipe


def _layers(options: argparse.Namespace, recipe: Recipe) -> dict[str, dict[str, float]]:
    """The layer weights that were given one by one, or by neural-style's blend and exponent."""
    given = {}
    for name in ("content_layers", "style_layers"):
        if getattr(options, name):
            given[name] = dict(_layer(option) for option in getattr(options, name))
    blend = options.content_weight_blend
    if blend is not None:
        if "content_layers" in given:
            raise InputError("--content-weight-blend does not go with --content-layers; give one of them")
        if not 0 <= blend <= 1:
            raise InputError(f"--content-weight-blend is {blend}; it must lie between 0 and 1")
        given["content_layers"] = {"relu4_2": blend, "relu5_2": 1 - blend}
    if options.style_layer_weight_exp is not None:
        if not 1e-9 <= options.style_layer_weight_exp <= 1e9:
            raise InputError(
                f"--style-layer-weight-exp is {options.style_layer_weight_exp}; choose 1e-9 to 1e9"
            )
        layers = given.get("style_layers", recipe.style_layers)
        given["style_layers"] = layer_weights(tuple(layers), options.style_layer_weight_exp)
    return given


def _layer(option: str) -> tuple[str, float]:
    name, _, weight = option.partition("=")
    try:
        return name, float(weight or 1)
    except ValueError:
        raise InputError(f"{option}: {weight!r} is not a weight; write a layer as {name}=0.5") from None


def _start(options: argparse.Namespace) -> dict[str, object]:
    """What neural-style starts from.

    A share of noise below 1 without a picture means the content picture (neural_style.py, main).
    """
    if options.noise_blend is None:
        return {} if options.start is None else {"noise_blend": 0.0}
    if not 0 <= options.noise_blend <= 1:
        raise InputError(f"--initial-noiseblend is {options.noise_blend}; it must lie between 0 and 1")
    return {"start": options.start or "content"}


def _optimizer(options: argparse.Namespace, optimizer: Optimizer) -> Optimizer:
    if options.optimizer and type(optimizer) is not _OPTIMIZERS[options.optimizer]:
        optimizer = _OPTIMIZERS[options.optimizer]()
    given = {
        name: getattr(options, name) for name in _OPTIMIZER_OPTIONS if getattr(options, name) is not None
    }
    known = {field.name for field in fields(optimizer)}
    for name in given:
        if name not in known:
            kind = next(kind for kind, cls in _OPTIMIZERS.items() if type(optimizer) is cls)
            raise InputError(f"{spelled(name)} does not go with --optimizer {kind}")
    return replace(optimizer, **given)


def _check(recipe: Recipe) -> None:
    _at_least_one("--iterations", min((recipe.iterations, *recipe.scale_iterations)))
    if recipe.scale_iterations and len(recipe.scale_iterations) != len(recipe.scales):
        raise InputError(
            f"--iterations has {len(recipe.scale_iterations)} numbers for {len(recipe.scales)} --scales"
        )
    if recipe.scales:
        _at_least_one("--scales", min(recipe.scales))
    if recipe.checkpoint_every is not None:
        _at_least_one("--checkpoint-iterations", recipe.checkpoint_every)
    if not (recipe.content_weight or recipe.style_weight or recipe.tv_weight):
        raise InputError("--content-weight, --style-weight and --tv-weight are all 0; one must count")
    if recipe.style_blend and sum(recipe.style_blend) <= 0:
        raise InputError("--style-blend-weights must add up to more than 0")
    if not all(0 < scale < inf for scale in recipe.style_scales):
        raise InputError("--style-scales must be greater than 0")
    require(0 <= recipe.noise < inf, "--noise", recipe.noise, "0 or more")


def _at_least_one(option: str, value: int) -> None:
    require(value >= 1, option, value, "1 or more")

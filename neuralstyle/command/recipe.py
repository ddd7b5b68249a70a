"""The recipe that the command's options amount to; an option that would change nothing is refused."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from neuralstyle.command.options import DEFAULT_RECIPE, parser, spelled
from neuralstyle.files import InputError, require
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent, PreconditionedLBFGS
from neuralstyle.recipes import Recipe, find_recipe, iterations_of, layer_weights, layers_in_use

_OPTIMIZERS = {
    "adam": Adam,
    "gradient-descent": GradientDescent,
    "lbfgs": LBFGS,
    "preconditioned-lbfgs": PreconditionedLBFGS,
}

#: Options that set a field of the optimiser.
OPTIMIZER_OPTIONS = (
    *("learning_rate", "beta1", "beta2", "epsilon"),
    *("decay_rate", "decay_steps", "memory", "restart"),
    *("exponent", "corner_frequency"),
)

#: A coarse scale that a size of the result would make smaller than this is left out: nobody asked for it,
#: and the network needs 16 pixels.
_SMALLEST_SCALE = 16


def recipe_from(options: Namespace, recipe: Recipe | None = None) -> Recipe:
    """The recipe that was asked for, with the fields that other options set.

    Parameters
    ----------
    options : argparse.Namespace
        As `neuralstyle.command.options.parser` makes it.
    recipe : Recipe, optional
        The recipe to vary; default: the one that the options name.

    Returns
    -------
    Recipe

    Raises
    ------
    InputError
        If options are out of range, contradict each other, or would change nothing.
    """
    recipe = recipe or find_recipe(options.recipe or DEFAULT_RECIPE)
    for name, least in (("threads", 1), ("print_iterations", 1), ("seed", 0)):
        value = getattr(options, name)
        require(value is None or value >= least, name, value, f"{least} or more")
    given: dict[str, object] = {}
    for part in (_fields, _sizes, _content_layers, _style_layers, _start, _optimizer, _luminance):
        given |= part(options, recipe)
    if options.as_published and not (recipe.listing or recipe.as_published):
        raise InputError("--as-published: the recipe has no listing with mistakes to bring back")
    if given.get("as_published", recipe.as_published):
        # What is said on the command line stands above the listing's mistakes, too.
        given["listing"] = {name: value for name, value in recipe.listing.items() if name not in given}
    asked = replace(recipe, **given)
    refuse_idle(options, asked)
    return asked


# Each part takes the options and the recipe to vary, and gives the fields that it sets.


def _fields(options: Namespace, recipe: Recipe) -> dict[str, object]:
    """The options that are fields as they stand."""
    own = {field.name: getattr(options, field.name, None) for field in fields(Recipe)}
    elsewhere = ("iterations", "content_layers", "style_layers", "optimizer")
    own = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in own.items()
        if value is not None and name not in elsewhere
    }
    return own | ({"pooling": "average"} if own.get("pooling") == "avg" else {})


def _sizes(options: Namespace, recipe: Recipe) -> dict[str, object]:
    """Sizes, and how many iterations each has."""
    own: dict[str, object] = {}
    if options.iterations:
        first, *rest = options.iterations
        own = {"iterations": first, "scale_iterations": (first, *rest) if rest else ()}
    elif options.scales and recipe.coarsest and recipe.scale_iterations:
        own = {"scale_iterations": iterations_of(recipe, len(options.scales))}
    elif options.scales and len(options.scales) != len(recipe.scale_iterations):
        own = {"scale_iterations": ()}
    if options.scales and options.coarsest:
        raise InputError("--coarsest does not go with --scales, which name every size; give one of them")
    if options.scales and recipe.coarsest:
        own["coarsest"] = None
    side = next(
        (side for side in ("width", "height", "longer_side") if getattr(options, side) is not None), None
    )
    if side is None:
        return own
    size = getattr(options, side)
    require(size >= 1, side, size, "1 or more")
    own |= {"content_fit": side.replace("_", " "), "content_size": size}
    if recipe.scales:
        # Every scale in its proportion to the last one, which is the size asked for.
        sizes = [round(scale * size / recipe.scales[-1]) for scale in recipe.scales]
        kept = [at for at, scale in enumerate(sizes) if scale >= _SMALLEST_SCALE or at == len(sizes) - 1]
        own["scales"] = tuple(sizes[at] for at in kept)
        counts = own.get("scale_iterations", recipe.scale_iterations)
        if len(counts) == len(sizes):
            own["scale_iterations"] = tuple(counts[at] for at in kept)
    return own


def _content_layers(options: Namespace, recipe: Recipe) -> dict[str, object]:
    """Content layers given one by one, or by neural-style's blend."""
    blend = options.content_weight_blend
    if blend is None:
        return {"content_layers": _layers(options.content_layers)} if options.content_layers else {}
    if options.content_layers:
        raise InputError("--content-weight-blend does not go with --content-layers; give one of them")
    require(0 <= blend <= 1, "content_weight_blend", blend, "between 0 and 1")
    return {"content_layers": {"relu4_2": blend, "relu5_2": 1 - blend}}


def _style_layers(options: Namespace, recipe: Recipe) -> dict[str, object]:
    """Style layers given one by one, and neural-style's exponent."""
    layers = _layers(options.style_layers) if options.style_layers else {}
    exponent = options.style_layer_weight_exp
    if exponent is None:
        return {"style_layers": layers} if layers else {}
    if not 1e-9 <= exponent <= 1e9:
        raise InputError(f"--style-layer-weight-exp is {exponent}; choose 1e-9 to 1e9")
    return {"style_layers": layer_weights(tuple(layers or recipe.style_layers), exponent)}


def _layers(options: list[str]) -> dict[str, float]:
    layers: dict[str, float] = {}
    for option in options:
        name, _, weight = option.partition("=")
        if name in layers:
            raise InputError(f"{option}: the layer {name} is given twice; give it one weight")
        try:
            layers[name] = float(weight or 1)
        except ValueError:
            raise InputError(f"{option}: {weight!r} is not a weight; write a layer as {name}=0.5") from None
    return layers


def _start(options: Namespace, recipe: Recipe) -> dict[str, object]:
    """What neural-style starts from.

    A share of noise below 1 without a picture means the content picture, and a picture without a share
    of noise has none (neural_style.py, main).
    """
    if options.noise_blend is None:
        return {} if options.start is None else {"noise_blend": 0.0}
    return {} if options.start is not None else {"start": "content"}


def _optimizer(options: Namespace, recipe: Recipe) -> dict[str, object]:
    optimizer = recipe.optimizer
    if options.optimizer and type(optimizer) is not _OPTIMIZERS[options.optimizer]:
        optimizer = _OPTIMIZERS[options.optimizer]()
    own = {name: getattr(options, name) for name in OPTIMIZER_OPTIONS if getattr(options, name) is not None}
    known = {field.name for field in fields(optimizer)}
    for name in own:
        if name not in known:
            kind = next(kind for kind, cls in _OPTIMIZERS.items() if type(optimizer) is cls)
            raise InputError(f"{spelled(name)} does not go with --optimizer {kind}")
    if not (options.optimizer or own):
        return {}
    moments = {} if isinstance(optimizer, Adam) else {"carry_moments": False}  # no other has them
    return {"optimizer": replace(optimizer, **own), **moments}


def _luminance(options: Namespace, recipe: Recipe) -> dict[str, object]:
    if not options.luminance_only:
        return {}
    if options.match_colours:
        raise InputError("--luminance-only does not go with --match-colors; give one of them")
    return {"match_colours": "luminance", "keep_colours": options.keep_colours or "yuv"}


#: Options that would change nothing: which, when that is so, and what to do about it. Not in the table:
#: a seed where there is no noise, since what it promises, the same picture again, holds; and neural-style's
#: own options beside a weight of 0, which its command lines may have.
_IDLE: tuple[tuple[tuple[str, ...], Callable[[Recipe, Namespace], bool], str], ...] = (
    (
        ("keep_best", "checkpoint_output", "timelapse"),
        lambda recipe, options: recipe.checkpoint_every is None,
        "say with --checkpoint-iterations N how often",
    ),
    (
        ("checkpoint_every",),
        lambda recipe, options: (
            not (recipe.keep_best or options.checkpoint_output or options.timelapse or options.logdir)
        ),
        "goes with --checkpoint-output, --timelapse, --logdir or --keep-best; give one of them",
    ),
    (
        ("noise",),
        lambda recipe, options: recipe.start != "noise" and not recipe.noise_blend,
        "there is no noise in the start; ask for it with --initial noise or --initial-noiseblend",
    ),
    (
        ("content_layers", "content_formula"),
        lambda recipe, options: not recipe.content_weight,
        "the content loss has no weight; give it one with --content-weight",
    ),
    (
        ("style_layers", "style_formula"),
        lambda recipe, options: not recipe.style_weight,
        "the style loss has no weight; give it one with --style-weight",
    ),
    (
        ("tv_formula",),
        lambda recipe, options: not recipe.tv_weight,
        "total variation has no weight; give it one with --tv-weight",
    ),
    (
        ("normalize_gradients",),
        lambda recipe, options: not any(layers_in_use(recipe)),
        "no layer has a weight; give one with --content-weight or --style-weight",
    ),
    (
        ("carry_moments",),
        lambda recipe, options: not (recipe.scales or recipe.coarsest),
        "there is one size only; name several with --scales",
    ),
    (
        ("growth",),
        lambda recipe, options: not recipe.coarsest,
        "every size is named, or there is one only; let them grow from one with --coarsest",
    ),
    (
        ("decay_steps",),
        lambda recipe, options: recipe.optimizer.decay_rate == 1,
        "the learning rate does not decay; say with --decay-rate by how much",
    ),
    (
        ("quality",),
        lambda recipe, options: not (options.from_record or _loses(options)),
        "PNG and TIFF lose nothing; it is for JPEG and WebP",
    ),
)


def _loses(options: Namespace) -> bool:
    """Whether a picture may be written in a way that has a quality."""
    paths = filter(None, (options.output, options.checkpoint_output))
    return any(Path(path).suffix.lower() not in (".png", ".tif", ".tiff") for path in paths)


def refuse_idle(options: Namespace, recipe: Recipe) -> None:
    """Refuse an option that would change nothing.

    Parameters
    ----------
    options : argparse.Namespace
    recipe : Recipe
        What the options amount to.

    Raises
    ------
    InputError
        If there is one; the message says why it is without effect.
    """
    for names, without_effect, what_to_do in _IDLE:
        for name in names:
            value = getattr(options, name)
            said = value not in (None, False) and value != parser().get_default(name)
            if said and without_effect(recipe, options):
                raise InputError(f"{spelled(name)}: {what_to_do}")

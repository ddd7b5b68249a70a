"""The published systems, each a value of `neuralstyle.recipe.Recipe`, and nothing that runs.

Values are those of the papers and programs named in each recipe's `source`. Where a listing has a
mistake the recipe is the method with the mistake corrected, and `listing` holds the fields as the
listing has them; `as_published` puts them back.

What follows from a recipe alone is here as well: the runs that it consists of, the layers that it looks
at, how much each style picture counts.
"""

from collections.abc import Sequence
from dataclasses import replace

from neuralstyle.files import InputError
from neuralstyle.motion import Motion
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent, PreconditionedLBFGS
from neuralstyle.recipe import Recipe
from neuralstyle.validity import check_one_target, shares_of

#: The five layers that most systems take style from.
FIVE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def layer_weights(layers: Sequence[str], exponent: float = 1.0) -> dict[str, float]:
    """Weights that grow by a factor from layer to layer and add up to 1.

    Source: neural-style (stylize.py), ``--style-layer-weight-exp``.

    Parameters
    ----------
    layers : sequence of str
    exponent : float
        The factor; 1 gives equal weights.

    Returns
    -------
    dict of str to float
    """
    weights = [exponent**index for index in range(len(layers))]
    return {layer: weight / sum(weights) for layer, weight in zip(layers, weights, strict=True)}


def _as_firm(weight: float) -> Motion:
    """The motion of artistic-videos for a recipe whose loss is counted in other units.

    The weight is such that the temporal loss has, beside the recipe's, about the share that 1000 has beside
    artistic-videos': 1000 times the ratio of the two losses' gradients at a photograph of 192×144 pixels, and
    the unit squared, since the temporal loss is counted in it.
    """
    return Motion(weight, pass_weight=weight / 2)


#: The published systems by name, and one of our own.
RECIPES: dict[str, Recipe] = {
    "cookbook": Recipe(
        source="TensorFlow Machine Learning Cookbook, 05_stylenet.py",
        content_layers={"relu4_2": 0.5, "relu5_2": 0.5},
        style_layers=layer_weights(FIVE),
        style_fit="stretch",
        iterations=100,
        checkpoint_every=25,
        listing={"transpose_kernels": True, "style_range": 1.0, "tv_formula": "swapped-mean-squares"},
    ),
    "neural-style": Recipe(
        source="anishathalye/neural-style, neural_style.py and stylize.py",
        content_layers={"relu4_2": 1.0, "relu5_2": 0.0},
        style_layers=layer_weights(FIVE),
        iterations=1000,
        keep_best=True,
        listing={"transpose_kernels": True},
    ),
    "gatys": Recipe(
        source="Gatys, Ecker & Bethge, CVPR 2016, sections 2 and 3",
        content_layers={"relu4_2": 1.0},
        style_layers=layer_weights(FIVE),
        content_formula="half-sum",
        style_formula="gatys",
        content_weight=1e-3,
        style_weight=1.0,
        tv_weight=0.0,
        pooling="average",
        normalized_network=True,
        style_fit="stretch",
        noise=1.0,
        optimizer=PreconditionedLBFGS(),
        iterations=500,
        motion=_as_firm(0.01),
    ),
    "chollet": Recipe(
        source="Chollet, Deep Learning with Python (2017), section 8.3",
        content_layers={"relu5_2": 1.0},
        style_layers=layer_weights(FIVE),
        content_formula="sum",
        style_formula="chollet",
        tv_formula="power",
        content_weight=0.025,
        style_weight=1.0,
        tv_weight=1e-4,
        padding="VALID",
        content_fit="height",
        content_size=400,
        style_fit="stretch",
        resampling="nearest",
        start="content",
        optimizer=LBFGS(restart=20),
        iterations=400,
        checkpoint_every=20,
        motion=_as_firm(1e6),
    ),
    "keras": Recipe(
        source="keras.io, examples/generative/neural_style_transfer.py",
        content_layers={"relu5_2": 1.0},
        style_layers=layer_weights(FIVE),
        content_formula="sum",
        style_formula="chollet",
        tv_formula="power",
        content_weight=2.5e-8,
        style_weight=1e-6,
        tv_weight=1e-6,
        padding="VALID",
        content_fit="height",
        content_size=400,
        style_fit="stretch",
        resampling="nearest",
        start="content",
        optimizer=GradientDescent(100.0, decay_rate=0.96, decay_steps=100),
        iterations=2000,
        checkpoint_every=100,
        motion=_as_firm(1.0),
    ),
    "tensorflow-tutorial": Recipe(
        source="tensorflow.org, tutorials/generative/style_transfer",
        content_layers={"relu5_2": 1.0},
        style_layers=layer_weights(FIVE),
        style_formula="mean",
        tv_formula="absolute",
        content_weight=1e4,
        style_weight=1e-2,
        tv_weight=30.0,
        padding="VALID",
        unit=255.0,
        clip=True,
        content_fit="longer side",
        content_size=512,
        style_fit="alone",
        start="content",
        optimizer=Adam(0.02, beta1=0.99, epsilon=0.1),
        iterations=1000,
        checkpoint_every=100,
        motion=_as_firm(6e8),
    ),
    "neural-style-tf": Recipe(
        source="cysmith/neural-style-tf, neural_style.py",
        content_layers={"conv4_2": 1.0},
        # 1/5 each, and the program divides their sum by the number of layers once more.
        style_layers={layer: 1 / 25 for layer in FIVE},
        content_formula="root",
        style_formula="gatys",
        tv_formula="absolute",
        content_weight=5.0,
        style_weight=1e4,
        tv_weight=1e-3,
        pooling="average",
        content_fit="longer side",
        content_size=512,
        style_fit="stretch",
        start="content",
        optimizer=LBFGS(),
        iterations=1000,
        motion=Motion(200.0, iterations=800, tolerance=None),
        listing={"motion": Motion(200.0, iterations=800, tolerance=None, formula="product", trust="forward")},
    ),
    # The program trains a network with it. On a single picture it shows what the network strives for.
    "fast-style-transfer": Recipe(
        source="lengstrom/fast-style-transfer, src/optimize.py and style.py",
        content_layers={"relu4_2": 1.0},
        style_layers=dict.fromkeys(FIVE, 1.0),
        content_weight=7.5,
        style_weight=100.0,
        tv_weight=200.0,
        style_fit="alone",
        start="content",
        iterations=500,
        motion=_as_firm(2000.0),
        listing={"transpose_kernels": True},
    ),
    "style-transfer-pytorch": Recipe(
        source="crowsonkb/style-transfer-pytorch, style_transfer.py",
        content_layers={"relu4_2": 1.0},
        style_layers=layer_weights(FIVE, 1 / 4),
        style_formula="wasserstein",
        tv_formula="nine-point",
        content_weight=0.015,
        style_weight=1.0,
        tv_weight=2.0,
        style_blending="targets",
        padding="VALID",
        border="replicated",
        # torchvision's VGG-19 sees colours divided by their standard deviation, about 0.226 · 255.
        activation_unit=57.6,
        unit=255.0,
        clip=True,
        content_fit="longer side",
        content_size=512,
        coarsest=128,
        style_fit="longer-side",
        resampling="bicubic",
        start="content",
        optimizer=Adam(0.02, beta2=0.99),
        iterations=500,
        scale_iterations=(1000, 500),
        carry_moments=True,
        average_decay=0.99,
        motion=_as_firm(1.5),
    ),
    # jcjohnson's neural-style for films. Its Torch makes one evaluation a step and remembers 100 of them.
    "artistic-videos": Recipe(
        source="manuelruder/artistic-videos, artistic_video.lua and artistic_video_core.lua",
        content_layers={"relu4_2": 1.0},
        style_layers=dict.fromkeys(FIVE, 1.0),
        tv_formula="half-squares",
        style_weight=100.0,
        tv_weight=1e-3,
        style_fit="area",
        noise=0.001,
        optimizer=PreconditionedLBFGS(memory=100, exponent=0.0),
        iterations=2000,
        motion=Motion(1000.0, iterations=1000),
    ),
    # For films Gram matrices of average pooling: calmer from frame to frame, and without square roots, which
    # cost most where pictures are small. With few iterations a frame, only a heavy temporal loss keeps
    # strokes where they are.
    "painterly-film": Recipe(
        source="this project",
        content_layers={"relu4_2": 1.0},
        style_layers=layer_weights(FIVE),
        style_weight=5000.0,
        tv_weight=30.0,
        pooling="average",
        content_size=512,
        coarsest=90,
        growth=2.0,
        start="content",
        optimizer=PreconditionedLBFGS(),
        iterations=60,
        scale_iterations=(80, 60, 40, 30, 20),
        motion=Motion(
            8000.0,
            revealed="recoloured",
            holding=10.0,
            iterations=30,
            tolerance=None,
            pass_weight=4000.0,
        ),
    ),
}
# Nobody else's: what looked best in a given time. Two thirds of the weight of content, and L-BFGS in place of
# Adam, of whose iterations it needs a tenth.
RECIPES["painterly"] = replace(
    RECIPES["style-transfer-pytorch"],
    source="this project",
    content_weight=0.01,
    style_blending="losses",
    content_fit="width",
    style_fit="area",
    # The coarsest scale is as coarse whatever the size of the result, and strokes are as large in it.
    coarsest=90,
    growth=2.0,
    optimizer=PreconditionedLBFGS(),
    iterations=60,
    scale_iterations=(60, 50, 30, 25, 20),
    carry_moments=False,
    average_decay=0.0,
)


def stages(recipe: Recipe) -> list[Recipe]:
    """The runs that a recipe consists of: one, or one for each of its scales, from coarse to fine."""
    scales = recipe.scales or _ladder(recipe)
    if not scales:
        return [recipe]
    return [
        replace(recipe, content_size=size, iterations=count, scales=(), coarsest=None, scale_iterations=())
        for size, count in zip(scales, iterations_of(recipe, len(scales)), strict=True)
    ]


def iterations_of(recipe: Recipe, scales: int) -> tuple[int, ...]:
    """How many iterations a recipe has at each of so many scales; its last number holds for those left."""
    counts = recipe.scale_iterations or (recipe.iterations,)
    return (counts + counts[-1:] * scales)[:scales]


def _ladder(recipe: Recipe) -> tuple[int, ...]:
    """The scales up to a recipe's size, each so many times the one before; none where it has no coarsest.

    Source: crowsonkb/style-transfer-pytorch (style_transfer.py, gen_scales), whose growth is √2.
    """
    if recipe.coarsest is None:
        return ()
    scales = [recipe.content_size]
    while (scale := round(recipe.content_size / recipe.growth ** len(scales))) >= recipe.coarsest:
        scales.append(scale)
    return tuple(reversed(scales))


def layers_in_use(recipe: Recipe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The content layers and the style layers of a recipe that weigh anything."""
    content_layers = (layer for layer, weight in recipe.content_layers.items() if weight)
    style_layers = (layer for layer, weight in recipe.style_layers.items() if weight)
    return (
        tuple(content_layers) if recipe.content_weight else (),
        tuple(style_layers) if recipe.style_weight else (),
    )


def check_styles(recipe: Recipe, styles: int, masked: bool = False) -> None:
    """Make sure that a recipe goes with a number of style pictures, and with masks for where each counts.

    Raises
    ------
    InputError
        If it has blend weights or style scales for another number, or one target for all of them and masks.
    """
    if recipe.style_blending != "losses":
        check_one_target(styles, masked)
    for name, what in (("style_blend", "weights"), ("style_scales", "scales")):
        count = len(getattr(recipe, name))
        if count not in (0, styles):
            raise InputError(f"{name} has {count} {what} for {styles} style pictures", fields=(name,))


def shares(recipe: Recipe, styles: int) -> tuple[float, ...]:
    """How much each of so many style pictures counts; the shares add up to 1.

    Raises
    ------
    InputError
        If the recipe is for another number of style pictures.
    """
    check_styles(recipe, styles)
    return shares_of(recipe.style_blend or (1.0,) * styles, "style_blend")


def find_recipe(recipe: Recipe | str) -> Recipe:
    """A recipe by its name; a recipe is given back as it is.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise InputError(f"unknown recipe {recipe!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[recipe]

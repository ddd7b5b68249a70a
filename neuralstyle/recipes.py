"""The published systems, each a value, and nothing that runs.

Values are those of the papers and programs named in each recipe's `source`. Where a listing has a
mistake the recipe is the method with the mistake corrected, and `listing` holds the fields as the
listing has them; `as_published` puts them back.

What follows from a recipe alone is here as well: the runs that it consists of, the layers that it looks
at, how much each style picture counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from neuralstyle.files import InputError
from neuralstyle.motion import Motion
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent, Optimizer, PreconditionedLBFGS
from neuralstyle.validity import check_recipe, shares_of

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


@dataclass(frozen=True)
class Recipe:
    """Everything that distinguishes one style-transfer program from another.

    A recipe that exists is valid: one with an unknown name, a value out of its range or a contradiction
    cannot be made. The names are in `neuralstyle.validity.NAMES`.

    Attributes
    ----------
    source : str
        The paper or program that the values come from.
    content_layers, style_layers : mapping of str to float
        Layer to weight.
    content_formula, style_formula, tv_formula : str
        Names in `neuralstyle.loss.terms`.
    content_weight, style_weight, tv_weight : float
        What each loss is multiplied with.
    style_blend : tuple of float
        The weight of each style picture, made to add up to 1; empty for equal weights.
    normalize_gradients : bool
        Whether each layer's gradient is scaled to an L1 norm of 1 before its weight is applied
        (jcjohnson/neural-style, ``-normalize_gradients``).
    pooling : {"max", "average"}
    padding : {"SAME", "VALID"}
        As in `neuralstyle.networks.vgg.build`.
    normalized_network : bool
        Whether filters are rescaled to a mean activation of 1.
    transpose_kernels : bool
        Whether kernels are mirrored about their diagonal first, as some ports do by mistake.
    unit : float
        How many pixel values make one unit of the range that the picture is optimised in: 1 or 255.
        Learning rates and total variation are meant in this range.
    clip : bool
        Whether the picture is clipped to its range after each step.
    style_range : float
        The style picture's largest value as the network sees it.
    content_fit : {"width", "height", "longer side"}
    content_size : int or None
        Size of that side of the content picture in pixels; None leaves the picture as it is.
    scales : tuple of int
        Coarse to fine: the sizes of that side, one after the other, each start the last result
        enlarged; empty for `content_size` alone.
    style_fit : {"stretch", "width", "area", "alone"}
        A style picture is stretched to the content's size; or given the content's width, or its area,
        times its style scale; or fitted by the content's rule, by itself.
    style_scales : tuple of float
        A factor for the size of each style picture; empty for 1.
    resampling : {"bilinear", "nearest"}
    start : str
        "noise", "content", "style", or a picture's path.
    noise : float
        Standard deviation, in pixel values, of the normal noise around the mean pixel.
    noise_blend : float
        The share of noise in a start that is a picture; 0 is none.
    optimizer : Adam, GradientDescent or LBFGS
    iterations : int
        Steps; with L-BFGS, evaluations.
    scale_iterations : tuple of int
        The same for each of the `scales`; empty for `iterations` at every scale.
    keep_colours : str or None
        A space of `neuralstyle.pictures.colours.keep_colours`: the result has the content's colours.
    match_colours : str or None
        A method of `neuralstyle.pictures.colours.match_colours`: the styles have the content's colours.
        Or "luminance": both are grey, and the styles have the content's luminance.
    checkpoint_every : int or None
        After how many iterations the program writes a picture.
    keep_best : bool
        Whether the result is the best by total loss among the checkpoints and the last picture, rather
        than the last one.
    motion : Motion or None
        How a film is made of frames; None: as `Motion` has it.
    as_published : bool
        Whether the fields in `listing` hold.
    listing : mapping of str to value
        Fields of this class as the published listing has them, mistakes included.

    Raises
    ------
    InputError
        If it is not valid. The message names fields.
    """

    source: str
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    content_formula: str = "mean"
    style_formula: str = "neural-style"
    tv_formula: str = "mean-squares"
    content_weight: float = 5.0
    style_weight: float = 500.0
    tv_weight: float = 100.0
    style_blend: tuple[float, ...] = ()
    normalize_gradients: bool = False
    pooling: str = "max"
    padding: str = "SAME"
    normalized_network: bool = False
    transpose_kernels: bool = False
    unit: float = 1.0
    clip: bool = False
    style_range: float = 255.0
    content_fit: str = "width"
    content_size: int | None = None
    scales: tuple[int, ...] = ()
    style_fit: str = "width"
    style_scales: tuple[float, ...] = ()
    resampling: str = "bilinear"
    start: str = "noise"
    noise: float = 0.256
    noise_blend: float = 0.0
    optimizer: Optimizer = field(default_factory=Adam)
    iterations: int = 1000
    scale_iterations: tuple[int, ...] = ()
    keep_colours: str | None = None
    match_colours: str | None = None
    checkpoint_every: int | None = None
    keep_best: bool = False
    motion: Motion | None = None
    as_published: bool = False
    listing: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_recipe(self)

    def with_listing(self) -> "Recipe":
        """The recipe with the listing's own fields put in where `as_published` asks for them."""
        return replace(self, **self.listing) if self.as_published else self


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
        optimizer=LBFGS(),
        iterations=500,
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
        listing={"transpose_kernels": True},
    ),
    # Nobody else's: what looked best in a given time. The objective is neural-style's with more style and
    # less smoothing; average pooling keeps colours calmer, L-BFGS from coarse to fine gives large strokes.
    "painterly": Recipe(
        source="this project",
        content_layers={"relu4_2": 1.0},
        style_layers=layer_weights(FIVE),
        style_weight=5000.0,
        tv_weight=30.0,
        pooling="average",
        scales=(128, 256, 512),
        start="content",
        optimizer=LBFGS(),
        iterations=60,
        scale_iterations=(80, 60, 40),
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
}
RECIPES["painterly-film"] = replace(RECIPES["painterly"], motion=Motion(iterations=30, tolerance=None))


def stages(recipe: Recipe) -> list[Recipe]:
    """The runs that a recipe consists of: one, or one for each of its scales, from coarse to fine."""
    if not recipe.scales:
        return [recipe]
    counts = recipe.scale_iterations or (recipe.iterations,) * len(recipe.scales)
    return [
        replace(recipe, content_size=size, iterations=count)
        for size, count in zip(recipe.scales, counts, strict=True)
    ]


def layers_in_use(recipe: Recipe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The content layers and the style layers of a recipe that weigh anything."""
    content_layers = (layer for layer, weight in recipe.content_layers.items() if weight)
    style_layers = (layer for layer, weight in recipe.style_layers.items() if weight)
    return (
        tuple(content_layers) if recipe.content_weight else (),
        tuple(style_layers) if recipe.style_weight else (),
    )


def check_styles(recipe: Recipe, styles: int) -> None:
    """Make sure that a recipe goes with a number of style pictures.

    Raises
    ------
    InputError
        If it has blend weights or style scales for another number.
    """
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

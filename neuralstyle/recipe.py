"""What distinguishes one style-transfer program from another, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from neuralstyle.motion import Motion
from neuralstyle.optimizers import Adam, Optimizer
from neuralstyle.validity import check_recipe


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
    style_blending : {"losses", "targets"}
        Whether the losses of several styles are blended, or their Gram matrices and means to one target.
    normalize_gradients : bool
        Whether each layer's gradient is scaled to an L1 norm of 1 before its weight is applied
        (jcjohnson/neural-style, ``-normalize_gradients``).
    pooling : {"max", "average", "average-scaled", "l2-scaled"}
    padding : {"SAME", "VALID"}
    border : {"zeros", "replicated"}
        As in `neuralstyle.networks.Network`.
    activation_unit : float
        How many of the published network's activation values make one unit of those that losses see.
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
    coarsest : int or None
        Instead of `scales`: sizes up to `content_size`, from the smallest that is not below this.
    growth : float
        How many times as large as the one before each of those sizes is.
    style_fit : {"stretch", "width", "area", "alone", "longer-side"}
        A style picture is stretched to the content's size; or given the content's width, or its area, times
        its style scale; or fitted by the content's rule, by itself; or its longer side is made the content's
        times its style scale where it is longer.
    style_scales : tuple of float
        A factor for the size of each style picture; empty for 1.
    resampling : {"bilinear", "bicubic", "nearest"}
    start : str
        "noise", "content", "style", or a picture's path; or one of the other random starts of
        `neuralstyle.preparation.random_picture`.
    noise : float
        Standard deviation, in pixel values, of the normal noise around the mean pixel.
    noise_blend : float
        The share of noise in a start that is a picture; 0 is none.
    optimizer : Adam, GradientDescent or LBFGS
    iterations : int
        Steps; with L-BFGS, evaluations.
    scale_iterations : tuple of int
        The same for each of the `scales`; empty for `iterations` at every scale. Where there is a
        `coarsest`, the last number holds for all the scales that are left.
    carry_moments : bool
        Whether Adam goes on with its moments, enlarged, when it goes on to the next scale.
    average_decay : float
        The result of a scale is the moving average of its pictures, in which each weighs so much of what
        the next one does; 0 for the last picture.
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
    style_blending: str = "losses"
    normalize_gradients: bool = False
    pooling: str = "max"
    padding: str = "SAME"
    border: str = "zeros"
    activation_unit: float = 1.0
    normalized_network: bool = False
    transpose_kernels: bool = False
    unit: float = 1.0
    clip: bool = False
    style_range: float = 255.0
    content_fit: str = "width"
    content_size: int | None = None
    scales: tuple[int, ...] = ()
    coarsest: int | None = None
    growth: float = 2**0.5
    style_fit: str = "width"
    style_scales: tuple[float, ...] = ()
    resampling: str = "bilinear"
    start: str = "noise"
    noise: float = 0.256
    noise_blend: float = 0.0
    optimizer: Optimizer = field(default_factory=Adam)
    iterations: int = 1000
    scale_iterations: tuple[int, ...] = ()
    carry_moments: bool = False
    average_decay: float = 0.0
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

"""How a film is made of frames: what a recipe for stills says nothing of. Values, and nothing that runs."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from numbers import Integral

from neuralstyle.files import InputError, require

#: The names that a field can have.
STARTS = ("warped", "previous", "content")
REVEALED = ("content", "recoloured")
FORMULAS = ("masked", "product")
TRUSTS = ("backward", "forward")


@dataclass(frozen=True)
class Motion:
    """What holds the frames of a film together (Ruder, Dosovitskiy & Brox, GCPR 2016).

    The defaults are those of their program, artistic-videos (artistic_video.lua and, for several passes,
    artistic_video_multiPass.lua).

    Attributes
    ----------
    weight : float
        Of the temporal loss.
    offsets : tuple of int
        J: how many frames earlier the frames are that a frame is compared with; several for long-term
        consistency.
    start : {"warped", "previous", "content"}
        What a frame starts from: the frame before it, warped or as it is, or its own content.
    revealed : {"content", "recoloured"}
        What a frame that starts from a warped one starts from at the border that the camera moves to, where
        that shows nothing: its content. Or, there and wherever larger parts cannot be trusted, since
        something moved away from before them: its content with the mean and covariance of the painted
        frame's colours, which few iterations turn into strokes like those beside it.
    holding : float
        κ: the optimiser works on z, and the frame is z / √(1 + κ c), so that a step moves pixels of trust
        c = 1 by a (1 + κ)th of what others move. The temporal loss bends the loss strongly in the trusted
        pixels alone, and a step short enough for them would leave the others as they are. 0: the frame.
    iterations : int or None
        Of each frame but the first of a shot, which has the recipe's own; None: half of those.
    tolerance : float or None
        A frame is done when its loss has changed by less than this share of itself in `tolerance_every`
        iterations; None: never before its last iteration. The first frame of a shot is not asked if it is
        made from coarse to fine.
    tolerance_every : int
    passes : int
        How often the film is gone through, forwards and backwards in turn.
    pass_iterations : int
        With several passes: of each frame in each pass.
    pass_weight : float
        With several passes: of the temporal loss.
    temporal_from_pass : int
        The pass in which the temporal loss joins; the first is 1.
    share : float
        With several passes: δ, how much of the warped neighbour a frame starts from where it can be
        trusted. artistic-videos' blend of 1 part to 1 is 0.5.
    formula : {"masked", "product"}
        A key of `neuralstyle.loss.terms.TEMPORAL_FORMULAS`.
    trust : {"backward", "forward"}
        Whether trust is that of the backward flow, and so of the frame's own pixels, or by mistake that of
        the forward flow, of the earlier frame's pixels (neural-style-tf, get_content_weights).

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    weight: float = 1000.0
    offsets: tuple[int, ...] = (1,)
    start: str = "warped"
    revealed: str = "content"
    holding: float = 0.0
    iterations: int | None = None
    tolerance: float | None = 1e-4
    tolerance_every: int = 50
    passes: int = 1
    pass_iterations: int = 100
    pass_weight: float = 500.0
    temporal_from_pass: int = 8
    share: float = 0.5
    formula: str = "masked"
    trust: str = "backward"

    def __post_init__(self) -> None:
        for name, good, what in _RANGES:
            value = getattr(self, name)
            require(_holds(good, value), name, value, what)
        for name, names in _NAMES.items():
            value = getattr(self, name)
            if value not in names:
                raise InputError(f"unknown {name} of motion {value!r}; choose one of {', '.join(names)}")


#: The names that fields can have.
_NAMES = {"start": STARTS, "revealed": REVEALED, "formula": FORMULAS, "trust": TRUSTS}


def _count(value: object) -> bool:
    return isinstance(value, Integral) and value >= 1


def _holds(good: Callable[[object], bool], value: object) -> bool:
    try:
        return bool(good(value))
    except TypeError:  # a text, say, which is neither more nor less than 0
        return False


#: Fields, what is allowed, and how a message says so.
_RANGES: tuple[tuple[str, Callable[[object], bool], str], ...] = (
    ("weight", lambda value: 0 <= value < inf, "0 or more, and finite"),
    ("holding", lambda value: 0 <= value < inf, "0 or more, and finite"),
    ("pass_weight", lambda value: 0 <= value < inf, "0 or more, and finite"),
    (
        "offsets",
        lambda value: value and all(map(_count, value)) and list(value) == sorted(set(value)),
        "numbers of 1 or more, the smallest first, each once",
    ),
    ("iterations", lambda value: value is None or _count(value), "1 or more"),
    ("tolerance", lambda value: value is None or 0 <= value < 1, "0 or more and less than 1"),
    *((name, _count, "1 or more") for name in ("tolerance_every", "passes", "pass_iterations")),
    ("temporal_from_pass", _count, "1 or more"),
    ("share", lambda value: 0 <= value <= 1, "between 0 and 1"),
)

"""What is said on the page, as the command line that does it."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from neuralstyle.files import InputError, example_pair
from neuralstyle.recipes import find_recipe
from neuralstyle.web.folder import Folder, plain
from neuralstyle.web.painting import Paint

#: The methods that are no recipes: what each is called, and the options that choose it.
ANY_STYLE, FIXED_STYLE, ONE_STYLE = "any-style", "fixed-style", "transform"
NETWORKS = {
    ANY_STYLE: "any painting, in one pass",
    FIXED_STYLE: "one of 26 styles, in one pass",
    ONE_STYLE: "the wheat field, in one pass",
}

#: What the names of the user's own networks begin with, among the methods.
OWN = "network "

#: What the page says about colours, and the options that do it.
COLOURS = {
    "the painting's": (),
    "the photograph's, put back at the end": ("--preserve-colors",),
    "the photograph's, given to the painting first": ("--match-colors",),
    "the photograph's; only light and dark are painted": ("--luminance-only",),
}

#: How the options of the page's own controls are spelled, for messages that name the fields they set.
SPELLED = {
    "style_weight": "content against style",
    "style_scales": "strokes",
    "style_blend": "how much each painting counts",
    "longer_side": "size",
    "stroke_scale": "strokes",
}


@dataclass(frozen=True)
class Setting:
    """A field of a recipe that an option of the command sets.

    Attributes
    ----------
    name : str
        Of the field, or of the optimiser's.
    option : str
        As it is typed.
    help : str
        A sentence.
    choices : tuple of str
        Empty: whatever is typed.
    switch : bool
        Whether it is on or off.
    """

    name: str
    option: str
    help: str
    choices: tuple[str, ...] = ()
    switch: bool = False

    def arguments(self, value: str) -> list[str]:
        """The option with a value; nothing for an empty one, which leaves what the recipe says.

        Raises
        ------
        InputError
            If the value would be read as another option.
        """
        value = str(value or "").strip()
        if not value:
            return []
        if self.switch:
            return [self.option if value == "yes" else f"--no-{self.option.removeprefix('--')}"]
        if self.choices and value not in self.choices:
            raise InputError(f"{self.name} is {value}; choose one of {', '.join(self.choices)}")
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise InputError(f"{self.name}: {value!r} cannot be read ({error})") from error
        if any(word.startswith("-") for word in words):
            raise InputError(f"{self.name}: {value!r} is no value; nothing here is below 0")
        return [self.option, *words]


@dataclass(frozen=True)
class Program:
    """What the page needs of the command.

    Attributes
    ----------
    settings : tuple of Setting
        Every field of a recipe that the command has an option for, as far as no control of the page sets it.
    plan : callable
        Finds out whether a command line can be done, and how many iterations it takes; None: one pass.
    paint : callable
        Does it.
    load : callable
        Loads what it needs, so that the first picture need not wait.
    networks : mapping of str to pathlib.Path
        The user's own networks of one style.
    machine : tuple of str
        Options of every recipe's run: on how many workers, say.
    no_films : str
        What has to be installed before films can be made; empty where it is.
    """

    settings: tuple[Setting, ...]
    plan: Callable[[Sequence[str]], int | None]
    paint: Paint
    load: Callable[[], None]
    networks: Mapping[str, Path] = field(default_factory=dict)
    machine: tuple[str, ...] = ()
    no_films: str = ""


@dataclass(frozen=True)
class Wish:
    """What is said on the page.

    Attributes
    ----------
    content : str
        The name of an uploaded picture.
    styles : tuple of str
        The same; at least one, except where a network has its own.
    method : str
        A recipe, or one of `NETWORKS`.
    size : int
        Longer side of the result, in pixels.
    balance : float
        Powers of ten by which the style weighs more than in the recipe.
    strength : float
        Of any style, 0..1.
    strokes : float
        Factor of their size.
    colours : str
        One of `COLOURS`.
    weights : tuple of float
        How much each painting counts.
    masks : tuple of str
        The name of an uploaded picture for each painting, or "all"; empty: everywhere.
    fixed : str
        Numbers of fixed styles, as ``--fixed-style`` has them.
    seed : int
    settings : mapping of str to str
        What is typed for each `Setting`.
    initial : str
        The name of an uploaded picture to start from; empty: what the settings say.
    film : str
        The name of an uploaded film; there is no photograph then, and the size is the width.
    frames : int
        How many of its frames, from the first.
    steady : bool
        Whether a network's frames are held to those before them.
    """

    content: str = ""
    styles: tuple[str, ...] = ()
    method: str = "painterly"
    size: int = 512
    balance: float = 0.0
    strength: float = 1.0
    strokes: float = 1.0
    colours: str = next(iter(COLOURS))
    weights: tuple[float, ...] = ()
    masks: tuple[str, ...] = ()
    fixed: str = "7"
    seed: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    initial: str = ""
    film: str = ""
    frames: int = 0
    steady: bool = True

    def as_json(self) -> dict:
        """What `wish_from` makes a wish of again."""
        return asdict(self)


def wish_from(values: Mapping[str, object]) -> Wish:
    """A wish from what `Wish.as_json` gave; what this version does not know is left out."""
    known = {field.name for field in fields(Wish)}
    values = {name: value for name, value in values.items() if name in known}
    return Wish(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    )


def stem(wish: Wish) -> str:
    """What the result of a wish is called: ``cup-wheat-field-painterly``."""
    names = [wish.film or wish.content, *(wish.styles if takes_styles(wish.method) else [])][:2]
    # A kept picture's name begins with twelve digits of its digest.
    parts = [plain(Path(name).stem[13:])[:24].strip("-") for name in names]
    return "-".join([*parts, plain(wish.method.removeprefix(OWN))])


def takes_styles(method: str) -> bool:
    """Whether a method paints in the style of pictures that are given."""
    return method not in (FIXED_STYLE, ONE_STYLE) and not method.startswith(OWN)


def arguments_of(wish: Wish, folder: Folder, output: Path, program: Program) -> list[str]:
    """The command line that does what is wished.

    Parameters
    ----------
    wish : Wish
    folder : Folder
        Where the pictures are.
    output : pathlib.Path
    program : Program

    Raises
    ------
    InputError
        If a picture is missing, or something said is none of what could be said.
    """
    if wish.film:
        arguments = ["video", str(folder.input(wish.film))]
    elif wish.content:
        arguments = ["--content", str(folder.input(wish.content))]
    else:
        raise InputError("there is no photograph yet; drop one, or use the bundled pair")
    if takes_styles(wish.method):
        if not wish.styles:
            raise InputError("there is no painting yet; drop one, or use the bundled pair")
        arguments += ["--styles", *(str(folder.input(name)) for name in wish.styles)]
        if wish.weights and len(set(wish.weights)) > 1:
            arguments += ["--style-blend-weights", *(f"{float(weight):g}" for weight in wish.weights)]
    side = "--width" if wish.film else "--longer-side"
    arguments += [side, str(int(wish.size)), "--output", str(output)]
    if wish.colours not in COLOURS:
        raise InputError(f"colours are {wish.colours!r}; choose one of those that the page shows")
    if wish.film:
        return arguments + _film(wish, program)
    one_pass = is_network(wish.method)
    return arguments + (_one_pass(wish, program) if one_pass else _recipe(wish, folder, program))


def is_network(method: str) -> bool:
    """Whether a method is a network that renders in one pass."""
    return method in NETWORKS or method.startswith(OWN)


def _network(wish: Wish, program: Program) -> list[str]:
    """The options that choose a network."""
    if wish.method.startswith(OWN):
        path = program.networks.get(wish.method.removeprefix(OWN))
        if path is None:
            raise InputError(f"there is no {wish.method} here; choose one that the page shows")
        return [f"--transform={path}"]
    arguments = {
        ANY_STYLE: ["--any-style"],
        FIXED_STYLE: [f"--fixed-style={wish.fixed}"],
        ONE_STYLE: ["--transform"],
    }[wish.method]
    if wish.method == ANY_STYLE and wish.strength < 1:
        arguments.append(f"--strength={float(wish.strength):g}")
    return arguments


def _film(wish: Wish, program: Program) -> list[str]:
    """The options of a film."""
    arguments = ["--frames", f"1:{int(wish.frames)}"]
    if not is_network(wish.method):
        arguments += ["--recipe", wish.method]
    else:
        arguments += [*_network(wish, program), *(["--temporal-blend"] if wish.steady else [])]
    if wish.colours != next(iter(COLOURS)):
        arguments.append("--preserve-colors")  # a film has no other way
    return arguments


def _one_pass(wish: Wish, program: Program) -> list[str]:
    """The options of a network that renders in one pass."""
    arguments = _network(wish, program)
    if wish.strokes != 1:
        arguments.append(f"--stroke-scale={float(wish.strokes):g}")
    if wish.colours != next(iter(COLOURS)):
        arguments.append("--preserve-colors")  # a network has no other way
    return arguments


def _recipe(wish: Wish, folder: Folder, program: Program) -> list[str]:
    """The options of a recipe."""
    recipe = find_recipe(wish.method)
    arguments = ["--recipe", wish.method, *COLOURS[wish.colours]]
    own = dict(wish.settings)
    if wish.initial:
        own["start"] = ""
        arguments += ["--initial", str(folder.input(wish.initial))]
    if wish.balance and not own.get("style_weight"):
        own["style_weight"] = f"{recipe.style_weight * 10 ** float(wish.balance):.4g}"
    if wish.strokes != 1:
        arguments += ["--style-scales", *[f"{float(wish.strokes):g}"] * len(wish.styles)]
    if any(mask != "all" for mask in wish.masks):
        masks = (mask if mask == "all" else str(folder.input(mask)) for mask in wish.masks)
        arguments += ["--masks", *masks]
    if wish.seed:
        arguments += ["--seed", str(int(wish.seed))]
    for setting in program.settings:
        arguments += setting.arguments(own.get(setting.name, ""))
    return arguments + list(program.machine)


def bundled_pair(folder: Folder) -> tuple[str, str]:
    """The bundled photograph and painting, kept in the folder as if they had been uploaded."""
    content, style = example_pair()
    return folder.keep(content, "coffee.jpg"), folder.keep(style, "wheat-field.jpg")


def command_line(arguments: Sequence[str]) -> str:
    """A command line as it is typed."""
    return shlex.join(["neuralstyle", *arguments])

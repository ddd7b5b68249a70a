"""Open a page in the browser on which pictures are painted: a form for the command line, and a view of it."""

import argparse
import copy
import threading
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from neuralstyle.command import video, video_options
from neuralstyle.command.cluster import check_cluster_options
from neuralstyle.command.cluster_options import add_cluster_options
from neuralstyle.command.options import parser as stylize_parser
from neuralstyle.command.recipe import OPTIMIZER_OPTIONS, recipe_from
from neuralstyle.command.stylize import paint
from neuralstyle.command.terminal import exit_status, quiet_import, tell
from neuralstyle.files import InputError, require
from neuralstyle.recipe import Recipe
from neuralstyle.recipes import check_styles, stages
from neuralstyle.validity import STARTS

if TYPE_CHECKING:
    from neuralstyle.web.form import Program

PROGRAM = "neuralstyle page"

#: Fields that controls of the page set, or that say where a film or its snapshots go.
_ELSEWHERE = ("style_blend", "style_scales", "keep_colours", "match_colours", "scales")


def parser() -> argparse.ArgumentParser:
    """The subcommand's options."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Open a page in the browser: put in two pictures, and watch the painting grow.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--folder",
        type=Path,
        metavar="DIR",
        default=Path("results"),
        help="where pictures go, those that are put in among them; default: %(default)s",
    )
    add("--port", type=int, metavar="N", default=7860, help="where the page is; default: %(default)s")
    add(
        "--address",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="whom it answers: 127.0.0.1, this machine alone; 0.0.0.0, everybody; default: %(default)s",
    )
    add(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="a file with the password that the page asks for; needed where others can reach it",
    )
    add("--no-browser", action="store_true", help="do not open the browser")
    add(
        "--networks",
        type=Path,
        metavar="DIR",
        help="a folder with networks of your own, of one style each, which the page lists",
    )
    add_cluster_options(parser.add_argument_group("several workers, for pictures by a recipe"))
    return parser


def main(arguments: Sequence[str]) -> int:
    """Open the page, and keep it open until Ctrl-C; the exit status."""
    options = parser().parse_args(arguments)
    return exit_status(lambda: _open(options), PROGRAM)


def _open(options: Namespace) -> int:
    check_cluster_options(options)
    require(1 <= options.port <= 65535, "--port", options.port, "between 1 and 65535")
    from neuralstyle.runs.interrupts import stopping_on_ctrl_c
    from neuralstyle.web.folder import Folder
    from neuralstyle.web.manners import check_address, read_password
    from neuralstyle.web.serving import Place, answering, check_installed

    check_installed()
    password = read_password(options.password_file) if options.password_file else None
    check_address(options.address, password)
    own = program(own_networks(options.networks) if options.networks else {}, _machine(options))
    folder = Folder(options.folder)
    folder.make()
    place = Place(options.address, options.port, password)
    closed = threading.Event()
    with stopping_on_ctrl_c(closed), answering(place) as take_over:
        tell(f"the page is at {place.url}; Ctrl-C closes it, and keeps what is being painted", PROGRAM)
        if not options.no_browser:
            import webbrowser

            # In a thread: one that lives in the terminal returns only when it is closed.
            threading.Thread(target=webbrowser.open, args=[place.url], daemon=True).start()
        # What takes seconds to load comes now.
        from neuralstyle.web.painting import Painter
        from neuralstyle.web.serving import load, opened

        load(folder)
        if closed.is_set():
            return 0
        painter = Painter(own.paint, own.load)
        with opened(folder, own, painter, place, take_over):
            painter.start()  # after what was told: TensorFlow's loading keeps all else off the screen
            closed.wait()
    return 0


def program(networks: Mapping[str, Path] | None = None, machine: Sequence[str] = ()) -> "Program":
    """What the page needs of this command line.

    Parameters
    ----------
    networks : mapping of str to pathlib.Path, optional
        The user's own, by the names that the page shows.
    machine : sequence of str
        Options of every picture that a recipe makes.
    """
    from neuralstyle.web.form import Program

    no_films = "" if find_spec("cv2") else "Films need OpenCV: `pip install 'neuralstyle[video]'`"
    return Program(_settings(), _plan, _paint, _load, networks or {}, tuple(machine), no_films)


def _machine(options: Namespace) -> list[str]:
    """The options that say on how many workers a run is computed."""
    given = {name: getattr(options, name) for name in ("workers", "cluster")}
    return [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]


def own_networks(folder: Path) -> dict[str, Path]:
    """The networks of one style in a folder, by their names.

    Raises
    ------
    InputError
        If it is no folder, or has no network.
    """
    from neuralstyle.feedforward.kinds import is_foreign

    if not folder.is_dir():
        raise InputError(f"--networks {folder}: is no folder; name one that has networks in it")
    found = {}
    for path in sorted(folder.iterdir()):
        training = path.name.removesuffix(".index").endswith(".training")  # the state, and not the network
        if path.suffix == ".index" and not training:
            found[path.stem] = path.with_suffix("")
        elif (path.suffix == ".ckpt" and path.is_file()) or (
            (path.suffix == ".pb" or path.is_dir()) and is_foreign(path)
        ):
            found[path.name] = path
    if not found:
        raise InputError(f"--networks {folder}: has no network; `neuralstyle train` makes one")
    return found


def _load() -> None:
    with quiet_import():
        import neuralstyle.feedforward.any_style
        import neuralstyle.transfer  # noqa: F401


def _settings():
    """The options of `neuralstyle stylize` that set fields of a recipe, as the page shows them."""
    from neuralstyle.web.form import Setting

    known = {field.name for field in fields(Recipe)} - set(_ELSEWHERE) | set(OPTIMIZER_OPTIONS)
    settings = []
    for action in stylize_parser()._actions:
        if action.dest not in known:
            continue
        choices = STARTS if action.dest == "start" else tuple(map(str, action.choices or ()))
        switch = isinstance(action, argparse.BooleanOptionalAction)
        settings.append(Setting(action.dest, action.option_strings[0], action.help, choices, switch))
    return tuple(settings)


def _plan(arguments: Sequence[str]) -> int | None:
    """Find out whether a command line can be done; its iterations, or None where it takes one pass."""
    if arguments[0] == "video":
        return _plan_film(arguments[1:])
    options = _parsed(stylize_parser(), arguments)
    from neuralstyle.command import feedforward

    if feedforward.network_kind(options):
        return None
    recipe = recipe_from(options)
    check_styles(recipe, len(options.styles), bool(options.masks))
    return sum(stage.iterations for stage in stages(recipe))


def _plan_film(arguments: Sequence[str]) -> int:
    """The same for a film; its frames."""
    from neuralstyle.video.frames import parse_range

    options = _parsed(video_options.parser(), arguments)
    try:
        if not video_options.network_kind(options):
            check_styles(video_options.film_recipe(options), len(options.styles))
    except InputError as error:
        raise InputError(video_options.respelled(error)) from error
    first, last = parse_range(options.frames)
    return last - first + 1


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """The options; what cannot be read raises, where the command would end."""

    def refuse(message: str) -> NoReturn:
        raise InputError(message.removeprefix("argument "))

    own = copy.copy(parser)
    own.error = refuse
    return own.parse_args(arguments)


def _paint(arguments: Sequence[str], watchers: Sequence, stop: threading.Event) -> int:
    """Do what a command line asks for, and show nothing of it on the terminal."""
    if arguments[0] == "video":
        return video.paint([*arguments[1:], "--quiet"], watchers, stop)
    return paint([*arguments, "--quiet"], watchers, stop)

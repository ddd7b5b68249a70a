"""Open a page in the browser on which pictures are painted: a form for the command line, and a view of it."""

import argparse
import copy
import threading
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from neuralstyle.command.options import parser as stylize_parser
from neuralstyle.command.recipe import OPTIMIZER_OPTIONS, recipe_from
from neuralstyle.command.stylize import paint
from neuralstyle.command.terminal import exit_status, quiet_import, tell
from neuralstyle.files import InputError, require
from neuralstyle.recipe import Recipe
from neuralstyle.recipes import check_styles, stages
from neuralstyle.validity import STARTS

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
    return parser


def main(arguments: Sequence[str]) -> int:
    """Open the page, and keep it open until Ctrl-C; the exit status."""
    options = parser().parse_args(arguments)
    return exit_status(lambda: _open(options), PROGRAM)


def _open(options: Namespace) -> int:
    require(1 <= options.port <= 65535, "--port", options.port, "between 1 and 65535")
    from neuralstyle.runs.interrupts import stopping_on_ctrl_c
    from neuralstyle.web.folder import Folder
    from neuralstyle.web.manners import check_address, read_password
    from neuralstyle.web.serving import Place, answering, check_installed

    check_installed()
    password = read_password(options.password_file) if options.password_file else None
    check_address(options.address, password)
    folder = Folder(options.folder)
    folder.make()
    place = Place(options.address, options.port, password)
    closed = threading.Event()
    with stopping_on_ctrl_c(closed), answering(place) as take_over:
        tell(f"the page is at {place.url}; Ctrl-C closes it, and keeps what is being painted", PROGRAM)
        if not options.no_browser:
            import webbrowser

            webbrowser.open(place.url)
        # What takes seconds to load comes now.
        from neuralstyle.web.painting import Painter
        from neuralstyle.web.serving import opened

        own = program()
        painter = Painter(own.paint, own.load)
        with opened(folder, own, painter, place, take_over):
            if not closed.is_set():
                painter.start()  # after what was told: TensorFlow's loading keeps all else off the screen
            closed.wait()
    return 0


def program():
    """What the page needs of this command line."""
    from neuralstyle.web.form import Program

    return Program(_settings(), _plan, _paint, _load)


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
    options = _parsed(arguments)
    from neuralstyle.command import feedforward

    if feedforward.network_kind(options):
        return None
    recipe = recipe_from(options)
    check_styles(recipe, len(options.styles), bool(options.masks))
    return sum(stage.iterations for stage in stages(recipe))


def _parsed(arguments: Sequence[str]) -> Namespace:
    """The options; what cannot be read raises, where the command would end."""

    def refuse(message: str) -> NoReturn:
        raise InputError(message.removeprefix("argument "))

    own = copy.copy(stylize_parser())
    own.error = refuse
    return own.parse_args(arguments)


def _paint(arguments: Sequence[str], watchers: Sequence, stop: threading.Event) -> int:
    """Do what a command line asks for, and show nothing of it on the terminal."""
    return paint([*arguments, "--quiet"], watchers, stop)

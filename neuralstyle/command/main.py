"""The command line: what is typed, to the subcommand that does it."""

import sys
from collections.abc import Sequence
from importlib import import_module

from neuralstyle.command.options import parser
from neuralstyle.command.terminal import exit_status
from neuralstyle.files import InputError

#: The subcommands: the module whose `main` does it, imported when it is called for, and what it does.
COMMANDS: dict[str, tuple[str, str]] = {
    "stylize": (
        "neuralstyle.command.stylize",
        "repaint a photograph in the style of a painting; options alone mean this, too",
    ),
    "recipes": ("neuralstyle.command.listing", "print the recipes as a table, or some of them in full"),
    "video": ("neuralstyle.command.video", "repaint a film, so that strokes move with what they are on"),
    "page": ("neuralstyle.command.page", "open a page in the browser that does all that for pictures"),
    "train": ("neuralstyle.command.train", "train a network that renders in one style, in one pass"),
    "export": ("neuralstyle.command.export", "write a network for TensorFlow Lite, ONNX or as a SavedModel"),
    "inspect": ("neuralstyle.command.inspect", "show what the network sees in a picture"),
    "normalize": ("neuralstyle.command.normalize", "rescale a network's filters to a mean activation of 1"),
    "fetch": ("neuralstyle.command.fetch", "download a published weight file, and check it"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        Exit status: 0; 2 after bad input; 130 where the run was stopped, with the picture so far written
        unless it was stopped before its first step, or twice.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    return exit_status(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    if arguments[:1] in (["--help"], ["-h"]):
        print(f"{overview()}\n\n{parser().format_help()}", end="")
        return 0
    name = "stylize" if not arguments or arguments[0].startswith("-") else arguments.pop(0)
    if name not in COMMANDS:
        raise InputError(f"unknown command {name!r}; choose one of {', '.join(COMMANDS)}")
    return import_module(COMMANDS[name][0]).main(arguments)


def overview() -> str:
    """The subcommands, one a line."""
    lines = [f"  {name:<10} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["neuralstyle COMMAND --help shows the options of each command:", *lines])

"""Download a published weight file, check it, and put it where `neuralstyle` finds it."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from neuralstyle.command.terminal import exit_status
from neuralstyle.files import InputError
from neuralstyle.networks import weights_folder
from neuralstyle.networks.catalogue import CATALOGUE, fetch


def main(arguments: Sequence[str] | None = None, program: str = "neuralstyle fetch") -> int:
    """List the files or fetch one; the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    program : str
        What messages begin with.
    """
    parser = argparse.ArgumentParser(prog=program, description=__doc__, allow_abbrev=False)
    parser.add_argument("name", nargs="?", metavar="NAME", help="which file; without a name they are listed")
    parser.add_argument("--list", action="store_true", help="list the files there are")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        default=weights_folder(),
        help="where to put the file; default: %(default)s",
    )
    parser.add_argument("--url", help="take the file from this address; its digest is checked all the same")
    options = parser.parse_args(arguments)
    return exit_status(lambda: _list_or_fetch(options), program)


def _list_or_fetch(options: argparse.Namespace) -> None:
    if options.list or options.name is None:
        for file in CATALOGUE.values():
            print(
                f"{file.name}: about {file.megabytes} MB; {file.content}\n    {file.url}\n    {file.licence}"
            )
        return
    if options.name not in CATALOGUE:
        raise InputError(f"unknown file {options.name}; there are {', '.join(CATALOGUE)}")
    print(fetch(CATALOGUE[options.name], options.folder, options.url))

#!/usr/bin/env python
"""Download a published weight file, check it, and put it where `neuralstyle` finds it."""

import argparse
from pathlib import Path

from neuralstyle.files import InputError
from neuralstyle.networks import weights_folder
from neuralstyle.networks.catalogue import CATALOGUE, fetch


def main() -> None:
    """Parse the command line; list the files or fetch one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help="which file; without a name they are listed")
    parser.add_argument("--list", action="store_true", help="list the files there are")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", default=weights_folder(), help="default: %(default)s"
    )
    parser.add_argument("--url", help="take the file from this address; its digest is checked all the same")
    options = parser.parse_args()
    if options.list or options.name is None:
        for file in CATALOGUE.values():
            print(
                f"{file.name}: about {file.megabytes} MB; {file.content}\n    {file.url}\n    {file.licence}"
            )
        return
    try:
        if options.name not in CATALOGUE:
            raise InputError(f"unknown file {options.name}; there are {', '.join(CATALOGUE)}")
        print(fetch(CATALOGUE[options.name], options.folder, options.url))
    except InputError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()

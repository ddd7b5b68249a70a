"""The command line: what is typed, to the subcommand that does it."""

import sys
import warnings
from collections.abc import Sequence

from neuralstyle.command.listing import print_recipes
from neuralstyle.command.options import parser
from neuralstyle.command.stylize import stylize
from neuralstyle.command.terminal import show_warning, tell
from neuralstyle.files import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        Exit status: 0, 2 after bad input, 130 after Ctrl-C before there was a picture, or pressed twice.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with warnings.catch_warnings():
            # Other people's warnings are for programmers; ours are for users.
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", module="neuralstyle")
            warnings.showwarning = show_warning
            if arguments[:1] == ["recipes"]:
                return print_recipes(arguments[1:])
            options = parser().parse_args(arguments)
            # Imported only now, so that --help need not wait for the libraries that read pictures.
            from neuralstyle.command import feedforward

            kind = feedforward.wanted(options)
            return feedforward.render(kind, options) if kind else stylize(arguments)
    except InputError as error:
        tell(str(error))
        return 2
    except KeyboardInterrupt:
        tell("stopped at once; what was not finished is not written")
        return 130


if __name__ == "__main__":
    sys.exit(main())

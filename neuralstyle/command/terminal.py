"""What appears on the terminal: messages, and nothing of TensorFlow's."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from neuralstyle.command.options import respelled
from neuralstyle.environment import set_for_tensorflow, unheard
from neuralstyle.files import InputError


def tell(line: str, program: str = "neuralstyle") -> None:
    """Say one line to the user, on standard error where there is one."""
    if sys.stderr is not None:  # pythonw has none
        print(f"{program}: {line}", file=sys.stderr)


@contextmanager
def costing_nothing_else() -> Iterator[None]:
    """Write something beside the picture; what goes wrong is told, and costs nothing else."""
    try:
        yield
    except (InputError, OSError) as error:
        tell(f"{error}; everything else is written")


def exit_status(action: Callable[[], int | None], program: str = "neuralstyle") -> int:
    """Do what a command is for, and say in one line why it could not be done.

    Parameters
    ----------
    action : callable
        Gives an exit status, or None for 0.
    program : str
        What the line begins with.

    Returns
    -------
    int
        The action's; 2 after bad input, 130 after Ctrl-C.
    """
    try:
        with warnings.catch_warnings():
            # Other people's warnings are for programmers; ours are for users.
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", module="neuralstyle")
            warnings.showwarning = lambda message, *others, **more: tell(str(message), program)
            return action() or 0
    except InputError as error:
        tell(respelled(error), program)
        return 2
    except KeyboardInterrupt:
        tell("stopped at once; what was not finished is not written", program)
        return 130


@contextmanager
def quiet_import() -> Iterator[None]:
    """Keep what TensorFlow's libraries print while they load off the screen, unless they die of it.

    Some of it comes before any setting of theirs is read. An import that fails raises, and says why itself.
    """
    set_for_tensorflow()
    with unheard():
        yield

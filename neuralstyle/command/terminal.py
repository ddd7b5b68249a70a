"""What appears on the terminal: messages, progress, and nothing of TensorFlow's."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuralstyle.runs.history import Step


@contextmanager
def quiet_import() -> Iterator[None]:
    """Keep what TensorFlow's libraries print while they load off the screen.

    Some of it comes before any setting of theirs is read, so standard error itself is put aside. An
    import that fails raises, and says why itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)


def tell(line: str) -> None:
    """Say one line to the user, on standard error."""
    print(f"neuralstyle: {line}", file=sys.stderr)


def show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """Show a warning as any other message; takes the place of `warnings.showwarning`."""
    tell(str(message))


def progress(stack: ExitStack, options: Namespace, iterations: int) -> Callable[["Step"], None]:
    """A progress bar: iteration, time left, total loss; and the losses in lines, where they are asked for."""
    from tqdm import tqdm

    bar = None

    def on_step(step: "Step") -> None:
        nonlocal bar
        if bar is None:
            bar = stack.enter_context(
                tqdm(total=iterations, unit="it", disable=options.quiet, dynamic_ncols=True, file=sys.stderr)
            )
        if options.print_iterations and step.iteration % options.print_iterations == 0:
            bar.write(
                f"iteration {step.iteration}: total {step.total:.6g}, content {step.content:.6g}, "
                f"style {step.style:.6g}, tv {step.tv:.6g}"
            )
        bar.set_postfix_str(f"loss {step.total:.4g}", refresh=False)
        bar.update(step.iteration - bar.n)

    return on_step

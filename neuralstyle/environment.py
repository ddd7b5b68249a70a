"""What TensorFlow reads from the environment when it is loaded, and what its libraries print unasked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_MESSAGES = "TF_CPP_MIN_LOG_LEVEL"

#: Of that setting: nothing but what ends the process.
_NONE = "3"

#: Holds what it reads until there is no more, and says it then.
_LISTENER = "import sys; sys.stderr.buffer.write(sys.stdin.buffer.read())"


def set_for_tensorflow() -> None:
    """Set what TensorFlow is to find in the environment, where the user has not; before it is imported."""
    # What its libraries say while they load and run is nobody's here.
    os.environ.setdefault(_MESSAGES, _NONE)
    # TensorFlow's own allocator keeps what it has. The C library's gives large arrays back to the system and
    # has them again page by page: a sixth to a quarter of an iteration.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")


def wants_no_messages() -> bool:
    """Whether the environment says that TensorFlow is to print nothing, as `set_for_tensorflow` has it."""
    return os.environ.get(_MESSAGES) == _NONE


@contextmanager
def unheard() -> Iterator[None]:
    """Keep what libraries print off the screen, unless the process dies of it.

    Standard error itself is put aside, for all threads: another process listens to it meanwhile. Where this
    process ends in the middle (a processor that lacks an instruction, say), the listener says what it has
    heard.
    """
    if sys.stderr is None:
        # Under pythonw, or closed by whoever started this. What is printed there must not get into the
        # next file that is opened, which would be given the same number.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)
        yield
        return
    sys.stderr.flush()
    try:
        listener = subprocess.Popen(
            # In a session of its own, where Ctrl-C does not reach it.
            [sys.executable or "", "-I", "-S", "-c", _LISTENER],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError:  # no more processes; better some noise than no picture
        yield
        return
    standard_error = os.dup(2)
    os.dup2(listener.stdin.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(standard_error, 2)
        os.close(standard_error)
        listener.kill()
        listener.wait()
        listener.stdin.close()

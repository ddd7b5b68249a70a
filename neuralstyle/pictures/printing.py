"""What the libraries that decode pictures print about damaged ones: nothing, for it is said once, here."""

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

# Settings of Pillow, libtiff and OpenCV, and Python's warnings, are the whole process's; they are changed by
# one thread at a time.
alone = threading.RLock()

#: OpenCV's name for no messages at all.
_SILENT = 0


@contextmanager
def collected(*libraries: str) -> Iterator[list[str]]:
    """Collect what libraries log about a picture, instead of having it printed.

    Parameters
    ----------
    libraries : str
        Names of loggers.

    Yields
    ------
    list of str
        What has been logged so far by this thread, and by threads that a library has begun for it. Other
        threads' logs stay as they are.
    """
    said = []
    others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}

    def keep(record: logging.LogRecord) -> bool:
        if record.thread in others:
            return True
        said.append(record.getMessage())
        return False

    loggers = [logging.getLogger(library) for library in libraries]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


@contextmanager
def without_libtiff() -> Iterator[None]:
    """Keep the library that Pillow reads TIFFs with from writing to standard error, where it can be told."""
    try:
        # Asked for through Pillow's own module, which may bring a libtiff of its own.
        set_handler = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):  # a Pillow without libtiff, or one that shows no such function
        yield
        return
    set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    with alone:
        before = set_handler(None)
        try:
            yield
        finally:
            set_handler(before)


@contextmanager
def without_opencv() -> Iterator[None]:
    """Keep OpenCV, where it is installed, from writing to standard error."""
    # Read when it is loaded.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    try:
        # Loaded already, by the optical flow or by another part of the user's program.
        settings = sys.modules["cv2"].utils.logging
    except (KeyError, AttributeError):
        yield
        return
    with alone:
        before = settings.getLogLevel()
        settings.setLogLevel(_SILENT)
        try:
            yield
        finally:
            settings.setLogLevel(before)

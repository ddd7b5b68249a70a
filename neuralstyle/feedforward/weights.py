"""The weights that come with the program: ``any-style.npz`` and ``multi-style.npz``."""

import zipfile
from pathlib import Path

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.networks import weights_folder

ANY_STYLE = "any-style.npz"
MULTI_STYLE = "multi-style.npz"


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read an archive that ``scripts/maintainers/build_any_style_weights.py`` made.

    Parameters
    ----------
    path : path
        The file; a bare name is looked for in `neuralstyle.networks.weights_folder`.

    Returns
    -------
    dict of str to ndarray
        float32. Kernels H×W×in×out (depthwise ones H×W×C×1); those stored as int8 are multiplied by their
        steps, one an output channel.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path = weights_folder() / path
    try:
        with np.load(path) as archive:
            stored = dict(archive)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zipfile.zlib.error) as error:
        raise InputError(f"{path}: is damaged ({error}); take it from the program's package again") from error
    weights = {name: array for name, array in stored.items() if not name.endswith("/step")}
    for name, step in stored.items():
        if name.endswith("/step"):
            kernel = name.removesuffix("/step")
            # The one channel of a depthwise kernel is its last axis, its outputs the one before.
            steps = step[:, np.newaxis] if weights[kernel].shape[2:] == (step.size, 1) else step
            weights[kernel] = weights[kernel] * steps
    return weights

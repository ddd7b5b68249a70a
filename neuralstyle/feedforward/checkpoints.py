"""Checkpoints of transform networks: those of fast-style-transfer, and our own.

fast-style-transfer leaves the naming to TensorFlow 1, which calls the variables ``Variable``, ``Variable_1``
… ``Variable_47`` in the order of their creation: for each convolution its kernel, shift and scale. Ours are
called ``transform/`` and the name in `transform.WEIGHTS`. What else a checkpoint holds, such as the slots
of Adam, is passed over.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.transform import WEIGHTS, check_weights
from neuralstyle.files import InputError
from neuralstyle.networks import weights_folder

#: In front of the names of our own checkpoints' variables.
PREFIX = "transform/"

#: What fast-style-transfer's checkpoints call the weights.
PUBLISHED_NAMES = {name: f"Variable_{i}" if i else "Variable" for i, name in enumerate(WEIGHTS)}

#: What our own call them.
OWN_NAMES = {name: PREFIX + name for name in WEIGHTS}


def read_checkpoint(path: str | Path) -> dict[str, np.ndarray]:
    """Read the weights of a transform network from a TensorFlow checkpoint.

    Parameters
    ----------
    path : path
        A checkpoint of either format: one file (V1), or the name before ``.index`` and
        ``.data-00000-of-00001`` (V2; the name of one of those files or of ``.meta`` does as well). Or a
        folder: its latest checkpoint, as the file ``checkpoint`` in it tells. A bare name that is not
        there is looked for in `neuralstyle.networks.weights_folder`.

    Returns
    -------
    dict of str to ndarray
        float32, as `transform.initial_weights` gives them, of whatever width the file has.

    Raises
    ------
    InputError
        If there is no checkpoint, it cannot be read, or it holds another network: the message says which
        variable is missing, or has which shape instead of which.
    """
    path = _checkpoint_name(Path(path))
    try:
        reader = tf.compat.v1.train.NewCheckpointReader(str(path))
        stored = reader.get_variable_to_shape_map()
        names = OWN_NAMES if any(name.startswith(PREFIX) for name in stored) else PUBLISHED_NAMES
        weights = {name: reader.get_tensor(called) for name, called in names.items() if called in stored}
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: cannot be read as a TensorFlow checkpoint ({reason})") from error
    if not weights:
        held = ", ".join(sorted(stored)[:3]) or "nothing"
        raise InputError(f"{path}: holds no transform network; it has {held} …")
    check_weights(weights, f"{path}: ", names)
    return {name: weights[name].astype(np.float32) for name in WEIGHTS}


def _checkpoint_name(path: Path) -> Path:
    """What TensorFlow calls a checkpoint, from the name of any of its files or of its folder."""
    if path.is_dir():
        latest = tf.train.latest_checkpoint(str(path))
        if latest is None:
            raise InputError(f"{path}: the folder has no checkpoint that its file 'checkpoint' names")
        return Path(latest)
    if path.suffix in (".index", ".meta") or path.suffix.startswith(".data-"):
        path = path.with_suffix("")
    for place in (path, weights_folder() / path):
        if place.is_file() or place.with_name(f"{place.name}.index").is_file():
            return place
    raise InputError(f"{path}: there is no such checkpoint, neither this file nor {path.name}.index")

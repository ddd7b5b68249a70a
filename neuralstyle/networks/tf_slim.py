"""TF-Slim's ``vgg_19.ckpt`` and ``vgg_16.ckpt``: TensorFlow checkpoints of either format.

Variables are called ``vgg_19/conv1/conv1_1/weights`` and ``…/biases``, ``vgg_19/fc6/weights`` …; kernels are
H×W×in×out, fully connected layers convolutions, and ``conv1_1`` takes RGB (tensorflow/models,
``research/slim/nets/vgg.py``). What else a checkpoint holds, such as the slots of an optimiser, has other
names and is passed over.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.networks.network import Network, assemble

#: What TF-Slim takes off every pixel, RGB (``research/slim/preprocessing/vgg_preprocessing.py``).
MEAN_PIXEL = (123.68, 116.78, 103.94)

_VARIABLE = re.compile(r"vgg_1[69]/(?:conv\d/)?(conv\d_\d|fc[678])/(weights|biases)")


def read_tf_slim(checkpoint: Path, path: Path, sha256: str) -> Network:
    """Read a VGG-16 or VGG-19 from a checkpoint that TF-Slim wrote.

    Parameters
    ----------
    checkpoint : path
        A file of the first format, or what stands before ``.index`` in the names of the second's.
    path : path
        What the user called it.
    sha256 : str
        Of its files' content.

    Returns
    -------
    Network
        Without labels.

    Raises
    ------
    InputError
        If the file is damaged, and all that `neuralstyle.networks.network.assemble` finds wrong with the
        layers.
    """
    kernels, biases = {}, {}
    try:
        with plain_name(checkpoint) as name:
            reader = tf.compat.v1.train.NewCheckpointReader(name)
            for variable in reader.get_variable_to_shape_map():
                if found := _VARIABLE.fullmatch(variable):
                    (kernels if found[2] == "weights" else biases)[found[1]] = reader.get_tensor(variable)
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError, OSError, MemoryError) as error:
        raise InputError(f"{path}: is a TensorFlow checkpoint that is damaged or incomplete") from error
    weights = {name: (kernels[name], biases[name]) for name in kernels if name in biases}
    return assemble(weights, MEAN_PIXEL, path=path, sha256=sha256)


@contextmanager
def plain_name(path: Path) -> Iterator[str]:
    """The name of a checkpoint for TensorFlow to read, which takes ``[``, ``*`` and ``?`` for a pattern.

    Parameters
    ----------
    path : pathlib.Path

    Yields
    ------
    str
        The path itself, or that of links to its files, or of copies where there are no links.
    """
    if not any(character in str(path) for character in "[]*?\\"):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="neuralstyle-") as folder:
        for file in path.parent.iterdir():
            ending = file.name.removeprefix(path.name)
            if file.name.startswith(path.name) and ending.startswith((".data-", ".index")) or file == path:
                link = Path(folder, f"checkpoint{ending}")
                try:
                    os.symlink(file.resolve(), link)
                except OSError:  # Windows lets not everyone make links
                    shutil.copyfile(file, link)
        yield f"{folder}/checkpoint"

"""TensorFlow's checkpoints of transform networks: fast-style-transfer's, hwalsuklee's, and our own.

fast-style-transfer leaves the naming to TensorFlow 1, which calls the variables ``Variable``, ``Variable_1``
… ``Variable_47`` in the order of their creation: for each convolution its kernel, shift and scale.
hwalsuklee/tensorflow-fast-style-transfer calls them ``conv1/weight``, ``resid1_1/shift`` and so on. Ours are
called ``transform/`` and the name in `transform.WEIGHTS`. What else a checkpoint holds, such as the slots
of Adam, is passed over.

TensorFlow takes a checkpoint's name for a pattern, in which ``[``, ``*`` and ``?`` stand for others. So
checkpoints are read and written under plain names, in a folder made for it.
"""

import codecs
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.transform import (
    FAST_STYLE_TRANSFER,
    HWALSUKLEE,
    WEIGHTS,
    Layout,
    check_weights,
)
from neuralstyle.files import InputError, check_writable, replacing
from neuralstyle.networks import weights_folder
from neuralstyle.networks.tf_slim import plain_name

#: In front of the names of our own checkpoints' variables.
PREFIX = "transform/"

#: Put after a checkpoint's name: the state that training goes on from, in TensorFlow's format as well.
STATE_SUFFIX = ".training"

#: What fast-style-transfer's checkpoints call the weights.
PUBLISHED_NAMES = {name: f"Variable_{i}" if i else "Variable" for i, name in enumerate(WEIGHTS)}

#: What our own call them.
OWN_NAMES = {name: PREFIX + name for name in WEIGHTS}


def _hwalsuklee_name(name: str) -> str:
    layer, _, part = name.rpartition("/")
    layer = layer.replace("residual", "resid").replace("/conv", "_")
    layer = {"output": "convt3"}.get(layer, layer.replace("transposed", "convt"))
    return f"{layer}/{'weight' if part == 'kernel' else part}"


#: What hwalsuklee's call them.
HWALSUKLEE_NAMES = {name: _hwalsuklee_name(name) for name in WEIGHTS}


@dataclass(frozen=True)
class TransformNetwork:
    """A transform network as a checkpoint holds it.

    Attributes
    ----------
    weights : dict of str to ndarray
        float32, as `transform.initial_weights` gives them, of whatever width the file has.
    layout : Layout
        The program whose network it is.
    own : bool
        Whether this program trained it.
    """

    weights: dict[str, np.ndarray]
    layout: Layout
    own: bool


def read_network(path: str | Path) -> TransformNetwork:
    """Read a transform network from a TensorFlow checkpoint.

    Parameters
    ----------
    path : path
        A checkpoint of either format: one file (V1), or the name before ``.index`` and
        ``.data-00000-of-00001`` (V2; the name of one of those files or of ``.meta`` does as well). Or a
        folder: its latest checkpoint, as the file ``checkpoint`` in it tells, or the only one in it. A bare
        name that is not there is looked for in `neuralstyle.networks.weights_folder`.

    Returns
    -------
    TransformNetwork

    Raises
    ------
    InputError
        If there is no checkpoint, it cannot be read, or it holds another network: the message says which
        variable is missing, or has which shape instead of which.
    """
    path = _checkpoint_name(Path(path))
    try:
        with plain_name(path) as name:
            reader = tf.compat.v1.train.NewCheckpointReader(name)
            stored = reader.get_variable_to_shape_map()
            names = _names(stored)
            weights = {own: reader.get_tensor(called) for own, called in names.items() if called in stored}
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as a TensorFlow checkpoint ({reason})") from error
    if not weights:
        held = ", ".join(sorted(stored)[:3]) or "nothing"
        raise InputError(f"{path}: holds no transform network; it has {held} …")
    check_weights(weights, f"{path}: ", names)
    return TransformNetwork(
        {name: weights[name].astype(np.float32) for name in WEIGHTS},
        HWALSUKLEE if names is HWALSUKLEE_NAMES else FAST_STYLE_TRANSFER,
        names is OWN_NAMES,
    )


def read_checkpoint(path: str | Path) -> dict[str, np.ndarray]:
    """The weights of a transform network alone; see `read_network`."""
    return read_network(path).weights


def _names(stored: dict[str, list[int]]) -> dict[str, str]:
    """What a checkpoint calls the weights, from the names of its variables."""
    if any(name.startswith(PREFIX) for name in stored):
        return OWN_NAMES
    return HWALSUKLEE_NAMES if "conv1/weight" in stored else PUBLISHED_NAMES


def _files(path: Path) -> list[Path]:
    """The files of a checkpoint, the index last: one of TensorFlow 1's first format, or index and data."""
    data = [file for file in path.parent.iterdir() if file.name.startswith(f"{path.name}.data-")]
    return [file for file in (path, *data, path.with_name(f"{path.name}.index")) if file.is_file()]


def write_checkpoint(path: Path, save: Callable[[str], object]) -> None:
    """Have TensorFlow write a checkpoint, and put it where it belongs when it is whole.

    Parameters
    ----------
    path : pathlib.Path
        Its name; files that exist are replaced.
    save : callable
        Writes the checkpoint under a name that it is given.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    check_writable(path)
    with tempfile.TemporaryDirectory(prefix="neuralstyle-") as folder:
        try:
            save(f"{folder}/checkpoint")
            # The index last: without it there is no checkpoint.
            for written in _files(Path(folder) / "checkpoint"):
                with replacing(path.with_name(path.name + written.suffix)) as temporary:
                    shutil.copyfile(written, temporary)
        except (tf.errors.OpError, ValueError, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"{path}: cannot be written ({reason})") from error


def name_latest(path: Path) -> None:
    """Write the file ``checkpoint`` beside a checkpoint, by which a folder stands for its latest one.

    It names the checkpoint without its folder, which may be moved.
    """
    with replacing(path.with_name("checkpoint")) as temporary:
        name = path.name.replace("\\", "\\\\").replace('"', '\\"')
        temporary.write_text(
            f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n', encoding="utf-8"
        )


def _checkpoint_name(path: Path) -> Path:
    """What TensorFlow calls a checkpoint, from the name of any of its files or of its folder."""
    if path.is_dir():
        return _latest(path)
    if path.suffix in (".index", ".meta") or path.suffix.startswith(".data-"):
        path = path.with_suffix("")
    for place in (path, weights_folder() / path):
        if _is_checkpoint(place):
            return place
    raise InputError(f"{path}: there is no such checkpoint, neither this file nor {path.name}.index")


def _is_checkpoint(path: Path) -> bool:
    return path.is_file() or path.with_name(f"{path.name}.index").is_file()


def _latest(folder: Path) -> Path:
    """The checkpoint that the file ``checkpoint`` in a folder names, or the only one that lies there.

    The file may hold a path from before the folder was moved, of another system even. So what lies in the
    folder under that name goes first.
    """
    for named in _names_in(folder / "checkpoint"):
        within = [folder / kind(named).name for kind in (PurePosixPath, PureWindowsPath)]
        for place in (*within, folder / named):
            if _is_checkpoint(place):
                return place
    found = sorted({path.with_suffix("") for path in folder.glob("*.index")} | set(folder.glob("*.ckpt")))
    found = [path for path in found if path.suffix != STATE_SUFFIX]
    if not found:
        raise InputError(f"{folder}: the folder has no checkpoint")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{folder}: the folder has several checkpoints; name one of {names}")
    return found[0]


def _names_in(file: Path) -> list[str]:
    """What a file ``checkpoint`` may call the latest one: as it is written, and with escapes resolved.

    TensorFlow writes a protocol buffer's text, in which a backslash is two; people have edited it.
    """
    try:
        found = re.search(rb'^\s*model_checkpoint_path:\s*"(.*)"', file.read_bytes(), re.MULTILINE)
    except OSError:
        return []
    if not found:
        return []
    names = [found[1]]
    with suppress(ValueError):
        names.insert(0, codecs.escape_decode(found[1])[0])
    return [name for name in map(os.fsdecode, names) if name and "\0" not in name]

"""Networks as plain data, and the files they come in: one module a format."""

import glob
import hashlib
import os
import zipfile
from pathlib import Path
from typing import BinaryIO

from neuralstyle.files import InputError, shipped_folder
from neuralstyle.networks.catalogue import CATALOGUE
from neuralstyle.networks.network import Network

#: The file that comes with this package: the published VGG-19 at 8 bits per weight, convolutions only.
SHIPPED = "vgg19-8bit.mat"

#: How a PyTorch file of the older format begins: the pickle of 0x1950a86a20f9469cfc6c.
PICKLED_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

#: How a table of LevelDB ends, which TensorFlow's checkpoints are (``core/lib/io/format.h``).
TABLE_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")

#: A Caffe model has no magic number: it begins with the key of the network's name, a newline, and the name's
#: length; then the key of another field of the network follows (``caffe.proto``, ``NetParameter``).
CAFFE_KEYS = tuple(bytes([key]) for key in (0x12, 0x1A, 0x20, 0x22, 0x28, 0x32, 0x38, 0x42, 0xA2))


def load_network(path: str | Path | None = None) -> Network:
    """Read a VGG-16 or VGG-19 from a file of MatConvNet, Keras, PyTorch, TF-Slim or Caffe.

    What kind of file it is shows from its content, not from its name.

    Parameters
    ----------
    path : path, optional
        The file; of a TensorFlow checkpoint in several files any of them, or what their names have in
        common. When it is left out, the first of these: the one that the environment variable
        ``NEURALSTYLE_WEIGHTS`` names, a full-precision VGG-19 in `weights_folder` (as
        ``scripts/fetch_weights.py`` puts it there, or under its published name), the shipped file.

    Returns
    -------
    Network
        Kernels float32, H×W×in×out, ``conv1_1`` taking RGB; the mean pixel RGB, 0..255; the SHA-256 of the
        file's content.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, or holds another network. The message names
        the file.
    """
    path = Path(path or os.environ.get("NEURALSTYLE_WEIGHTS") or default_weights(weights_folder()))
    try:
        checkpoint = _checkpoint_name(path)
        if checkpoint is None:
            # Hashed and read through one opening, so that a file that is replaced meanwhile changes
            # neither. Its content is not kept beside the arrays: the system has it in memory.
            with path.open("rb") as stream:
                sha256 = _digest(stream).hexdigest()
                return _read(stream, path, sha256)
        digest = hashlib.sha256()
        folder, name = checkpoint.parent, glob.escape(checkpoint.name)
        for file in [*folder.glob(f"{name}.index"), *sorted(folder.glob(f"{name}.data-*"))]:
            with file.open("rb") as stream:
                digest.update(_digest(stream).digest())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    from neuralstyle.networks.tf_slim import read_tf_slim

    return read_tf_slim(checkpoint, path, digest.hexdigest())


def _checkpoint_name(path: Path) -> Path | None:
    """What TensorFlow calls a checkpoint in several files; None where a path is a file by itself."""
    name = path.with_suffix("") if path.suffix == ".index" or path.suffix.startswith(".data-") else path
    several = name.with_name(f"{name.name}.index").is_file() and not name.is_file()
    return name if several else None


def _digest(stream: BinaryIO) -> "hashlib._Hash":
    """The SHA-256 of a whole file, which is at its start again afterwards."""
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    stream.seek(0)
    return digest


def _read(stream: BinaryIO, path: Path, sha256: str) -> Network:
    """Read a file as what its content says it is.

    The readers bring scipy, h5py or TensorFlow with them, so each is imported when its format turns up.
    """
    head = stream.read(128)
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - 8))
    tail = stream.read()
    stream.seek(0)
    zipped = _zipped_names(stream, path) if head.startswith(b"PK") else ()
    if head.startswith(b"\x89HDF\r\n\x1a\n") or "model.weights.h5" in zipped:
        from neuralstyle.networks.keras_h5 import read_keras

        return read_keras(stream, path, sha256)
    if head.startswith(b"MATLAB 7.3"):
        raise InputError(f"{path}: is a MATLAB 7.3 file; save it with -v7")
    # Where a MATLAB 5 file tells its byte order; the text before it differs from program to program.
    if head[126:128] in (b"IM", b"MI"):
        from neuralstyle.networks.matconvnet import read_matconvnet

        return read_matconvnet(stream, path, sha256)
    if head.startswith(PICKLED_MAGIC) or any(name.endswith("/data.pkl") for name in zipped):
        from neuralstyle.networks.pytorch import read_pytorch

        return read_pytorch(stream, path, sha256)
    if tail == TABLE_MAGIC:
        from neuralstyle.networks.tf_slim import read_tf_slim

        return read_tf_slim(path, path, sha256)
    if len(head) > 1 and head[:1] == b"\n" and head[2 + head[1] :][:1] in CAFFE_KEYS:
        from neuralstyle.networks.caffe import read_caffe

        return read_caffe(stream, path, sha256)
    raise InputError(
        f"{path}: is neither a MATLAB 5 file nor an HDF5 file, nor of PyTorch, TF-Slim or Caffe; "
        "expected the weights of a VGG"
    )


def _zipped_names(stream: BinaryIO, path: Path) -> list[str]:
    """What is in a zip archive; the file is at its start again afterwards."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.namelist()
    except Exception as error:
        # A cut or damaged archive makes zipfile raise anything from BadZipFile to NotImplementedError.
        raise InputError(f"{path}: is damaged or cut short; fetch it again") from error
    finally:
        stream.seek(0)


def weights_folder() -> Path:
    """Where weight files are kept: inside an installed package, or at the top of a source tree."""
    return shipped_folder("weights")


def default_weights(folder: Path) -> Path:
    """The file in a folder that `load_network` reads when nobody names one."""
    for file in CATALOGUE.values():
        for name in (file.file_name, file.published_name):
            if (folder / name).is_file():
                return folder / name
    return folder / SHIPPED

"""Networks as plain data, and the files they come in: one module a format."""

import os
from pathlib import Path

from neuralstyle.files import InputError, shipped_folder
from neuralstyle.networks.catalogue import CATALOGUE
from neuralstyle.networks.network import Network

#: The file that comes with this package: the published VGG-19 at 8 bits a weight, convolutions only.
SHIPPED = "vgg19-8bit.mat"


def load_network(path: str | Path | None = None) -> Network:
    """Read a VGG-16 or VGG-19 from a MatConvNet or Keras file.

    What kind of file it is shows from its content, not from its name.

    Parameters
    ----------
    path : path, optional
        The file. When it is left out, the first of these: the one that the environment variable
        ``NEURALSTYLE_WEIGHTS`` names, a full-precision VGG-19 in `weights_folder` (as
        ``scripts/fetch_weights.py`` puts it there, or under its published name), the shipped file.

    Returns
    -------
    Network
        Kernels float32, H×W×in×out, ``conv1_1`` taking RGB; the mean pixel RGB, 0..255.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, or holds another network. The message names
        the file.
    """
    path = Path(path or os.environ.get("NEURALSTYLE_WEIGHTS") or default_weights(weights_folder()))
    try:
        with path.open("rb") as stream:
            head = stream.read(128)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    # The readers bring scipy and h5py with them, so each is imported when its format turns up.
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        from neuralstyle.networks.keras_h5 import read_keras

        return read_keras(path)
    if head.startswith(b"MATLAB 7.3"):
        raise InputError(f"{path}: is a MATLAB 7.3 file; save it with -v7")
    # Where a MATLAB 5 file tells its byte order; the text before it differs from program to program.
    if head[126:128] in (b"IM", b"MI"):
        from neuralstyle.networks.matconvnet import read_matconvnet

        return read_matconvnet(path)
    raise InputError(f"{path}: is neither a MATLAB 5 file nor an HDF5 file; expected a .mat or .h5 of a VGG")


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

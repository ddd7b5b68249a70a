"""Caffe's ``VGG_ILSVRC_19_layers.caffemodel`` (and ``_16_``), read without Caffe.

The file is one message of protocol buffers (``caffe.proto``, ``NetParameter``). Of it these fields matter:

================================ ==================================================================
``NetParameter``                 2 ``layers`` (older, as published), 100 ``layer``
``V1LayerParameter``             4 ``name``, 6 ``blobs``
``LayerParameter``               1 ``name``, 7 ``blobs``
``BlobProto``                    1…4 ``num, channels, height, width``, or 7 ``shape``; 5 ``data``
``BlobShape``                    1 ``dim``
================================ ==================================================================

Kernels are out×in×H×W, ``conv1_1`` takes BGR. ``fc6`` and what follows are matrices out×in.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.networks.kernels import from_channels_first, with_rgb
from neuralstyle.networks.network import Network, assemble

#: Where a network has its layers, and where a layer has its name and its blobs.
_FIELDS = {2: (4, 6), 100: (1, 7)}


def read_caffe(stream: BinaryIO, path: Path, sha256: str) -> Network:
    """Read a VGG-16 or VGG-19 from a Caffe model.

    Parameters
    ----------
    stream : binary file
        The whole file, at its start.
    path : path
        What it is called.
    sha256 : str
        Of its content.

    Returns
    -------
    Network
        Kernels H×W×in×out, ``conv1_1`` turned to RGB; the published mean pixel and no labels.

    Raises
    ------
    InputError
        If the file is damaged, and all that `neuralstyle.networks.network.assemble` finds wrong with the
        layers.
    """
    weights = {}
    try:
        for number, layer in _fields(memoryview(stream.read())):
            if number not in _FIELDS:
                continue
            name_field, blobs_field = _FIELDS[number]
            fields = list(_fields(layer))
            blobs = [_blob(value) for field, value in fields if field == blobs_field]
            if len(blobs) == 2:
                (name,) = (bytes(value).decode() for field, value in fields if field == name_field)
                weights[name] = _as_convolution(name, blobs[0]), blobs[1]
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise InputError(f"{path}: is damaged or cut short; fetch it again") from error
    return assemble(weights, path=path, sha256=sha256)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The numbers and values of a message's fields (protobuf.dev, "Encoding")."""
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"a field of kind {kind}")
        size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        if size > len(message) - position:
            raise ValueError("a field is longer than its message")
        yield number, message[position : position + size]
        position += size


def _blob(message: memoryview) -> np.ndarray:
    """The array of a ``BlobProto``."""
    fields = dict(_fields(message))
    if 7 in fields:
        shape = [size for number, value in _fields(fields[7]) if number == 1 for size in _varints(value)]
    else:
        shape = [fields.get(number, 1) for number in (1, 2, 3, 4)]
    return np.frombuffer(fields.get(5, b""), "<f4").reshape(shape)


def _varints(packed: memoryview | int) -> list[int]:
    """Numbers that are packed into one field, or the one that stands alone."""
    if isinstance(packed, int):
        return [packed]
    numbers, value, shift = [], 0, 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    return numbers


def _as_convolution(name: str, kernel: np.ndarray) -> np.ndarray:
    """Turn a kernel as Caffe keeps it into H×W×in×out, RGB."""
    if name.startswith("fc"):
        kernel = kernel.reshape(kernel.shape[-2:])  # the older files have 1×1×out×in
    kernel = from_channels_first(name, kernel)
    return with_rgb(kernel) if name == "conv1_1" else kernel

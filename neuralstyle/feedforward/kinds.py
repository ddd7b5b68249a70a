"""Which kinds of network files there are: those read, told by their first bytes, and those written.

No TensorFlow here.
"""

from pathlib import Path

#: The formats that `export` writes, each with the precisions in which it can hold weights.
FORMATS = {
    "savedmodel": ("float32",),
    "tflite": ("float32", "float16", "int8"),
    "onnx": ("float32", "float16", "int8"),
}

#: How protocol buffers number a field and its type: what these files begin with.
_GRAPH_NODE, _SAVED_MODEL_VERSION = b"\x0a", b"\x08"

#: What TensorFlow calls the file in a SavedModel's folder.
_SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


def is_saved_model(path: str | Path) -> bool:
    """Whether it is a SavedModel: its folder, or the file ``saved_model.pb`` in it."""
    path = Path(path)
    if path.is_dir():
        return any((path / name).is_file() for name in _SAVED_MODEL_FILES)
    return _begins(path) == _SAVED_MODEL_VERSION


def is_foreign(path: str | Path) -> bool:
    """Whether it brings a graph of its own: a SavedModel, or a file with a frozen graph of TensorFlow 1's.

    No checkpoint begins as such a file does.
    """
    return is_saved_model(path) or _begins(Path(path)) == _GRAPH_NODE


def _begins(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(1)

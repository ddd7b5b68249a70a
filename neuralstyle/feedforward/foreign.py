"""Networks of other programs that bring their own graph: frozen graphs of TensorFlow 1's, and SavedModels.

Such a file is a program with its weights. What it takes and gives shows from its graph alone: one picture
in, or a content and a style picture, and one picture out. How it counts colours shows from what comes out.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.any_style import STYLE_SIZE
from neuralstyle.feedforward.kinds import is_saved_model
from neuralstyle.feedforward.pictures import Render, centre_square, fitted
from neuralstyle.files import InputError, first_line
from neuralstyle.graphs import Machine, new_graph, open_session
from neuralstyle.pictures.reading import as_image
from neuralstyle.pictures.sizes import resize

#: What the sides of a picture may have to be multiples of, and the picture that it is tried on.
_MULTIPLES, _PROBE = (4, 8, 16, 32), 64

#: Kinds of number that colours come in.
_NUMBERS = (tf.float32, tf.float16, tf.uint8)

#: How a graph may count colours: the values of black and of white.
_BYTES, _UNIT, _SIGNED = (0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)


@contextmanager
def renderer(
    path: str | Path, style: np.ndarray | None = None, machine: Machine | None = None, margin: int = 0
) -> Iterator[Render]:
    """Open another program's network for rendering pictures.

    Parameters
    ----------
    path : path
        A SavedModel's folder, whose signature ``serving_default``, or its only one, is used. Or a file with
        a frozen graph, with one placeholder for a picture and one picture that nothing else is computed
        from. Of two pictures, which a SavedModel may take, the content is the one with "content" in its
        name, or the one without "style", or else the first in the alphabet, as TensorFlow calls unnamed
        arguments ``placeholder`` and ``placeholder_1``.
    style : ndarray, optional
        The style picture for a network that takes two, H×W×3, uint8 or float32, RGB, 0..255. Its centre
        square is reduced to 256×256, unless the network wants another size.
    machine : Machine, optional
        What the graph runs on.
    margin : int
        Pixels that the picture is extended by on each side, as `pictures.fitted` does it.

    Yields
    ------
    callable
        From a picture, float32 H×W×3, RGB, 0..255, to one of the same size and kind. A network that is made
        for one size renders at that size, and its result is brought back.

    Raises
    ------
    InputError
        If the file cannot be read, takes or gives something else, or a style picture is missing or too much.
    """
    with new_graph(machine) as graph, ExitStack() as stack:
        tf.no_op()  # no session opens on an empty graph, and a SavedModel is loaded into an open one
        session = stack.enter_context(closing(open_session(graph, machine)))
        if Path(path).is_dir() or is_saved_model(path):
            inputs, output = _load_saved_model(session, Path(path))
        else:
            inputs, output = _import_frozen_graph(graph, Path(path))
        pictures = [_Picture.of(tensor, f"{path}: ") for tensor in (*inputs, output)]
        if (len(inputs) == 2) != (style is not None):
            how = "takes a style picture as well; name one with" if style is None else "takes no"
            raise InputError(f"{path}: {how} --style")
        yield _Network(session, pictures, style, str(path)).renderer(margin)


@dataclass(frozen=True)
class _Picture:
    """A picture that a graph takes or gives.

    Attributes
    ----------
    tensor : tf.Tensor
    batch : bool
        Whether it has an axis for several pictures.
    channels_first : bool
    size : (int or None, int or None)
        Height and width, where the graph has only one.
    """

    tensor: tf.Tensor
    batch: bool
    channels_first: bool
    size: tuple[int | None, int | None]

    @staticmethod
    def of(tensor: tf.Tensor, where: str = "") -> "_Picture":
        """How a tensor holds a picture.

        Raises
        ------
        InputError
            If it holds none.
        """
        found = _picture_shape(tensor)
        if found is None:
            raise InputError(f"{where}{tensor.op.name} is no RGB picture: {tensor.dtype.name}{tensor.shape}")
        batch, first, size = found
        return _Picture(tensor, batch, first, size)

    def packed(self, image: np.ndarray) -> np.ndarray:
        """A picture H×W×3 as the graph takes it."""
        image = image.transpose(2, 0, 1) if self.channels_first else image
        if self.tensor.dtype == tf.uint8:
            image = np.rint(np.clip(image, 0, 255))
        image = image.astype(self.tensor.dtype.as_numpy_dtype)
        if not self.batch:
            return image
        count = (self.tensor.shape[0] if self.tensor.shape.rank else None) or 1
        return np.repeat(image[np.newaxis], count, 0)

    def unpacked(self, array: np.ndarray) -> np.ndarray:
        """A picture as the graph gives it as float32 H×W×3."""
        image = np.asarray(array[0] if array.ndim == 4 else array, np.float32)
        return image.transpose(1, 2, 0) if self.channels_first else image


def _picture_shape(tensor: tf.Tensor) -> tuple[bool, bool, tuple[int | None, int | None]] | None:
    """Whether a tensor has a batch's axis and its channels first, and its size; None: it is no picture."""
    if tensor.dtype not in _NUMBERS:
        return None
    if tensor.shape.rank is None:
        return True, False, (None, None)
    sides = tensor.shape.as_list()
    if len(sides) not in (3, 4):
        return None
    *_, first, second, third = sides
    if third != 3 and first == 3:
        return len(sides) == 4, True, (second, third)
    return (len(sides) == 4, False, (first, second)) if third in (3, None) else None


# --- what a graph takes and gives -------------------------------------------------------------------


def _load_saved_model(session: tf.compat.v1.Session, path: Path) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Load a SavedModel into a session: what it takes, the content first, and what it gives."""
    folder = path if path.is_dir() else path.parent
    try:
        model = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
    except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
        reason = first_line(error).strip()
        raise InputError(f"{folder}: cannot be read as a SavedModel ({reason})") from error
    signatures = {name: value for name, value in model.signature_def.items() if value.outputs}
    signature = signatures.get("serving_default")
    if signature is None and len(signatures) == 1:
        (signature,) = signatures.values()
    if signature is None or len(signature.inputs) not in (1, 2) or len(signature.outputs) != 1:
        raise InputError(
            f"{folder}: its signature serving_default must take a picture, or a content and a style picture, "
            "and give one picture"
        )
    tensors = [
        session.graph.get_tensor_by_name(entries[name].name)
        for entries in (signature.inputs, signature.outputs)
        for name in sorted(entries, key=_content_first)
    ]
    return tensors[:-1], tensors[-1]


def _content_first(name: str) -> tuple[bool, bool, str]:
    return "content" not in name, "style" in name, name


def _import_frozen_graph(graph: tf.Graph, path: Path) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Add a frozen graph to one: the picture that it takes, and the one that it gives."""
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(path.read_bytes())
        tf.import_graph_def(definition, name="")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({first_line(error)})") from error
    except Exception as error:  # protobuf's, TensorFlow's, and what those raise on damaged graphs
        raise InputError(f"{path}: cannot be read as a TensorFlow graph ({first_line(error)})") from error
    operations = [operation for operation in graph.get_operations() if operation.type != "NoOp"]
    variables = [operation.name for operation in operations if operation.type in _VARIABLES]
    if variables:
        raise InputError(f"{path}: its variables, such as {variables[0]}, have no values; freeze it first")
    outputs = [
        tensor
        for operation in operations
        if operation.type not in ("Const", "Placeholder") and not _used(operation)
        for tensor in operation.outputs[:1]
        if _picture_shape(tensor) is not None
    ]
    inputs = _placeholders_of(outputs)
    for what, tensors in (("gives", outputs), ("takes", inputs)):
        if len(tensors) != 1:
            names = ", ".join(tensor.op.name for tensor in tensors[:4]) or "nothing"
            raise InputError(f"{path}: {what} {names}; it must take one picture and give one picture")
    return inputs, outputs[0]


_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")


def _placeholders_of(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """The placeholders that tensors are computed from."""
    waiting, seen, found = [tensor.op for tensor in tensors], set(), []
    while waiting:
        operation = waiting.pop()
        if operation.name in seen:
            continue
        seen.add(operation.name)
        if operation.type == "Placeholder":
            found.append(operation.outputs[0])
        waiting += [tensor.op for tensor in operation.inputs]
    return found


def _used(operation: tf.Operation) -> bool:
    return any(tensor.consumers() for tensor in operation.outputs)


# --- how it is run ----------------------------------------------------------------------------------


class _Network:
    """A graph that takes a picture, and perhaps a style, and gives a picture.

    Parameters
    ----------
    session : tf.compat.v1.Session
    pictures : list of _Picture
        What it takes, and what it gives.
    style : ndarray or None
        H×W×3, 0..255.
    name : str
        Of its file, for messages.
    """

    def __init__(
        self, session: tf.compat.v1.Session, pictures: list[_Picture], style: np.ndarray | None, name: str
    ) -> None:
        *self._inputs, self._output = pictures
        self._name = name
        tensors = [picture.tensor for picture in self._inputs]
        self._run = session.make_callable(self._output.tensor, tensors)
        self._style: list[np.ndarray] = []
        self._takes = self._gives = _UNIT  # as Magenta's, the only published ones of two pictures
        if style is not None:
            taken = self._inputs[1]
            square = resize(centre_square(as_image(style)), *(side or STYLE_SIZE for side in taken.size))
            self._style = [taken.packed(square if taken.tensor.dtype == tf.uint8 else square / 255)]

    def renderer(self, margin: int) -> Render:
        """A function of pictures of any size."""
        size = self._inputs[0].size
        if None not in size:
            self._find_ranges(*size)
            return lambda image: resize(
                self._rendered(resize(image, *size, "bicubic")), *image.shape[:2], "bicubic"
            )
        multiple, cropped = self._found_sizes()
        self._find_ranges(_PROBE + multiple, _PROBE + multiple)
        return fitted(self._rendered, margin + cropped, multiple)

    def _rendered(self, image: np.ndarray) -> np.ndarray:
        """The network's picture of one whose size suits it, both H×W×3, 0..255."""
        (black, white), (black_given, white_given) = self._takes, self._gives
        result = self._raw(np.float32(black) + image * np.float32((white - black) / 255))
        return (result - np.float32(black_given)) * np.float32(255 / (white_given - black_given))

    def _raw(self, image: np.ndarray) -> np.ndarray:
        """What the network gives for a picture, both as it counts colours."""
        try:
            result = self._run(self._inputs[0].packed(image), *self._style)
        except (tf.errors.OpError, MemoryError) as error:
            raise InputError(
                f"{self._name}: cannot render {image.shape[1]}×{image.shape[0]} pixels ({first_line(error)})"
            ) from error
        if result.ndim in (3, 4):
            result = self._output.unpacked(result)
        if result.ndim != 3 or result.shape[2] != 3:
            raise InputError(f"{self._name}: gives an array of shape {result.shape}, which is no RGB picture")
        return result

    def _found_sizes(self) -> tuple[int, int]:
        """What sides must be multiples of, and what the network crops on each side."""
        problem = None
        for multiple in _MULTIPLES:
            try:
                lost = set()
                for side in (_PROBE + multiple, _PROBE + 3 * multiple):
                    result = self._raw(_probe(side, side))
                    lost |= {side - result.shape[0], side - result.shape[1]}
            except InputError as error:
                problem = error
                continue
            if len(lost) == 1 and min(lost) >= 0 and min(lost) % 2 == 0:
                return multiple, min(lost) // 2
        raise problem or InputError(
            f"{self._name}: does not give a picture of the size of the one that it takes"
        )

    def _find_ranges(self, height: int, width: int) -> None:
        """Find out how it counts colours: by what it makes of pictures in one range and another."""
        if self._style:
            return
        probe, taken = _probe(height, width) / 255, self._inputs[0].tensor.dtype
        ranges = [_BYTES] if taken == tf.uint8 else [_BYTES, _UNIT, _SIGNED]
        results = [self._raw(black + (white - black) * probe) for black, white in ranges]
        # Networks without a last function that bounds their values go somewhat beyond the range.
        beyond = np.abs(results[0]).max() > 4 or self._output.tensor.dtype == tf.uint8
        self._gives = _BYTES if beyond else _SIGNED if np.min(results) < -0.5 else _UNIT
        self._takes = _BYTES if taken == tf.uint8 else self._gives


def _probe(height: int, width: int) -> np.ndarray:
    """A picture with all kinds of colour, 0..255."""
    return np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)

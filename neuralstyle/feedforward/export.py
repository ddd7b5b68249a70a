"""The feed-forward networks for other programs: as SavedModel, for TensorFlow Lite, and as ONNX.

Each takes a picture ``content_image``, 1×H×W×3, and gives ``stylized_image`` of the same size, both
float32, RGB, 0..1, as networks on TensorFlow Hub do. The network of any style takes ``style_image`` as
well, 1×256×256×3; that of 26 styles takes ``style_weights``, 1×26, how much there is of each, which are 1
together. Height and width are known only when the network runs. As ``neuralstyle`` does, these networks
extend pictures by reflection until both are multiples of 4, and crop.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward import any_style, multi_style, transform
from neuralstyle.feedforward.blending import FIXED_STYLES
from neuralstyle.feedforward.layers import PLAIN
from neuralstyle.feedforward.weights import ANY_STYLE, MULTI_STYLE, read_weights
from neuralstyle.files import InputError, first_line, replacing

CONTENT, STYLE, WEIGHTS, RESULT = "content_image", "style_image", "style_weights", "stylized_image"

#: The version of ONNX's set of operations: the first that every current runtime has is 17.
_OPSET = 17

#: An array of fewer numbers stays as it is, whatever the precision.
_SMALL = 256

#: Which axis of a kernel counts its output channels, by the operation of ONNX's that it is for.
_OUTPUT_AXES = {"Conv": 0, "ConvTranspose": 1, "MatMul": 1}


@dataclass(frozen=True)
class Exported:
    """A network as a graph of operations that every format has.

    Attributes
    ----------
    graph : tf.Graph
    inputs : mapping of str to tf.Tensor
    result : tf.Tensor
    """

    graph: tf.Graph
    inputs: Mapping[str, tf.Tensor]
    result: tf.Tensor


# --- the graphs -------------------------------------------------------------------------------------


def transform_network(
    weights: Mapping[str, np.ndarray],
    layout: transform.Layout = transform.FAST_STYLE_TRANSFER,
    margin: int = 0,
) -> Exported:
    """A network of one style; the arguments are those of `transform.renderer`."""
    with tf.Graph().as_default() as graph:
        content = _placeholder(CONTENT)
        padded = _padded(content, layout.margin + margin)
        result = transform.build(weights, 255 * padded, layout, PLAIN)
        return Exported(graph, {CONTENT: content}, _result(result / 255, content, margin))


def any_style_network() -> Exported:
    """The two networks of any style, one after the other."""
    weights = read_weights(ANY_STYLE)
    with tf.Graph().as_default() as graph:
        content, style = _placeholder(CONTENT), _placeholder(STYLE, any_style.STYLE_SIZE)
        numbers = any_style.build_prediction(weights, style)
        result = any_style.build_transformer(weights, _padded(content), numbers, PLAIN)
        return Exported(graph, {CONTENT: content, STYLE: style}, _result(result, content))


def fixed_styles_network() -> Exported:
    """The network of 26 styles."""
    weights = read_weights(MULTI_STYLE)
    with tf.Graph().as_default() as graph:
        content = _placeholder(CONTENT)
        blend = tf.compat.v1.placeholder(tf.float32, (1, FIXED_STYLES), WEIGHTS)
        result = multi_style.build(weights, _padded(content), blend, PLAIN)
        return Exported(graph, {CONTENT: content, WEIGHTS: blend}, _result(result, content))


def _placeholder(name: str, side: int | None = None) -> tf.Tensor:
    return tf.compat.v1.placeholder(tf.float32, (1, side, side, 3), name)


def _padded(content: tf.Tensor, margin: int = 0) -> tf.Tensor:
    """A picture extended as `pictures.fitted` does it: by a margin, and to multiples of 4."""
    for axis in (1, 2):
        side = tf.shape(content)[axis]
        last = side - 1
        missing = tf.math.floormod(
            3 * (side + 2 * margin), 4
        )  # converters divide positive numbers alike only
        place = tf.range(-margin, side + margin + missing)
        # Mirrored at the first pixel, and then at the last; every format has these operations for integers.
        place = tf.maximum(place, -place)
        place = last - tf.maximum(last - place, place - last)
        content = tf.gather(content, place, axis=axis)
    return content


def _result(result: tf.Tensor, content: tf.Tensor, margin: int = 0) -> tf.Tensor:
    """The result within 0..1, cropped to the content's size."""
    _, height, width, _ = tf.unstack(tf.shape(content))
    result = tf.clip_by_value(result[:, margin : margin + height, margin : margin + width], 0, 1)
    return tf.ensure_shape(result, (1, None, None, 3), RESULT)


# --- the formats ------------------------------------------------------------------------------------


def write(exported: Exported, path: Path, format_: str, precision: str = "float32") -> None:
    """Write a network; what stood under that name is replaced.

    Parameters
    ----------
    exported : Exported
    path : pathlib.Path
        A file, or for a SavedModel a folder.
    format_ : str
        One of `kinds.FORMATS`.
    precision : str
        In what the weights are held; every runtime computes with float32 at most.

    Raises
    ------
    InputError
        If a package is missing, the network cannot be converted, or the file cannot be written.
    """
    if format_ == "savedmodel":
        with _replacing_folder(path) as temporary:
            write_saved_model(exported, temporary)
        return
    convert = {"tflite": to_tflite, "onnx": to_onnx}[format_]
    try:
        converted = convert(exported, precision)
    except InputError:
        raise
    except Exception as error:  # converters raise whatever they like
        raise InputError(f"{path}: the network cannot be converted ({first_line(error)})") from error
    with replacing(path) as temporary:
        temporary.write_bytes(converted)


def write_saved_model(exported: Exported, folder: Path) -> None:
    """Write a SavedModel with the signature ``serving_default`` into a folder that does not exist yet."""
    with tf.compat.v1.Session(graph=exported.graph) as session:
        builder = tf.compat.v1.saved_model.Builder(str(folder))
        signature = tf.compat.v1.saved_model.predict_signature_def(
            dict(exported.inputs), {RESULT: exported.result}
        )
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()


def to_tflite(exported: Exported, precision: str) -> bytes:
    """A network for TensorFlow Lite; int8 holds kernels at 8 bits, each channel with a step of its own."""
    with tempfile.TemporaryDirectory(prefix="neuralstyle-") as folder:
        write_saved_model(exported, Path(folder) / "model")
        converter = tf.lite.TFLiteConverter.from_saved_model(
            f"{folder}/model", ["serving_default"], {"serve"}
        )
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def to_onnx(exported: Exported, precision: str) -> bytes:
    """A network as ONNX."""
    try:
        import tf2onnx
    except ImportError:
        raise InputError("ONNX needs tf2onnx: pip install 'neuralstyle[onnx]'") from None
    model, _ = tf2onnx.convert.from_graph_def(
        exported.graph.as_graph_def(),
        input_names=[tensor.name for tensor in exported.inputs.values()],
        output_names=[exported.result.name],
        tensors_to_rename={
            tensor.name: name for name, tensor in [*exported.inputs.items(), (RESULT, exported.result)]
        },
        opset=_OPSET,
    )
    pictures = [
        value for value in (*model.graph.input, *model.graph.output) if value.name in (CONTENT, RESULT)
    ]
    for value in pictures:
        dimensions = value.type.tensor_type.shape.dim
        dimensions[1].dim_param, dimensions[2].dim_param = "height", "width"
    if precision != "float32":
        _hold_weights(model.graph, precision)
    return model.SerializeToString()


def _hold_weights(graph: "onnx.GraphProto", precision: str) -> None:  # noqa: F821
    """Hold the kernels of an ONNX graph in fewer bits, to be made float32 again where it is loaded."""
    from onnx import TensorProto, helper, numpy_helper

    used_by = {name: node.op_type for node in graph.node for name in node.input}
    nodes, arrays = [], []
    for tensor in graph.initializer:
        array, axis = numpy_helper.to_array(tensor), _OUTPUT_AXES.get(used_by.get(tensor.name))
        if array.dtype != np.float32 or array.size < _SMALL or (precision == "int8" and axis is None):
            arrays.append(tensor)
            continue
        held = f"{tensor.name}/{precision}"
        if precision == "float16":
            arrays.append(numpy_helper.from_array(array.astype(np.float16), held))
            nodes.append(helper.make_node("Cast", [held], [tensor.name], to=TensorProto.FLOAT))
            continue
        others = tuple(other for other in range(array.ndim) if other != axis)
        step = np.maximum(np.abs(array).max(others), np.float32(1e-30)) / np.float32(127)
        rounded = np.rint(array / np.expand_dims(step, others)).astype(np.int8)
        arrays += [numpy_helper.from_array(rounded, held), numpy_helper.from_array(step, f"{held}/step")]
        nodes.append(helper.make_node("DequantizeLinear", [held, f"{held}/step"], [tensor.name], axis=axis))
    nodes += graph.node
    for field, values in ((graph.node, nodes), (graph.initializer, arrays)):
        del field[:]
        field.extend(values)


@contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """Write a folder under another name beside it, and put it in its place when it is whole."""
    try:
        with tempfile.TemporaryDirectory(prefix=".neuralstyle-", dir=path.parent) as folder:
            yield Path(folder) / "new"
            if path.exists():
                os.replace(path, Path(folder) / "old")
            shutil.move(Path(folder) / "new", path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({first_line(error)})") from error

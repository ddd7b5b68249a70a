"""Networks written for other programs, read by their own runtimes and held against what this one renders."""

import contextlib
import warnings

import imageio.v3 as iio
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from conftest import trained_weights

from neuralstyle.command import main as cli
from neuralstyle.feedforward import any_style, export, multi_style, transform
from neuralstyle.feedforward.kinds import FORMATS

NETWORKS = ("transform", "any-style", "fixed-styles")


def exported(network):
    if network == "transform":
        return export.transform_network(trained_weights(0.125), margin=8)
    return export.any_style_network() if network == "any-style" else export.fixed_styles_network()


@pytest.fixture(scope="module")
def style(photograph):
    return np.ascontiguousarray(photograph[:256, 150:406])


def own(network, style):
    """What this program renders with a network."""
    if network == "transform":
        return transform.renderer(trained_weights(0.125), margin=8)
    return any_style.renderer([style]) if network == "any-style" else multi_style.renderer(np.eye(26)[4])


def inputs(network, picture, style):
    given = {"content_image": picture[np.newaxis] / 255}
    if network == "any-style":
        given["style_image"] = style[np.newaxis] / 255
    if network == "fixed-styles":
        given["style_weights"] = np.eye(26, dtype=np.float32)[4:5]
    return given


def run_saved_model(path, given):
    tensors = {name: tf.constant(value) for name, value in given.items()}
    return tf.saved_model.load(str(path)).signatures["serving_default"](**tensors)["stylized_image"].numpy()


def run_tflite(path, given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will move to a package of its own
        runner = tf.lite.Interpreter(str(path)).get_signature_runner("serving_default")
    return runner(**given)["stylized_image"]


def run_onnx(path, given):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["stylized_image"], given)[0]


RUNTIMES = {"savedmodel": run_saved_model, "tflite": run_tflite, "onnx": run_onnx}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every network in every format, each written once when it is asked for."""
    folder = tmp_path_factory.mktemp("exported")

    def written(network, format_):
        path = folder / f"{network}.{format_}"
        if not path.exists():
            export.write(exported(network), path, format_)
        return path

    return written


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_runtime_gives_what_this_program_renders(written, photograph, style, network, format_):
    path = written(network, format_)
    with own(network, style) as render:
        # One file for all sizes.
        for picture in (photograph[:64, :96], photograph[100:150, 50:113], photograph[:17, :47]):
            found = RUNTIMES[format_](path, inputs(network, picture, style))
            np.testing.assert_allclose(found[0], np.clip(render(picture) / 255, 0, 1), atol=1e-4)


def test_a_network_that_crops_its_own_margin_is_given_one(tmp_path, photograph):
    weights, layout = trained_weights(0.125), transform.HWALSUKLEE
    export.write(export.transform_network(weights, layout, 8), tmp_path / "model", "savedmodel")
    picture = photograph[:64, :95]
    with transform.renderer(weights, layout=layout, margin=8) as render:
        expected = render(picture) / 255
    found = run_saved_model(tmp_path / "model", inputs("transform", picture, None))
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


@pytest.mark.parametrize("format_", ["tflite", "onnx"])
def test_fewer_bits_take_less_room_and_change_little(written, tmp_path, photograph, style, format_):
    sizes, errors = [], []
    with own("transform", style) as render:
        expected = render(photograph[:64, :96]) / 255
    for precision in FORMATS[format_]:
        path = (
            written("transform", format_) if precision == "float32" else tmp_path / f"{precision}.{format_}"
        )
        if format_ == "onnx" and precision != "float32":
            model = onnx.load(written("transform", format_))  # which takes seconds to be made
            export._hold_weights(model.graph, precision)
            onnx.save(model, path)
        elif precision != "float32":
            export.write(exported("transform"), path, format_, precision)
        found = RUNTIMES[format_](path, inputs("transform", photograph[:64, :96], style))
        sizes.append(path.stat().st_size)
        errors.append(np.abs(found[0] - expected).mean())
    assert sizes[0] > 1.3 * sizes[1] > 1.3 * sizes[2]
    assert errors[0] < 1e-5 < errors[1] < 3e-3 < errors[2] < 0.1


def test_8_bits_suit_any_style_which_is_published_with_them(written, tmp_path, photograph, style):
    model = onnx.load(written("any-style", "onnx"))
    export._hold_weights(model.graph, "int8")
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "small.onnx")
    given = inputs("any-style", photograph[:64, :96], style)
    whole = run_onnx(written("any-style", "onnx"), given)
    assert np.abs(run_onnx(tmp_path / "small.onnx", given) - whole).mean() < 2e-3
    assert (tmp_path / "small.onnx").stat().st_size < 0.3 * written("any-style", "onnx").stat().st_size


def test_the_sizes_of_an_onnx_have_names(written):
    model = onnx.load(written("transform", "onnx"))
    onnx.checker.check_model(model, full_check=True)
    for value in (model.graph.input[0], model.graph.output[0]):
        sides = value.type.tensor_type.shape.dim
        assert [side.dim_param or side.dim_value for side in sides] == [1, "height", "width", 3]


def test_the_command_writes_what_transform_renders(tmp_path, photograph, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    iio.imwrite("content.png", photograph[:64, :96].astype(np.uint8))
    assert cli.main(["export", "wheat-field.ckpt", "--to", "savedmodel", "--output", "model"]) == 0
    assert "model: " in capsys.readouterr().out
    assert (
        cli.main(["--transform", "wheat-field.ckpt", "--content", "content.png", "--output", "own.png"]) == 0
    )
    assert cli.main(["--transform", "model", "--content", "content.png", "--output", "out.png"]) == 0
    np.testing.assert_allclose(iio.imread("out.png").astype(int), iio.imread("own.png"), atol=1)
    assert cli.main(["export", "wheat-field.ckpt", "--to", "savedmodel", "--output", "model"]) == 2
    assert "model: exists already; --overwrite replaces it" in capsys.readouterr().err
    more = ["--margin", "0", "--overwrite"]
    assert cli.main(["export", "wheat-field.ckpt", "--to", "savedmodel", "--output", "model", *more]) == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "line, expected",
    [
        (
            "any-style --to savedmodel --precision int8 --output a",
            "--precision int8 does not go with --to savedmodel",
        ),
        ("any-style --to onnx --margin 8 --output a.onnx", "--margin does not go with any-style"),
        ("nothing.ckpt --to onnx --output a.onnx", "nothing.ckpt: there is no such checkpoint"),
        ("frozen.pb --to onnx --output a.onnx", "frozen.pb: has a graph of its own"),
        ("any-style --to onnx --output nowhere/a.onnx", "nowhere does not exist"),
        ("any-style --to onnx --output folder", "folder: is a folder"),
        ("any-style --to savedmodel --output folder --overwrite", "folder: is a folder, and no SavedModel"),
    ],
)
def test_what_cannot_be_exported_gets_one_line(tmp_path, monkeypatch, capsys, line, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "frozen.pb").write_bytes(b"\x0a\x00")
    assert cli.main(["export", *line.split()]) == 2
    printed = capsys.readouterr().err
    assert expected in printed and printed.startswith("neuralstyle export: ") and printed.count("\n") == 1


def test_without_tf2onnx_one_line_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    with pytest.raises(export.InputError, match=r"pip install 'neuralstyle\[onnx\]'"):
        export.write(exported("transform"), tmp_path / "a.onnx", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_conversion_leaves_what_stood_there(tmp_path, monkeypatch):
    (tmp_path / "a.tflite").write_bytes(b"before")
    broken = exported("transform")
    monkeypatch.setattr(export, "write_saved_model", lambda *_: 1 / 0)
    with pytest.raises(export.InputError, match=r"a\.tflite: the network cannot be converted"):
        export.write(broken, tmp_path / "a.tflite", "tflite")
    assert (tmp_path / "a.tflite").read_bytes() == b"before"
    with contextlib.suppress(ZeroDivisionError):
        export.write(broken, tmp_path / "model", "savedmodel")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tflite"]

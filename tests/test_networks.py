import hashlib
import re
import zlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from weight_files import keras_weights

from neuralstyle.files import InputError
from neuralstyle.networks import SHIPPED, default_weights, load_network, weights_folder
from neuralstyle.networks.catalogue import CATALOGUE
from neuralstyle.networks.matconvnet import GENERATIONS, write_matconvnet
from neuralstyle.networks.network import MEAN_PIXEL, Network, assemble


def weights_of(network: Network) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {layer.name: (layer.kernel, layer.bias) for layer in network.convolutions}


def assert_same(network: Network, expected: Network) -> None:
    assert network.names == expected.names
    for layer, other in zip(network.convolutions, expected.convolutions, strict=True):
        np.testing.assert_array_equal(layer.kernel, other.kernel, err_msg=layer.name)
        np.testing.assert_array_equal(layer.bias, other.bias, err_msg=layer.name)
        assert layer.kernel.dtype == layer.bias.dtype == np.float32
    np.testing.assert_allclose(network.mean_pixel, expected.mean_pixel, rtol=1e-6)
    assert network.labels == expected.labels
    assert network.normalized == expected.normalized


def without_deepest_of_each_block(network: Network) -> Network:
    """VGG-16 from the small VGG-19, whose channels stay the same inside a block."""
    weights = weights_of(network)
    for name in ("conv3_4", "conv4_4", "conv5_4"):
        del weights[name]
    return assemble(weights, labels=network.labels)


# Networks as plain data


def test_a_network_is_cut_behind_the_deepest_layer_that_is_named(small_network):
    names = [layer.name for layer in small_network.up_to(["relu2_1", "conv1_2"])]
    assert names == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1", "relu2_1"]
    assert small_network.up_to([]) == ()


def test_an_unknown_layer_is_named_with_those_there_are(small_network):
    with pytest.raises(InputError, match="relu9_9; the network has conv1_1, relu1_1"):
        small_network.up_to(["relu1_1", "relu9_9"])


def test_a_transposed_network_has_its_kernels_mirrored_about_the_diagonal(small_network):
    for layer, mirrored in zip(
        small_network.convolutions, small_network.transposed().convolutions, strict=True
    ):
        for row, column in np.ndindex(3, 3):
            np.testing.assert_array_equal(mirrored.kernel[row, column], layer.kernel[column, row])
        assert not np.array_equal(mirrored.kernel, layer.kernel)


@pytest.mark.parametrize("name", ["conv1_1", "conv3_4", "conv5_4", "fc7"])
def test_a_layer_that_is_missing_is_named(small_network_with_classes, name):
    weights = weights_of(small_network_with_classes)
    del weights[name]
    with pytest.raises(InputError, match=f"layer {name} is missing"):
        assemble(weights)


# MatConvNet


def cell(values) -> np.ndarray:
    array = np.empty((1, len(values)), object)
    for index, value in enumerate(values):
        array[0, index] = value
    return array


def handmade_mat(network: Network, generation: str, average_image: np.ndarray) -> dict:
    """The variables of a published file, put together here and not by the package's writer."""
    layers = []
    for layer in network.layers:
        if layer.kernel is None:
            kind = {"name": layer.name, "type": layer.kind}
            layers.append(kind | {"weights": cell([])} if generation == "current" else kind)
        elif generation == "oldest":
            names = {"type": "conv", "name": layer.name, "stride": 1.0, "pad": 1.0}
            layers.append(names | {"biases": layer.bias[None], "filters": layer.kernel})
        else:
            both = cell([layer.kernel, layer.bias[:, None]])
            layers.append({"stride": 1.0, "name": layer.name, "weights": both, "type": "conv"})
    classes = {"name": cell(["n0"] * len(network.labels)), "description": cell(network.labels)}
    normalization = {"border": np.array([32.0, 32.0]), "averageImage": average_image, "keepAspect": 1.0}
    if generation == "current":
        return {"layers": cell(layers), "meta": {"classes": classes, "normalization": normalization}}
    return {"layers": cell(layers), "classes": classes, "normalization": normalization}


AVERAGE_IMAGES = {
    "224×224×3": np.broadcast_to(np.float32(MEAN_PIXEL), (224, 224, 3)),
    "1×1×3": np.array(MEAN_PIXEL).reshape(1, 1, 3),
    "1×3": np.array([MEAN_PIXEL]),
    "3×1": np.array(MEAN_PIXEL)[:, None],
}


@pytest.mark.parametrize("average_image", AVERAGE_IMAGES.values(), ids=AVERAGE_IMAGES.keys())
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_handmade_file_of_each_generation_is_read_by_field_name(
    tmp_path, small_network_with_classes, generation, average_image
):
    path = tmp_path / "handmade.mat"
    scipy.io.savemat(path, handmade_mat(small_network_with_classes, generation, average_image))
    assert_same(load_network(path), small_network_with_classes)


def test_the_mean_pixel_is_the_average_over_the_average_image(tmp_path, small_network):
    image = np.random.default_rng(0).uniform(0, 255, (224, 224, 3))
    path = tmp_path / "handmade.mat"
    scipy.io.savemat(path, handmade_mat(small_network, "beta16", image))
    expected = [image[:, :, 0].mean(), image[:, :, 1].mean(), image[:, :, 2].mean()]
    np.testing.assert_allclose(load_network(path).mean_pixel, expected, rtol=1e-6)


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("fixture", ["small_network", "small_network_with_classes"])
def test_what_is_written_is_read_back(tmp_path, request, fixture, generation):
    network = request.getfixturevalue(fixture)
    write_matconvnet(network, tmp_path / "written.mat", generation)
    assert_same(load_network(tmp_path / "written.mat"), network)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_written_file_remembers_that_its_filters_are_normalized(tmp_path, small_network, generation):
    write_matconvnet(replace(small_network, normalized=True), tmp_path / "written.mat", generation)
    assert load_network(tmp_path / "written.mat").normalized


@pytest.mark.parametrize("generation", GENERATIONS)
def test_vgg_16_is_read_back_as_vgg_16(tmp_path, small_network_with_classes, generation):
    network = without_deepest_of_each_block(small_network_with_classes)
    write_matconvnet(network, tmp_path / "written.mat", generation)
    assert_same(load_network(tmp_path / "written.mat"), network)
    assert "conv4_4" not in network.names and "conv4_3" in network.names


def variables_of(mat: bytes) -> list[bytes]:
    """The decompressed variables of a MATLAB 5 file, straight from its bytes."""
    variables, start = [], 128
    while start < len(mat):
        kind, size = np.frombuffer(mat, "<u4", 2, start)
        assert kind == 15  # miCOMPRESSED
        variables.append(zlib.decompress(mat[start + 8 : start + 8 + size]))
        start += 8 + int(size)
    return variables


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_bytes_of_a_written_kernel_run_along_its_height_first(tmp_path, small_network, generation):
    write_matconvnet(small_network, tmp_path / "written.mat", generation)
    kernel = small_network.convolutions[0].kernel
    # MATLAB counts the first index fastest, and the first index of a kernel is its row.
    by_column = b"".join(
        kernel[row, column, channel, output].tobytes()
        for output in range(kernel.shape[3])
        for channel in range(3)
        for column in range(3)
        for row in range(3)
    )
    assert by_column in variables_of((tmp_path / "written.mat").read_bytes())[0]


def test_a_written_file_has_no_date_and_so_always_the_same_bytes(tmp_path, small_network):
    write_matconvnet(small_network, tmp_path / "one.mat")
    write_matconvnet(small_network, tmp_path / "two.mat")
    content = (tmp_path / "one.mat").read_bytes()
    assert content == (tmp_path / "two.mat").read_bytes()
    assert content[:116].strip() == b"MATLAB 5.0 MAT-file, written by neuralstyle"


def test_programs_that_count_positions_find_what_they_look_for(tmp_path, small_network):
    # As neural-style's vgg.py finds the parts of a beta 16 file and of a current one.
    for generation, position in (("beta16", 0), ("current", 2)):
        write_matconvnet(small_network, tmp_path / "written.mat", generation)
        data = scipy.io.loadmat(tmp_path / "written.mat")
        if generation == "beta16":
            mean = np.mean(data["normalization"][0][0][0], axis=(0, 1))
        else:
            mean = data["meta"]["normalization"][0][0][0][0][2][0][0]
        np.testing.assert_allclose(mean, MEAN_PIXEL, rtol=1e-6)
        for index, layer in enumerate(small_network.layers):
            if layer.kernel is not None:
                kernel, bias = data["layers"][0][index][0][0][position][0]
                np.testing.assert_array_equal(kernel, layer.kernel)
                np.testing.assert_array_equal(bias.reshape(-1), layer.bias)


def test_an_unknown_generation_is_refused_before_anything_is_written(tmp_path, small_network):
    with pytest.raises(ValueError, match="beta17"):
        write_matconvnet(small_network, tmp_path / "written.mat", "beta17")
    assert not list(tmp_path.iterdir())


# Which file


def test_the_content_of_a_file_decides_and_not_its_suffix(tmp_path, small_network):
    write_matconvnet(small_network, tmp_path / "weights.h5")
    with h5py.File(tmp_path / "weights.mat", "w") as file:
        for name, (kernel, bias) in keras_weights(small_network).items():
            file[f"{name}/{name}_W_1:0"], file[f"{name}/{name}_b_1:0"] = kernel, bias
    assert_same(load_network(tmp_path / "weights.h5"), small_network)
    assert_same(load_network(tmp_path / "weights.mat"), small_network)


def test_the_argument_comes_before_the_environment_and_that_before_the_folder(
    tmp_path, small_network, small_network_with_classes, monkeypatch
):
    write_matconvnet(small_network, tmp_path / "argument.mat")
    write_matconvnet(small_network_with_classes, tmp_path / "environment.mat")
    monkeypatch.setenv("NEURALSTYLE_WEIGHTS", str(tmp_path / "environment.mat"))
    assert load_network(tmp_path / "argument.mat").path == tmp_path / "argument.mat"
    assert load_network().path == tmp_path / "environment.mat"
    monkeypatch.delenv("NEURALSTYLE_WEIGHTS")
    assert load_network().path == default_weights(weights_folder())


FULL_PRECISION_NAMES = {name for file in CATALOGUE.values() for name in (file.file_name, file.published_name)}


@pytest.mark.parametrize("name", sorted(FULL_PRECISION_NAMES))
def test_a_full_precision_file_in_the_folder_is_preferred_to_the_shipped_one(tmp_path, name):
    (tmp_path / SHIPPED).touch()
    assert default_weights(tmp_path) == tmp_path / SHIPPED
    (tmp_path / name).touch()
    assert default_weights(tmp_path) == tmp_path / name


# The shipped file


def test_the_shipped_file_is_the_one_whose_hash_is_written_beside_it():
    found = hashlib.sha256((weights_folder() / SHIPPED).read_bytes()).hexdigest()
    assert re.findall(r"\| SHA-256 \| `(\w+)` \|", (weights_folder() / "README.md").read_text()) == [found]


def test_the_shipped_network_is_vgg_19_without_its_classifier(shipped_network):
    # Simonyan & Zisserman 2015, table 1, column E.
    shapes = [layer.kernel.shape for layer in shipped_network.convolutions]
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512]
    assert shapes == [(3, 3, *pair) for pair in zip(channels, channels[1:], strict=False)]
    assert shipped_network.names[-1] == "pool5"
    np.testing.assert_allclose(shipped_network.mean_pixel, MEAN_PIXEL, rtol=1e-6)


def test_the_shipped_kernels_take_256_values_a_layer(shipped_network):
    assert [len(np.unique(layer.kernel)) for layer in shipped_network.convolutions] == [256] * 16


# Bad files


def changed(network: Network, name: str, change) -> dict:
    """Variables of a beta 16 file in which one layer's cell of weights is changed."""
    content = handmade_mat(network, "beta16", AVERAGE_IMAGES["1×1×3"])
    for layer in content["layers"][0]:
        if layer["name"] == name:
            change(layer)
    return content


def put_nan(layer: dict) -> None:
    kernel = layer["weights"][0, 0].copy()
    kernel[0, 1, 0, 0] = np.nan
    layer["weights"] = cell([kernel, layer["weights"][0, 1]])


def swap_channels(layer: dict) -> None:
    kernel, bias = layer["weights"][0]
    layer["weights"] = cell([kernel.transpose(3, 2, 0, 1), bias])


def put_text(layer: dict) -> None:
    layer["weights"] = cell(["kernel", "bias"])


def drop_weights(layer: dict) -> None:
    layer["weights"] = cell([])


CHANGES = {
    "NaN": (put_nan, "not finite"),
    "wrong shape": (swap_channels, "shape"),
    "text": (put_text, "not numbers"),
    "missing": (drop_weights, "missing"),
}


def assert_named_in_one_line(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_network(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(("change", "word"), CHANGES.values(), ids=CHANGES.keys())
def test_a_bad_layer_is_named_with_its_file(tmp_path, small_network, change, word):
    path = tmp_path / "bad.mat"
    scipy.io.savemat(path, changed(small_network, "conv3_2", change))
    assert_named_in_one_line(path, "conv3_2", word)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_file_cut_short_anywhere_is_named_in_one_line(tmp_path, small_network, generation):
    write_matconvnet(small_network, tmp_path / "whole.mat", generation)
    whole = (tmp_path / "whole.mat").read_bytes()
    path = tmp_path / "cut.mat"
    for length in [0, 1, 127, 128, 130, 136, *np.linspace(140, len(whole) - 1, 40, dtype=int)]:
        path.write_bytes(whole[:length])
        assert_named_in_one_line(path)


def test_a_keras_file_cut_short_anywhere_is_named_in_one_line(tmp_path, small_network):
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        for name, (kernel, bias) in keras_weights(small_network).items():
            file[f"{name}/{name}_W_1:0"], file[f"{name}/{name}_b_1:0"] = kernel, bias
    whole = (tmp_path / "whole.h5").read_bytes()
    path = tmp_path / "cut.h5"
    for length in np.linspace(0, len(whole) - 1, 20, dtype=int):
        path.write_bytes(whole[:length])
        assert_named_in_one_line(path)


def test_a_matlab_file_of_something_else_is_named_in_one_line(tmp_path):
    path = tmp_path / "other.mat"
    scipy.io.savemat(path, {"temperatures": np.arange(5.0)})
    assert_named_in_one_line(path, "layers")


@pytest.mark.parametrize(
    "layers", [np.arange(5.0), "conv", {"weights": 3.0}], ids=["numbers", "text", "struct"]
)
def test_a_matlab_file_with_other_layers_is_named_in_one_line(tmp_path, layers):
    path = tmp_path / "other.mat"
    mean = {"averageImage": AVERAGE_IMAGES["1×3"]}
    scipy.io.savemat(path, {"layers": layers, "normalization": mean})
    assert_named_in_one_line(path)


@pytest.mark.parametrize("image", [None, np.zeros((224, 224)), "grey"], ids=["none", "grey", "text"])
def test_a_file_without_a_usable_mean_is_named_in_one_line(tmp_path, small_network, image):
    content = handmade_mat(small_network, "beta16", image)
    if image is None:
        del content["normalization"]
    path = tmp_path / "bad.mat"
    scipy.io.savemat(path, content)
    assert_named_in_one_line(path, "averageImage")


def test_an_hdf5_file_of_something_else_is_named_in_one_line(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["conv1/kernel:0"] = np.zeros((7, 7, 3, 64))
    assert_named_in_one_line(path, "conv1_1")


def test_a_matlab_7_3_file_is_named_in_one_line(tmp_path):
    path = tmp_path / "new.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["layers"] = np.zeros(3)
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    assert_named_in_one_line(path, "7.3")


def test_a_text_file_is_named_in_one_line(tmp_path):
    path = tmp_path / "notes.mat"
    path.write_text("not weights at all\n" * 20)
    assert_named_in_one_line(path, "MATLAB 5")


def test_a_missing_file_and_a_folder_are_named_in_one_line(tmp_path):
    assert_named_in_one_line(tmp_path / "nowhere.mat", "No such file")
    assert_named_in_one_line(tmp_path, "directory")

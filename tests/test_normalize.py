import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from conftest import random_weights
from PIL import Image

from neuralstyle import features
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine
from neuralstyle.networks import load_network
from neuralstyle.networks.matconvnet import write_matconvnet
from neuralstyle.networks.network import assemble
from neuralstyle.networks.normalize import mean_activations, normalized_network, photographs, rescale

SCRIPT = Path(__file__).parents[1] / "scripts" / "normalize_weights.py"


@pytest.fixture(scope="module")
def pictures(photograph):
    """Three, of different and odd sizes."""
    return [photograph[:61, :87], photograph[100:165, 200:270], photograph[200:300, 50:99]]


def normalize(network, pictures, pooling="average"):
    return rescale(network, mean_activations(network, pictures, pooling))


def relus(network):
    return [name for name in network.names if name.startswith("relu") and "_" in name]


def means_by_hand(network, pictures, pooling="average"):
    """The mean over everything that any picture has at a layer, from the features themselves."""
    maps = [features(network, picture, relus(network), pooling) for picture in pictures]
    return {
        layer: np.concatenate([m[layer].reshape(-1, m[layer].shape[2]) for m in maps]).mean(
            axis=0, dtype=np.float64
        )
        for layer in relus(network)
    }


def with_a_dead_filter(network, name, filter):
    layers = []
    for layer in network.layers:
        if layer.name == name:
            bias = layer.bias.copy()
            bias[filter] = -1e6
            layer = dataclasses.replace(layer, bias=bias)
        layers.append(layer)
    return dataclasses.replace(network, layers=tuple(layers))


def kernels_and_biases(network):
    return [array for layer in network.convolutions for array in (layer.kernel, layer.bias)]


def same_bits(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(kernels_and_biases(one), kernels_and_biases(other), strict=True)
    )


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_every_filter_that_fires_has_a_mean_activation_of_one(small_network, pictures, pooling):
    before = means_by_hand(small_network, pictures, pooling)
    after = means_by_hand(normalize(small_network, pictures, pooling), pictures, pooling)
    for layer, means in after.items():
        np.testing.assert_allclose(means[before[layer] > 0], 1, rtol=1e-4)


def test_the_published_network_has_mean_activations_of_one(shipped_network, photograph):
    pictures = [photograph[:96, :128], photograph[150:270, 300:420]]
    before = means_by_hand(shipped_network, pictures)
    after = means_by_hand(normalize(shipped_network, pictures), pictures)
    for layer, means in after.items():
        np.testing.assert_allclose(means[before[layer] > 0], 1, rtol=0.01)


def test_on_another_picture_features_differ_by_the_channels_own_factors_only(
    small_network, pictures, photograph
):
    means = mean_activations(small_network, pictures)
    network = normalize(small_network, pictures)
    other = photograph[30:77, 300:371]
    before = features(small_network, other, relus(network), "average")
    after = features(network, other, relus(network), "average")
    for layer, values in after.items():
        mean = means[layer.replace("relu", "conv")]
        expected = before[layer] / np.where(mean > 0, mean, 1)
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_the_classes_stay_the_same(small_network_with_classes, pictures, photograph):
    network = normalize(small_network_with_classes, pictures)
    image = photograph[:224, :224]
    before = features(small_network_with_classes, image, ["relu6", "prob"])
    after = features(network, image, ["relu6", "prob"])
    np.testing.assert_allclose(after["relu6"], before["relu6"], rtol=1e-3, atol=1e-4 * before["relu6"].max())
    np.testing.assert_allclose(after["prob"], before["prob"], atol=1e-4)
    assert network.labels == small_network_with_classes.labels


def test_a_filter_that_never_fires_is_left_alone(small_network, pictures):
    dead = with_a_dead_filter(small_network, "conv2_1", 4)
    network = normalize(dead, pictures)
    after = next(layer for layer in network.layers if layer.name == "conv2_1")
    assert after.bias[4] == -1e6
    means = means_by_hand(network, pictures)
    assert means["relu2_1"][4] == 0
    np.testing.assert_allclose(np.delete(means["relu2_1"], 4), 1, rtol=1e-4)


def test_all_but_kernels_and_biases_is_kept(small_network, pictures):
    given = dataclasses.replace(small_network, mean_pixel=np.float32([1, 2, 3]), path=Path("somewhere.mat"))
    network = normalize(given, pictures)
    assert network.normalized and not given.normalized
    assert network.path == given.path and network.names == given.names
    np.testing.assert_array_equal(network.mean_pixel, given.mean_pixel)


def test_without_a_picture_one_line_says_so(small_network):
    with pytest.raises(InputError, match="no picture"):
        normalize(small_network, [])


def test_the_photographs_fire_every_filter_of_the_published_network_at_least_a_little(shipped_network):
    # conv1_1 and conv2_1 look at colours; on the photographs as they are, one filter has 1e-6 of the median.
    shallow = [layer for layer in shipped_network.layers if layer.name[4:] in ("1_1", "1_2", "2_1", "2_2")]
    weights = random_weights((64, 128, 8, 8, 8))
    weights |= {layer.name: (layer.kernel, layer.bias) for layer in shallow if layer.kernel is not None}
    means = mean_activations(assemble(weights), (picture[::2, ::2] for picture in photographs()))
    for name in ("conv1_1", "conv1_2", "conv2_1", "conv2_2"):
        assert means[name].min() > 0.01 * np.median(means[name])


def test_what_is_kept_gives_the_same_network_bit_for_bit(small_network, tmp_path):
    made = normalized_network(small_network, tmp_path / "new" / "folder")
    (file,) = (tmp_path / "new" / "folder").iterdir()
    file_before = file.read_bytes()
    read = normalized_network(small_network, tmp_path / "new" / "folder")
    assert made.normalized and read.normalized
    assert same_bits(made, read)
    assert file.read_bytes() == file_before
    assert same_bits(made, normalize(small_network, photographs()))


def test_mean_activations_are_computed_on_the_machine_given(small_network, pictures, tmp_path):
    # TensorFlow sees no hundredth GPU: whoever asks for it learns so instead of computing elsewhere.
    nowhere = Machine(device="/GPU:99")
    for compute in (
        lambda: mean_activations(small_network, pictures, machine=nowhere),
        lambda: normalized_network(small_network, tmp_path, nowhere),
    ):
        with pytest.raises(InputError, match="GPU:99"):
            compute()
    with pytest.raises(InputError, match="threads"):
        mean_activations(small_network, pictures, machine=Machine(threads=0))


def test_what_is_kept_is_used(small_network, tmp_path):
    made = normalized_network(small_network, tmp_path)
    (file,) = tmp_path.iterdir()
    with np.load(file) as content:
        np.savez(file, **{name: 2 * content[name] for name in content.files})
    first = normalized_network(small_network, tmp_path).convolutions[0]
    np.testing.assert_array_equal(2 * first.kernel, made.convolutions[0].kernel)


def test_other_weights_are_kept_apart_and_other_files_of_the_same_weights_are_not(small_network, tmp_path):
    normalized_network(small_network, tmp_path)
    write_matconvnet(small_network, tmp_path / "copy.mat")
    normalized_network(load_network(tmp_path / "copy.mat"), tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1
    normalized_network(with_a_dead_filter(small_network, "conv5_4", 0), tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "empty", "not finite"])
def test_a_damaged_file_is_made_anew(small_network, tmp_path, damage):
    made = normalized_network(small_network, tmp_path)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    elif damage == "other":
        np.savez(file, conv1_1=np.ones(4))
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        with np.load(file) as arrays:
            np.savez(file, **{name: arrays[name] * np.nan for name in arrays.files})
    assert same_bits(normalized_network(small_network, tmp_path), made)
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_written_costs_a_warning_of_one_line(small_network, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="cannot be kept") as warned:
        network = normalized_network(small_network, tmp_path / "file" / "cache")
    assert network.normalized
    assert len(warned) == 1 and "\n" not in str(warned[0].message)


def test_a_network_that_is_normalised_already_is_given_back_as_it_is(small_network, pictures, tmp_path):
    network = normalize(small_network, pictures)
    assert normalized_network(network, tmp_path) is network
    assert not list(tmp_path.iterdir())


def run(*arguments):
    # What TensorFlow logs is for the script to keep back, not for the settings of whoever runs the tests.
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def test_the_script_makes_a_file_from_a_folder_and_names_what_it_leaves_out(small_network, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = skimage.data.coffee()[:150, :200]
    Image.fromarray(picture).save(folder / "a.png")
    (folder / "notes.txt").write_text("not a picture")
    write_matconvnet(small_network, tmp_path / "plain.mat")
    done = run("--network", tmp_path / "plain.mat", "--pictures", folder, "--output", tmp_path / "normal.mat")
    assert done.returncode == 0, done.stderr
    assert f"left out: {folder / 'notes.txt'}" in done.stderr
    assert not any(word in done.stderr for word in ("TensorFlow", "oneDNN", "CUDA", "cuda"))
    network = load_network(tmp_path / "normal.mat")
    assert network.normalized
    assert same_bits(network, normalize(small_network, [picture]))


@pytest.mark.parametrize("wrong", ["empty", "missing", "exists", "unreadable"])
def test_the_script_says_what_is_wrong_in_one_line(small_network, tmp_path, wrong):
    folder, output = tmp_path / "pictures", tmp_path / "out.mat"
    if wrong != "missing":
        folder.mkdir()
    if wrong in ("unreadable", "exists"):
        (folder / "notes.txt").write_text("not a picture")
    if wrong == "exists":
        output.write_text("precious")
    write_matconvnet(small_network, tmp_path / "plain.mat")
    done = run("--network", tmp_path / "plain.mat", "--pictures", folder, "--output", output)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("normalize_weights.py: ")
    expected = {
        "empty": "is an empty folder",
        "missing": "is no folder",
        "exists": "exists already",
        "unreadable": "there is no picture",
    }
    assert expected[wrong] in last
    assert "Traceback" not in done.stderr
    if wrong == "exists":
        assert output.read_text() == "precious"
    else:
        assert not output.exists()

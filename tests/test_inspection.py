import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from PIL import Image

from neuralstyle import features
from neuralstyle.command import main as cli
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine
from neuralstyle.networks.distances import gram_distance, style_positions, wasserstein_distance
from neuralstyle.networks.inspection import (
    LayerStatistics,
    best_classes,
    classifier_input,
    cosine_similarity,
    differences,
    edge_pictures,
    layer_statistics,
    sobel_edges,
    total_variation,
)
from neuralstyle.networks.matconvnet import write_matconvnet

SCRIPT = Path(__file__).parents[1] / "scripts" / "inspect_network.py"


def keras_vgg(network, size, layers=("prob",)):
    """The network in Keras's layers, Dense ones among them; RGB minus the mean pixel goes in."""
    x = pixels = tf.keras.Input((*size, 3))
    outputs = {}
    for layer in network.layers:
        if layer.kind == "convolution" and layer.name.startswith("conv"):
            add = tf.keras.layers.Conv2D(len(layer.bias), 3, padding="same")
            x = add(x)
            add.set_weights([layer.kernel, layer.bias])
        elif layer.kind == "convolution":
            add = tf.keras.layers.Dense(len(layer.bias))
            x = add(tf.keras.layers.Flatten()(x))
            add.set_weights([layer.kernel.reshape(-1, len(layer.bias)), layer.bias])
        elif layer.kind == "relu":
            x = tf.keras.layers.ReLU()(x)
        elif layer.kind == "pool":
            x = tf.keras.layers.MaxPooling2D(padding="same")(x)
        else:
            x = tf.keras.layers.Softmax()(x)
        outputs[layer.name] = x
        if layer.name == layers[-1]:
            break
    model = tf.keras.Model(pixels, [outputs[layer] for layer in layers])
    return lambda image: [
        np.asarray(values)[0] for values in tf.nest.flatten(model((image - network.mean_pixel)[np.newaxis]))
    ]


@pytest.fixture(scope="session")
def undecided_network(small_network_with_classes):
    """One that gives every class a share: random weights as they are give one class all."""
    layers = tuple(
        dataclasses.replace(layer, kernel=layer.kernel / 100) if layer.name == "fc8" else layer
        for layer in small_network_with_classes.layers
    )
    return dataclasses.replace(small_network_with_classes, layers=layers)


@pytest.fixture
def files(tmp_path, photograph, undecided_network):
    """Two pictures and a weight file, written."""
    Image.fromarray(photograph[:80, :100].astype(np.uint8)).save(tmp_path / "one.png")
    Image.fromarray(photograph[100:161, 200:273].astype(np.uint8)).save(tmp_path / "two.png")
    write_matconvnet(undecided_network, tmp_path / "full.mat")
    return tmp_path


def test_statistics_of_each_layer_are_those_of_keras(shipped_network, photograph):
    image = photograph[:67, :93]
    layers = ("relu1_1", "conv2_2", "pool2", "relu3_1", "relu4_2", "conv5_1")
    found = layer_statistics(shipped_network, image, layers)
    for layer, values in zip(layers, keras_vgg(shipped_network, (67, 93), layers)(image), strict=True):
        assert found[layer].shape == values.shape
        figures = [found[layer].minimum, found[layer].maximum, found[layer].mean]
        expected = [values.min(), values.max(), values.mean(dtype=np.float64)]
        np.testing.assert_allclose(figures, expected, rtol=1e-3, atol=1e-5 * values.max())
        flat = values.reshape(-1, values.shape[2])
        np.testing.assert_allclose(found[layer].gram, flat.T @ flat, atol=1e-4 * (flat.T @ flat).max())


def test_without_names_every_layer_of_the_convolutional_part_is_given_in_order(
    small_network_with_classes, photograph
):
    found = layer_statistics(small_network_with_classes, photograph[:32, :48])
    names = small_network_with_classes.names
    assert tuple(found) == names[: names.index("pool5") + 1]
    assert found["pool5"].shape == (1, 2, 12)


def test_average_pooling_is_seen_in_the_statistics(small_network, photograph):
    image = photograph[:32, :32]
    values = features(small_network, image, ["relu1_2"])["relu1_2"]
    pooled = values.reshape(16, 2, 16, 2, -1).mean(axis=(1, 3))
    found = layer_statistics(small_network, image, ["pool1"], "average")["pool1"]
    assert found.maximum == pytest.approx(pooled.max(), rel=1e-5)


def test_a_fully_connected_layer_has_no_statistics_for_a_picture_of_any_size(
    small_network_with_classes, photograph
):
    with pytest.raises(InputError, match="fc7 takes 224×224"):
        layer_statistics(small_network_with_classes, photograph, ["relu1_1", "fc7"])


def test_cosine_similarity_does_not_depend_on_how_large_a_picture_is():
    generator = np.random.default_rng(0)
    flat = generator.random((50, 6)).astype(np.float32)
    gram = flat.T @ flat
    other = generator.random((40, 6)).astype(np.float32)
    assert cosine_similarity(gram, 7 * gram) == pytest.approx(1, abs=1e-6)
    expected = np.trace(gram @ (other.T @ other)) / np.sqrt(
        np.trace(gram @ gram) * np.trace(other.T @ other @ other.T @ other)
    )
    assert cosine_similarity(gram, other.T @ other) == pytest.approx(expected, rel=1e-5)


def test_cosine_similarity_with_a_layer_that_does_not_fire_is_nan():
    assert np.isnan(cosine_similarity(np.zeros((3, 3), np.float32), np.eye(3, dtype=np.float32)))


def test_the_five_best_classes_are_those_of_keras_dense_layers(undecided_network, photograph):
    (probabilities,) = keras_vgg(undecided_network, (224, 224))(classifier_input(photograph))
    order = np.argsort(-probabilities)[:5]
    assert probabilities[order].min() > 0.01
    found = best_classes(undecided_network, photograph)
    assert [label for label, _ in found] == [f"class {index}" for index in order]
    np.testing.assert_allclose([share for _, share in found], probabilities[order], atol=1e-5)


def test_labels_come_from_the_file_and_are_numbered_where_it_has_none(undecided_network, photograph):
    named = dataclasses.replace(undecided_network, labels=tuple("ABCDEFG"))
    bare = dataclasses.replace(undecided_network, labels=())
    for (letter, share), (number, same) in zip(
        best_classes(named, photograph), best_classes(bare, photograph), strict=True
    ):
        assert number == f"class {'ABCDEFG'.index(letter)}"
        assert share == same


@pytest.mark.parametrize("height, width", [(300, 451), (451, 300), (256, 256), (40, 170), (16, 16)])
def test_the_middle_of_the_shorter_side_at_256_pixels_is_classified(height, width):
    # A ramp in each direction keeps its values when resized, so that places can be read off.
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    image = np.stack([(rows + 0.5) / height, (columns + 0.5) / width, rows * 0], axis=2) * 255
    crop = classifier_input(image)
    assert crop.shape == (224, 224, 3)
    assert crop[111:113, 111:113, :2].mean() / 255 == pytest.approx(0.5, abs=0.005)
    shorter = 0 if height <= width else 1
    shown = np.ptp(crop[..., shorter]) / 255
    assert shown == pytest.approx(223 / 256, abs=0.005)


def test_a_network_without_fully_connected_layers_tells_no_classes(small_network, photograph):
    with pytest.raises(InputError, match="no fully connected layers"):
        best_classes(small_network, photograph)


def test_the_network_is_looked_at_on_the_machine_given(small_network_with_classes, photograph):
    # TensorFlow sees no hundredth GPU: whoever asks for it learns so instead of computing elsewhere.
    for compute in (layer_statistics, best_classes):
        with pytest.raises(InputError, match="GPU:99"):
            compute(small_network_with_classes, photograph, machine=Machine(device="/GPU:99"))
        with pytest.raises(InputError, match="threads"):
            compute(small_network_with_classes, photograph, machine=Machine(threads=0))


def test_total_variation_is_that_of_tensorflow(photograph):
    expected = tf.image.total_variation(tf.constant(photograph[np.newaxis] / 255)).numpy()[0]
    assert total_variation(photograph) == pytest.approx(expected, rel=1e-5)


def test_differences_are_those_of_tensorflows_gradients(photograph):
    horizontal, vertical = differences(photograph)
    dy, dx = tf.image.image_gradients(tf.constant(photograph[np.newaxis] / 255))
    np.testing.assert_allclose(horizontal, dx[0, :, :-1], atol=1e-6)
    np.testing.assert_allclose(vertical, dy[0, :-1], atol=1e-6)


def test_sobel_edges_are_those_of_tensorflow_border_included(photograph):
    horizontal, vertical = sobel_edges(photograph)
    expected = tf.image.sobel_edges(tf.constant(photograph[np.newaxis] / 255)).numpy()[0]
    np.testing.assert_allclose(vertical, expected[..., 0], atol=1e-5)
    np.testing.assert_allclose(horizontal, expected[..., 1], atol=1e-5)


def test_edge_pictures_are_scaled_as_in_the_tutorial(photograph):
    pictures = edge_pictures(photograph)
    x = photograph / 255
    sobel = tf.image.sobel_edges(tf.constant(x[np.newaxis])).numpy()[0]
    expected = {
        "horizontal-differences": 2 * (x[:, 1:] - x[:, :-1]) + 0.5,
        "vertical-differences": 2 * (x[1:] - x[:-1]) + 0.5,
        "horizontal-sobel": sobel[..., 1] / 4 + 0.5,
        "vertical-sobel": sobel[..., 0] / 4 + 0.5,
    }
    assert pictures.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(pictures[name], 255 * np.clip(values, 0, 1), atol=0.01)


def run(*arguments):
    # What TensorFlow logs is for the script to keep back, not for the settings of whoever runs the tests.
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def test_two_pictures_are_printed_layer_by_layer_with_their_likeness_classes_and_edges(
    files, undecided_network
):
    done = run(
        files / "one.png",
        files / "two.png",
        *("--network", files / "full.mat", "--layers", "relu1_1", "conv4_2", "--edges", files / "edges"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pictures = [np.asarray(Image.open(files / name), np.float32) for name in ("one.png", "two.png")]
    first, second = (
        layer_statistics(undecided_network, picture, ["relu1_1", "conv4_2"]) for picture in pictures
    )
    words = [line.split() for line in done.stdout.splitlines()]
    figures = first["conv4_2"]
    expected = [f"{value:.6g}" for value in (figures.minimum, figures.maximum, figures.mean)]
    assert ["conv4_2", "10×13×10", *expected] in words
    alike = cosine_similarity(first["relu1_1"].gram, second["relu1_1"].gram)
    assert ["relu1_1", f"{alike:.6f}"] in words
    label, share = best_classes(undecided_network, pictures[1])[0]
    assert f"{share:8.4f}  {label}\n" in done.stdout
    assert f"{total_variation(pictures[0]):.6g}" in done.stdout
    names = {path.name for path in (files / "edges").iterdir()}
    assert names == {
        f"{stem}-{direction}-{kind}.png"
        for stem in ("one", "two")
        for direction in ("horizontal", "vertical")
        for kind in ("differences", "sobel")
    }
    written = np.asarray(Image.open(files / "edges" / "two-vertical-sobel.png"), np.float32)
    np.testing.assert_allclose(written, edge_pictures(pictures[1])["vertical-sobel"], atol=0.51)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["missing.png"], r"missing\.png: no such file"),
        (["one.png", "--layers", "relu9_9"], "unknown layer relu9_9"),
        (["one.png", "--edges", "full.mat"], r"full\.mat: cannot be made a folder"),
        (["one.png", "--edges", "old"], r"one-vertical-sobel\.png: exists"),
        (["one.png", "--width", "0"], "--width is 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(files, arguments, says):
    (files / "old").mkdir()
    (files / "old" / "one-vertical-sobel.png").write_text("precious")
    paths = [files / name if (files / name).exists() or "." in name else name for name in arguments]
    done = run("--network", files / "full.mat", *paths)
    assert done.returncode == 2
    assert re.fullmatch(rf"inspect_network\.py: .*{says}.*\n", done.stderr)
    assert (files / "old" / "one-vertical-sobel.png").read_text() == "precious"
    assert len(list((files / "old").iterdir())) == 1


def test_help_needs_no_tensorflow():
    program = (
        f"import runpy, sys; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.stdout.splitlines()[-1] == "False"


# --- between a photograph and a painting ------------------------------------------------------------


def statistics_of(activations):
    """What `layer_statistics` says of a layer with these activations, positions×channels."""
    gram = activations.T @ activations
    return LayerStatistics((len(activations), 1, activations.shape[1]), 0, 0, 0, gram, activations.mean(0))


@pytest.fixture(scope="module")
def activations():
    rng = np.random.default_rng(3)
    return [rng.normal(size=(90, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6) for _ in range(2)]


def test_the_wasserstein_distance_is_that_of_scipys_matrix_root(activations):
    one, other = (np.cov(x.T, bias=True) for x in activations)
    root = scipy.linalg.sqrtm(one)
    squared = ((activations[0].mean(0) - activations[1].mean(0)) ** 2).sum()
    squared += np.trace(one + other - 2 * scipy.linalg.sqrtm(root @ other @ root).real)
    found = wasserstein_distance(*map(statistics_of, activations))
    assert found == pytest.approx(np.sqrt(squared), rel=1e-6)


def test_the_gram_distance_is_that_of_mean_products(activations):
    one, other = (np.mean([np.outer(row, row) for row in x], axis=0) for x in activations)
    found = gram_distance(*map(statistics_of, activations))
    assert found == pytest.approx(np.sqrt(((one - other) ** 2).sum()), rel=1e-9)


def test_the_painting_lies_at_0_and_the_photograph_at_1(small_network, photograph):
    layers = ("relu1_1", "relu3_1")
    content, style = (
        layer_statistics(small_network, picture, layers)
        for picture in (photograph[:64, :80], photograph[200:280, 90:160])
    )
    for result, value in ((style, 0), (content, 1)):
        for position in style_positions(result, content, style).values():
            assert position.gram == pytest.approx(value, abs=1e-6)
            assert position.wasserstein == pytest.approx(value, abs=1e-3)


def test_the_command_prints_where_a_result_lies(files, capsys):
    one, two = str(files / "one.png"), str(files / "two.png")
    assert cli.main(["inspect", one, "--between", one, two, "--network", str(files / "full.mat")]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split() == ["mean", "1.0000", "1.0000"]
    assert cli.main(["inspect", one, two, "--between", one, two]) == 2
    assert "leave SECOND out" in capsys.readouterr().err

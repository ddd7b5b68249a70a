import dataclasses
import hashlib
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from test_networks import assert_named_in_one_line, assert_same, without_deepest_of_each_block
from weight_files import (
    KERAS_LAYOUTS,
    KERAS_NAMES,
    keras_weights,
    torch_pickle,
    torchvision_tensors,
    write_caffe,
    write_keras,
    write_keras_archive,
    write_legacy_torch,
    write_tf_slim,
    write_theano_keras,
    write_torch,
)

from neuralstyle import features
from neuralstyle.networks import load_network
from neuralstyle.networks.matconvnet import write_matconvnet
from neuralstyle.networks.network import assemble
from neuralstyle.networks.pytorch import read_pytorch

V1 = tf.compat.v1.train.SaverDef.V1
V2 = tf.compat.v1.train.SaverDef.V2


@pytest.fixture(scope="module")
def network(small_network_with_classes):
    """Without labels, which only MatConvNet's files have; its classes get a share each."""
    layers = tuple(
        dataclasses.replace(layer, kernel=layer.kernel / 100) if layer.name == "fc8" else layer
        for layer in small_network_with_classes.layers
    )
    return dataclasses.replace(small_network_with_classes, layers=layers, labels=())


# Keras


@pytest.mark.parametrize("layout", KERAS_LAYOUTS)
@pytest.mark.parametrize("deep", [True, False], ids=["VGG-19", "VGG-16"])
def test_each_keras_layout_gives_rgb_convolutions(tmp_path, network, layout, deep):
    network = network if deep else without_deepest_of_each_block(network)
    write_keras(tmp_path / "keras.h5", network, layout)
    assert_same(load_network(tmp_path / "keras.h5"), network)


@pytest.mark.parametrize("layout", ["Keras 3", "Keras 3, by number", "Keras 2.12, by name"])
def test_an_archive_of_keras_is_read(tmp_path, network, layout):
    write_keras_archive(tmp_path / "saved.keras", network, layout)
    assert_same(load_network(tmp_path / "saved.keras"), network)


def test_the_slots_of_an_optimizer_are_not_taken_for_kernels(tmp_path, network):
    # Keras 2.11 to 2.15 call Adam's slots optimizer_weights/Adam/v/block1_conv1/kernel:0.
    write_keras(tmp_path / "keras.h5", network, "Keras 2, whole model", slots=True)
    assert_same(load_network(tmp_path / "keras.h5"), network)


def test_a_layer_that_is_there_twice_is_refused(tmp_path, network):
    write_keras(tmp_path / "keras.h5", network, "Keras 2")
    with h5py.File(tmp_path / "keras.h5", "a") as file:
        file.copy("block3_conv2", "second/block3_conv2")
    assert_named_in_one_line(tmp_path / "keras.h5", "conv3_2", "twice")


def test_files_of_keras_2_with_theano_have_kernels_turned_by_180_degrees(tmp_path, network):
    write_keras(tmp_path / "keras.h5", network, "Keras 2")
    with h5py.File(tmp_path / "keras.h5", "a") as file:
        file.attrs["backend"] = np.bytes_("theano")
        for name, (kernel, _) in keras_weights(network).items():
            if kernel.ndim == 4:
                file[f"{name}/{name}/kernel:0"][...] = np.rot90(kernel, 2)
    assert_same(load_network(tmp_path / "keras.h5"), network)


def test_a_file_that_keras_wrote_with_tensorflow_says_so_and_is_not_turned(tmp_path, network):
    write_keras(tmp_path / "keras.h5", network, "Keras 2")
    with h5py.File(tmp_path / "keras.h5", "a") as file:
        file.attrs["backend"] = "tensorflow"
    assert_same(load_network(tmp_path / "keras.h5"), network)


@pytest.fixture(scope="session")
def keras_model(small_network_with_classes):
    """The small network in Keras itself, with an optimizer, whose variables are saved with the model."""
    import keras

    weights = keras_weights(small_network_with_classes)
    image = keras.Input((224, 224, 3))
    tensor = image
    for layer in small_network_with_classes.layers:
        if layer.kind == "pool":
            tensor = keras.layers.MaxPooling2D(name=f"block{layer.name[-1]}_pool")(tensor)
        elif layer.kind == "convolution":
            name = KERAS_NAMES[layer.name]
            if name == "fc1":
                tensor = keras.layers.Flatten(name="flatten")(tensor)
            outputs = len(layer.bias)
            activation = "softmax" if name == "predictions" else "relu"
            if name.startswith("block"):
                make = keras.layers.Conv2D(outputs, 3, padding="same", activation=activation, name=name)
            else:
                make = keras.layers.Dense(outputs, activation=activation, name=name)
            tensor = make(tensor)
    model = keras.Model(image, tensor, name="vgg19")
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    return model


@pytest.mark.parametrize("kind", ["saved.weights.h5", "saved.h5", "saved.keras"])
def test_files_that_keras_itself_writes_are_read(tmp_path, keras_model, small_network_with_classes, kind):
    path = tmp_path / kind
    (keras_model.save_weights if "weights" in kind else keras_model.save)(path)
    assert_same(load_network(path), dataclasses.replace(small_network_with_classes, labels=()))


def test_fc6_from_a_dense_layer_sees_the_picture_as_keras_flattens_it(tmp_path, keras_model):
    keras_model.save_weights(tmp_path / "saved.weights.h5")
    fc6 = {layer.name: layer for layer in load_network(tmp_path / "saved.weights.h5").layers}["fc6"]
    features = np.random.default_rng(0).normal(size=(1, *fc6.kernel.shape[:3])).astype(np.float32)
    dense = keras_model.get_layer("fc1")
    expected = dense(keras_model.get_layer("flatten")(features)).numpy()[0]
    found = np.maximum(np.einsum("yxc,yxco->o", features[0], fc6.kernel) + fc6.bias, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# Every format


def write_beside_torch(write):
    return lambda path, network: write(path, torchvision_tensors(network))


FORMATS = {
    "MatConvNet": lambda path, network: write_matconvnet(network, path),
    "Keras": lambda path, network: write_keras(path, network, "Keras 2"),
    "Keras, archive": write_keras_archive,
    "Keras with Theano": write_theano_keras,
    "PyTorch": write_beside_torch(write_torch),
    "PyTorch, legacy": write_beside_torch(write_legacy_torch),
    "TF-Slim, V1": lambda path, network: write_tf_slim(path, network, V1),
    "TF-Slim, V2": lambda path, network: write_tf_slim(path, network, V2),
    "Caffe": write_caffe,
    "Caffe, current": lambda path, network: write_caffe(path, network, current=True),
}


@pytest.mark.parametrize("deep", [True, False], ids=["VGG-19", "VGG-16"])
@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_the_same_weights_give_the_same_features_from_every_format(
    tmp_path, network, photograph, write, deep
):
    network = network if deep else without_deepest_of_each_block(network)
    write(tmp_path / "weights", network)
    found = load_network(tmp_path / "weights")
    # Torchvision's mean pixel differs from the others' by up to half a grey level.
    np.testing.assert_allclose(found.mean_pixel, network.mean_pixel, atol=0.51)
    network = dataclasses.replace(network, mean_pixel=found.mean_pixel)
    layers = ("conv1_1", "relu3_1", "relu5_3", "fc6", "prob")
    image = photograph[:224, :224]
    expected = features(network, image, layers)
    assert expected["prob"].max() < 0.9
    for layer, values in features(found, image, layers).items():
        np.testing.assert_allclose(
            values, expected[layer], rtol=2e-3, atol=2e-4 * np.abs(expected[layer]).max()
        )


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "TF-Slim, V2"])
def test_a_network_knows_the_digest_of_the_file_it_was_read_from(tmp_path, network, name):
    FORMATS[name](tmp_path / "weights", network)
    expected = hashlib.sha256((tmp_path / "weights").read_bytes()).hexdigest()
    assert load_network(tmp_path / "weights").sha256 == expected


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "TF-Slim, V2"])
def test_a_file_of_any_format_cut_short_anywhere_is_named_in_one_line(tmp_path, network, name):
    FORMATS[name](tmp_path / "whole", network)
    whole = (tmp_path / "whole").read_bytes()
    for length in np.linspace(0, len(whole) - 1, 20, dtype=int):
        (tmp_path / "cut").write_bytes(whole[:length])
        assert_named_in_one_line(tmp_path / "cut")


# PyTorch


def test_torchvisions_first_layer_sees_standardised_pictures(tmp_path, network, photograph):
    tensors = torchvision_tensors(network)
    write_torch(tmp_path / "vgg19.pth", tensors)
    image = photograph[50:70, 80:100]
    found = features(load_network(tmp_path / "vgg19.pth"), image, ["conv1_1"])["conv1_1"]
    # torchvision.transforms: x/255, minus the mean, divided by the deviation, each of a channel.
    x = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))
    expected = np.einsum("yxiuv,oiuv->yxo", windows, tensors["features.0.weight"])
    expected += tensors["features.0.bias"]
    np.testing.assert_allclose(found[1:-1, 1:-1], expected, atol=1e-4 * np.abs(expected).max())


def test_gatys_file_with_names_of_his_own_takes_bgr_minus_the_mean(tmp_path, network):
    tensors = {}
    for layer in network.convolutions:
        if layer.name.startswith("conv"):
            kernel = layer.kernel[:, :, ::-1] if layer.name == "conv1_1" else layer.kernel
            tensors[f"{layer.name}.weight"] = kernel.transpose(3, 2, 0, 1)
            tensors[f"{layer.name}.bias"] = layer.bias
    write_torch(tmp_path / "vgg_conv.pth", tensors)
    convolutions = {layer.name: (layer.kernel, layer.bias) for layer in network.convolutions}
    expected = {name: pair for name, pair in convolutions.items() if name.startswith("conv")}
    assert_same(load_network(tmp_path / "vgg_conv.pth"), assemble(expected))


def test_johnsons_conversion_of_caffes_file_is_known_by_its_digest(tmp_path, network):
    # It has torchvision's names, but Caffe's weights: BGR minus the mean, 0..255.
    tensors = torchvision_tensors(network)
    bgr = network.convolutions[0].kernel[:, :, ::-1]
    tensors["features.0.weight"] = bgr.transpose(3, 2, 0, 1)
    write_torch(tmp_path / "vgg19.pth", tensors)
    with (tmp_path / "vgg19.pth").open("rb") as stream:
        found = read_pytorch(stream, tmp_path / "vgg19.pth", "d01eb7cb" + 56 * "0")
    assert_same(found, network)


def test_the_first_bytes_of_a_file_alone_are_refused_in_one_line(tmp_path, network):
    write_caffe(tmp_path / "caffe", network)
    write_legacy_torch(tmp_path / "torch", torchvision_tensors(network))
    write_keras(tmp_path / "keras", network, "Keras 3")
    write_matconvnet(network, tmp_path / "matlab")
    for name in ("caffe", "torch", "keras", "matlab"):
        content = (tmp_path / name).read_bytes()
        for length in (*range(24), 64, 126, 127, 128, 129):
            (tmp_path / "cut").write_bytes(content[:length])
            assert_named_in_one_line(tmp_path / "cut")


class Dangerous:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_that_calls_something_else_is_refused_and_not_called(tmp_path, legacy):
    path, victim = tmp_path / "vgg19.pth", tmp_path / "victim"
    dangerous = pickle.dumps({"features.0.weight": Dangerous(victim)}, protocol=2)
    if legacy:
        parts = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
        path.write_bytes(b"".join([*parts, dangerous]))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("vgg19/data.pkl", dangerous)
    assert_named_in_one_line(path, "open", "state_dict()")
    assert not victim.exists()


def test_a_network_with_batch_normalisation_is_refused(tmp_path, network):
    tensors = torchvision_tensors(network) | {"features.1.weight": np.ones(4, np.float32)}
    write_torch(tmp_path / "vgg19_bn.pth", tensors)
    assert_named_in_one_line(tmp_path / "vgg19_bn.pth", "batch normalisation")


def test_a_tensor_that_leaves_its_storage_is_damage(tmp_path, network):
    tensors = torchvision_tensors(network)
    with zipfile.ZipFile(tmp_path / "short.pth", "w") as archive:
        archive.writestr("vgg19/data.pkl", torch_pickle(tensors))
        for key, array in enumerate(tensors.values()):
            archive.writestr(f"vgg19/data/{key}", array.astype("<f4").tobytes()[:-4])
    assert_named_in_one_line(tmp_path / "short.pth", "damaged")


# TF-Slim


@pytest.mark.parametrize("ending", ["", ".index", ".data-00000-of-00001"])
def test_a_checkpoint_in_several_files_is_named_by_any_of_them(tmp_path, network, ending):
    write_tf_slim(tmp_path / "vgg [19].ckpt", network, V2)
    found = load_network(tmp_path / f"vgg [19].ckpt{ending}")
    # TF-Slim rounds the mean pixel.
    assert_same(dataclasses.replace(found, mean_pixel=network.mean_pixel), network)


def test_the_digest_of_a_checkpoint_in_several_files_is_that_of_all(tmp_path, network):
    write_tf_slim(tmp_path / "one.ckpt", network, V2)
    write_tf_slim(tmp_path / "two.ckpt", network, V2)
    digest = load_network(tmp_path / "one.ckpt").sha256
    assert len(digest) == 64
    assert load_network(tmp_path / "two.ckpt").sha256 == digest
    other = dataclasses.replace(network.convolutions[3], bias=network.convolutions[3].bias + 1)
    layers = tuple(other if layer.name == other.name else layer for layer in network.layers)
    write_tf_slim(tmp_path / "two.ckpt", dataclasses.replace(network, layers=layers), V2)
    assert load_network(tmp_path / "two.ckpt").sha256 != digest


def test_a_checkpoint_of_another_network_is_named_in_one_line(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.Variable(1.0, name="resnet_v1_50/conv1/weights")
        session.run(variable.initializer)
        saver = tf.compat.v1.train.Saver([variable], write_version=V1)
        saver.save(session, str(tmp_path / "resnet.ckpt"), write_meta_graph=False, write_state=False)
    assert_named_in_one_line(tmp_path / "resnet.ckpt", "conv1_1 is missing")

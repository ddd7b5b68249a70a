import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import neuralstyle
from neuralstyle.networks import vgg

RELUS = [
    f"relu{block}_{index}"
    for block, count in enumerate((2, 2, 4, 4, 4), start=1)
    for index in range(1, count + 1)
]


def keras_features(network, image, layers):
    """What tf.keras.applications.VGG19 computes with the same weights, given BGR as Keras wants it."""
    model = tf.keras.applications.VGG19(include_top=False, weights=None, input_shape=image.shape)
    for layer in network.convolutions:
        kernel = layer.kernel[:, :, ::-1] if layer.name == "conv1_1" else layer.kernel
        model.get_layer(layer.name.replace("conv", "block").replace("_", "_conv")).set_weights(
            [kernel, layer.bias]
        )
    outputs = [
        model.get_layer(layer.replace("relu", "block").replace("_", "_conv")).output for layer in layers
    ]
    bgr = image[..., ::-1] - network.mean_pixel[::-1]
    values = tf.keras.Model(model.input, outputs)(bgr[np.newaxis])
    return {layer: value.numpy()[0] for layer, value in zip(layers, values, strict=True)}


def largest_difference(ours, theirs):
    """The largest difference at any layer, as a share of the layer's largest value."""
    return max(np.abs(ours[layer] - theirs[layer]).max() / np.abs(theirs[layer]).max() for layer in theirs)


def with_random_weights(network):
    rng = np.random.default_rng(5)
    layers = tuple(
        dataclasses.replace(
            layer,
            kernel=rng.normal(0, np.sqrt(2 / np.prod(layer.kernel.shape[:3])), layer.kernel.shape).astype(
                np.float32
            ),
            bias=rng.normal(0, 1, layer.bias.shape).astype(np.float32),
        )
        if layer.kind == "convolution"
        else layer
        for layer in network.layers
    )
    return dataclasses.replace(network, layers=layers)


def test_all_sixteen_layers_equal_keras_on_a_photograph(shipped_network, photograph):
    image = photograph[:160, :208]
    ours = neuralstyle.features(shipped_network, image, RELUS)
    assert largest_difference(ours, keras_features(shipped_network, image, RELUS)) < 1e-4


def test_all_sixteen_layers_equal_keras_with_random_weights(shipped_network, photograph):
    network = with_random_weights(shipped_network)
    image = photograph[:96, :128]
    ours = neuralstyle.features(network, image, RELUS)
    assert largest_difference(ours, keras_features(network, image, RELUS)) < 1e-4


def test_all_sixteen_layers_equal_keras_at_an_odd_size_when_pooling_drops_the_edge(
    shipped_network, photograph
):
    image = photograph[:227, :301]
    ours = neuralstyle.features(shipped_network, image, RELUS, padding="VALID")
    assert largest_difference(ours, keras_features(shipped_network, image, RELUS)) < 1e-4


def test_transposed_kernels_do_not_equal_keras(shipped_network, photograph):
    image = photograph[:64, :64]
    ours = neuralstyle.features(shipped_network.transposed(), image, RELUS)
    assert largest_difference(ours, keras_features(shipped_network, image, RELUS)) > 0.1


@pytest.mark.parametrize("pooling, reduce", [("max", np.nanmax), ("average", np.nanmean)])
def test_pooling_at_an_odd_size_pads_at_the_bottom_and_right_and_does_not_count_it(
    shipped_network, photograph, pooling, reduce
):
    image = photograph[:19, :23]
    maps = neuralstyle.features(shipped_network, image, ["relu1_2", "pool1"], pooling)
    padded = np.pad(maps["relu1_2"], ((0, 1), (0, 1), (0, 0)), constant_values=np.nan)
    windows = padded.reshape(10, 2, 12, 2, -1)
    np.testing.assert_allclose(maps["pool1"], reduce(windows, axis=(1, 3)), rtol=1e-6)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_the_sizes_that_are_foretold_are_those_that_come_out(small_network, photograph, padding):
    image = photograph[:37, :51]
    maps = neuralstyle.features(small_network, image, RELUS, padding=padding)
    foretold = replace(small_network, padding=padding).sizes(37, 51, RELUS)
    assert {layer: values.shape for layer, values in maps.items()} == foretold


def test_a_graph_is_only_as_deep_as_the_layers_in_use(small_network):
    graph = tf.Graph()
    with graph.as_default():
        vgg.build(small_network, tf.compat.v1.placeholder(tf.float32, (1, 32, 32, 3)), ["relu2_1"])
    convolutions = [operation.name for operation in graph.get_operations() if operation.type == "Conv2D"]
    assert convolutions == ["conv1_1", "conv1_2", "conv2_1"]


def test_a_layer_before_its_relu_can_be_asked_for(small_network, photograph):
    maps = neuralstyle.features(small_network, photograph[:32, :32], ["conv4_2", "relu4_2"])
    assert maps["conv4_2"].min() < 0
    np.testing.assert_array_equal(np.maximum(maps["conv4_2"], 0), maps["relu4_2"])


def test_fully_connected_layers_equal_keras_dense_layers(small_network_with_classes, photograph):
    network = small_network_with_classes
    image = photograph[:224, :224]
    maps = neuralstyle.features(network, image, ["pool5", "prob"])
    dense = {layer.name: layer for layer in network.convolutions if layer.name.startswith("fc")}
    model = tf.keras.Sequential([tf.keras.Input(maps["pool5"].shape), tf.keras.layers.Flatten()])
    for name, activation in [("fc6", "relu"), ("fc7", "relu"), ("fc8", "softmax")]:
        kernel, bias = dense[name].kernel, dense[name].bias
        model.add(tf.keras.layers.Dense(len(bias), activation))
        model.layers[-1].set_weights([kernel.reshape(-1, len(bias)), bias])
    expected = model(maps["pool5"][np.newaxis]).numpy()[0]
    np.testing.assert_allclose(maps["prob"].reshape(-1), expected, atol=1e-6)


def test_the_default_graph_is_left_alone_and_eager_code_goes_on(small_network, photograph):
    neuralstyle.features(small_network, photograph[:32, :32], ["relu1_1"])
    assert tf.executing_eagerly()
    assert float(tf.constant(2.0) * 3.0) == 6.0
    assert not tf.compat.v1.get_default_graph().get_operations()


def test_an_unknown_layer_is_named(small_network, photograph):
    with pytest.raises(neuralstyle.InputError, match="unknown layer relu9_9"):
        neuralstyle.features(small_network, photograph[:32, :32], ["relu9_9"])


def test_an_unknown_pooling_is_named(small_network, photograph):
    with pytest.raises(neuralstyle.InputError, match="unknown pooling 'median'"):
        neuralstyle.features(small_network, photograph[:32, :32], ["relu1_1"], pooling="median")


def test_a_replicated_border_is_what_the_first_convolution_alone_sees(small_network, photograph):
    image = photograph[:33, :47]
    layers = ["relu1_1", "relu1_2"]
    ours = neuralstyle.features(replace(small_network, border="replicated"), image, layers)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    first = neuralstyle.features(small_network, padded, ["relu1_1"])["relu1_1"][1:-1, 1:-1]
    np.testing.assert_allclose(ours["relu1_1"], first, atol=1e-3)
    kernel, bias = small_network.convolutions[1].kernel, small_network.convolutions[1].bias
    second = np.maximum(tf.nn.conv2d(first[np.newaxis], kernel, 1, "SAME")[0] + bias, 0)
    np.testing.assert_allclose(ours["relu1_2"], second, atol=1e-3)


@pytest.mark.parametrize(
    ("pooling", "formula"),
    [
        ("average-scaled", lambda windows: 2 * windows.mean(axis=(1, 3))),
        ("l2-scaled", lambda windows: 0.78 * np.sqrt((windows**2).sum(axis=(1, 3)))),
    ],
)
def test_scaled_pooling_equals_its_formula(small_network, photograph, pooling, formula):
    found = neuralstyle.features(small_network, photograph[:32, :48], ["relu1_2", "pool1"], pooling, "VALID")
    windows = found["relu1_2"].reshape(16, 2, 24, 2, -1)
    np.testing.assert_allclose(found["pool1"], formula(windows), rtol=1e-5, atol=1e-5)


def test_a_divided_network_has_every_activation_divided(small_network, photograph):
    layers = ["conv1_1", "relu3_2", "relu5_4"]
    image = photograph[:40, :50]
    plain = neuralstyle.features(small_network, image, layers)
    divided = neuralstyle.features(small_network.divided(57.6), image, layers)
    for layer in layers:
        np.testing.assert_allclose(
            57.6 * divided[layer], plain[layer], rtol=1e-4, atol=1e-4 * abs(plain[layer]).max()
        )

"""Recipes of programs written with Keras, against those programs' losses computed eagerly by Keras itself."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import neuralstyle
from neuralstyle import RECIPES

STYLE_LAYERS = [f"block{block}_conv1" for block in range(1, 6)]
CONTENT_LAYER = "block5_conv2"


@pytest.fixture(scope="module")
def vgg19(shipped_network):
    """Keras's VGG-19 with the shipped weights; the outputs of the layers that the programs use, by name."""
    model = tf.keras.applications.VGG19(include_top=False, weights=None)
    for layer in shipped_network.convolutions:
        kernel = layer.kernel[:, :, ::-1] if layer.name == "conv1_1" else layer.kernel
        name = layer.name.replace("conv", "block").replace("_", "_conv")
        model.get_layer(name).set_weights([kernel, layer.bias])
    names = [*STYLE_LAYERS, CONTENT_LAYER]
    return tf.keras.Model(model.input, {name: model.get_layer(name).output for name in names})


@pytest.fixture(scope="module")
def pictures(photograph):
    """A start, a content picture, and a style picture of the same odd size."""
    content = photograph[100:147, 100:161]
    start = np.clip(content + np.random.default_rng(1).normal(0, 15, content.shape), 0, 255)
    return start.astype(np.float32), content, np.ascontiguousarray(photograph[:47, 220:281, ::-1])


def preprocessed(pixels):
    """RGB 0..255 to what Keras's VGG takes: BGR minus the mean pixel."""
    # Of a NumPy array it would work in place, and spoil the picture for everybody else.
    return tf.keras.applications.vgg19.preprocess_input(tf.convert_to_tensor(pixels)[tf.newaxis])


def gram_matrix(features):
    flat = tf.reshape(tf.transpose(features[0], (2, 0, 1)), (features.shape[-1], -1))
    return flat @ tf.transpose(flat)


def chollets_loss(vgg19, pixels, content, style, weights):
    """The loss of Deep Learning with Python, 8.3, and of keras.io's example."""
    content_weight, style_weight, tv_weight = weights
    height, width = content.shape[:2]
    ours, theirs, styles = (vgg19(preprocessed(picture)) for picture in (pixels, content, style))
    loss = content_weight * tf.reduce_sum((ours[CONTENT_LAYER] - theirs[CONTENT_LAYER]) ** 2)
    for layer in STYLE_LAYERS:
        difference = gram_matrix(styles[layer]) - gram_matrix(ours[layer])
        style_loss = tf.reduce_sum(difference**2) / (4.0 * 3**2 * (height * width) ** 2)
        loss += style_weight / len(STYLE_LAYERS) * style_loss
    x = preprocessed(pixels)
    a = (x[:, : height - 1, : width - 1] - x[:, 1:, : width - 1]) ** 2
    b = (x[:, : height - 1, : width - 1] - x[:, : height - 1, 1:]) ** 2
    return loss + tv_weight * tf.reduce_sum((a + b) ** 1.25)


@pytest.mark.parametrize("name, weights", [("chollet", (0.025, 1.0, 1e-4)), ("keras", (2.5e-8, 1e-6, 1e-6))])
def test_the_loss_and_gradient_are_those_of_the_keras_program(
    shipped_network, vgg19, pictures, name, weights
):
    start, content, style = pictures
    losses, gradient = neuralstyle.loss_and_gradient(start, content, style, name, shipped_network)
    pixels = tf.constant(start)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        loss = chollets_loss(vgg19, pixels, content, style, weights)
    expected = tape.gradient(loss, pixels).numpy()
    assert losses["total"] == pytest.approx(float(loss), rel=1e-4)
    assert np.abs(gradient - expected).max() < 1e-4 * np.abs(expected).max()


def tutorials_loss(vgg19, image, content, style):
    """The loss of tensorflow.org's tutorial, of a picture on [0, 1]."""

    def outputs(picture):
        return vgg19(preprocessed(picture * 255.0))

    def gram(features):
        positions = tf.cast(features.shape[1] * features.shape[2], tf.float32)
        return tf.linalg.einsum("bijc,bijd->bcd", features, features) / positions

    ours, theirs, styles = outputs(image), outputs(content), outputs(style)
    style_loss = tf.add_n(
        [tf.reduce_mean((gram(ours[layer]) - gram(styles[layer])) ** 2) for layer in STYLE_LAYERS]
    )
    content_loss = tf.reduce_mean((ours[CONTENT_LAYER] - theirs[CONTENT_LAYER]) ** 2)
    return 1e-2 * style_loss / 5 + 1e4 * content_loss + 30 * tf.image.total_variation(image)


def test_the_first_twenty_steps_are_those_of_the_tutorial_with_keras_adam(shipped_network, vgg19, pictures):
    """Each step is compared from the same picture, with twenty steps of Keras's moments behind it.

    Left alone the two runs part: where neighbours are all but equal, rounding decides the sign of the
    slope of |dx|, and Adam, which divides gradients by their size, makes a full step of it. A difference
    of 1e-7 grows threefold a step. The start has noise on it, so that no neighbours are equal.
    """
    content, _, style = pictures
    totals, reported = [], []

    def on_step(step):
        totals.append(step.total)
        reported.append(step.picture / 255)

    recipe = replace(RECIPES["tensorflow-tutorial"], content_size=None, iterations=20)
    neuralstyle.stylize(content, style, recipe, shipped_network, on_step=on_step)
    image = tf.Variable(content / 255)
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)
    for step in range(20):
        image.assign(reported[step])
        with tf.GradientTape() as tape:
            loss = tutorials_loss(vgg19, image, content / 255, style / 255)
        assert totals[step] == pytest.approx(float(loss), rel=1e-4)
        optimizer.apply_gradients([(tape.gradient(loss, image), image)])
        image.assign(tf.clip_by_value(image, 0.0, 1.0))
        np.testing.assert_allclose(reported[step + 1], image.numpy(), atol=1e-3)

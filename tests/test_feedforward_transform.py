import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from conftest import trained_weights

from neuralstyle import loss_and_gradient
from neuralstyle.feedforward import transform
from neuralstyle.feedforward.checkpoints import read_checkpoint
from neuralstyle.files import InputError, example_pair
from neuralstyle.graphs import open_session
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.sizes import fit_longer_side, resize


def keras_transform(weights, pixels):
    """The network of fast-style-transfer in Keras layers."""
    layers = tf.keras.layers
    count = iter(range(1, 100))

    def convolved(x, name, stride=1, transposed=False):
        kernel = weights[f"{name}/kernel"]
        kind = layers.Conv2DTranspose if transposed else layers.Conv2D
        convolution = kind(
            kernel.shape[2 if transposed else 3], kernel.shape[0], stride, "same", use_bias=False
        )
        # Every channel a group of its own is instance normalisation.
        normalisation = layers.GroupNormalization(groups=-1, epsilon=1e-3, name=f"norm{next(count)}")
        y = normalisation(convolution(x))
        convolution.set_weights([kernel])
        normalisation.set_weights([weights[f"{name}/scale"], weights[f"{name}/shift"]])
        return y

    x = given = tf.keras.Input(pixels.shape[1:])
    for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2)):
        x = layers.ReLU()(convolved(x, name, stride))
    for block in range(1, 6):
        y = layers.ReLU()(convolved(x, f"residual{block}/conv1"))
        x = layers.Add()([x, convolved(y, f"residual{block}/conv2")])
    for name in ("transposed1", "transposed2"):
        x = layers.ReLU()(convolved(x, name, 2, transposed=True))
    result = 150 * np.tanh(tf.keras.Model(given, convolved(x, "output"))(pixels).numpy()) + 127.5
    return result


def built(weights, pixels):
    with tf.Graph().as_default() as graph:
        result = transform.build(weights, tf.constant(pixels))
    with open_session(graph) as session:
        return session.run(result)


@pytest.fixture
def pixels(photograph):
    return photograph[:64, :96][np.newaxis]


@pytest.mark.parametrize("width", [1.0, 0.25])
def test_the_network_is_that_of_keras_layers(pixels, width):
    weights = trained_weights(width)
    difference = np.abs(built(weights, pixels) - keras_transform(weights, pixels))
    assert difference.max() / 255 < 1e-4


def test_a_renderer_clips_what_the_network_gives(pixels):
    weights = trained_weights(0.25)
    expected = built(weights, pixels)[0]
    assert expected.min() < 0 or expected.max() > 255
    with transform.renderer(weights) as render:
        np.testing.assert_allclose(render(pixels[0]), np.clip(expected, 0, 255), atol=0.01)


def test_other_sizes_are_padded_by_reflection_and_cropped(photograph):
    weights = trained_weights(0.25)
    picture = photograph[:50, :43]
    padded = np.pad(picture, ((0, 2), (0, 1), (0, 0)), mode="reflect")
    with transform.renderer(weights) as render:
        np.testing.assert_array_equal(render(picture), render(padded)[:50, :43])


def test_pictures_of_a_batch_do_not_see_each_other(photograph):
    weights = trained_weights(0.25)
    batch = np.stack([photograph[:48, :48], photograph[100:148, 200:248]])
    together = built(weights, batch)
    alone = np.concatenate([built(weights, batch[:1]), built(weights, batch[1:])])
    assert np.abs(together - alone).max() / 255 < 1e-4


def test_the_range_of_the_pixels_does_not_matter(pixels):
    weights = trained_weights(0.25)
    # Only as far as the epsilon beside the variance allows, which is larger beside small numbers.
    difference = np.abs(built(weights, pixels) - built(weights, pixels / 255))
    assert difference.mean() / 255 < 1e-2


@pytest.mark.parametrize("batch", [1, 2])
def test_every_weight_can_be_trained(photograph, batch):
    weights = trained_weights(0.125)
    pixels = np.stack([photograph[:32, :32], photograph[100:132, 200:232]])[:batch]
    with tf.Graph().as_default() as graph:
        variables = {
            name: tf.compat.v1.get_variable(name, initializer=value) for name, value in weights.items()
        }
        loss = tf.reduce_mean(tf.square(transform.build(variables, tf.constant(pixels)) - 100))
        gradients = tf.gradients(loss, list(variables.values()))
        initializer = tf.compat.v1.global_variables_initializer()
    with tf.compat.v1.Session(graph=graph) as session:
        session.run(initializer)
        found = dict(zip(variables, session.run(gradients), strict=True))
    assert all(np.abs(gradient).max() > 0 for gradient in found.values())

    # Along the direction of the gradient the loss rises as fast as the gradient is long.
    length = np.sqrt(sum(np.sum(np.square(gradient, dtype=np.float64)) for gradient in found.values()))
    step = 2e-4

    def loss_at(distance):
        moved = {name: weights[name] + distance / length * found[name] for name in weights}
        rendered = built({name: value.astype(np.float32) for name, value in moved.items()}, pixels)
        return np.mean(np.square(rendered - 100.0, dtype=np.float64))

    slope = (loss_at(step) - loss_at(-step)) / (2 * step)
    assert slope == pytest.approx(length, rel=0.02)


def test_training_starts_from_the_distribution_of_fast_style_transfer():
    weights = transform.initial_weights()
    kernel = weights["residual3/conv1/kernel"]
    # A normal distribution cut off at two deviations has 0.8796 of the deviation.
    assert kernel.std() == pytest.approx(0.08796, rel=0.01)
    assert np.abs(kernel).max() <= 0.2
    assert (weights["conv2/scale"] == 1).all() and (weights["conv2/shift"] == 0).all()


def test_the_seed_decides_the_starting_weights():
    first, second, other = (transform.initial_weights(0.25, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["conv1/kernel"], other["conv1/kernel"])


def test_half_the_width_is_half_the_channels_of_all_but_the_last_layer():
    weights = transform.initial_weights(0.5)
    assert weights["conv3/kernel"].shape == (3, 3, 32, 64)
    assert weights["transposed1/kernel"].shape == (3, 3, 32, 64)
    assert weights["output/kernel"].shape == (9, 9, 16, 3)


def test_a_width_of_nothing_is_refused():
    with pytest.raises(InputError, match="--width is 0"):
        transform.initial_weights(0)


def test_the_shipped_network_gives_an_unknown_picture_its_style(shipped_network):
    picture = resize(skimage.data.retina().astype(np.float32), 256, 256)
    style = fit_longer_side(read_image(example_pair()[1]), 384)
    with transform.renderer(read_checkpoint("wheat-field.ckpt")) as render:
        rendered = render(picture)
    before, after = (
        loss_and_gradient(image, picture, style, "fast-style-transfer", shipped_network)[0]
        for image in (picture, rendered)
    )
    assert after["style"] < before["style"] / 4


@pytest.mark.parametrize("width", [0.0625, 0.03])
@pytest.mark.parametrize("side", [36, 40, 64])
def test_a_very_narrow_network_renders_pictures_of_any_size(photograph, width, side):
    weights = trained_weights(width)
    picture = photograph[:48, :side]
    with transform.renderer(weights) as render:
        rendered = render(picture)
    expected = np.clip(keras_transform(weights, picture[np.newaxis])[0], 0, 255)
    assert np.abs(rendered - expected).max() < 0.1


def test_a_network_of_hwalsuklee_is_that_of_keras_layers(photograph):
    """Reflect 40 pixels; residual blocks without padding, whose input is cropped; 127.5 (tanh + 1)."""
    weights = trained_weights(0.25)
    picture = photograph[:48, :52]
    layers = tf.keras.layers

    def normalised(y, name):
        layer = layers.GroupNormalization(groups=-1, epsilon=1e-3)
        layer.build(y.shape)
        layer.set_weights([weights[f"{name}/scale"], weights[f"{name}/shift"]])
        return layer(y)

    def convolved(x, name, stride=1, padding="SAME"):
        return normalised(tf.nn.conv2d(x, weights[f"{name}/kernel"], stride, padding), name)

    x = tf.constant(np.pad(picture, ((40, 40), (40, 40), (0, 0)), mode="reflect")[np.newaxis] / 255)
    for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2)):
        x = tf.nn.relu(convolved(x, name, stride))
    for block in range(1, 6):
        y = tf.nn.relu(convolved(x, f"residual{block}/conv1", padding="VALID"))
        x = x[:, 2:-2, 2:-2] + convolved(y, f"residual{block}/conv2", padding="VALID")
    for name in ("transposed1", "transposed2"):
        kernel = weights[f"{name}/kernel"]
        shape = [1, 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]]
        x = tf.nn.relu(normalised(tf.nn.conv2d_transpose(x, kernel, shape, 2), name))
    expected = (np.tanh(convolved(x, "output").numpy()[0]) + 1) * 127.5
    assert expected.shape == picture.shape
    with transform.renderer(weights, layout=transform.HWALSUKLEE) as render:
        np.testing.assert_allclose(render(picture), expected, atol=0.02)

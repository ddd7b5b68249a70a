import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate

from neuralstyle.feedforward.layers import convolution, enlarged_convolution, instance_norm, mirrored
from neuralstyle.graphs import open_session


def computed(build, x, known_size=True):
    """The value of a piece of graph for one array."""
    with tf.Graph().as_default() as graph:
        shape = x.shape if known_size else (x.shape[0], None, None, x.shape[3])
        given = tf.compat.v1.placeholder(tf.float32, shape)
        result = build(given)
    with open_session(graph) as session:
        return session.run(result, {given: x})


def correlated(x, kernel):
    """Convolution without padding, as networks mean it, in float64."""
    batch = [
        np.stack(
            [correlate(picture, kernel[..., i], "valid")[:, :, 0] for i in range(kernel.shape[3])], axis=-1
        )
        for picture in x.astype(np.float64)
    ]
    return np.stack(batch)


def normalised(x, scale, shift, epsilon):
    x = x.astype(np.float64)
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return scale * (x - mean) / np.sqrt(variance + epsilon) + shift


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("margin", [1, 4])
@pytest.mark.parametrize("repeat_edge, mode", [(False, "reflect"), (True, "symmetric")])
def test_mirroring_is_numpys(rng, margin, repeat_edge, mode):
    x = rng.random((2, 7, 9, 3), np.float32)
    expected = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode)
    found = computed(lambda t: mirrored(t, margin, repeat_edge), x, known_size=False)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("outputs", [3, 4, 8, 20])
def test_few_output_channels_are_convolved_like_many(rng, outputs):
    x = rng.random((2, 12, 16, 5), np.float32)
    kernel = rng.standard_normal((9, 9, 5, outputs), np.float32)
    padded = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)))
    expected = correlated(padded, kernel)
    found = computed(lambda t: convolution(t, kernel, padding="SAME"), x, known_size=False)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(computed(lambda t: convolution(t, kernel), padded), expected, atol=1e-4)


@pytest.mark.parametrize("outputs", [3, 8, 20])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_the_derivatives_of_a_convolution_are_those_of_its_definition(rng, outputs, padding):
    side = 20 if padding == "VALID" else 12
    x = rng.random((2, side, side, 5), np.float32)
    kernel = rng.standard_normal((9, 9, 5, outputs), np.float32)
    upstream = rng.standard_normal((2, 12, 12, outputs), np.float32)
    with tf.Graph().as_default() as graph:
        given = tf.constant(x), tf.constant(kernel)
        gradients = tf.gradients(convolution(*given, padding=padding), given, tf.constant(upstream))
    with tf.compat.v1.Session(graph=graph) as session:
        by_input, by_kernel = session.run(gradients)

    # y[p] = Σ_d x[p + d] · K[d]: what y[p] is worth goes to x[p + d] by K[d], and to K[d] by x[p + d].
    margin = 4 if padding == "SAME" else 0
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0))).astype(np.float64)
    expected_input, expected_kernel = np.zeros_like(padded), np.zeros(kernel.shape)
    for i in range(9):
        for j in range(9):
            part = (slice(None), slice(i, i + 12), slice(j, j + 12))
            expected_input[part] += upstream @ kernel[i, j].T
            expected_kernel[i, j] = np.einsum("nhwc,nhwo->co", padded[part], upstream)
    inner = slice(margin, margin + side)
    np.testing.assert_allclose(by_input, expected_input[:, inner, inner], atol=1e-3)
    np.testing.assert_allclose(by_kernel, expected_kernel, atol=1e-3)


def test_a_stride_skips_positions(rng):
    x = rng.random((1, 11, 13, 4), np.float32)
    kernel = rng.standard_normal((3, 3, 4, 3), np.float32)
    found = computed(lambda t: convolution(t, kernel, stride=2), x)
    np.testing.assert_allclose(found, correlated(x, kernel)[:, ::2, ::2], atol=1e-5)


def test_enlarging_and_convolving_at_once_is_doing_one_after_the_other(rng):
    x = rng.random((2, 5, 6, 4), np.float32)
    kernel = rng.standard_normal((3, 3, 4, 7), np.float32)
    doubled = x.repeat(2, axis=1).repeat(2, axis=2)
    expected = correlated(np.pad(doubled, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect"), kernel)
    found = computed(lambda t: enlarged_convolution(t, kernel), x, known_size=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("reduced", [False, True])
def test_every_picture_and_channel_is_normalised_by_itself(rng, batch, channels, reduced):
    x = rng.random((batch, 10, 12, channels), np.float32) * 7 + np.arange(channels, dtype=np.float32)
    scale, shift = rng.standard_normal((2, channels), np.float32)
    found = computed(lambda t: instance_norm(t, scale, shift, 1e-3, reduced), x, known_size=False)
    np.testing.assert_allclose(found, normalised(x, scale, shift, 1e-3), atol=1e-5)


def test_a_million_positions_are_normalised_as_precisely_as_a_few(rng):
    x = rng.random((1, 1024, 1024, 5), np.float32)
    x[:, :300] = 1.7
    ones, zeros = np.ones(5, np.float32), np.zeros(5, np.float32)
    found = computed(lambda t: instance_norm(t, ones, zeros, 1e-5), x)
    assert np.abs(found - normalised(x, ones, zeros, 1e-5)).max() < 5e-5


@pytest.mark.parametrize("channels", [3, 8])
def test_a_flat_picture_becomes_its_shift(channels):
    x = np.full((1, 64, 64, channels), 200.3, np.float32)
    shift = np.arange(channels, dtype=np.float32)
    found = computed(lambda t: instance_norm(t, np.ones(channels, np.float32), shift, 1e-3), x)
    np.testing.assert_allclose(found, np.broadcast_to(shift, x.shape), atol=1e-2)

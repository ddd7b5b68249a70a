"""Every form of a convolution, and its derivatives, against their definitions in float64."""

import numpy as np
import pytest
import tensorflow as tf

from neuralstyle.graphs import open_session
from neuralstyle.networks import winograd
from neuralstyle.networks.convolutions import convolution, form

#: At least as many channels as it takes for Winograd's form, and few.
MANY, FEW = (128, 130), (5, 7)


def by_definition(x, kernel, upstream, margin):
    """Σ_d x[p + d] · K[d], and what upstream is worth to x and K, in float64."""
    side = len(kernel)
    x, kernel = np.float64(x), np.float64(kernel)
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    height, width = (size - side + 1 for size in padded.shape[1:3])
    y = np.zeros((len(x), height, width, kernel.shape[3]))
    by_padded, by_kernel = np.zeros_like(padded), np.zeros_like(kernel)
    for i in range(side):
        for j in range(side):
            part = (slice(None), slice(i, i + height), slice(j, j + width))
            y += padded[part] @ kernel[i, j]
            if upstream is not None:
                by_padded[part] += upstream @ kernel[i, j].T
                by_kernel[i, j] = np.einsum("nhwc,nhwk->ck", padded[part], upstream)
    inner = slice(margin, -margin or None)
    return y, by_padded[:, inner, inner], by_kernel


def computed(x, kernel, upstream, padding, known_size=True, fixed=False, **options):
    """The same three (two where the kernel is fixed) as the graph computes them."""
    with tf.Graph().as_default() as graph:
        x_given, upstream_given = (
            tf.compat.v1.placeholder(
                tf.float32, value.shape if known_size else (None, None, None, value.shape[3])
            )
            for value in (x, upstream)
        )
        weights = kernel if fixed else tf.compat.v1.placeholder(tf.float32, kernel.shape)
        y = convolution(x_given, weights, padding=padding, **options)
        sources = [x_given] if fixed else [x_given, weights]
        found = [y, *tf.gradients(y, sources, upstream_given)]
        assert found[1].shape.as_list() == x_given.shape.as_list()
    feed = {x_given: x, upstream_given: upstream}
    if not fixed:
        feed[weights] = kernel
    with open_session(graph) as session:
        return session.run(found, feed)


def arrays(size, channels, padding, side=3, batch=2, seed=0):
    rng = np.random.default_rng(seed)
    height, width = size
    lost = 0 if padding == "SAME" else side - 1
    x = rng.standard_normal((batch, height, width, channels[0]), np.float32)
    kernel = rng.standard_normal((side, side, *channels), np.float32) / np.float32(side * channels[0] ** 0.5)
    upstream = rng.standard_normal((batch, height - lost, width - lost, channels[1]), np.float32)
    return x, kernel, upstream


def assert_close(found, expected, tolerance=1e-5):
    for ours, theirs in zip(found, expected, strict=False):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < tolerance * np.abs(theirs).max()


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [(12, 16), (13, 19), (3, 3), (3, 22), (5, 4)])
@pytest.mark.parametrize("channels", [MANY, FEW])
def test_every_form_gives_the_convolution_and_both_derivatives(channels, size, padding):
    given = arrays(size, channels, padding)
    expected = by_definition(*given, margin=1 if padding == "SAME" else 0)
    assert_close(computed(*given, padding), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2)])
def test_pictures_smaller_than_the_kernel_are_convolved(size):
    given = arrays(size, MANY, "SAME")
    assert_close(computed(*given, "SAME"), by_definition(*given, margin=1))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("channels", [MANY, FEW])
def test_sizes_known_only_when_the_graph_runs_give_the_same(channels, fixed, padding):
    given = arrays((13, 10), channels, padding, batch=3)
    expected = by_definition(*given, margin=1 if padding == "SAME" else 0)
    assert_close(computed(*given, padding, known_size=False, fixed=fixed), expected)


@pytest.mark.parametrize("known_size", [False, True])
def test_large_pictures_are_computed_in_parts(monkeypatch, known_size):
    monkeypatch.setattr(winograd, "_LARGEST", 36 * 130 * 20)
    winograd._definition.cache_clear()
    given = arrays((37, 41), MANY, "SAME")
    assert_close(computed(*given, "SAME", known_size), by_definition(*given, margin=1))


@pytest.mark.parametrize("side", [1, 5])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("channels", [MANY, FEW, (16, 3)])
def test_kernels_of_other_sizes_are_convolved(channels, padding, side):
    given = arrays((9, 8), channels, padding, side)
    expected = by_definition(*given, margin=side // 2 if padding == "SAME" else 0)
    assert_close(computed(*given, padding), expected)


@pytest.mark.parametrize("channels", [MANY, FEW])
def test_bias_and_relu_come_along_and_are_derived(channels):
    x, kernel, upstream = arrays((9, 11), channels, "SAME")
    bias = np.linspace(-1, 1, channels[1], dtype=np.float32)
    y, _, _ = by_definition(x, kernel, None, 1)
    passed = upstream * (y + bias > 0)
    _, *derivatives = by_definition(x, kernel, passed, 1)
    found = computed(x, kernel, upstream, "SAME", bias=bias, relu=True)
    assert_close(found, [np.maximum(y + bias, 0), *derivatives])


def test_winograds_matrices_multiply_polynomials():
    # Aᵀ[(G k) ⊙ (Bᵀ x)] is y_i = Σ_d x_{i+d} k_d for every pair of a tap and a position.
    for tap in range(3):
        for position in range(6):
            k, x = np.eye(3)[tap], np.eye(6)[position]
            y = winograd._A.T @ ((winograd._G @ k) * (winograd._B.T @ x))
            np.testing.assert_allclose(y, [i + tap == position for i in range(4)], atol=1e-14)


def test_winograds_transforms_of_pictures_are_exact_in_single_precision():
    for matrix in (winograd._A, winograd._B):
        np.testing.assert_array_equal(matrix, matrix.astype(np.float32))


def test_winograds_transform_of_a_mirrored_kernel_is_that_of_the_kernel_in_another_order():
    k = np.random.default_rng(0).standard_normal(3)
    np.testing.assert_allclose(winograd._G @ k[::-1], (winograd._G @ k)[winograd._RECIPROCALS], rtol=1e-12)


def test_a_gradient_through_a_whole_network_is_that_of_double_precision(shipped_network, photograph):
    # Average pooling: where maxima change places, gradients jump.
    picture = photograph[60:124, 100:164][np.newaxis]

    def gradient(dtype, convolve):
        with tf.Graph().as_default() as graph:
            given = tf.compat.v1.placeholder(dtype, picture.shape)
            x, loss = given - shipped_network.mean_pixel.astype(dtype), 0
            for layer in shipped_network.up_to(["relu4_1"]):
                if layer.kind == "convolution":
                    x = convolve(x, layer.kernel.astype(dtype), layer.bias.astype(dtype))
                elif layer.kind == "pool":
                    x = tf.nn.avg_pool2d(x, 2, 2, "SAME")
                    loss += tf.reduce_mean(x**2)
            found = tf.gradients(loss + tf.reduce_mean(x**2), given)
        with open_session(graph) as session:
            return session.run(found, {given: picture})[0]

    exact = gradient("float64", lambda x, kernel, bias: tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias))
    ours = gradient("float32", lambda x, kernel, bias: convolution(x, kernel, bias, relu=True))
    assert np.linalg.norm(ours - exact) < 1e-5 * np.linalg.norm(exact)


@pytest.mark.parametrize(("channels", "held"), [(MANY, (1, 1)), ((16, 17), (1, 2))])
def test_a_fixed_kernel_is_held_for_the_way_back_only_if_that_needs_another(channels, held):
    x, kernel, _ = arrays((8, 8), channels, "SAME")
    with tf.Graph().as_default() as graph:
        given = tf.compat.v1.placeholder(tf.float32, x.shape)
        y = convolution(given, kernel, name="conv")
        before = sum(operation.type == "VarHandleOp" for operation in graph.get_operations())
        tf.gradients(y, given)
        after = sum(operation.type == "VarHandleOp" for operation in graph.get_operations())
    assert (before, after) == held


@pytest.mark.parametrize(
    ("device", "kernel", "expected"),
    [
        ("CPU", (3, 3, 128, 256), "winograd"),
        ("CPU", (3, 3, 64, 128), "plain"),
        ("CPU", (1, 1, 512, 512), "plain"),
        ("CPU", (7, 7, 512, 512), "plain"),
        ("GPU", (3, 3, 512, 512), "plain"),
    ],
)
def test_the_form_follows_from_device_and_kernel(device, kernel, expected):
    assert form(device, kernel) == expected


@pytest.mark.parametrize(("device", "form_there"), [("/CPU:0", {"BatchMatMulV2"}), ("/GPU:0", {"Conv2D"})])
def test_a_graph_for_a_device_has_the_form_for_that_device(device, form_there):
    with tf.Graph().as_default() as graph, graph.device(device):
        convolution(tf.compat.v1.placeholder(tf.float32, (1, 8, 8, 128)), np.zeros((3, 3, 128, 128), "f"))
    types = {operation.type for operation in graph.get_operations()}
    assert types & {"BatchMatMulV2", "Conv2D"} == form_there

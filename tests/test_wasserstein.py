"""The Wasserstein distance of Gaussians: against SciPy's square root of matrices, and its derivative."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from neuralstyle.graphs import new_graph, open_session
from neuralstyle.loss.wasserstein import StyleSums, polar_factor, trace_of_root, wasserstein


def activations(positions, channels, seed):
    """Correlated activations after a ReLU, whose channels are of very different size."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(channels) + rng.normal(size=(channels, channels)) / np.sqrt(channels)
    values = rng.normal(size=(positions, channels)) * np.exp(rng.normal(size=channels)) @ mixing
    return np.maximum(values, 0).astype(np.float32)


def published(first, second):
    """The formula as it was published: style_transfer.py, StyleLossW2, its roots SciPy's in float64."""
    means = [features.mean(0, dtype=np.float64) for features in (first, second)]
    covariances = [
        np.cov(features.T.astype(np.float64), bias=True) + 1e-4 * np.eye(features.shape[1])
        for features in (first, second)
    ]
    root = scipy.linalg.sqrtm(covariances[1]).real
    both = scipy.linalg.sqrtm(root @ covariances[0] @ root).real
    return np.mean((means[0] - means[1]) ** 2) + np.mean(np.diag(sum(covariances) - 2 * both))


def sums(features, factor=1.0):
    return StyleSums(features.T @ features, features.sum(0), len(features), factor)


def evaluate(first, second):
    with new_graph() as graph:
        given = sums(first)
        value = wasserstein(StyleSums(tf.constant(given.gram), tf.constant(given.total), len(first)), second)
    with open_session(graph) as session:
        return float(session.run(value))


@pytest.mark.parametrize(
    ("channels", "positions", "others"),
    [
        (6, 200, 150),
        (64, 500, 400),
        (64, 20, 100),
        (64, 100, 30),
        (64, 12, 20),
        (512, 600, 700),
        (512, 48, 70),
    ],
)
def test_it_equals_the_published_formula_with_roots_by_scipy(channels, positions, others):
    first, second = activations(positions, channels, 0), activations(others, channels, 1)
    assert evaluate(first, [(1.0, sums(second))]) == pytest.approx(published(first, second), rel=1e-4)


def test_it_is_0_for_pictures_with_the_same_statistics():
    features = activations(300, 32, 2)
    assert abs(evaluate(features, [(1.0, sums(features[::-1]))])) < 1e-5 * np.var(features, axis=0).sum()


def test_several_styles_make_one_target_of_their_means_and_second_moments():
    first, second, third = (activations(90, 8, seed) for seed in range(3))
    # Three positions of one for each of the other, as the shares say: both have 90.
    blended = np.concatenate([second, second, second, third])
    found = evaluate(first, [(0.75, sums(second)), (0.25, sums(third))])
    assert found == pytest.approx(published(first, blended), rel=1e-4)


@pytest.mark.parametrize("rank", [24, 10])
def test_the_derivative_of_the_trace_agrees_with_central_differences(rank):
    rng = np.random.default_rng(4)
    factor, other = rng.normal(size=(24, rank)), rng.normal(size=(24, 24))
    covariance, root = factor @ factor.T + 0.01 * np.eye(24), scipy.linalg.sqrtm(other @ other.T).real
    with new_graph() as graph:
        given = tf.compat.v1.placeholder(tf.float64, covariance.shape)
        trace = trace_of_root(given, root)
        (slope,) = tf.gradients(trace, [given])
    direction = rng.normal(size=covariance.shape)
    direction += direction.T
    with open_session(graph) as session:
        ahead, behind = (session.run(trace, {given: covariance + s * 1e-4 * direction}) for s in (1, -1))
        expected = np.sum(session.run(slope, {given: covariance}) * direction)
    exact = [
        np.trace(scipy.linalg.sqrtm(root @ (covariance + s * 1e-4 * direction) @ root).real) for s in (1, -1)
    ]
    assert (exact[0] - exact[1]) / 2e-4 == pytest.approx(expected, rel=1e-3)
    assert (ahead - behind) / 2e-4 == pytest.approx(expected, rel=5e-2)


def test_a_covariance_that_rounding_has_left_with_negative_eigenvalues_has_a_trace():
    covariance = np.diag([4.0, 1.0, -1e-3])
    with new_graph() as graph:
        trace = trace_of_root(tf.constant(covariance), np.eye(3))
    with open_session(graph) as session:
        assert session.run(trace) == pytest.approx(2 + 1 + 0.01, rel=1e-5)


def test_the_polar_factor_of_a_matrix_replaces_its_singular_values_by_1():
    rng = np.random.default_rng(5)
    u, v = (np.linalg.qr(rng.normal(size=(40, 40)))[0] for _ in range(2))
    matrix = u * np.geomspace(1, 3e-4, 40) @ v
    with new_graph() as graph:
        found = polar_factor(tf.constant(matrix, tf.float32))
    with open_session(graph) as session:
        np.testing.assert_allclose(session.run(found), u @ v, atol=2e-3)

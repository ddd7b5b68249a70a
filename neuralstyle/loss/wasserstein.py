"""The Wasserstein distance of Gaussians, as a measure of how far one picture's style is from another's.

The activations of a layer, taken as draws from a Gaussian of their mean μ and covariance Σ, are moved to
those of another picture, N(μ_a, Σ_a), at the least cost, the squared Wasserstein-2 distance (Dowson & Landau
1982; Olkin & Pukelsheim 1982):

    W² = |μ − μ_a|² + tr Σ + tr Σ_a − 2 tr (A Σ A)^½      with A = Σ_a^½

Mean and covariance are functions of two sums over positions, ΣF and ΣFFᵀ, so it tiles as Gram matrices do.

**The trace of the root.** Only the trace of M^½, M = AΣA, is needed. From M^½ M^½ = M follows
dM^½ M^½ + M^½ dM^½ = dM; multiply by M^(−½) and take the trace:

    d tr(M^½) = ½ tr(M^(−½) dM)        so that the derivative with respect to Σ is ½ A M^(−½) A        (1)

M has the condition of Σ times that of Σ_a, up to 1e13 where a layer has fewer positions than channels, and
float32 has no digits left for what is small in it. So M is never formed. With Σ = RRᵀ (Cholesky) and K = AR,
M is KKᵀ: its root's eigenvalues are the singular values of K, which float32 holds. With the polar factor U
of K, whose singular values are those of K all replaced by 1,

    tr M^½ = tr (UᵀK)        M^(−½) = U K⁻¹ = U R⁻¹ A⁻¹        ½ A M^(−½) A = ½ A U R⁻¹                (2)

**The polar factor.** Newton and Schulz's iteration X ← ½ (3 I − X Xᵀ) X moves every singular value s in
(0, √3) to ½ s (3 − s²), closer to 1. (It is the coupled iteration for M^½ and M^(−½) with X = M^(−½) K, in
two products a step instead of three.) Small ones grow by 3/2 only, so X is first multiplied by
α = √(3/(1 + l + l²)), which lets the least, l, and the largest, 1, end at the same height, and makes 3/2 · α
of the 3/2; no more than 1.6977, beyond which the largest would be lost in rounding (Chen & Chow 2014, "A
stable scaling of Newton-Schulz for improving the sign function computation of a Hermitian matrix").

**What it costs.** Thirteen steps, 26 products of C×C matrices a layer and evaluation. At 512×384, with the
five layers of style-transfer-pytorch, that and everything beside it is 5 % of an evaluation's processor time:
0.15 s more than the 2.9 s with Gram matrices. It does not depend on the picture's size, so small pictures
pay more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from neuralstyle.graphs import custom_gradient

#: What is added to the eigenvalues of covariances, and the least that they may be.
FLOOR = 1e-4

#: Singular values below this share of K's norm count for less than they are. In float32 the rest is noise.
_LEAST = 1e-4

#: The largest factor that does not lose the largest singular value (Chen & Chow 2014, section 4).
_LARGEST_SCALING = 1.6977


@dataclass(frozen=True)
class StyleSums:
    """What is known of the activations of one picture at one layer: sums over its positions.

    Attributes
    ----------
    gram : tf.Tensor or ndarray
        C×C: Σ m² F Fᵀ, where m is the mask, 1 without one.
    total : tf.Tensor, ndarray or None
        C: Σ m² F; None where a formula does not look at it.
    positions : int
        How many positions there are.
    share : float
        The mean of m².
    """

    gram: tf.Tensor | np.ndarray
    total: tf.Tensor | np.ndarray | None
    positions: int
    share: float = 1.0


def wasserstein(picture: StyleSums, styles: Sequence[tuple[float, StyleSums]]) -> tf.Tensor:
    """The squared Wasserstein-2 distance of two pictures' activations at a layer, divided by the channels.

    Source: crowsonkb/style-transfer-pytorch (style_transfer.py, StyleLossW2).

    Parameters
    ----------
    picture : StyleSums
        Of the generated picture, tensors.
    styles : sequence of (float, StyleSums)
        Shares, which add up to 1, and arrays: the weighted mean of their means and of their second moments is
        what the picture is compared with.

    Returns
    -------
    tf.Tensor
        A scalar, float32.
    """
    counts = [(share / (style.positions * style.share), style) for share, style in styles]
    wanted_mean = sum(factor * np.asarray(style.total, np.float64) for factor, style in counts)
    wanted = sum(factor * np.asarray(style.gram, np.float64) for factor, style in counts)
    wanted = wanted - np.outer(wanted_mean, wanted_mean)
    values, vectors = np.linalg.eigh(wanted + FLOOR * np.eye(len(wanted)))
    root = (vectors * np.sqrt(np.maximum(values, FLOOR))) @ vectors.T

    count = picture.positions * picture.share
    mean = tf.cast(picture.total, tf.float64) / count
    second = tf.cast(picture.gram, tf.float64) / count
    covariance = second - mean[:, tf.newaxis] * mean + FLOOR * tf.eye(len(wanted), dtype=tf.float64)
    means = tf.reduce_sum(tf.math.squared_difference(mean, wanted_mean))
    traces = tf.linalg.trace(covariance) + np.trace(wanted) + FLOOR * len(wanted)
    value = means + traces - 2 * trace_of_root(covariance, root)
    return tf.cast(value / len(wanted), tf.float32)


def trace_of_root(covariance: tf.Tensor, root: np.ndarray) -> tf.Tensor:
    """The trace of (A Σ A)^½; the text of this module has the derivation of its value and derivative.

    Parameters
    ----------
    covariance : tf.Tensor
        Σ, float64 C×C. Where rounding has made an eigenvalue negative, none counts for less than `FLOOR`.
    root : ndarray
        A, float64 C×C, symmetric.

    Returns
    -------
    tf.Tensor
        A scalar, float64, to about 1e-5.
    """

    @custom_gradient
    def trace(covariance: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        factor = tf.cast(_cholesky(covariance), tf.float32)
        matrix = tf.matmul(root.astype(np.float32), factor)
        polar = polar_factor(matrix)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            # U R⁻¹ is the transpose of the solution Y of Rᵀ Y = Uᵀ.
            solved = tf.linalg.triangular_solve(factor, tf.transpose(polar), lower=True, adjoint=True)
            slope = tf.cast(tf.matmul(root.astype(np.float32), solved, transpose_b=True), tf.float64)
            return upstream / 4 * (slope + tf.transpose(slope))

        return tf.reduce_sum(tf.cast(polar * matrix, tf.float64)), gradient

    return trace(covariance)


def _cholesky(covariance: tf.Tensor) -> tf.Tensor:
    """R of Σ = RRᵀ; where rounding has left Σ an eigenvalue below 0, its eigenvalues are first raised."""

    def raised() -> tf.Tensor:
        values, vectors = tf.linalg.eigh((covariance + tf.transpose(covariance)) / 2)
        scaled = vectors * tf.sqrt(tf.maximum(values, FLOOR))
        return tf.linalg.cholesky(tf.matmul(scaled, scaled, transpose_b=True))

    factor = tf.linalg.cholesky(covariance)  # of NaN where there is none
    return tf.cond(tf.reduce_all(tf.math.is_finite(factor)), lambda: factor, raised)


def polar_factor(matrix: tf.Tensor) -> tf.Tensor:
    """The orthogonal polar factor of a matrix: U Vᵀ of its singular value decomposition U S Vᵀ.

    Parameters
    ----------
    matrix : tf.Tensor
        C×C, float32.

    Returns
    -------
    tf.Tensor
        C×C; singular values below 1e-4 of the matrix's norm end between 0 and 1.
    """
    x = matrix / tf.norm(matrix)
    for scaling in scalings():
        x = scaling * x
        x = 1.5 * x - 0.5 * tf.matmul(tf.matmul(x, x, transpose_b=True), x)
    return x


def scalings() -> list[float]:
    """α of each step of the polar iteration, until the least singular value is 1 to float32."""
    least, found = _LEAST, []
    while 1 - least > 1e-7:
        scaling = min((3 / (1 + least + least**2)) ** 0.5, _LARGEST_SCALING)
        found.append(scaling)
        least = 0.5 * scaling * least * (3 - (scaling * least) ** 2)
    return found

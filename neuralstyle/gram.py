"""Gram matrices."""

import tensorflow as tf


def gram_matrix(features: tf.Tensor) -> tf.Tensor:
    """The raw Gram matrix G = FᵀF of one picture's activations (Gatys et al. 2016, equation 3).

    Parameters
    ----------
    features : tf.Tensor
        1×h×w×C.

    Returns
    -------
    tf.Tensor
        C×C: for each pair of channels, the sum over positions of their product.
    """
    flat = tf.reshape(features, (-1, features.shape[-1]))
    return tf.matmul(flat, flat, transpose_a=True)

"""Gram matrices, and the sums of activations that make means of them."""

from collections.abc import Callable

import tensorflow as tf

from neuralstyle.graphs import custom_gradient


@custom_gradient
def gram_matrix(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The raw Gram matrix G = FᵀF of one picture's activations (Gatys et al. 2016, equation 3).

    Its derivative is one matrix product: dG = dFᵀF + FᵀdF, so that S, the derivative of anything with
    respect to G, gives F·(S + Sᵀ) with respect to F. TensorFlow's own derivation multiplies by S and by
    Sᵀ one after the other and adds two arrays of F's size.

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

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.matmul(flat, upstream + tf.transpose(upstream)), tf.shape(features))

    return tf.matmul(flat, flat, transpose_a=True), gradient


@custom_gradient
def sum_and_gram(features: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., tf.Tensor]]:
    """The sum over positions of one picture's activations F, and their raw Gram matrix FᵀF.

    The derivative of both at once, F·(S + Sᵀ) + s in every position, where S and s are those with respect to
    the Gram matrix and the sum, passes over an array of F's size once.

    Parameters
    ----------
    features : tf.Tensor
        1×h×w×C.

    Returns
    -------
    tuple of tf.Tensor
        C and C×C.
    """
    flat = tf.reshape(features, (-1, features.shape[-1]))

    def gradient(by_sum: tf.Tensor, by_gram: tf.Tensor) -> tf.Tensor:
        slopes = tf.matmul(flat, by_gram + tf.transpose(by_gram)) + by_sum
        return tf.reshape(slopes, tf.shape(features))

    return (tf.reduce_sum(flat, axis=0), tf.matmul(flat, flat, transpose_a=True)), gradient

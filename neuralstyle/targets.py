"""What the generated picture is measured against, computed once in graphs of their own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from neuralstyle import masks, vgg
from neuralstyle.gram import gram_matrix
from neuralstyle.graphs import open_session
from neuralstyle.networks import Network


@dataclass(frozen=True)
class StyleTarget:
    """One style picture, as the objective knows it.

    Attributes
    ----------
    grams : mapping of str to ndarray
        Layer to raw Gram matrix AᵀA, float32 C×C.
    positions : mapping of str to int
        Layer to how many positions it was summed over.
    shares : mapping of str to float
        Layer to the mean square of the style picture's own mask; 1 without one.
    masks : mapping of str to ndarray, or None
        Layer to where this style is wanted in the generated picture, float32 h×w, 0..1; None for
        everywhere.
    """

    grams: Mapping[str, np.ndarray]
    positions: Mapping[str, int]
    shares: Mapping[str, float]
    masks: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Targets:
    """What one generated picture is measured against.

    Attributes
    ----------
    height, width : int
        Of the generated picture, in pixels.
    sizes : mapping of str to (int, int, int)
        Layer to the height, width and channels of the generated picture's activations there.
    content : mapping of str to ndarray
        Layer to the content picture's activations, float32 h×w×C.
    styles : tuple of StyleTarget
        One a style picture.
    """

    height: int
    width: int
    sizes: Mapping[str, tuple[int, int, int]]
    content: Mapping[str, np.ndarray]
    styles: tuple[StyleTarget, ...]


def measure(
    network: Network,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    content_layers: Iterable[str],
    style_layers: Iterable[str],
    pooling: str = "max",
    padding: str = "SAME",
    picture_masks: Sequence[np.ndarray | None] | None = None,
    style_masks: Sequence[np.ndarray | None] | None = None,
) -> Targets:
    """Compute everything that a generated picture is measured against.

    Parameters
    ----------
    network : Network
    content : ndarray
        H×W×3, float32, RGB, 0..255; the generated picture has its size.
    styles : sequence of ndarray
        Pictures of any size.
    content_layers, style_layers : iterable of str
    pooling, padding
        As in `neuralstyle.vgg.build`.
    picture_masks : sequence of (ndarray or None), optional
        For each style, H×W, 0..1: where in the generated picture it is wanted.
    style_masks : sequence of (ndarray or None), optional
        For each style, the part of the style picture that counts, at the style picture's size.

    Returns
    -------
    Targets
    """
    content_layers, style_layers = tuple(content_layers), tuple(style_layers)
    height, width = content.shape[:2]
    targets = []
    for index, picture in enumerate(styles):
        target = _style_target(
            network, picture, style_layers, pooling, padding, style_masks[index] if style_masks else None
        )
        mask = picture_masks[index] if picture_masks else None
        if mask is not None:
            target = replace(target, masks=masks.shrink(network, mask, style_layers, padding))
        targets.append(target)
    return Targets(
        height,
        width,
        vgg.sizes(network, height, width, content_layers + style_layers, padding),
        vgg.features(network, content, content_layers, pooling, padding) if content_layers else {},
        tuple(targets),
    )


def _style_target(
    network: Network,
    style: np.ndarray,
    layers: tuple[str, ...],
    pooling: str,
    padding: str,
    style_mask: np.ndarray | None,
) -> StyleTarget:
    """The raw Gram matrices of one style picture; without a mask for the generated picture."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, (1, *style.shape))
        activations = vgg.build(network, pixels, layers, pooling, padding)
        if style_mask is not None:
            shrunk = masks.shrink(network, style_mask, layers, padding)
            activations = {layer: activations[layer] * shrunk[layer][None, :, :, None] for layer in layers}
        grams = {layer: gram_matrix(activations[layer]) for layer in layers}
    with open_session(graph) as session:
        grams = session.run(grams, {pixels: style[np.newaxis]})
    positions = {layer: int(np.prod(activations[layer].shape[1:3])) for layer in layers}
    shares = {layer: 1.0 if style_mask is None else float((shrunk[layer] ** 2).mean()) for layer in layers}
    return StyleTarget(grams, positions, shares)

"""How far a result has come from its photograph to its painting, whatever recipe made it.

A recipe's own loss says how well the recipe did what it wants; results of two recipes are compared by a
distance that belongs to neither. Two are given here, layer by layer, each divided by the distance between
the photograph and the painting, so that 0 is the painting's style and 1 the photograph's.
"""

from dataclasses import dataclass

import numpy as np

from neuralstyle.networks.inspection import LayerStatistics

#: The layers that recipes take styles from most (Gatys et al. 2016).
STYLE_LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))


@dataclass(frozen=True)
class StylePosition:
    """Where a result's style lies between the painting's, 0, and the photograph's, 1.

    Attributes
    ----------
    gram, wasserstein : float
        By the distance of Gram matrices and by that of Gaussians; NaN where photograph and painting are
        alike. Above 1, the result is farther from the painting than the photograph is.
    """

    gram: float
    wasserstein: float


def style_positions(
    result: dict[str, LayerStatistics],
    content: dict[str, LayerStatistics],
    style: dict[str, LayerStatistics],
) -> dict[str, StylePosition]:
    """Where a result's style lies between that of its painting and that of its photograph.

    Parameters
    ----------
    result, content, style : dict of str to LayerStatistics
        As `neuralstyle.networks.inspection.layer_statistics` gives them, of the same layers. The pictures
        should be of about one size: strokes are measured in pixels.

    Returns
    -------
    dict of str to StylePosition
        In the order of the layers.
    """
    return {
        layer: StylePosition(
            *(
                _ratio(distance(result[layer], style[layer]), distance(content[layer], style[layer]))
                for distance in (gram_distance, wasserstein_distance)
            )
        )
        for layer in result
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def gram_distance(one: LayerStatistics, other: LayerStatistics) -> float:
    """The Frobenius norm of the difference of two mean Gram matrices, G/N (Gatys et al. 2016, equation 4).

    Parameters
    ----------
    one, other : LayerStatistics
        Of one layer.
    """
    return float(np.linalg.norm(_second_moment(one) - _second_moment(other)))


def wasserstein_distance(one: LayerStatistics, other: LayerStatistics) -> float:
    """The Wasserstein-2 distance of two Gaussians of the mean and covariance of a layer's activations.

    W² = |μ − ν|² + tr Σ + tr T − 2 tr (Σ^½ T Σ^½)^½ (Dowson & Landau 1982), in float64, by eigenvalues.
    `neuralstyle.loss.wasserstein` has the one that a recipe descends, in float32 and with a floor.

    Parameters
    ----------
    one, other : LayerStatistics
        Of one layer.
    """
    mean, other_mean = (np.asarray(layer.channel_means, np.float64) for layer in (one, other))
    covariance = _second_moment(one) - np.outer(mean, mean)
    other_covariance = _second_moment(other) - np.outer(other_mean, other_mean)
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    values = np.linalg.eigvalsh(root @ other_covariance @ root)
    squared = np.sum((mean - other_mean) ** 2) + np.trace(covariance) + np.trace(other_covariance)
    return float(np.sqrt(max(squared - 2 * np.sum(np.sqrt(np.maximum(values, 0))), 0)))


def _second_moment(layer: LayerStatistics) -> np.ndarray:
    """The mean over positions of FFᵀ, float64 C×C."""
    return np.asarray(layer.gram, np.float64) / (layer.shape[0] * layer.shape[1])

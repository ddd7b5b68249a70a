"""The style term of an objective, and its formulas.

Formulas are written F and A for the activations of the generated and a style picture at a layer of h×w
positions and C channels, and G = FᵀF, F flattened to (h·w)×C, for a raw Gram matrix.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.loss.objectives import Objective, Piece, Sums, Term
from neuralstyle.loss.targets import Targets
from neuralstyle.loss.wasserstein import StyleSums, wasserstein
from neuralstyle.networks.gram import gram_matrix, sum_and_gram
from neuralstyle.validity import check_one_target


def named(formulas: Mapping[str, object], name: str, what: str) -> object:
    """The formula of a name.

    Raises
    ------
    InputError
        If there is none; the message says which there are.
    """
    if name not in formulas:
        raise InputError(f"unknown {what} {name!r}; choose one of {', '.join(formulas)}")
    return formulas[name]


@dataclass(frozen=True)
class Counts:
    """The numbers that the formulas of Gram matrices divide by.

    Attributes
    ----------
    positions : int
        h·w of the layer for the generated picture.
    style_positions : int
        h·w of the layer for the style picture.
    pixels : int
        Height times width of the generated picture.
    channels : int
        C of the layer.
    """

    positions: int
    style_positions: int
    pixels: int
    channels: int


@dataclass(frozen=True)
class StyleFormula:
    """How far the picture's sums at a layer are from the style pictures'.

    Attributes
    ----------
    distance : callable
        From the picture's `StyleSums`, the style pictures' as (share, `StyleSums`), shares adding up to 1,
        and the picture's number of pixels, to a scalar.
    means : bool
        Whether it looks at the sums of activations as well as at the Gram matrices.
    """

    distance: Callable[[StyleSums, Sequence[tuple[float, StyleSums]], int], tf.Tensor]
    means: bool = False


def _of_grams(numbers_of: Callable[[Counts], tuple[float, float, float]]) -> StyleFormula:
    """The formula factor · Σ(G/n − A/m)², from the counts to n, m and the factor."""

    def distance(picture: StyleSums, styles: Sequence[tuple[float, StyleSums]], pixels: int) -> tf.Tensor:
        channels = picture.gram.shape[0]
        numbers = [
            numbers_of(Counts(picture.positions, style.positions, pixels, channels)) for _, style in styles
        ]
        divisor, _, factor = numbers[0]
        gram = picture.gram / (divisor * picture.share)
        wanted = sum(
            share * (style.gram / (style_divisor * style.share))
            for (share, style), (_, style_divisor, _) in zip(styles, numbers, strict=True)
        )
        return factor * tf.reduce_sum(tf.math.squared_difference(gram, wanted))

    return StyleFormula(distance)


#: By name. Those of Gram matrices give, from the counts, what G is divided by, what A's Gram matrix is
#: divided by, and the factor of the sum of squares. "Raw" formulas divide both by the same number, whatever
#: the style picture's size.
STYLE_FORMULAS: dict[str, StyleFormula] = {
    # Σ(G/hwC − A/hwC)² / C²: neural-style (stylize.py), the cookbook listing
    "neural-style": _of_grams(
        lambda n: (n.positions * n.channels, n.style_positions * n.channels, 1 / n.channels**2)
    ),
    # Σ(G−A)² / (4 C² (hw)²): Gatys et al. 2016, equation 4; neural-style-tf
    "gatys": _of_grams(lambda n: (n.positions, n.positions, 1 / (4 * n.channels**2))),
    # Σ(G−A)² / (4 · 3² · (h·w)²) with the picture's h·w and its 3 channels: Deep Learning with Python,
    # listing 8.18; keras.io's example
    "chollet": _of_grams(lambda n: (n.pixels, n.pixels, 1 / (4 * 3**2))),
    # mean (G/hw − A/hw)²: the TensorFlow tutorial
    "mean": _of_grams(lambda n: (n.positions, n.style_positions, 1 / n.channels**2)),
    # W²/C of two Gaussians: style-transfer-pytorch (style_transfer.py, StyleLossW2)
    "wasserstein": StyleFormula(lambda picture, styles, pixels: wasserstein(picture, styles), means=True),
}

#: What several style pictures make: several losses, of which the weighted sum counts, or one target.
BLENDINGS = ("losses", "targets")


def style(
    layers: Mapping[str, float],
    formula: str = "neural-style",
    blend: Sequence[float] = (1.0,),
    normalize_gradients: bool = False,
    blending: str = "losses",
) -> Objective:
    """How far the picture's activations are from the style pictures', wherever in the picture they are.

    With a mask the activations are multiplied by it before the Gram matrix, which is then divided by
    the mean of the mask's squares, so that a style that covers a tenth of the picture is compared at
    the same scale as one that covers it all (Gatys et al. 2017, section 4, where masks are normalised
    to Σ mask² = 1). The mean of activations under a mask, accordingly, is Σ mask² F / Σ mask².

    Parameters
    ----------
    layers : mapping of str to float
        Layer to weight.
    formula : str
        A key of `STYLE_FORMULAS`.
    blend : sequence of float
        The weight of each style picture.
    normalize_gradients : bool
        Whether the gradient of each layer and style is scaled to an L1 norm of 1 before its weight is
        applied.
    blending : {"losses", "targets"}
        Whether each style picture is a target, and the weighted sum of the losses counts, or the weighted
        mean of their Gram matrices (and sums), divided as the formula divides them, is the one target
        (style-transfer-pytorch), which does not go with masks of the generated picture.

    Returns
    -------
    Objective
        Σ over styles and layers of blend · weight · the formula's distance.

    Raises
    ------
    InputError
        If there is no such formula or blending.
    """
    chosen = named(STYLE_FORMULAS, formula, "style formula")
    terms = []
    for share, members in _blended(blend, blending):
        index = members[0][0]  # whose mask counts, and the name of whose sums
        for layer, weight in layers.items():
            statistics = _statistics(layer, index, chosen.means, normalize_gradients)
            value = _value(chosen, layer, members, len(blend), normalize_gradients)
            weight *= share
            if weight:
                terms.append(Term("style", weight, statistics, value, (), (layer,), normalize_gradients))
    return Objective(tuple(terms), ("style",))


def _blended(blend: Sequence[float], blending: str) -> list[tuple[float, list[tuple[int, float]]]]:
    """The style terms of a layer: the weight of each, and the index and share of each style in its target."""
    if blending not in BLENDINGS:
        raise InputError(f"unknown style blending {blending!r}; choose one of {', '.join(BLENDINGS)}")
    total = sum(blend)
    if blending == "targets" and total:
        return [(total, [(index, share / total) for index, share in enumerate(blend) if share])]
    return [(share, [(index, 1.0)]) for index, share in enumerate(blend)]


def _name(what: str, layer: str, index: int, own: bool) -> str:
    """The name of a sum. Styles share one of the picture where nothing is their own."""
    return f"{what} {layer} {index}" if own else f"{what} {layer}"


def _statistics(layer: str, index: int, means: bool, normalized: bool) -> Callable[[Piece], Sums]:
    """The half of a term that takes the sums of a piece."""

    def statistics(piece: Piece) -> Sums:
        mask, features = piece.masks[index], piece.features[layer]
        own = normalized or mask is not None
        names = [_name(what, layer, index, own) for what in ("sum", "gram")]
        if mask is not None:
            features = features * mask[layer]
        if not means:
            return {names[1]: gram_matrix(features)}
        if mask is None:
            return dict(zip(names, sum_and_gram(features), strict=True))
        total = tf.reduce_sum(features * mask[layer], (0, 1, 2))
        return dict(zip(names, (total, gram_matrix(features)), strict=True))

    return statistics


def _value(
    formula: StyleFormula, layer: str, members: Sequence[tuple[int, float]], count: int, normalized: bool
) -> Callable[[Sums, Targets], tf.Tensor]:
    """The half of a term that takes the value from the sums."""

    def value(sums: Sums, targets: Targets) -> tf.Tensor:
        if len(targets.styles) != count:
            raise InputError(
                f"the objective's blend has {count} weights for {len(targets.styles)} style pictures"
            )
        styles = [(share, targets.styles[index]) for index, share in members]
        masks = styles[0][1].masks
        check_one_target(len(styles), any(style.masks is not None for _, style in styles))
        index, own = members[0][0], normalized or masks is not None
        height, width, _ = targets.sizes[layer]
        picture = StyleSums(
            sums[_name("gram", layer, index, own)],
            sums.get(_name("sum", layer, index, own)),
            height * width,
            1.0 if masks is None else float((masks[layer] ** 2).mean()),
        )
        wanted = [
            (share, StyleSums(one.grams[layer], one.sums[layer], one.positions[layer], one.shares[layer]))
            for share, one in styles
        ]
        return formula.distance(picture, wanted, targets.height * targets.width)

    return value

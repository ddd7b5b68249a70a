"""The terms of an objective, each a function from its settings to an `Objective`, with its formula.

The style term is in `neuralstyle.loss.styles`. Formulas are written F and P for the activations of the
generated and the content picture at a layer of h×w positions and C channels.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import tensorflow as tf

from neuralstyle.graphs import custom_gradient
from neuralstyle.loss.objectives import Objective, Piece, Sums, Term
from neuralstyle.loss.styles import STYLE_FORMULAS, named, style
from neuralstyle.loss.targets import Targets
from neuralstyle.recipes import Recipe, shares

__all__ = [
    "CONTENT_FORMULAS",
    "STYLE_FORMULAS",
    "TEMPORAL_FORMULAS",
    "TOTAL_VARIATION_FORMULAS",
    "content",
    "objective_of",
    "style",
    "temporal",
    "total_variation",
]

# --- content ---------------------------------------------------------------------------------------

#: What Σ(F−P)² is multiplied with, from the number of activations h·w·C.
CONTENT_FORMULAS: dict[str, Callable[[float], float]] = {
    # mean (F−P)²: neural-style (stylize.py), the cookbook listing, the TensorFlow tutorial
    "mean": lambda size: 1 / size,
    # ½ Σ(F−P)²: Gatys et al. 2016, equation 1
    "half-sum": lambda size: 0.5,
    # Σ(F−P)²: Deep Learning with Python, listing 8.17; keras.io's example
    "sum": lambda size: 1.0,
    # Σ(F−P)² / (2 √(h·w·C)): neural-style-tf (neural_style.py, content_layer_loss, type 1)
    "root": lambda size: 0.5 / size**0.5,
}


def content(
    layers: Mapping[str, float], formula: str = "mean", normalize_gradients: bool = False
) -> Objective:
    """How far the picture's activations are from the content picture's.

    Parameters
    ----------
    layers : mapping of str to float
        Layer to weight.
    formula : str
        A key of `CONTENT_FORMULAS`.
    normalize_gradients : bool
        Whether each layer's gradient is scaled to an L1 norm of 1 before its weight is applied.

    Returns
    -------
    Objective
        Σ over layers of weight · factor · Σ(F−P)².

    Raises
    ------
    InputError
        If there is no such formula.
    """
    factor = named(CONTENT_FORMULAS, formula, "content formula")

    def term(layer: str, weight: float) -> Term:
        name = f"content {layer}"

        def statistics(piece: Piece) -> Sums:
            return {
                name: tf.reduce_sum(tf.math.squared_difference(piece.features[layer], piece.content[layer]))
            }

        def value(sums: Sums, targets: Targets) -> tf.Tensor:
            height, width, channels = targets.sizes[layer]
            return factor(height * width * channels) * sums[name]

        return Term("content", weight, statistics, value, (layer,), (), normalize_gradients)

    return Objective(tuple(term(layer, weight) for layer, weight in layers.items() if weight), ("content",))


# --- total variation -------------------------------------------------------------------------------


def _difference(pixels: tf.Tensor, axis: int) -> tf.Tensor:
    """Each pixel's lower or right neighbour less the pixel itself: d[i] = x[i + 1] − x[i]."""
    ahead, behind = ([slice(None)] * 3 for _ in range(2))
    ahead[axis], behind[axis] = slice(1, None), slice(None, -1)

    @custom_gradient
    def difference(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            # x[i] is in d[i − 1] and, with a minus, in d[i]; beyond the ends there is nothing. Derived
            # slice by slice it takes twice the time.
            padded = tf.pad(upstream, [[1, 1] if axis == along else [0, 0] for along in range(3)])
            return padded[tuple(behind)] - padded[tuple(ahead)]

        return x[tuple(ahead)] - x[tuple(behind)], gradient

    return difference(pixels)


def _differences(piece: Piece) -> tuple[tf.Tensor, tf.Tensor]:
    """Vertical and horizontal differences, in pixel values, of the pairs that the piece owns."""
    return (
        _difference(piece.pixels[:, : piece.width], axis=0),
        _difference(piece.pixels[: piece.height], axis=1),
    )


def _squares(piece: Piece, unit: float) -> Sums:
    dy, dx = _differences(piece)
    return {
        "tv dy²": tf.reduce_sum(tf.square(dy)) / unit**2,
        "tv dx²": tf.reduce_sum(tf.square(dx)) / unit**2,
    }


def _mean_squares(sums: Sums, height: int, width: int) -> tf.Tensor:
    return sums["tv dy²"] / ((height - 1) * width * 3) + sums["tv dx²"] / (height * (width - 1) * 3)


def _swapped_mean_squares(sums: Sums, height: int, width: int) -> tf.Tensor:
    return sums["tv dy²"] / (height * (width - 1) * 3) + sums["tv dx²"] / ((height - 1) * width * 3)


def _powers(piece: Piece, unit: float, exponent: float) -> Sums:
    dy, dx = _differences(piece)
    # Only pixels that have both neighbours count.
    rows, columns = tf.shape(dy)[0], tf.shape(dx)[1]
    squares = tf.square(dy[:, :columns]) + tf.square(dx[:rows])
    return {"tv power": tf.reduce_sum(squares**exponent) / unit ** (2 * exponent)}


def _absolute(piece: Piece, unit: float) -> Sums:
    dy, dx = _differences(piece)
    return {"tv absolute": (tf.reduce_sum(tf.abs(dy)) + tf.reduce_sum(tf.abs(dx))) / unit}


def _nine_points(piece: Piece, unit: float) -> Sums:
    dy, dx = _differences(piece)
    # Both diagonals of each square of 2×2 pixels, which its upper left pixel owns.
    rows, columns = tf.shape(dy)[0], tf.shape(dx)[1]
    x = piece.pixels[: rows + 1, : columns + 1]
    diagonals = tf.reduce_sum(tf.square(x[1:, 1:] - x[:-1, :-1]))
    diagonals += tf.reduce_sum(tf.square(x[1:, :-1] - x[:-1, 1:]))
    # With the border replicated, diagonals that leave the picture and come back run along it, two by two.
    along = (
        (piece.at_top, dx[:1]),
        (tf.equal(rows, piece.height - 1), dx[-1:]),
        (piece.at_left, dy[:, :1]),
        (tf.equal(columns, piece.width - 1), dy[:, -1:]),
    )
    for at_border, differences in along:
        diagonals += 2 * tf.cast(at_border, tf.float32) * tf.reduce_sum(tf.square(differences))
    return _squares(piece, unit) | {"tv diagonals²": diagonals / unit**2}


def _nine_point_means(sums: Sums, height: int, width: int) -> tf.Tensor:
    straight = (sums["tv dy²"] + sums["tv dx²"]) / (3 * height * width * 3)
    diagonal = sums["tv diagonals²"] / (12 * (height + 1) * (width + 1) * 3)
    return 2 * (straight + diagonal)


#: The sums that a formula needs of a piece, and its value from them and the picture's height and width.
TOTAL_VARIATION_FORMULAS: dict[str, tuple[Callable, Callable]] = {
    # mean dy² + mean dx²: neural-style (stylize.py)
    "mean-squares": (_squares, _mean_squares),
    # the same with the two denominators exchanged, as the cookbook listing prints it
    "swapped-mean-squares": (_squares, _swapped_mean_squares),
    # Σ(dy² + dx²)^1.25 without the last row and column: Deep Learning with Python, listing 8.19; keras.io
    "power": (partial(_powers, exponent=1.25), lambda sums, height, width: sums["tv power"]),
    # ½ Σ(dy² + dx²) without the last row and column: artistic-videos (TVLoss), jcjohnson/neural-style, where
    # it is in the gradient only and not counted in the loss
    "half-squares": (partial(_powers, exponent=1.0), lambda sums, height, width: sums["tv power"] / 2),
    # Σ|dy| + Σ|dx|: tf.image.total_variation, in the TensorFlow tutorial and neural-style-tf
    "absolute": (_absolute, lambda sums, height, width: sums["tv absolute"]),
    # 2 (mean dx²/3 + mean dy²/3 + mean of each diagonal's squares/12), the border replicated, so that there
    # are h·w differences and (h+1)(w+1) of each diagonal: style-transfer-pytorch (style_transfer.py, TVLoss)
    "nine-point": (_nine_points, _nine_point_means),
}


def total_variation(formula: str = "mean-squares", unit: float = 1.0) -> Objective:
    """How much neighbouring pixels differ.

    Parameters
    ----------
    formula : str
        A key of `TOTAL_VARIATION_FORMULAS`.
    unit : float
        How many pixel values make one unit of the range that the formula was published for: 1 for
        0..255, 255 for 0..1.

    Returns
    -------
    Objective

    Raises
    ------
    InputError
        If there is no such formula.
    """
    sums_of, value_of = named(TOTAL_VARIATION_FORMULAS, formula, "total variation formula")

    def value(sums: Sums, targets: Targets) -> tf.Tensor:
        return value_of(sums, targets.height, targets.width)

    return Objective((Term("tv", 1.0, lambda piece: sums_of(piece, unit), value),), ("tv",))


# --- temporal ---------------------------------------------------------------------------------------


#: From the trust h×w×1 and the squares (x − ω)² h×w×3 of a piece the sums that a formula needs, and from
#: those its value, which is then divided by the number of pixels and channels.
TEMPORAL_FORMULAS: dict[str, tuple[Callable, Callable]] = {
    # Σ c (x − ω)²: Ruder, Dosovitskiy & Brox 2016, equation 7; artistic-videos (WeightedContentLoss)
    "masked": (lambda trust, squares: [trust * squares], lambda masked: masked),
    # Σ c · ½ Σ (x − ω)²: neural-style-tf (temporal_loss), where the trust masks nothing
    "product": (lambda trust, squares: [3 * trust, squares], lambda trust, squares: trust * squares / 2),
}


def temporal(offsets: Sequence[int] = (1,), formula: str = "masked", unit: float = 1.0) -> Objective:
    """How far a film's frame is from earlier ones, warped to where their things are now.

    Parameters
    ----------
    offsets : sequence of int
        How many frames earlier each of them is. For each offset j the loss is given, beside the content
        (`WholeLoss.compare_with`), the arrays "warped j", H×W×3, 0..255, and "trust j", H×W×1, 0..1.
    formula : str
        A key of `TEMPORAL_FORMULAS`.
    unit : float
        As for `total_variation`.

    Returns
    -------
    Objective
        Σ over offsets of the formula's sums / (H · W · 3).

    Raises
    ------
    InputError
        If there is no such formula.
    """
    summands_of, value_of = named(TEMPORAL_FORMULAS, formula, "temporal formula")

    def term(offset: int) -> Term:
        name = f"temporal {offset}"

        def statistics(piece: Piece) -> Sums:
            pixels = piece.pixels[: piece.height, : piece.width]
            squares = tf.math.squared_difference(pixels, piece.beside[f"warped {offset}"]) / unit**2
            summands = summands_of(piece.beside[f"trust {offset}"], squares)
            return {f"{name} {index}": tf.reduce_sum(summand) for index, summand in enumerate(summands)}

        def value(sums: Sums, targets: Targets) -> tf.Tensor:
            own = [sum_ for key, sum_ in sums.items() if key.startswith(f"{name} ")]
            return value_of(*own) / (targets.height * targets.width * 3)

        beside = {f"warped {offset}": 3, f"trust {offset}": 1}
        return Term("temporal", 1.0, statistics, value, beside=beside)

    return Objective(tuple(term(offset) for offset in offsets), ("temporal",))


# --- a recipe's -------------------------------------------------------------------------------------


def objective_of(recipe: Recipe, styles: int = 1) -> Objective:
    """The objective of a recipe.

    Parameters
    ----------
    recipe : Recipe
    styles : int
        How many style pictures there are.

    Returns
    -------
    Objective

    Raises
    ------
    InputError
        If the recipe has weights for another number of styles.
    """
    blend = shares(recipe, styles)
    normalize = recipe.normalize_gradients
    return (
        recipe.content_weight * content(recipe.content_layers, recipe.content_formula, normalize)
        + recipe.style_weight
        * style(recipe.style_layers, recipe.style_formula, blend, normalize, recipe.style_blending)
        + recipe.tv_weight * total_variation(recipe.tv_formula, recipe.unit)
    )

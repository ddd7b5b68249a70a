"""The terms of an objective, each a function from its settings to an `Objective`, with its formula.

Formulas are written F, P, A for the activations of the generated, the content and a style picture at a
layer of h×w positions and C channels, and G = FᵀF, F flattened to (h·w)×C, for a raw Gram matrix.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.loss.objectives import Objective, Piece, Sums, Term
from neuralstyle.loss.targets import Targets
from neuralstyle.networks.gram import gram_matrix
from neuralstyle.recipes import Recipe, shares


def _formula(formulas: Mapping[str, Callable], name: str, what: str) -> Callable:
    if name not in formulas:
        raise InputError(f"unknown {what} formula {name!r}; choose one of {', '.join(formulas)}")
    return formulas[name]


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
    factor = _formula(CONTENT_FORMULAS, formula, "content")

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


# --- style -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """The numbers that the style formulas divide by.

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


#: From the counts: what G is divided by, what A's Gram matrix is divided by, and the factor of the sum of
#: squares. "Raw" formulas divide both by the same number, whatever the style picture's size.
STYLE_FORMULAS: dict[str, Callable[[Counts], tuple[float, float, float]]] = {
    # Σ(G/hwC − A/hwC)² / C²: neural-style (stylize.py), the cookbook listing
    "neural-style": lambda n: (
        n.positions * n.channels,
        n.style_positions * n.channels,
        1 / n.channels**2,
    ),
    # Σ(G−A)² / (4 C² (hw)²): Gatys et al. 2016, equation 4; neural-style-tf
    "gatys": lambda n: (n.positions, n.positions, 1 / (4 * n.channels**2)),
    # Σ(G−A)² / (4 · 3² · (h·w)²) with the picture's h·w and its 3 channels: Deep Learning with Python,
    # listing 8.18; keras.io's example
    "chollet": lambda n: (n.pixels, n.pixels, 1 / (4 * 3**2)),
    # mean (G/hw − A/hw)²: the TensorFlow tutorial
    "mean": lambda n: (n.positions, n.style_positions, 1 / n.channels**2),
}


def style(
    layers: Mapping[str, float],
    formula: str = "neural-style",
    blend: Sequence[float] = (1.0,),
    normalize_gradients: bool = False,
) -> Objective:
    """How far the picture's Gram matrices are from the style pictures'.

    With a mask the activations are multiplied by it before the Gram matrix, which is then divided by
    the mean of the mask's squares, so that a style that covers a tenth of the picture is compared at
    the same scale as one that covers it all (Gatys et al. 2017, section 4, where masks are normalised
    to Σ mask² = 1).

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

    Returns
    -------
    Objective
        Σ over styles and layers of blend · weight · factor · Σ(G/n − A/m)².

    Raises
    ------
    InputError
        If there is no such formula.
    """
    formula_of = _formula(STYLE_FORMULAS, formula, "style")

    def term(layer: str, index: int, weight: float) -> Term:
        def name(masked: bool) -> str:
            # Styles share one Gram matrix of the picture where nothing is their own.
            return f"gram {layer} {index}" if masked or normalize_gradients else f"gram {layer}"

        def statistics(piece: Piece) -> Sums:
            mask = piece.masks[index]
            features = piece.features[layer]
            if mask is not None:
                features = features * mask[layer]
            return {name(mask is not None): gram_matrix(features)}

        def value(sums: Sums, targets: Targets) -> tf.Tensor:
            if len(targets.styles) != len(blend):
                raise InputError(
                    f"the objective's blend has {len(blend)} weights for {len(targets.styles)} style pictures"
                )
            target = targets.styles[index]
            height, width, channels = targets.sizes[layer]
            pixels = targets.height * targets.width
            counts = Counts(height * width, target.positions[layer], pixels, channels)
            divisor, style_divisor, factor = formula_of(counts)
            share = 1.0 if target.masks is None else float((target.masks[layer] ** 2).mean())
            gram = sums[name(target.masks is not None)] / (divisor * share)
            style_gram = target.grams[layer] / (style_divisor * target.shares[layer])
            return factor * tf.reduce_sum(tf.math.squared_difference(gram, style_gram))

        return Term("style", weight, statistics, value, (), (layer,), normalize_gradients)

    return Objective(
        tuple(
            term(layer, index, share * weight)
            for index, share in enumerate(blend)
            for layer, weight in layers.items()
            if share * weight
        ),
        ("style",),
    )


# --- total variation -------------------------------------------------------------------------------


def _difference(pixels: tf.Tensor, axis: int) -> tf.Tensor:
    """Each pixel's lower or right neighbour less the pixel itself: d[i] = x[i + 1] − x[i]."""
    ahead, behind = ([slice(None)] * 3 for _ in range(2))
    ahead[axis], behind[axis] = slice(1, None), slice(None, -1)

    @tf.custom_gradient
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
    sums_of, value_of = _formula(TOTAL_VARIATION_FORMULAS, formula, "total variation")

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
    summands_of, value_of = _formula(TEMPORAL_FORMULAS, formula, "temporal")

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
        + recipe.style_weight * style(recipe.style_layers, recipe.style_formula, blend, normalize)
        + recipe.tv_weight * total_variation(recipe.tv_formula, recipe.unit)
    )

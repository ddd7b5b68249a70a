"""What a good picture is: a weighted sum of terms, each in two halves.

Every loss of this field is a function of sums over positions. Content loss sums over the positions of
a layer; a Gram matrix is a sum over positions of the outer product of a feature vector with itself;
total variation sums over neighbouring pixels. So a `Term` has two halves:

    statistics(piece)    sums over the positions of one piece of the picture
    value(sums, targets) the loss, from the sums of the whole picture

With one piece that is an ordinary graph. With many, the sums are added up and the derivative of the value
with respect to them is pushed back through each piece (`neuralstyle.loss.losses`).

Objectives add and scale::

    5.0 * content({"relu4_2": 1.0}) + 500.0 * style({"relu1_1": 0.5, "relu2_1": 0.5})
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import tensorflow as tf

from neuralstyle.graphs import custom_gradient
from neuralstyle.loss.targets import Targets

Sums = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Piece:
    """A piece of the generated picture, as the terms of an objective see it.

    Attributes
    ----------
    pixels : tf.Tensor
        h×w×3, 0..255: the piece's pixels and, where the picture goes on, one row below and one column
        to the right, since total variation looks at neighbours.
    height, width : int or tf.Tensor
        How many rows and columns of the pixels are the piece's own.
    features : mapping of str to tf.Tensor
        Layer to activations 1×h×w×C at the piece's own positions.
    content : mapping of str to tf.Tensor
        Layer to the content picture's activations at the same positions.
    masks : sequence of (mapping of str to tf.Tensor, or None)
        For each style, layer to how much of the style is wanted at each of those positions,
        1×h×w×1, 0..1; None for everywhere.
    beside : mapping of str to tf.Tensor
        What terms compare the pixels with, by name: height×width×C, at the piece's own pixels.
    at_top, at_left : bool or tf.Tensor
        Whether the piece begins where the picture does.
    """

    pixels: tf.Tensor
    height: int | tf.Tensor
    width: int | tf.Tensor
    features: Mapping[str, tf.Tensor]
    content: Mapping[str, tf.Tensor]
    masks: Sequence[Mapping[str, tf.Tensor] | None]
    beside: Mapping[str, tf.Tensor] = field(default_factory=dict)
    at_top: bool | tf.Tensor = True
    at_left: bool | tf.Tensor = True


@dataclass(frozen=True)
class Term:
    """One summand of an objective.

    Attributes
    ----------
    name : str
        What it counts as in the reported losses, such as "content", "style" or "tv".
    weight : float
        What its value is multiplied with.
    statistics : callable
        `Piece` to named sums over its positions.
    value : callable
        Sums of the whole picture and `Targets` to a scalar.
    content_layers, style_layers : tuple of str
        The layers that it compares with the content picture's activations, and with the style pictures'
        Gram matrices. The generated picture's activations are there for both.
    normalize_gradients : bool
        Whether its gradient is scaled as `_normalized` does it.
    beside : mapping of str to int
        The arrays of the picture's height and width that it compares the pixels with, and their channels.
    """

    name: str
    weight: float
    statistics: Callable[[Piece], Sums]
    value: Callable[[Sums, Targets], tf.Tensor]
    content_layers: tuple[str, ...] = ()
    style_layers: tuple[str, ...] = ()
    normalize_gradients: bool = False
    beside: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms.

    Attributes
    ----------
    terms : tuple of Term
        Those that weigh anything: what weighs nothing is not computed.
    names : tuple of str
        The losses that are reported; one without a term is 0.
    """

    terms: tuple[Term, ...]
    names: tuple[str, ...]

    def __add__(self, other: "Objective") -> "Objective":
        return Objective(self.terms + other.terms, tuple(dict.fromkeys(self.names + other.names)))

    def __rmul__(self, factor: float) -> "Objective":
        terms = (replace(term, weight=factor * term.weight) for term in self.terms)
        return Objective(tuple(term for term in terms if term.weight), self.names)

    @property
    def content_layers(self) -> tuple[str, ...]:
        """The layers that are compared with the content picture's, each once."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.content_layers))

    @property
    def style_layers(self) -> tuple[str, ...]:
        """The layers whose Gram matrices are compared with the style pictures', each once."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.style_layers))

    @property
    def layers(self) -> tuple[str, ...]:
        """All the layers that the network has to be run up to."""
        return self.content_layers + self.style_layers

    @property
    def beside(self) -> dict[str, int]:
        """The arrays that pixels are compared with, and their channels."""
        return {name: channels for term in self.terms for name, channels in term.beside.items()}

    @property
    def normalize_gradients(self) -> bool:
        """Whether a term's gradient is scaled by a norm, which is no sum over positions."""
        return any(term.normalize_gradients for term in self.terms)

    def statistics(self, piece: Piece) -> Sums:
        """All the sums that the terms need of one piece."""
        sums: Sums = {}
        for term in self.terms:
            own = replace(piece, features=_normalized(piece, term)) if term.normalize_gradients else piece
            sums.update(term.statistics(own))
        return sums

    def losses(self, sums: Sums, targets: Targets) -> dict[str, tf.Tensor]:
        """The losses of the whole picture, weights included: "total", and each of the names."""
        losses = dict.fromkeys(self.names, tf.zeros(()))
        for term in self.terms:
            losses[term.name] += term.weight * term.value(sums, targets)
        first, *others = losses.values()
        return {"total": sum(others, first), **losses}


def _normalized(piece: Piece, term: Term) -> dict[str, tf.Tensor]:
    """The same activations, through which a term's gradient comes back scaled.

    For the gradient g of the term's value with respect to the activations of its layer, weight · g
    becomes weight · g / (Σ|g| + 1e-8). The value is not touched.

    Source: jcjohnson/neural-style, neural_style.lua, ``-normalize_gradients`` in ContentLoss and
    StyleLoss.
    """

    @custom_gradient
    def unchanged(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(weighted: tf.Tensor) -> tf.Tensor:
            return weighted / (tf.reduce_sum(tf.abs(weighted)) / abs(term.weight) + 1e-8)

        return tf.identity(features), gradient

    return {layer: unchanged(features) for layer, features in piece.features.items()}

"""The loss of a picture and its gradient, for a recipe: the objective on the picture's own graph."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle import vgg
from neuralstyle.files import InputError
from neuralstyle.graphs import held, open_session
from neuralstyle.images import as_image
from neuralstyle.networks import Network, load_network
from neuralstyle.objectives import Objective, Piece, content, style, total_variation
from neuralstyle.recipes import Recipe, find_recipe
from neuralstyle.targets import Targets, measure

Pictures = np.ndarray | str | Path | Sequence[np.ndarray | str | Path]
Masks = Sequence[np.ndarray | None] | None


def objective(recipe: Recipe, styles: int = 1) -> Objective:
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
        If the recipe names a formula that does not exist, or has weights for another number of styles.
    """
    blend = recipe.style_blend or (1.0,) * styles
    if len(blend) != styles:
        raise InputError(f"--style-blend-weights has {len(blend)} weights for {styles} style pictures")
    blend = tuple(weight / sum(blend) for weight in blend)
    return (
        recipe.content_weight * content(recipe.content_layers, recipe.content_formula)
        + recipe.style_weight * style(recipe.style_layers, recipe.style_formula, blend)
        + recipe.tv_weight * total_variation(recipe.tv_formula, recipe.unit)
    )


def measure_targets(
    network: Network,
    recipe: Recipe,
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    masks: Masks = None,
    style_masks: Masks = None,
) -> Targets:
    """What a picture is measured against under a recipe; see `neuralstyle.targets.measure`.

    Parameters
    ----------
    network : Network
        As `network_for` gives it.
    recipe : Recipe
    content : ndarray
        H×W×3, float32, RGB, 0..255.
    styles : sequence of ndarray
        Of any size.
    masks, style_masks : sequence of (ndarray or None), optional
        As in `neuralstyle.targets.measure`.
    """
    return measure(
        network,
        content,
        [picture * np.float32(recipe.style_range / 255) for picture in styles],
        [layer for layer, weight in recipe.content_layers.items() if weight and recipe.content_weight],
        [layer for layer, weight in recipe.style_layers.items() if weight and recipe.style_weight],
        recipe.pooling,
        recipe.padding,
        masks,
        style_masks,
    )


def network_for(recipe: Recipe, network: Network) -> Network:
    """The network as a recipe computes with it."""
    return network.transposed() if recipe.transpose_kernels else network


class WholeLoss:
    """The loss of a whole picture, on one graph, with a session that stays open.

    A context manager: the session closes with the block.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    targets : Targets
    """

    def __init__(self, network: Network, recipe: Recipe, targets: Targets) -> None:
        graph = tf.Graph()
        with graph.as_default():
            self._picture = tf.compat.v1.placeholder(
                tf.float32, (targets.height, targets.width, 3), name="picture"
            )
            piece = Piece(
                pixels=self._picture,
                height=targets.height,
                width=targets.width,
                features=vgg.build(
                    network, self._picture[tf.newaxis], targets.sizes, recipe.pooling, recipe.padding
                ),
                content={
                    layer: held(values[np.newaxis], f"content_{layer}")
                    for layer, values in targets.content.items()
                },
                masks=[
                    style.masks
                    and {layer: tf.constant(mask[None, :, :, None]) for layer, mask in style.masks.items()}
                    for style in targets.styles
                ],
            )
            wanted = objective(recipe, len(targets.styles))
            self._losses = wanted.losses(wanted.statistics(piece), targets)
            (self._gradient,) = tf.gradients(self._losses["total"], [self._picture])
        self._session = open_session(graph)

    def __enter__(self) -> "WholeLoss":
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """The losses of a picture, H×W×3, float32, RGB, 0..255; no gradient is computed."""
        losses = self._session.run(self._losses, {self._picture: picture})
        return {name: float(value) for name, value in losses.items()}

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The losses of a picture and the derivative of the total with respect to its pixel values.

        Both come from one run of the graph.
        """
        losses, gradient = self._session.run([self._losses, self._gradient], {self._picture: picture})
        return {name: float(value) for name, value in losses.items()}, gradient


def loss_and_gradient(
    image: np.ndarray | str | Path,
    content: np.ndarray | str | Path,
    styles: Pictures,
    recipe: Recipe | str,
    network: Network | None = None,
) -> tuple[dict[str, float], np.ndarray]:
    """The losses of a picture under a recipe, and the gradient of their total.

    Nothing is resized.

    Parameters
    ----------
    image : ndarray or path
        The generated picture, H×W×3, uint8 or float32, RGB, 0..255.
    content : ndarray or path
        The content picture, of the same size.
    styles : ndarray or path, or a sequence of them
        Style pictures, of any size.
    recipe : Recipe or str
    network : Network, optional
        Default: `neuralstyle.load_network`'s.

    Returns
    -------
    losses : dict of str to float
        "total", "content", "style" and "tv", weights included.
    gradient : ndarray
        H×W×3, float32: the derivative of the total with respect to the pixel values 0..255, whatever
        range the recipe works in.

    Raises
    ------
    InputError
        If a picture cannot be used, or the recipe names a layer or formula that does not exist.
    """
    recipe = find_recipe(recipe).in_force()
    image, content, styles = as_image(image), as_image(content), as_images(styles)
    if image.shape != content.shape:
        raise InputError(
            f"the picture is {image.shape[1]}×{image.shape[0]} pixels and the content picture "
            f"{content.shape[1]}×{content.shape[0]}; they must have one size"
        )
    network = network_for(recipe, network or load_network())
    with WholeLoss(network, recipe, measure_targets(network, recipe, content, styles)) as loss:
        return loss.losses_and_gradient(image)


def as_images(pictures: Pictures) -> list[np.ndarray]:
    """One picture or several, as a list of arrays H×W×3, float32, RGB, 0..255."""
    if isinstance(pictures, str | Path) or (isinstance(pictures, np.ndarray) and pictures.ndim == 3):
        pictures = [pictures]
    return [as_image(picture) for picture in pictures]

"""The loss of a picture and its gradient: an objective on the picture's own graph, whole or tile by tile."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.free_memory import free_bytes
from neuralstyle.graphs import (
    Machine,
    accelerator_bytes,
    derivatives,
    held,
    held_variable,
    new_graph,
    open_session,
)
from neuralstyle.loss.fallback import WholeThenTiledLoss
from neuralstyle.loss.memory import check_whole_fits, choose_style_tile, choose_tile, optimizer_bytes
from neuralstyle.loss.objectives import Objective, Piece
from neuralstyle.loss.on_cluster import ClusteredLoss, is_one_tile, open_on_cluster
from neuralstyle.loss.passes import TilePasses, ValueOfSums, as_floats, nothing_beside, shapes_of_sums
from neuralstyle.loss.targets import Targets, measure
from neuralstyle.loss.terms import objective_of
from neuralstyle.loss.tiles import cut
from neuralstyle.networks import Network, load_network, vgg
from neuralstyle.networks.convolutions import SMALL
from neuralstyle.optimizers import Adam, GradientDescent, Optimizer
from neuralstyle.optimizers.descent import Descent
from neuralstyle.pictures.reading import AnyPicture, as_image
from neuralstyle.preparation import Scene, Style, fit_masks, in_range, network_for, scene_of
from neuralstyle.recipes import Recipe, find_recipe

#: The optimisers whose steps a graph can have.
STEPS_IN_GRAPHS = (Adam, GradientDescent)

#: The size of tiles where a card's memory runs out although the whole picture should have fitted.
TILE_AFTER_ALL = 1024


class WholeLoss:
    """The loss of a whole picture, on one graph, with a session that stays open.

    A context manager: the session closes with the block.

    Parameters
    ----------
    network : Network
    objective : Objective
    targets : Targets
    machine : Machine
    optimizer : Optimizer, optional
        Whose steps the graph is to have, if they are such as a graph can have.

    Attributes
    ----------
    graph : tf.Graph
    tile : None
        A whole picture has no tiles.
    descent : Descent or None
        The optimiser's steps, where the graph has them.
    """

    tile = None

    def __init__(
        self,
        network: Network,
        objective: Objective,
        targets: Targets,
        machine: Machine = Machine(),
        optimizer: Optimizer | None = None,
    ) -> None:
        self.descent = None
        with new_graph(machine) as self.graph:
            if isinstance(optimizer, STEPS_IN_GRAPHS):
                self.descent = Descent(optimizer, targets.height, targets.width)
                self._picture = self.descent.pixels
            else:
                self._picture = tf.compat.v1.placeholder(
                    tf.float32, (targets.height, targets.width, 3), name="picture"
                )
            with tf.name_scope("network"):
                pictures = self._picture[tf.newaxis]
                features = vgg.build(
                    network, pictures, targets.sizes, plain=targets.height * targets.width <= SMALL
                )
            content, beside = _compared_with(objective, targets)
            # Measured where it stays.
            self._content = [
                variable.assign(features[layer], read_value=False) for layer, variable in content.items()
            ]
            self._beside = {}
            for name, variable in beside.items():
                value = tf.compat.v1.placeholder(tf.float32, variable.shape)
                self._beside[name] = value, variable.assign(value, read_value=False)
            piece = Piece(
                pixels=self._picture,
                height=targets.height,
                width=targets.width,
                features=features,
                content={layer: variable.read_value() for layer, variable in content.items()},
                masks=_masks(targets),
                beside={name: variable.read_value() for name, variable in beside.items()},
            )
            with tf.name_scope("statistics"):
                sums = objective.statistics(piece)
            with tf.name_scope("losses"):
                self._losses = objective.losses(sums, targets)
            (self._gradient,) = derivatives(self._losses["total"], [self._picture])
            if self.descent is not None:
                self.descent.minimize(self._losses, self._gradient)
        self._session = open_session(self.graph, machine)
        if self.descent is not None:
            self.descent.session = self._session

    def __enter__(self) -> "WholeLoss":
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def compare_with(self, content: np.ndarray, beside: Mapping[str, np.ndarray]) -> None:
        """Take another content picture of the same size, as the frames of a film have one each.

        Parameters
        ----------
        content : ndarray
            H×W×3, float32, RGB, 0..255.
        beside : mapping of str to ndarray
            What the objective compares pixels with (`Objective.beside`), float32 H×W×C; 0 until it is given.
        """
        given = {self._beside[name][0]: array for name, array in beside.items()}
        taken = [self._beside[name][1] for name in beside]
        self._session.run([self._content, taken], {self._picture: content} | given)

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """The losses of a picture, H×W×3, float32, RGB, 0..255; no gradient is computed."""
        return as_floats(self._session.run(self._losses, {self._picture: picture}))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The losses of a picture and the derivative of the total with respect to its pixel values.

        Both come from one run of the graph.
        """
        losses, gradient = self._session.run([self._losses, self._gradient], {self._picture: picture})
        return as_floats(losses), gradient


def _compared_with(
    objective: Objective, targets: Targets
) -> tuple[dict[str, tf.Variable], dict[str, tf.Variable]]:
    """What a whole picture is compared with: activations of the content, and what pixels have beside them."""
    content = {
        layer: held_variable(values[np.newaxis], f"content_{layer}")
        for layer, values in targets.content.items()
    }
    nothing = nothing_beside(objective, targets.height, targets.width)
    beside = {name: held_variable(array, f"beside_{i}") for i, (name, array) in enumerate(nothing.items())}
    return content, beside


def _masks(targets: Targets) -> list[dict[str, tf.Tensor] | None]:
    """What each style's layers are looked at through, where it has masks."""
    return [
        style.masks
        and {
            layer: held(mask[None, :, :, None], f"mask_{index}_{layer}")
            for layer, mask in style.masks.items()
        }
        for index, style in enumerate(targets.styles)
    ]


class TiledLoss:
    """The loss of a picture computed tile by tile, with the gradient that `WholeLoss` has.

    The memory it takes is that of one tile, whatever the size of the picture; `neuralstyle.loss.tiles` has
    the derivation. A context manager: the session closes with the block.

    Parameters
    ----------
    network : Network
    objective : Objective
    targets : Targets
    machine : Machine
        Its tile is the longest side of a tile, in pixels, without its halo.

    Raises
    ------
    InputError
        If the tile's size is not positive, or the recipe asks for something that is no function of sums
        over positions: normalised gradients.

    Attributes
    ----------
    graph : tf.Graph
    tile : int
    descent : None
        The steps of an optimiser are no part of the graph.
    """

    descent = None

    def __init__(self, network: Network, objective: Objective, targets: Targets, machine: Machine) -> None:
        if objective.normalize_gradients:
            raise InputError(
                "normalize_gradients does not go with tiles, since the norm of a layer's gradient is no "
                "sum over positions that one pass could give; take the picture whole (tile none)",
                fields=("normalize_gradients", "tile"),
            )
        self.tile = machine.tile
        self._tiles = cut(network, targets.height, targets.width, targets.sizes, self.tile)
        self._targets = targets
        self._beside = nothing_beside(objective, targets.height, targets.width)
        masked = [style.masks is not None for style in targets.styles]
        self._passes = TilePasses(network, objective, targets.sizes, masked, machine)
        shapes = shapes_of_sums(objective, targets.sizes, masked)
        self._value = ValueOfSums(objective, targets, shapes, machine)
        self.graph = self._passes.graph

    def __enter__(self) -> "TiledLoss":
        return self

    def __exit__(self, *exception: object) -> None:
        self._passes.close()
        self._value.close()

    def compare_with(self, content: np.ndarray, beside: Mapping[str, np.ndarray]) -> None:
        """As `WholeLoss.compare_with`."""
        for tile in self._tiles if self._targets.content else ():
            for layer, values in self._passes.features(tile, content[tile.region.slices]).items():
                self._targets.content[layer][tile.owned[layer].slices] = values
        self._beside = self._beside | dict(beside)

    def _add_up(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The first pass: the sums of the whole picture."""
        sums = self._value.zeros()
        for tile in self._tiles:
            own = self._targets.own(tile, self._beside)
            for name, value in self._passes.sums(tile, picture[tile.region.slices], own).items():
                sums[name] += value
        return sums

    def losses(self, picture: np.ndarray) -> dict[str, float]:
        """The losses of a picture, H×W×3, float32, RGB, 0..255; only the first pass is made."""
        return self._value.losses(self._add_up(picture))

    def losses_and_gradient(self, picture: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """The losses of a picture and the derivative of the total with respect to its pixel values."""
        losses, slopes = self._value.losses_and_slopes(self._add_up(picture))
        gradient = np.zeros_like(picture)
        for tile in self._tiles:
            region, own = picture[tile.region.slices], self._targets.own(tile, self._beside)
            gradient[tile.region.slices] += self._passes.gradient(tile, region, own, slopes)
        return losses, gradient


def open_loss(
    network: Network,
    objective: Objective,
    scene: Scene,
    machine: Machine = Machine(),
    optimizer: Optimizer | None = None,
) -> WholeLoss | TiledLoss | WholeThenTiledLoss | ClusteredLoss:
    """Measure the targets of an objective, and open the loss of a picture of the content picture's size.

    Parameters
    ----------
    network : Network
        As `neuralstyle.preparation.network_for` gives it.
    objective : Objective
        A recipe's (`neuralstyle.loss.terms.objective_of`) or one of your own.
    scene : Scene
        The pictures as the network is to see them, each with masks of its size.
    machine : Machine
    optimizer : Optimizer, optional
        What will minimise it, which needs memory beside the graph, and whose steps become part of the graph
        of a whole picture.

    Returns
    -------
    WholeLoss, TiledLoss, WholeThenTiledLoss or ClusteredLoss
        A context manager.

    Raises
    ------
    InputError
        If the network has no such layer, or the objective does not go with tiles.
    """
    size = scene.content.shape[:2]
    reserved = 0 if optimizer is None else optimizer_bytes(optimizer, *size)
    if machine.cluster is not None and not is_one_tile(machine, *size):
        return open_on_cluster(network, objective, scene, machine, reserved)
    on_card = accelerator_bytes(machine)
    free = free_bytes() if on_card is None else on_card
    # Other optimisers work in the system's memory, whatever the graph is computed on.
    if on_card is None or isinstance(optimizer, STEPS_IN_GRAPHS):
        free -= reserved
    masked = sum(style.mask is not None for style in scene.styles)
    tile = choose_tile(network, objective, *size, machine.tile, free, masked)
    if machine.tile is None or objective.normalize_gradients:
        check_whole_fits(network, objective, *size, free, masked)
    # In the tiles of the picture where it has some: what the record then says makes the same bits again.
    style_tiles = [
        choose_style_tile(
            network, objective.style_layers, *style.picture.shape[:2], tile or machine.tile, free
        )
        for style in scene.styles
    ]
    asked, machine = machine.tile, replace(machine, tile=tile)
    targets = measure(network, scene, objective.content_layers, objective.style_layers, machine, style_tiles)
    if tile is not None:
        return TiledLoss(network, objective, targets, machine)
    whole = WholeLoss(network, objective, targets, machine, optimizer)
    if on_card is None or asked != "auto" or objective.normalize_gradients:
        return whole
    return WholeThenTiledLoss(
        whole, lambda: TiledLoss(network, objective, targets, replace(machine, tile=TILE_AFTER_ALL))
    )


def loss_and_gradient(
    image: AnyPicture,
    content: AnyPicture,
    styles: AnyPicture | Style | Sequence[AnyPicture | Style],
    recipe: Recipe | str | Objective,
    network: Network | None = None,
    *,
    tile: int | str | None = None,
) -> tuple[dict[str, float], np.ndarray]:
    """The losses of a picture under a recipe or an objective, and the gradient of their total.

    Nothing is resized.

    Parameters
    ----------
    image : ndarray or path
        The generated picture, H×W×3, uint8 or float32, RGB, 0..255.
    content : ndarray or path
        The content picture, of the same size.
    styles : ndarray, path or Style, or a sequence of them
        Style pictures, of any size.
    recipe : Recipe, str or Objective
        A published system, or an objective put together from `neuralstyle.content`, `neuralstyle.style` and
        `neuralstyle.total_variation`, which sees the network as it is.
    network : Network, optional
        Default: `neuralstyle.load_network`'s.
    tile : int, "auto" or None
        The longest side of a tile in pixels; None takes pictures whole; "auto" takes them whole where
        they fit into the memory that is free, and in tiles otherwise. The result is the same.

    Returns
    -------
    losses : dict of str to float
        "total", and the objective's terms: "content", "style" and "tv"; weights included.
    gradient : ndarray
        H×W×3, float32: the derivative of the total with respect to the pixel values 0..255, whatever
        range the recipe works in.

    Raises
    ------
    InputError
        If a picture cannot be used, the recipe names a layer or formula that does not exist, or it does
        not go with tiles.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstyle
    >>> photograph, painting = np.random.default_rng(0).uniform(0, 255, (2, 48, 64, 3))
    >>> objective = 5.0 * neuralstyle.content({"relu4_2": 1.0}) + 500.0 * neuralstyle.style({"relu1_1": 1.0})
    >>> losses, gradient = neuralstyle.loss_and_gradient(photograph, photograph, painting, objective)
    >>> list(losses), losses["content"], gradient.shape
    (['total', 'content', 'style'], 0.0, (48, 64, 3))
    """
    image, scene = as_image(image), scene_of(content, styles)
    if image.shape != scene.content.shape:
        raise InputError(
            f"the picture is {image.shape[1]}×{image.shape[0]} pixels and the content picture "
            f"{scene.content.shape[1]}×{scene.content.shape[0]}; they must have one size"
        )
    network = network or load_network()
    if isinstance(recipe, Objective):
        objective = recipe
    else:
        recipe = find_recipe(recipe).with_listing()
        objective = objective_of(recipe, len(scene.styles))
        network, scene = network_for(recipe, network), in_range(recipe, scene)
    with open_loss(network, objective, fit_masks(scene), Machine(tile=tile)) as loss:
        return loss.losses_and_gradient(image)

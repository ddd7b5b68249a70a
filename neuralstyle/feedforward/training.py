"""Train a transform network: a recipe's objective, on batches of pictures that the network renders.

The loss of a batch is the mean of the losses that its pictures have under the recipe, each with its own
Gram matrices and measured against its own photograph (Johnson, Alahi and Fei-Fei 2016, section 3.2). The
optimiser is Adam, as TensorFlow 1 has it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward import transform
from neuralstyle.feedforward.checkpoints import (
    OWN_NAMES,
    STATE_SUFFIX,
    name_latest,
    write_checkpoint,
)
from neuralstyle.feedforward.crops import Crops
from neuralstyle.feedforward.pictures import fitted
from neuralstyle.feedforward.rendering import function_of
from neuralstyle.files import InputError
from neuralstyle.graphs import AGGREGATION, Machine, new_graph, open_session
from neuralstyle.loss.objectives import Piece
from neuralstyle.loss.targets import Targets, measure
from neuralstyle.loss.terms import objective_of
from neuralstyle.networks import Network, vgg
from neuralstyle.networks.tf_slim import plain_name
from neuralstyle.preparation import Scene, Style, in_range, network_for
from neuralstyle.recipes import Recipe

Losses = dict[str, tf.Tensor]


def style_targets(
    network: Network, recipe: Recipe, style: np.ndarray, size: int, machine: Machine | None = None
) -> Targets:
    """What every picture of a batch is measured against; the content is each picture's own.

    Parameters
    ----------
    network : Network
        As `neuralstyle.preparation.network_for` gives it.
    recipe : Recipe
    style : ndarray
        H×W×3, float32, RGB, 0..255.
    size : int
        Height and width of the pictures in pixels.
    machine : Machine, optional
    """
    objective = objective_of(recipe)
    scene = in_range(recipe, Scene(np.empty((size, size, 3), np.float32), (Style(style),)))
    machine = replace(machine or Machine(), tile=None)
    targets = measure(network, scene, (), objective.style_layers, machine)
    return replace(targets, sizes=network.sizes(size, size, objective.layers))


def perceptual_losses(
    network: Network, recipe: Recipe, targets: Targets, photographs: tf.Tensor, pictures: tf.Tensor
) -> Losses:
    """Build the losses of the pictures of a batch in the default graph.

    Parameters
    ----------
    network : Network
        As `neuralstyle.preparation.network_for` gives it.
    recipe : Recipe
    targets : Targets
        As `style_targets` gives them.
    photographs : tf.Tensor
        N×size×size×3, float32, RGB, 0..255: what the pictures should show.
    pictures : tf.Tensor
        The same shape: what the network made of them.

    Returns
    -------
    dict of str to tf.Tensor
        "total", "content", "style" and "tv", weights included: N losses each, one a picture.
    """
    batch = pictures.shape[0]
    objective = objective_of(recipe)
    features = vgg.build(network, pictures, targets.sizes)
    content = vgg.build(network, photographs, objective.content_layers) if objective.content_layers else {}

    # The derivative of a split is one copy, that of a slice is an array of zeros for every picture.
    def each(tensors: Mapping[str, tf.Tensor]) -> list[dict[str, tf.Tensor]]:
        parts = {layer: tf.split(tensor, batch) for layer, tensor in tensors.items()}
        return [{layer: part[index] for layer, part in parts.items()} for index in range(batch)]

    losses = [
        objective.losses(
            objective.statistics(
                Piece(
                    pixels=pixels,
                    height=targets.height,
                    width=targets.width,
                    features=own_features,
                    content=own_content,
                    masks=[None],
                )
            ),
            targets,
        )
        for pixels, own_features, own_content in zip(
            tf.unstack(pictures), each(features), each(content), strict=True
        )
    ]
    return {term: tf.stack([own[term] for own in losses]) for term in losses[0]}


def pair_losses(results: tf.Tensor, pictures: tf.Tensor) -> Losses:
    """The mean squared difference of each rendered picture from what it should be, in pixel values."""
    return {"total": tf.reduce_mean(tf.math.squared_difference(pictures, results), [1, 2, 3])}


@dataclass(frozen=True)
class Perception:
    """What rendered pictures are measured by: a style picture, seen through a VGG as a recipe says.

    Attributes
    ----------
    style : ndarray
        H×W×3, float32, RGB, 0..255.
    recipe : Recipe
        The objective.
    network : Network
        As `neuralstyle.load_network` gives it.
    """

    style: np.ndarray
    recipe: Recipe
    network: Network

    def losses(self, photographs: tf.Tensor, pictures: tf.Tensor, machine: Machine | None) -> Losses:
        """Build `perceptual_losses` in the default graph."""
        recipe = self.recipe.with_listing()
        network = network_for(recipe, self.network)
        targets = style_targets(network, recipe, self.style, pictures.shape[1], machine)
        return perceptual_losses(network, recipe, targets, photographs, pictures)


class Training:
    """A transform network in training, on one graph, with a session that stays open.

    A context manager: the session closes with the block.

    Parameters
    ----------
    crops : Crops
        What to train on; of pairs if there is no perception.
    perception : Perception or None
        None: fit to pairs.
    width : float
        Of the network, as in `transform.initial_weights`.
    learning_rate : float
        Of Adam.
    seed : int
    settings : mapping of str to value
        What decides the result, as JSON can hold it. Kept with the state, so that a run does not go on
        with others.
    machine : Machine, optional

    Attributes
    ----------
    graph : tf.Graph
    steps : int
        How many batches the network was trained on.
    batches : int
        How many make an epoch.
    render : callable
        From a picture, float32 H×W×3, RGB, 0..255, to what the network makes of it so far, with the margin
        that the command gives networks of its own.
    """

    def __init__(
        self,
        crops: Crops,
        perception: Perception | None,
        *,
        width: float = 1.0,
        learning_rate: float = 1e-3,
        seed: int = 1,
        settings: Mapping[str, object] | None = None,
        machine: Machine | None = None,
    ) -> None:
        self._settings = json.loads(json.dumps(settings or {}))
        initial = transform.initial_weights(width, seed)
        with new_graph(machine) as graph:
            variables = {
                name: tf.compat.v1.get_variable(OWN_NAMES[name], initializer=value, use_resource=True)
                for name, value in initial.items()
            }
            self._build_batch(crops)
            photographs, results = self._batch[..., :3], self._batch[..., 3:]
            pictures = transform.build(variables, photographs)
            self._losses = (
                perception.losses(photographs, pictures, machine)
                if perception
                else pair_losses(results, pictures)
            )
            rendered = transform.build_renderer(variables)
            self._build_step(learning_rate, variables.values())
            initializer = tf.compat.v1.global_variables_initializer()
            self._weights_saver = tf.compat.v1.train.Saver(
                {OWN_NAMES[name]: variable for name, variable in variables.items()}
            )
            self._state_saver = tf.compat.v1.train.Saver()
        self.graph, self.batches = graph, crops.batches
        self._session = open_session(graph, machine)
        self._session.run(initializer)
        self.render = fitted(function_of(self._session, *rendered), transform.MARGIN)
        self._begin()

    def _build_batch(self, crops: Crops) -> None:
        """Build the row of batches. Other crops can be fed in place of the next ones, which then wait."""
        self._start = tf.compat.v1.placeholder(tf.int64, ())
        self._rows = tf.compat.v1.data.make_initializable_iterator(crops.dataset(self._start))
        self._batch = tf.compat.v1.placeholder_with_default(
            self._rows.get_next(), (crops.batch, crops.size, crops.size, crops.channels)
        )

    def _build_step(self, learning_rate: float, variables: Iterable[tf.Variable]) -> None:
        """Build what trains on a batch, and what is kept with the state besides the weights."""
        self._count = tf.compat.v1.get_variable("training/steps", initializer=np.int64(0), trainable=False)
        tf.compat.v1.get_variable(
            "training/settings", initializer=json.dumps(self._settings), trainable=False
        )
        optimizer = tf.compat.v1.train.AdamOptimizer(learning_rate)
        loss = tf.reduce_mean(self._losses["total"])
        self._train = optimizer.minimize(loss, self._count, list(variables), aggregation_method=AGGREGATION)

    def __enter__(self) -> "Training":
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def _begin(self) -> None:
        self.steps = int(self._session.run(self._count))
        self._session.run(self._rows.initializer, {self._start: self.steps})

    def step(self) -> dict[str, float]:
        """Train on the next batch; its mean losses before that."""
        losses, _ = self._session.run([self._losses, self._train])
        self.steps += 1
        return {term: float(values.mean()) for term, values in losses.items()}

    def measure(self, crops: Sequence[np.ndarray]) -> dict[str, float]:
        """The mean losses of crops, size×size×C, float32 each, on which the network is not trained."""
        batch = self._batch.shape[0]
        found = []
        for first in range(0, len(crops), batch):
            part = crops[first : first + batch]
            filled = np.stack([*part, *part[-1:] * (batch - len(part))])
            losses = self._session.run(self._losses, {self._batch: filled})
            found.append({term: values[: len(part)] for term, values in losses.items()})
        return {term: float(np.concatenate([part[term] for part in found]).mean()) for term in found[0]}

    def save(self, path: str | Path) -> None:
        """Write the weights as a checkpoint of that name, and beside it what `restore` needs.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        path = Path(path)
        with self.graph.as_default():  # outside, a Saver takes execution for eager
            for saver, suffix in ((self._state_saver, STATE_SUFFIX), (self._weights_saver, "")):
                write_checkpoint(
                    path.with_name(path.name + suffix),
                    lambda name, saver=saver: saver.save(
                        self._session, name, latest_filename="latest", write_meta_graph=False
                    ),
                )
        name_latest(path)

    def restore(self, path: str | Path) -> None:
        """Go on from what `save` wrote under that name.

        Raises
        ------
        InputError
            If it is missing or damaged, or was trained with other settings: the message says which.
        """
        state = Path(f"{path}{STATE_SUFFIX}")
        try:
            with plain_name(state) as name:
                reader = tf.compat.v1.train.NewCheckpointReader(name)
                self._check_settings(state, json.loads(reader.get_tensor("training/settings")))
                with self.graph.as_default():
                    self._state_saver.restore(self._session, name)
        except InputError:
            raise
        except (tf.errors.OpError, RuntimeError, ValueError, AttributeError, OSError) as error:
            raise InputError(
                f"{state}: no training can go on from it, it is missing or damaged; "
                "start afresh without --resume"
            ) from error
        self._begin()

    def _check_settings(self, state: Path, settings: Mapping[str, object]) -> None:
        """Compare the settings of a state with those of now; what an older version did not keep is passed."""
        for name, now in self._settings.items():
            if settings.get(name, now) != now:
                raise InputError(
                    f"{state}: was made with {name} {settings[name]}, not {now}; "
                    "give the same, or leave --resume out"
                )

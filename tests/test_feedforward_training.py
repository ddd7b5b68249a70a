import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from neuralstyle import RECIPES, loss_and_gradient
from neuralstyle.feedforward import transform
from neuralstyle.feedforward.checkpoints import read_checkpoint
from neuralstyle.feedforward.crops import Crops, pairs, photographs
from neuralstyle.feedforward.training import Perception, Training, perceptual_losses, style_targets
from neuralstyle.files import InputError
from neuralstyle.graphs import open_session
from neuralstyle.pictures.writing import write_image
from neuralstyle.preparation import network_for

RECIPE = RECIPES["fast-style-transfer"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photograph):
    folder = tmp_path_factory.mktemp("photographs")
    for index in range(4):
        write_image(folder / f"{index}.png", photograph[20 * index : 200 + 20 * index, 60 * index :][:, :260])
    return folder


@pytest.fixture(scope="module")
def style(photograph):
    """Stripes in the photograph's reds."""
    return np.ascontiguousarray(np.repeat(photograph[100:260:4, 300:420, ::-1], 3, axis=0))


def opened(folder, style, network, seed=1, batch=2, recipe=RECIPE, **options):
    rows = Crops(photographs(folder), 32, batch, seed)
    return Training(rows, Perception(style, recipe, network), width=0.125, seed=seed, **options)


@pytest.mark.parametrize(
    "name",  # one for each set of formulas
    ["fast-style-transfer", "gatys", "chollet", "tensorflow-tutorial", "neural-style-tf"],
)
def test_each_picture_of_a_batch_has_the_losses_that_it_has_alone(name, photograph, style, small_network):
    recipe = replace(RECIPES[name], normalized_network=False)
    network = network_for(recipe, small_network)
    contents = np.stack([photograph[:48, :48], photograph[90:138, 50:98]])
    pictures = np.flip(contents, axis=2) * np.float32(0.7) + 30
    with tf.Graph().as_default() as graph:
        targets = style_targets(network, recipe, style, 48)
        losses = perceptual_losses(network, recipe, targets, tf.constant(contents), tf.constant(pictures))
    with open_session(graph) as session:
        found = session.run(losses)
    for index, (picture, content) in enumerate(zip(pictures, contents, strict=True)):
        alone, _ = loss_and_gradient(picture, content, style, recipe, small_network)
        for term in ("total", "content", "style", "tv"):
            assert found[term][index] == pytest.approx(alone[term], rel=1e-4, abs=1e-6), term


def test_training_on_a_batch_follows_the_mean_of_its_losses(folder, style, small_network):
    with opened(folder, style, small_network, batch=3) as training:
        rows = Crops(photographs(folder), 32, 3, 1)
        first = [rows.at(position) for position in range(3)]
        each = [training.measure([crop]) for crop in first]
        told = training.step()
    for term, value in told.items():
        assert value == pytest.approx(np.mean([losses[term] for losses in each]), rel=1e-4)


def test_the_losses_of_pictures_held_out_fall(folder, style, small_network, photograph):
    held_out = [photograph[150:182, 300:332], photograph[20:52, 250:282], photograph[240:272, 30:62]]
    with opened(folder, style, small_network, learning_rate=5e-3) as training:
        before = training.measure(held_out)
        for _ in range(60):
            training.step()
        after = training.measure(held_out)
    assert after["total"] < 0.5 * before["total"]
    assert after["style"] < 0.5 * before["style"]


def test_adam_moves_no_weight_further_than_the_learning_rate_at_first(folder, style, small_network, tmp_path):
    with opened(folder, style, small_network, learning_rate=2e-3) as training:
        training.step()
        training.save(tmp_path / "one.ckpt")
    before, after = transform.initial_weights(0.125, 1), read_checkpoint(tmp_path / "one.ckpt")
    steps = np.concatenate([np.abs(after[name] - before[name]).ravel() for name in before])
    # Adam's first step is the learning rate times the sign of the derivative (Kingma & Ba 2015, section 2.1).
    assert steps.max() <= 2.01e-3
    assert np.median(steps) == pytest.approx(2e-3, rel=0.01)


@pytest.fixture(scope="module")
def undisturbed(folder, style, small_network, photograph, tmp_path_factory):
    """Five steps in a row: their losses, the checkpoint after them, and a picture that it rendered then."""
    path = tmp_path_factory.mktemp("undisturbed") / "whole.ckpt"
    with opened(folder, style, small_network, settings={"--batch": 2}) as training:
        losses = [training.step() for _ in range(5)]
        training.save(path)
        return losses, path, training.render(photograph[:50, :42])


def test_a_run_stopped_and_resumed_equals_one_that_was_not(
    undisturbed, folder, style, small_network, tmp_path
):
    with opened(folder, style, small_network) as training:
        losses = [training.step() for _ in range(3)]
        training.save(tmp_path / "parts.ckpt")
    with opened(folder, style, small_network) as training:
        training.restore(tmp_path / "parts.ckpt")
        assert training.steps == 3
        losses += [training.step() for _ in range(2)]
        training.save(tmp_path / "parts.ckpt")
    assert losses == undisturbed[0]
    parts, whole = read_checkpoint(tmp_path / "parts.ckpt"), read_checkpoint(undisturbed[1])
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)


def test_measuring_and_rendering_do_not_change_what_is_trained_on(
    undisturbed, folder, style, small_network, photograph
):
    with opened(folder, style, small_network) as training:
        watched = []
        for _ in range(5):
            watched.append(training.step())
            training.measure([photograph[:32, :32]])
            training.render(photograph[:50, :42])
    assert watched == undisturbed[0]


def test_the_checkpoint_renders_what_training_rendered(undisturbed, photograph):
    _, path, expected = undisturbed
    with transform.renderer(read_checkpoint(path), margin=transform.MARGIN) as render:
        np.testing.assert_array_equal(render(photograph[:50, :42]), expected)


def test_the_checkpoint_carries_no_slots_of_adam(undisturbed):
    reader = tf.compat.v1.train.NewCheckpointReader(str(undisturbed[1]))
    assert len(reader.get_variable_to_shape_map()) == len(transform.WEIGHTS)


def test_what_no_training_can_go_on_from_is_refused(undisturbed, folder, style, small_network, tmp_path):
    _, path, _ = undisturbed
    for file in path.parent.glob("whole.ckpt.[di]*"):  # the weights without the state
        shutil.copy(file, tmp_path)
    with opened(folder, style, small_network, settings={"--batch": 4}) as training:
        with pytest.raises(InputError, match="whole.ckpt.training: was made with --batch 2, not 4"):
            training.restore(path)
        with pytest.raises(InputError, match="start afresh"):
            training.restore(tmp_path / "whole.ckpt")


def test_a_network_is_fitted_to_pairs(photograph, tmp_path):
    for name in ("photographs", "results"):
        (tmp_path / name).mkdir()
    for index in range(3):
        part = photograph[40 * index : 40 * index + 120, 60 * index : 60 * index + 150]
        write_image(tmp_path / "photographs" / f"{index}.png", part)
        write_image(tmp_path / "results" / f"{index}.png", 255 - part)
    rows = Crops(pairs(tmp_path), 32, 2, 1)
    with Training(rows, None, width=0.25, learning_rate=1e-2) as training:
        crop = rows.at(0)
        before = training.measure([crop])["total"]
        with tf.Graph().as_default() as graph:
            rendered = transform.build(
                transform.initial_weights(0.25, 1), tf.constant(crop[np.newaxis, ..., :3])
            )
        with open_session(graph) as session:
            assert before == pytest.approx(np.square(session.run(rendered) - crop[..., 3:]).mean(), rel=1e-4)
        for _ in range(60):
            training.step()
        assert training.measure([crop])["total"] < 0.5 * before

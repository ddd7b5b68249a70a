"""Tiled losses and gradients against those of the whole picture."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import neuralstyle
from neuralstyle import RECIPES
from neuralstyle.graphs import Machine, new_graph, open_session
from neuralstyle.loss.losses import TiledLoss, WholeLoss, open_loss
from neuralstyle.loss.targets import OnDisk, Shelf, measure
from neuralstyle.loss.terms import objective_of
from neuralstyle.loss.tiles import Box, cut
from neuralstyle.networks import vgg
from neuralstyle.preparation import Style, fit_masks, network_for, scene_of


@pytest.fixture(scope="module")
def pictures(photograph):
    """A generated picture, a content picture of its odd size, and a style picture of another odd size."""
    rng = np.random.default_rng(5)
    content = photograph[100:233, 100:231]
    image = np.clip(photograph[60:193, 120:251] + rng.normal(0, 20, content.shape), 0, 255)
    style = photograph[:85, 200:299].transpose(1, 0, 2)[:, :, ::-1]
    return image.astype(np.float32), content, np.ascontiguousarray(style)


def for_tests(name):
    """The recipe on the network as it is; normalised weights have a test of their own."""
    return replace(RECIPES[name], normalized_network=False)


def measured(network, objective, content, style, machine, style_tiles=()):
    layers = objective.content_layers, objective.style_layers
    return measure(network, scene_of(content, style), *layers, machine, style_tiles)


def assert_same(whole, tiled):
    (losses, gradient), (tiled_losses, tiled_gradient) = whole, tiled
    for name, value in losses.items():
        assert tiled_losses[name] == pytest.approx(value, rel=1e-5), name
    assert np.abs(tiled_gradient - gradient).max() < 1e-4 * np.abs(gradient).max()


# --- the same result --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_tiles_give_the_gradient_of_the_whole_picture(shipped_network, pictures, name):
    image, content, style = pictures
    image, content = image[:119, :117], content[:119, :117]
    recipe = for_tests(name)
    # One set of targets, so that only the gradients differ.
    network, objective = network_for(recipe, shipped_network), objective_of(recipe)
    targets = measured(network, objective, content, style, Machine(tile=None))
    with WholeLoss(network, objective, targets) as loss:
        whole = loss.losses_and_gradient(image)
    with TiledLoss(network, objective, targets, Machine(tile=64)) as loss:
        assert_same(whole, loss.losses_and_gradient(image))


def test_large_pictures_whole_and_in_large_and_small_tiles_give_the_same(shipped_network, pictures):
    # Large ones are convolved in Winograd's form, small ones are not.
    image, content, style = pictures
    whole, large, small = (
        neuralstyle.loss_and_gradient(image, content, style, "cookbook", shipped_network, tile=tile)
        for tile in (None, 132, 100)
    )
    assert_same(whole, large)
    assert_same(whole, small)


@pytest.mark.parametrize("tile", [1, 50, 1000])
def test_any_tile_gives_the_same(small_network, pictures, tile):
    image, content, style = pictures
    image, content = image[:65, :75], content[:65, :75]
    whole = neuralstyle.loss_and_gradient(image, content, style, "cookbook", small_network)
    assert_same(
        whole, neuralstyle.loss_and_gradient(image, content, style, "cookbook", small_network, tile=tile)
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize(("height", "width"), [(97, 33), (64, 129), (47, 112)])
def test_any_size_gives_the_same_where_the_last_tile_is_a_few_pixels(
    small_network, pictures, height, width, pooling, padding
):
    image, content, style = pictures
    recipe = replace(RECIPES["cookbook"], pooling=pooling, padding=padding)
    image, content = image[:height, :width], content[:height, :width]
    whole = neuralstyle.loss_and_gradient(image, content, style, recipe, small_network)
    tiled = neuralstyle.loss_and_gradient(image, content, style, recipe, small_network, tile=32)
    assert_same(whole, tiled)


def test_masks_and_several_styles_give_the_same(small_network, pictures):
    image, content, style = pictures
    rng = np.random.default_rng(1)
    mask = rng.uniform(size=content.shape[:2]).astype(np.float32)
    style_mask = rng.uniform(size=style.shape[:2]).astype(np.float32)
    styles = [style, style[::-1], style[:, ::-1] * 0.5]
    recipe = replace(RECIPES["neural-style"], style_blend=(1.0, 2.0, 3.0))

    scene = fit_masks(
        scene_of(content, [Style(styles[0], mask), Style(styles[1]), Style(styles[2], 1 - mask, style_mask)])
    )

    def result(tile):
        with open_loss(small_network, objective_of(recipe, 3), scene, Machine(tile=tile)) as loss:
            return loss.losses_and_gradient(image)

    assert_same(result(None), result(48))


def test_losses_alone_are_those_that_come_with_the_gradient(small_network, pictures):
    image, content, style = pictures
    objective = objective_of(RECIPES["cookbook"])
    with open_loss(small_network, objective, scene_of(content, style), Machine(tile=48)) as loss:
        assert loss.losses(image) == loss.losses_and_gradient(image)[0]


def test_total_variation_alone_needs_no_layer(small_network, pictures):
    recipe = replace(RECIPES["cookbook"], content_weight=0.0, style_weight=0.0)
    whole = neuralstyle.loss_and_gradient(*pictures, recipe, small_network)
    assert_same(whole, neuralstyle.loss_and_gradient(*pictures, recipe, small_network, tile=40))


def test_targets_are_the_same_in_tiles(small_network, pictures):
    _, content, style = pictures
    recipe = RECIPES["tensorflow-tutorial"]
    network, objective = network_for(recipe, small_network), objective_of(recipe)
    whole = measured(network, objective, content, style, Machine(tile=None))
    tiled = measured(network, objective, content, style, Machine(tile=32), [16])
    for layer, activations in whole.content.items():
        np.testing.assert_allclose(tiled.content[layer][:], activations, rtol=1e-4, atol=1e-3)
    for layer, gram in whole.styles[0].grams.items():
        np.testing.assert_allclose(tiled.styles[0].grams[layer], gram, rtol=1e-4)


# --- what tiles are ---------------------------------------------------------------------------------

LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1"]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("height", "width", "tile"), [(133, 150, 32), (64, 64, 100), (97, 33, 1), (90, 70, None)]
)
def test_every_position_is_owned_once(small_network, height, width, padding, tile):
    network = replace(small_network, padding=padding)
    sizes = network.sizes(height, width, LAYERS)
    counts = {layer: np.zeros(size[:2], int) for layer, size in sizes.items()}
    pixels = np.zeros((height, width), int)
    for piece in cut(network, height, width, LAYERS, tile):
        pixels[piece.pixels.slices] += 1
        for layer, box in piece.owned.items():
            counts[layer][box.slices] += 1
    assert (pixels == 1).all()
    for layer, count in counts.items():
        assert (count == 1).all(), layer


def test_tiles_are_of_nearly_equal_size(small_network):
    tiles = cut(small_network, 1100, 1024, LAYERS, 1024)
    assert [tile.pixels for tile in tiles] == [Box(0, 560, 0, 1024), Box(560, 1100, 0, 1024)]
    assert [tile.region for tile in tiles] == [Box(0, 640, 0, 1024), Box(448, 1100, 0, 1024)]


def test_regions_begin_where_winograds_tiles_begin_in_every_layer(small_network):
    # relu5_1 has the stride 16, and a tile covers 4 positions.
    regions = [tile.region for tile in cut(small_network, 700, 500, LAYERS, 100)]
    assert all(region.top % 64 == 0 and region.left % 64 == 0 for region in regions)


@pytest.mark.parametrize("layer", ["conv1_1", "relu2_2", "pool3", "relu4_2", "relu5_1"])
def test_the_reach_is_that_of_the_derivative(small_network, layer):
    """With positive kernels and no bias every pixel in the receptive field has a positive derivative."""
    layers = tuple(
        replace(one, kernel=np.abs(one.kernel), bias=0 * one.bias) if one.kind == "convolution" else one
        for one in small_network.layers
    )
    network = replace(small_network, layers=layers, mean_pixel=np.zeros(3, np.float32), pooling="average")
    with new_graph() as graph:
        picture = tf.compat.v1.placeholder(tf.float32, (1, 256, 256, 3))
        features = vgg.build(network, picture, [layer])[layer]
        middle = int(features.shape[1]) // 2
        (slope,) = tf.gradients(features[0, middle, middle], [picture])
    with open_session(graph) as session:
        rows = session.run(slope, {picture: np.ones((1, 256, 256, 3))})[0].any(axis=(1, 2)).nonzero()[0]
    strides, reach = network.strides_and_reach([layer])
    cell = middle * strides[layer]
    assert (rows[0], rows[-1]) == (cell - reach, cell + strides[layer] - 1 + reach)


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tile", "message"), [(0, "tile is 0"), (-5, "tile is -5"), ("large", "unknown tile 'large'")]
)
def test_a_tile_that_is_none_is_refused(small_network, pictures, tile, message):
    with pytest.raises(neuralstyle.InputError, match=message):
        neuralstyle.loss_and_gradient(*pictures, "cookbook", small_network, tile=tile)


def test_a_shelf_gives_back_what_was_put_there_and_its_file_is_closed_with_it():
    shelf, rng = Shelf(), np.random.default_rng(4)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 4, 5), (0, 2), (7,))]
    places = [shelf.put(array) for array in arrays]
    for array, take in reversed(list(zip(arrays, places, strict=True))):
        np.testing.assert_array_equal(take(), array)
    file = shelf._file
    del shelf, places, take
    assert file.closed


def test_the_file_of_an_array_on_disk_is_closed_with_it():
    array = OnDisk((2, 3))
    file = array._file
    del array
    assert file.closed

"""What a recipe makes of the pictures that it is given."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import neuralstyle
from neuralstyle import RECIPES
from neuralstyle.preparation import Style, fit_pictures, prepare, result_size, scene_of, starting_picture


@pytest.fixture(scope="module")
def pictures(photograph):
    return photograph[:64, :96], np.ascontiguousarray(photograph[100:180, :120])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"style_fit": "alone", "content_size": None}, (40, 60)),
        ({"style_fit": "alone", "content_size": 48, "content_fit": "width"}, (16, 24)),
        ({"style_fit": "stretch"}, (32, 48)),
        ({"style_fit": "width"}, (32, 48)),
    ],
)
def test_a_style_scale_is_a_factor_of_the_size_that_a_style_picture_has_without(pictures, fields, expected):
    content, style = pictures
    recipe = replace(RECIPES["fast-style-transfer"], style_scales=(0.5,), **fields)
    (fitted,) = fit_pictures(recipe, scene_of(content, style)).styles
    assert fitted.picture.shape[:2] == expected
    (whole,) = fit_pictures(replace(recipe, style_scales=()), scene_of(content, style)).styles
    assert whole.picture.shape[:2] == tuple(2 * side for side in expected)


def test_the_size_of_a_result_is_known_before_anything_is_resized(pictures):
    recipe = replace(RECIPES["painterly"], coarsest=None, scales=(24, 48), scale_iterations=(1, 1))
    assert result_size(recipe, *pictures[0].shape[:2]) == (32, 48)


def test_pictures_and_masks_may_be_files_arrays_or_pictures_of_pillow(pictures, tmp_path, small_network):
    content, style = pictures
    mask = np.zeros((20, 20), np.float32)
    mask[:, :10] = 1
    Image.fromarray(content.astype(np.uint8)).save(tmp_path / "content.png")
    Image.fromarray((255 * mask).astype(np.uint8)).save(tmp_path / "mask.png")
    recipe = RECIPES["cookbook"]
    from_arrays = prepare(recipe, small_network, scene_of(content, Style(style, mask)), 0)
    given = Style(Image.fromarray(style.astype(np.uint8)), tmp_path / "mask.png")
    others = prepare(recipe, small_network, scene_of(str(tmp_path / "content.png"), given), 0)
    np.testing.assert_array_equal(others.scene.content, from_arrays.scene.content)
    np.testing.assert_array_equal(others.scene.styles[0].picture, from_arrays.scene.styles[0].picture)
    np.testing.assert_allclose(others.scene.styles[0].mask, from_arrays.scene.styles[0].mask, atol=1e-6)


def test_no_style_picture_is_refused(pictures):
    with pytest.raises(neuralstyle.InputError, match="no style picture"):
        scene_of(pictures[0], [])


def test_one_layer_may_be_named_without_a_list(small_network, pictures):
    one = neuralstyle.features(small_network, pictures[0], "relu2_1")
    assert list(one) == ["relu2_1"]


def test_the_noise_of_a_large_picture_is_drawn_in_one_go(small_network):
    shape, recipe = (701, 403, 3), replace(RECIPES["neural-style"], start="noise", noise_blend=0.0)
    content = np.full(shape, 9, np.uint8)
    drawn = np.random.default_rng(3).normal(scale=recipe.noise, size=shape).astype(np.float32)
    found = starting_picture(recipe, small_network, scene_of(content, content[:40]), 3)
    np.testing.assert_array_equal(found, small_network.mean_pixel + drawn)

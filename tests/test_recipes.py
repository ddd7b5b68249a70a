"""A recipe that exists is valid; what follows from a recipe alone."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from neuralstyle import RECIPES, InputError, Recipe
from neuralstyle.loss import terms
from neuralstyle.pictures import colours
from neuralstyle.recipes import check_styles, layers_in_use, shares, stages
from neuralstyle.runs.records import make_record, recipe_from_record
from neuralstyle.validity import NAMES, shares_of

RECIPE = RECIPES["cookbook"]
PICTURE = np.linspace(0, 255, 16 * 16 * 3, dtype=np.float32).reshape(16, 16, 3)


def test_the_formulas_that_a_recipe_may_name_are_those_there_are():
    tables = (terms.CONTENT_FORMULAS, terms.STYLE_FORMULAS, terms.TOTAL_VARIATION_FORMULAS)
    for name, table in zip(("content_formula", "style_formula", "tv_formula"), tables, strict=True):
        assert NAMES[name] == tuple(table)


@pytest.mark.parametrize("space", NAMES["keep_colours"])
def test_colours_can_be_kept_in_every_space_that_a_recipe_may_name(space):
    assert colours.keep_colours(PICTURE, PICTURE[::-1], space).shape == PICTURE.shape


@pytest.mark.parametrize("method", sorted({*NAMES["match_colours"]} - {"luminance"}))
def test_colours_can_be_matched_by_every_method_that_a_recipe_may_name(method):
    assert colours.match_colours(PICTURE, PICTURE[::-1] / 2, method).shape == PICTURE.shape


def test_every_name_is_that_of_a_field():
    assert NAMES.keys() <= {field.name for field in fields(Recipe)}


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_name_is_refused_with_those_there_are(name):
    with pytest.raises(InputError, match=r"^unknown .* 'monet'; choose one of ") as refused:
        replace(RECIPE, **{name: "monet"})
    assert all(known in str(refused.value) for known in NAMES[name])


NUMBERS = {
    "content_weight": (-1, math.nan, math.inf, "much"),
    "style_weight": (-0.5, math.nan),
    "tv_weight": (-1e-9, math.inf),
    "unit": (0, -1, math.nan),
    "style_range": (0, math.inf),
    "content_size": (0, -5, 2.5),
    "noise": (-1, math.nan),
    "noise_blend": (-0.1, 1.5, math.nan),
    "iterations": (0, -3, 1.5, None),
    "checkpoint_every": (0, -1),
}


@pytest.mark.parametrize("name, value", [(name, value) for name in NUMBERS for value in NUMBERS[name]])
def test_a_number_out_of_its_range_is_refused(name, value):
    with pytest.raises(InputError, match=f"^{name} is {value}; it must be ") as refused:
        replace(RECIPE, start="content", **{name: value})
    assert refused.value.fields == (name,)


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({"scales": (64, 0)}, "scales must be 1 or more"),
        ({"scales": (64, 128), "scale_iterations": (5, 0)}, "scale_iterations must be 1 or more"),
        ({"scales": (64, 128), "scale_iterations": (5,)}, "scale_iterations has 1 numbers for 2 scales"),
        ({"scale_iterations": (5, 6)}, "scale_iterations has 2 numbers for 0 scales"),
        ({"style_scales": (1.0, -1.0)}, "style_scales must be greater than 0"),
        ({"style_scales": (math.nan,)}, "style_scales must be greater than 0"),
        ({"style_blend": (1.0, -1.0)}, "style_blend must be 0 or more"),
        ({"style_blend": (1.0, math.nan)}, "style_blend must be 0 or more"),
        ({"style_blend": (1.0, math.inf)}, "style_blend must be 0 or more"),
        ({"style_blend": (0.0, 0.0)}, "style_blend must add up to more than 0"),
        ({"style_blend": (1e308, 1e308)}, "style_blend must add up to more than 0, and to a finite number"),
        ({"content_layers": {"relu4": 1.0, "block4_conv2": 1.0}}, "'block4_conv2' is not a layer of a VGG"),
        ({"style_layers": {"relu4_1": math.nan}}, "style_layers: relu4_1 has the weight nan"),
        ({"style_layers": {"relu4_1": -1.0}}, "style_layers: relu4_1 has the weight -1.0"),
        ({"start": ""}, "start is empty"),
        (
            {"start": "noise", "noise_blend": 0.5},
            "noise_blend mixes noise into a picture",
        ),
        ({"content_weight": 0, "style_weight": 0, "tv_weight": 0}, "all 0; one must count"),
        ({"content_layers": {"relu4_2": 0.0}, "style_weight": 0, "tv_weight": 0}, "all 0; one must count"),
        ({"listing": {"brush": 1}}, "listing: a recipe has no field brush"),
        ({"listing": {"as_published": True}}, "listing: a recipe has no field as_published"),
        ({"listing": {"pooling": "min"}}, "unknown pooling 'min'"),
    ],
)
def test_what_cannot_be_is_refused(changed, expected):
    with pytest.raises(InputError, match=expected):
        replace(RECIPE, **changed)


def test_the_motion_of_artistic_videos_is_that_of_its_programs():
    # artistic_video.lua: -temporal_weight 1e3, -num_iterations 2000,1000, -tol_loss_relative 0.0001 in 50;
    # artistic_video_multiPass.lua: 15 passes of 100, -temporal_weight 5e2 after pass 8, blend 1 to 1
    recipe = RECIPES["artistic-videos"]
    assert (recipe.iterations, recipe.noise, recipe.start) == (2000, 0.001, "noise")
    motion = recipe.motion
    assert (motion.weight, motion.iterations, motion.offsets, motion.start) == (1000, 1000, (1,), "warped")
    assert (motion.tolerance, motion.tolerance_every) == (1e-4, 50)
    several = (motion.pass_iterations, motion.pass_weight, motion.temporal_from_pass, motion.share)
    assert several == (100, 500, 8, 0.5)


def test_the_films_of_neural_style_tf_have_its_mistakes_only_as_published():
    # neural_style.py: --temporal_weight 2e2, --max_iterations 1000, --frame_iterations 800
    recipe = RECIPES["neural-style-tf"]
    assert (recipe.motion.weight, recipe.motion.iterations, recipe.motion.tolerance) == (200, 800, None)
    assert (recipe.motion.formula, recipe.motion.trust) == ("masked", "backward")
    published = replace(recipe, as_published=True).with_listing().motion
    assert published == replace(recipe.motion, formula="product", trust="forward")


@pytest.mark.parametrize("name", RECIPES)
def test_every_listing_can_be_put_in_force(name):
    recipe = replace(RECIPES[name], as_published=True).with_listing()
    assert {field: getattr(recipe, field) for field in recipe.listing} == RECIPES[name].listing


def test_the_listing_of_fast_style_transfer_transposes_kernels():
    # src/vgg.py, net: np.transpose(kernels, (1, 0, 2, 3)), as in neural-style's vgg.py
    assert RECIPES["fast-style-transfer"].listing == {"transpose_kernels": True}


@pytest.mark.parametrize(
    "name, value", [("pooling", "min"), ("iterations", 0), ("style_blend", [1.0, -1.0]), ("start", "")]
)
def test_a_record_of_a_recipe_that_is_not_valid_gets_one_line(small_network, name, value):
    record = make_record(RECIPE, PICTURE, [PICTURE], small_network, 0)
    record["recipe"][name] = value
    with pytest.raises(InputError, match=f"^[^\n]*{name}[^\n]*$"):
        recipe_from_record(record)


def test_weights_become_shares_of_1():
    assert shares_of((1, 3), "style_blend") == (0.25, 0.75)
    assert shares(replace(RECIPE, style_blend=(2.0, 0.0)), 2) == (1.0, 0.0)
    assert shares(RECIPE, 4) == (0.25,) * 4


@pytest.mark.parametrize("field, what", [("style_blend", "weights"), ("style_scales", "scales")])
def test_a_recipe_goes_with_the_number_of_styles_that_it_has_weights_and_scales_for(field, what):
    recipe = replace(RECIPE, **{field: (1.0, 2.0)})
    check_styles(recipe, 2)
    with pytest.raises(InputError, match=f"{field} has 2 {what} for 3 style pictures") as refused:
        check_styles(recipe, 3)
    assert refused.value.fields == (field,)


def test_one_target_of_several_styles_does_not_go_with_masks():
    check_styles(RECIPES["style-transfer-pytorch"], 1, masked=True)
    check_styles(RECIPES["cookbook"], 2, masked=True)
    with pytest.raises(InputError, match="style_blending makes one target"):
        check_styles(RECIPES["style-transfer-pytorch"], 2, masked=True)


def test_a_recipe_is_run_once_at_every_scale():
    recipe = replace(RECIPES["painterly"], coarsest=None, iterations=7, scales=(32, 64), scale_iterations=())
    assert [(stage.content_size, stage.iterations) for stage in stages(recipe)] == [(32, 7), (64, 7)]
    recipe = replace(recipe, scale_iterations=(5, 6))
    assert [(stage.content_size, stage.iterations) for stage in stages(recipe)] == [(32, 5), (64, 6)]
    assert stages(RECIPE) == [RECIPE]


def test_layers_that_weigh_nothing_are_not_in_use():
    recipe = replace(RECIPE, content_layers={"relu4_2": 1.0, "relu5_2": 0.0}, style_weight=0.0)
    assert layers_in_use(recipe) == (("relu4_2",), ())

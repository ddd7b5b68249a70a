"""Objectives of one's own: how terms add and scale, and what is computed of them."""

import numpy as np
import pytest

import neuralstyle
from neuralstyle.loss.terms import content, objective_of, style, total_variation


@pytest.fixture(scope="module")
def pictures(photograph):
    return photograph[60:92, 120:160], photograph[100:132, 100:140], photograph[:40, 200:240]


def test_an_objective_put_together_by_hand_is_that_of_the_recipe(small_network, pictures):
    recipe = neuralstyle.RECIPES["cookbook"]
    five = {f"relu{block}_1": 0.2 for block in range(1, 6)}
    own = 5.0 * content({"relu4_2": 0.5, "relu5_2": 0.5}) + 500.0 * style(five) + 100.0 * total_variation()
    losses, gradient = neuralstyle.loss_and_gradient(*pictures, own, small_network)
    expected, slope = neuralstyle.loss_and_gradient(*pictures, recipe, small_network)
    assert losses == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient, slope, atol=1e-6 * np.abs(slope).max())


def test_an_objective_scales_its_losses_and_its_gradient(small_network, pictures):
    one = content({"relu3_1": 1.0}) + style({"relu2_1": 1.0})
    losses, gradient = neuralstyle.loss_and_gradient(*pictures, one, small_network)
    doubled, steeper = neuralstyle.loss_and_gradient(*pictures, 2.0 * one, small_network)
    assert doubled == pytest.approx({name: 2 * value for name, value in losses.items()}, rel=1e-6)
    np.testing.assert_allclose(steeper, 2 * gradient, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())


def test_what_weighs_nothing_is_not_computed_and_reported_as_0(small_network, pictures):
    objective = 0.0 * content({"relu5_4": 1.0}) + style({"relu1_1": 1.0})
    assert objective.layers == ("relu1_1",)
    losses, _ = neuralstyle.loss_and_gradient(*pictures, objective, small_network)
    assert losses["content"] == 0
    assert losses["total"] == losses["style"]


def test_losses_are_reported_in_the_order_of_the_terms_after_the_total(small_network, pictures):
    objective = style({"relu1_1": 1.0}) + total_variation() + content({"relu2_1": 1.0})
    losses, _ = neuralstyle.loss_and_gradient(*pictures, objective, small_network)
    assert list(losses) == ["total", "style", "tv", "content"]
    assert losses["total"] == pytest.approx(losses["style"] + losses["tv"] + losses["content"], rel=1e-6)


def test_an_objective_of_ones_own_is_minimised_in_place_of_the_recipes(small_network, pictures):
    _, photograph, painting = pictures
    result = neuralstyle.stylize(
        photograph,
        painting,
        neuralstyle.RECIPES["tensorflow-tutorial"],
        small_network,
        objective=style({"relu1_1": 1.0}),
        on_step=lambda step: step.iteration < 2 or (_ for _ in ()).throw(KeyboardInterrupt),
    )
    assert list(result.history[0].losses) == ["total", "style"]


def test_the_layers_of_an_objective_are_those_of_its_recipe():
    recipe = neuralstyle.RECIPES["neural-style"]
    objective = objective_of(recipe)
    assert objective.content_layers == ("relu4_2",)  # relu5_2 has the weight 0
    assert objective.style_layers == tuple(recipe.style_layers)

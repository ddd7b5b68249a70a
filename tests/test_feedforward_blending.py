import subprocess
import sys

import numpy as np
import pytest

from neuralstyle.feedforward.blending import (
    check_strength,
    parse_fixed_styles,
    proportions,
    shares_of_fixed_styles,
)
from neuralstyle.files import InputError


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(InputError, match="--strength is .*; it must lie between 0 and 1"):
        check_strength(strength)


@pytest.mark.parametrize("strength", [0, 0.5, 1])
def test_a_strength_in_range_is_taken(strength):
    check_strength(strength)


def test_weights_of_styles_are_scaled_to_a_sum_of_1():
    np.testing.assert_allclose(proportions([1, 3, 0], 3), [0.25, 0.75, 0])


def test_without_weights_all_styles_count_the_same():
    np.testing.assert_allclose(proportions(None, 4), [0.25] * 4)


@pytest.mark.parametrize(
    "weights, message",
    [
        ([1, 2], "--style-blend-weights has 2 numbers for 1 style pictures"),
        ([-1], "--style-blend-weights must be 0 or more, and finite"),
        ([0], "--style-blend-weights must add up to more than 0"),
        ([float("inf")], "--style-blend-weights must be 0 or more, and finite"),
    ],
)
def test_weights_that_make_no_blend_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        proportions(weights, 1)


def test_a_blend_is_read_from_text():
    blend = parse_fixed_styles("3:0.5,12,3:1")
    assert blend[3] == 1.5 and blend[12] == 1 and blend.sum() == 2.5


@pytest.mark.parametrize("text", ["", "a", "3:", "3:x", "3;4", "1.5"])
def test_text_that_is_no_blend_is_refused(text):
    with pytest.raises(InputError, match="--fixed-style .*: give a number, or some as 3:0.5,12:0.5"):
        parse_fixed_styles(text)


@pytest.mark.parametrize("text", ["26", "-1", "3:1,40:1"])
def test_a_style_that_is_not_there_is_refused(text):
    with pytest.raises(InputError, match="there is no style"):
        parse_fixed_styles(text)


@pytest.mark.parametrize(
    "blend, message",
    [
        (np.ones(25), "26 numbers, not 25"),
        (np.zeros(26), "must add up to more than 0"),
        (-np.ones(26), "0 or more"),
        (np.full(26, np.nan), "0 or more"),
    ],
)
def test_weights_of_fixed_styles_that_make_no_blend_are_refused(blend, message):
    with pytest.raises(InputError, match=message):
        shares_of_fixed_styles(blend)


def test_options_are_checked_without_tensorflow():
    check = "import sys; import neuralstyle.feedforward.blending, neuralstyle.feedforward.pictures; "
    check += "sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0

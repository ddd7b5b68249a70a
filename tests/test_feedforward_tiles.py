"""Feed-forward networks in tiles: the same pictures as whole."""

import numpy as np
import pytest
from conftest import trained_weights

from neuralstyle.feedforward import any_style, multi_style, transform
from neuralstyle.graphs import Machine


@pytest.mark.parametrize("kind", ["transform", "any_style", "fixed_style"])
def test_a_picture_in_tiles_is_the_whole_one_to_rounding(photograph, kind):
    # 400 pixels wide, so that the tile in the middle sees neither border.
    picture = photograph[:46, :398]

    def opened(machine):
        if kind == "transform":
            return transform.renderer(trained_weights(0.125), machine)
        if kind == "any_style":
            return any_style.renderer([photograph[100:200, 100:200]], strength=0.7, machine=machine)
        return multi_style.renderer(np.eye(26)[4], machine)

    with opened(Machine(tile=None)) as render:
        whole = render(picture)
    with opened(Machine(tile=130)) as render:
        tiled = render(picture)
    assert np.abs(tiled - whole).max() < 0.05

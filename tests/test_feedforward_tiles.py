"""Feed-forward networks in tiles: the same pictures as whole."""

import numpy as np
import pytest

from neuralstyle.feedforward import any_style, multi_style, transform
from neuralstyle.graphs import Machine


def trained_weights():
    """Weights of a small transform network, with shifts and scales as training would leave them."""
    rng = np.random.default_rng(7)
    weights = transform.initial_weights(0.125)
    for name, value in weights.items():
        if name.endswith("shift"):
            weights[name] = rng.normal(0, 0.5, value.shape).astype(np.float32)
        elif name.endswith("scale"):
            weights[name] = rng.normal(1, 0.2, value.shape).astype(np.float32)
    return weights


@pytest.mark.parametrize("kind", ["transform", "any_style", "fixed_style"])
def test_a_picture_in_tiles_is_the_whole_one_to_rounding(photograph, kind):
    # 400 pixels wide, so that the tile in the middle sees neither border.
    picture = photograph[:46, :398]

    def opened(machine):
        if kind == "transform":
            return transform.renderer(trained_weights(), machine)
        if kind == "any_style":
            return any_style.renderer([photograph[100:200, 100:200]], strength=0.7, machine=machine)
        return multi_style.renderer(np.eye(26)[4], machine)

    with opened(Machine(tile=None)) as render:
        whole = render(picture)
    with opened(Machine(tile=130)) as render:
        tiled = render(picture)
    assert np.abs(tiled - whole).max() < 0.05

"""Whether a picture is taken whole or in tiles."""

import os
from dataclasses import replace

import numpy as np
import pytest

import neuralstyle
from neuralstyle import RECIPES
from neuralstyle.free_memory import free_bytes
from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import open_loss
from neuralstyle.loss.memory import (
    check_optimizer_fits,
    choose_tile,
    graph_bytes,
    optimizer_bytes,
)
from neuralstyle.loss.terms import objective_of
from neuralstyle.loss.tiles import cut, longest_region
from neuralstyle.optimizers import LBFGS, Adam
from neuralstyle.preparation import scene_of

RECIPE = RECIPES["neural-style"]
HUGE = 300_000  # 90 gigapixels: more than any machine's memory


def test_the_free_memory_is_less_than_the_machine_has():
    assert 0 < free_bytes() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_auto_takes_a_small_picture_whole(small_network):
    assert choose_tile(small_network, objective_of(RECIPE), 100, 120, "auto") is None


def test_auto_cuts_a_huge_picture_into_tiles(shipped_network):
    assert choose_tile(shipped_network, objective_of(RECIPE), HUGE, HUGE, "auto") in (256, 512, 1024, 2048)


def test_auto_never_cuts_what_does_not_go_with_tiles(small_network):
    recipe = replace(RECIPE, normalize_gradients=True)
    assert choose_tile(small_network, objective_of(recipe), HUGE, HUGE, "auto") is None


@pytest.mark.parametrize("tile", [None, 300])
def test_what_was_asked_for_is_done(small_network, tile):
    assert choose_tile(small_network, objective_of(RECIPE), HUGE, HUGE, tile) == tile


def test_a_graph_keeps_every_activation_up_to_the_deepest_layer(shipped_network):
    """At 16×16 pixels: the arrays of VGG-19 up to relu5_1, and three more of the first block's size."""
    blocks = [(2, 64, 16), (2, 128, 8), (4, 256, 4), (4, 512, 2), (1, 512, 1)]
    kept = sum(count * channels * side**2 for count, channels, side in blocks)
    kept += sum(channels * (side // 2) ** 2 for _, channels, side in blocks[:-1])
    fixed = 420 * 2**20
    assert graph_bytes(shipped_network, objective_of(RECIPE).layers, 16, 16) - fixed == 4 * (
        kept + 3 * 64 * 16**2
    )


def test_a_large_picture_counts_kernels_in_winograds_form_and_a_mask_its_layers(shipped_network):
    """From conv2_2 on, the ten layers up to conv5_1 have 36 numbers a pair of channels, twice."""
    layers, side = objective_of(RECIPE).layers, 256
    pairs = 128 * 128 + 128 * 256 + 3 * 256 * 256 + 256 * 512 + 4 * 512 * 512
    arrays = graph_bytes(shipped_network, layers, 16, 16) - 420 * 2**20
    found = graph_bytes(shipped_network, layers, side, side)
    assert found == 420 * 2**20 + 2 * 4 * 36 * pairs + arrays * (side // 16) ** 2
    masked = graph_bytes(shipped_network, layers, side, side, 2 * ("relu1_1", "relu3_1"))
    assert masked - found == 2 * 4 * (64 * side**2 + 256 * (side // 4) ** 2)


def test_the_longest_region_is_no_shorter_than_those_that_there_are(small_network):
    layers = ("relu1_1", "relu5_1")
    for tile in (64, 100, 256):
        regions = [one.region for one in cut(small_network, 1500, 900, layers, tile)]
        longest = max(max(box.bottom - box.top, box.right - box.left) for box in regions)
        assert longest <= longest_region(small_network, layers, tile) <= longest + tile + 64


def test_a_history_that_does_not_fit_is_refused_with_what_to_choose():
    with pytest.raises(neuralstyle.InputError, match="GB are free; choose --optimizer adam"):
        check_optimizer_fits(LBFGS(), HUGE, HUGE)
    check_optimizer_fits(Adam(), 100, 100)


def test_lbfgs_takes_two_float64_pictures_a_step_that_it_remembers():
    more, less = (optimizer_bytes(LBFGS(memory=memory), 100, 100) for memory in (11, 10))
    assert more - less == 2 * 8 * 3 * 100 * 100


def test_the_loss_says_which_it_is(small_network):
    picture = np.zeros((40, 40, 3), np.float32)
    for tile, expected in ((None, None), ("auto", None), (32, 32)):
        scene = scene_of(picture, picture)
        with open_loss(small_network, objective_of(RECIPE), scene, Machine(tile=tile)) as loss:
            assert loss.tile == expected


def test_a_whole_picture_that_does_not_fit_is_refused_before_any_work(small_network, monkeypatch):
    monkeypatch.setenv("NEURALSTYLE_FREE_MEMORY", "0.3")
    picture = np.zeros((64, 64, 3), np.float32)
    with pytest.raises(neuralstyle.InputError, match="GB are free; leave tile at auto"):
        neuralstyle.loss_and_gradient(picture, picture, picture, RECIPE, small_network)


def test_what_the_user_says_is_free_stands_above_what_the_system_says(monkeypatch):
    monkeypatch.setenv("NEURALSTYLE_FREE_MEMORY", "1.5")
    assert free_bytes() == 1.5e9
    monkeypatch.setenv("NEURALSTYLE_FREE_MEMORY", "plenty")
    with pytest.raises(neuralstyle.InputError, match="NEURALSTYLE_FREE_MEMORY is 'plenty'"):
        free_bytes()

import numpy as np
import pytest
from made_film import make_film

from neuralstyle.video.cuts import is_cut
from neuralstyle.video.flow import flow_trust, optical_flow


def found_between(earlier, later):
    forward, backward = optical_flow(earlier, later), optical_flow(later, earlier)
    return is_cut(earlier, later, backward, flow_trust(forward, backward))


@pytest.mark.parametrize("speed", [2, 20])
def test_the_cut_of_a_film_is_found_and_no_other(speed):
    made = make_film(120, 160, (4, 4), speed)
    pairs = zip(made.frames, made.frames[1:], strict=False)
    cuts = [index for index, (earlier, later) in enumerate(pairs, start=1) if found_between(earlier, later)]
    assert cuts == list(made.cuts)


def test_grain_is_no_cut_even_where_no_flow_can_be_trusted():
    picture = make_film(120, 160, (1,)).frames[0]
    earlier, later = picture + np.random.default_rng(0).normal(0, 25, (2, *picture.shape))
    assert not is_cut(earlier, later, np.zeros((120, 160, 2), np.float32), np.zeros((120, 160)))


def test_a_still_and_an_empty_film_have_no_cuts():
    picture = make_film(120, 160, (1,)).frames[0]
    assert not found_between(picture, picture)
    assert not found_between(np.zeros_like(picture), np.zeros_like(picture))


def test_a_cut_from_and_to_black_is_found_only_where_nothing_can_be_followed():
    picture = make_film(120, 160, (1,)).frames[0]
    nothing = np.zeros((120, 160, 2), np.float32)
    assert is_cut(np.zeros_like(picture), picture, nothing, np.zeros((120, 160)))
    assert not is_cut(np.zeros_like(picture), picture, nothing, np.ones((120, 160)))

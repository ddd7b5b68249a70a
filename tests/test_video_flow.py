import subprocess
import sys
import textwrap

import numpy as np
import pytest
import skimage.data
import video_formulas
from made_film import make_film
from PIL import Image

import neuralstyle
from neuralstyle.files import InputError
from neuralstyle.video.flow import METHODS, blend, check_flow, flow_trust, long_term_trust, optical_flow, warp


@pytest.fixture(scope="module")
def made():
    """Two shots, 10 pixels a frame, with something passing in front."""
    return make_film(120, 160, (3, 2), speed=10)


@pytest.fixture(scope="module")
def fast():
    """Two frames, 20 pixels apart."""
    return make_film(180, 240, (2,))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# The film with known flow, on which the others rely


def test_the_made_film_moves_as_its_flow_says(made):
    for index in (1, 2, 4):
        error = np.abs(warp(made.frames[index - 1], made.backward[index]) - made.frames[index]).mean(axis=2)
        visible = made.visible[index]
        assert np.median(error[visible]) < 1
        assert error[~visible].mean() > 10 * error[visible].mean()
        assert 10 < np.linalg.norm(made.backward[index], axis=2).max() < 15
        assert 0.8 < visible.mean() < 0.95


def test_the_made_film_is_one_shot_after_another(made):
    assert made.cuts == (3,)
    assert np.isnan(made.backward[[0, 3]]).all() and not made.visible[[0, 3]].any()


# Estimating flow


@pytest.mark.parametrize("method", METHODS)
def test_flow_points_from_the_first_frame_to_where_the_second_shows_the_same(fast, method):
    flow = optical_flow(fast.frames[1], fast.frames[0], method)
    assert flow.dtype == np.float32 and flow.shape == (180, 240, 2)
    error = np.linalg.norm(flow - fast.backward[1], axis=2)[fast.visible[1]]
    assert np.median(error) < 0.2
    assert (error < 1).mean() > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_flow_is_the_same_every_time(made, method):
    first, second = made.frames[1, :64, :80], made.frames[0, :64, :80]
    flows = [optical_flow(first, second, method) for _ in range(2)]
    np.testing.assert_array_equal(*flows)


def test_flow_takes_arrays_pillow_pictures_and_files_alike(made, tmp_path):
    path = tmp_path / "frame.png"
    Image.fromarray(made.frames[0]).save(path)
    expected = optical_flow(made.frames[0], made.frames[1])
    np.testing.assert_array_equal(neuralstyle.optical_flow(path, made.frames[1].astype(np.float64)), expected)
    np.testing.assert_array_equal(
        optical_flow(Image.fromarray(made.frames[0]), made.frames[1].astype(np.float32)), expected
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("height, width", [(16, 16), (17, 90)])
def test_flow_of_the_smallest_frames_is_finite(method, height, width, rng):
    first, second = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    flow = optical_flow(first, second, method)
    assert flow.shape == (height, width, 2) and np.isfinite(flow).all()


def test_frames_of_two_sizes_are_refused(made):
    with pytest.raises(InputError, match=r"160×120 and 160×110 pixels$"):
        optical_flow(made.frames[0], made.frames[1][:110])


def test_an_unknown_method_is_refused_with_those_that_are_known():
    with pytest.raises(InputError, match="flow is 'raft'; it must be one of dis, deepflow, tvl1"):
        check_flow("raft")


def test_without_opencv_one_line_says_how_to_get_it_and_tvl1_works():
    script = """
        import sys
        sys.modules["cv2"] = None  # hides it
        import numpy as np
        import neuralstyle
        from neuralstyle.video.flow import check_flow, optical_flow
        check_flow("tvl1")
        for method in ("dis", "deepflow"):
            try:
                check_flow(method)
            except neuralstyle.InputError as error:
                print(error)
        flow = optical_flow(np.eye(20)[..., None] * np.full(3, 255.0), np.zeros((20, 20, 3)), "tvl1")
        print(flow.shape)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    first, second, shape = run.stdout.splitlines()
    assert "pip install 'neuralstyle[video]'" in first and "pip install 'neuralstyle[video]'" in second
    assert shape == "(20, 20, 2)"


def test_opencv_without_contrib_is_found_before_any_work():
    script = (
        "import cv2; del cv2.optflow; from neuralstyle.video.flow import check_flow; check_flow('deepflow')"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "contrib" in run.stderr.splitlines()[-1]


def test_tensorflow_is_not_loaded_for_flow():
    script = (
        "import sys; from neuralstyle import optical_flow, flow_trust; print('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"


# Trust


def test_trust_is_the_formula_written_out(rng):
    y, x = np.mgrid[:20, :26]
    backward = np.stack([2.6 + 0.02 * x + 1.5 * (x > 13), -1.3 + 0.03 * y], axis=-1).astype(np.float32)
    forward = (-backward + rng.normal(0, 0.5, backward.shape)).astype(np.float32)
    trust = flow_trust(forward, backward)
    assert trust.dtype == np.float32
    np.testing.assert_array_equal(trust, video_formulas.trust(forward, backward))
    assert 0.2 < trust.mean() < 0.8


def test_trust_belongs_to_the_later_frames_pixels():
    # A square moves 12 pixels to the right; the strip that it uncovers is its old place, on the left.
    forward, backward = np.zeros((2, 40, 60, 2), np.float32)
    forward[10:30, 10:30, 0] = 12
    backward[10:30, 22:42, 0] = -12
    trust = flow_trust(forward, backward)
    assert not trust[12:28, 12:20].any()
    assert trust[12:28, 24:40].all()


def test_sources_outside_the_frame_have_no_trust_and_those_on_its_edge_have():
    backward = np.zeros((20, 30, 2), np.float32)
    backward[..., 0] = 3
    trust = flow_trust(-backward, backward)
    np.testing.assert_array_equal(trust, np.tile(np.arange(30) <= 26, (20, 1)))


@pytest.mark.parametrize("unknown", [np.nan, np.inf, 2e9, -2e9])
def test_unknown_flow_has_no_trust(unknown):
    flow = np.zeros((20, 30, 2), np.float32)
    backward = flow.copy()
    backward[5, 7, 1] = unknown
    assert flow_trust(flow, backward)[5, 7] == 0
    forward = flow.copy()
    forward[5, 7, 0] = unknown
    trust = flow_trust(forward, flow)
    assert trust[5, 7] == 0 and trust.sum() > 20 * 30 - 10


def test_trust_in_estimated_flow_finds_what_is_visible(made):
    forward = optical_flow(made.frames[0], made.frames[1])
    backward = optical_flow(made.frames[1], made.frames[0])
    trusted, visible = flow_trust(forward, backward) == 1, made.visible[1]
    assert (trusted & visible).sum() / trusted.sum() > 0.98
    assert (trusted & visible).sum() / visible.sum() > 0.9


@pytest.mark.parametrize(
    "forward, backward, message",
    [
        ((20, 30), (20, 30, 2), r"forward flow must be .* × 2, not \(20, 30\)"),
        ((20, 30, 2), (20, 30, 3), r"backward flow must be .* × 2, not \(20, 30, 3\)"),
        ((20, 30, 2), (20, 31, 2), "30×20 and 31×20 pixels"),
    ],
)
def test_arrays_that_are_no_two_flows_of_one_size_are_refused(forward, backward, message):
    with pytest.raises(InputError, match=message):
        neuralstyle.flow_trust(np.zeros(forward), np.zeros(backward))


# Warping


def test_a_flow_in_whole_pixels_moves_pixels_as_they_are(rng):
    picture = rng.uniform(0, 255, (20, 30, 3)).astype(np.float32)
    flow = np.zeros((20, 30, 2), np.float32)
    flow[...] = 4, -2
    warped = warp(picture, flow)
    assert warped.dtype == np.float32
    np.testing.assert_allclose(warped[2:, :26], picture[:-2, 4:], atol=1e-3)


def test_warping_reproduces_cubic_polynomials():
    y, x = np.mgrid[:40, :50] / 20

    def polynomial(x, y):
        return 40 + 10 * x - 3 * x**2 + 2 * x**3 - 8 * y + x * y + 1.5 * y**3

    flow = np.zeros((40, 50, 2), np.float32)
    flow[..., 0], flow[..., 1] = 0.3 + 0.1 * x, -0.6 + 0.05 * y
    picture = np.repeat(polynomial(x, y)[..., np.newaxis], 3, axis=2)
    warped = warp(picture, flow)
    expected = polynomial(x + flow[..., 0] / 20, y + flow[..., 1] / 20)
    # Away from the border, beyond which the polynomial does not go on.
    np.testing.assert_allclose(warped[12:-12, 12:-12, 1], expected[12:-12, 12:-12], rtol=1e-4)


def test_warping_to_and_fro_blurs_less_than_bilinear_sampling(photograph):
    cv2 = pytest.importorskip("cv2")
    picture = photograph[:120, :160]
    y, x = np.mgrid[:120, :160].astype(np.float32)
    flow = np.full((120, 160, 2), 0.4, np.float32)

    def bilinear(image, flow):
        return cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)

    errors = []
    for function in (warp, bilinear):
        there_and_back = function(function(picture, flow), -flow)
        errors.append(np.abs(there_and_back - picture)[10:-10, 10:-10].mean())
    assert errors[0] < 0.5 * errors[1]


def test_beyond_the_frame_there_is_its_border_or_what_is_asked_for(rng):
    picture = rng.uniform(0, 255, (20, 30, 3)).astype(np.float32)
    flow = np.zeros((20, 30, 2), np.float32)
    flow[..., 0] = 40
    np.testing.assert_allclose(warp(picture, flow), np.repeat(picture[:, -1:], 30, axis=1), atol=1e-3)
    np.testing.assert_array_equal(
        warp(picture, flow, np.array([1, 2, 3])), np.broadcast_to([1, 2, 3], (20, 30, 3))
    )
    content = rng.uniform(0, 255, (20, 30, 3)).astype(np.float32)
    np.testing.assert_array_equal(warp(picture, flow, content), content)


def test_unknown_flow_warps_to_what_is_asked_for_outside():
    picture = np.full((20, 30, 3), 7.0)
    flow = np.zeros((20, 30, 2), np.float32)
    flow[4, 5] = 1e10
    warped = warp(picture, flow, np.zeros(3))
    assert not warped[4, 5].any() and (np.delete(warped.reshape(-1, 3), 4 * 30 + 5, axis=0) == 7).all()
    assert np.isfinite(warp(picture, flow)).all()


def test_a_flow_of_another_size_than_the_frame_is_refused():
    with pytest.raises(InputError, match="30×20 and 40×20 pixels"):
        warp(np.zeros((20, 40, 3)), np.zeros((20, 30, 2)))


# Long-term trust, blending, and the temporal loss that they are for


def test_the_nearest_frame_that_can_be_trusted_counts_and_no_other():
    nearest = np.array([[1, 0, 0, 0.5]], np.float32)
    middle = np.array([[1, 1, 0, 0.2]], np.float32)
    farthest = np.array([[1, 1, 1, 1]], np.float32)
    first, second, third = long_term_trust([nearest, middle, farthest])
    np.testing.assert_allclose(first, [[1, 0, 0, 0.5]])
    np.testing.assert_allclose(second, [[0, 1, 0, 0]])
    np.testing.assert_allclose(third, [[0, 0, 1, 0.3]], atol=1e-7)


def test_long_term_weights_give_the_long_term_loss_of_the_paper(rng):
    picture, *warped = rng.uniform(0, 255, (4, 6, 8, 3))
    trusts = list(rng.integers(0, 2, (3, 6, 8)).astype(np.float32))
    weights = long_term_trust(trusts)
    total = sum(video_formulas.temporal(picture, w, c) for w, c in zip(warped, weights, strict=True))
    assert total == pytest.approx(video_formulas.temporal_long_term(picture, warped, trusts))


def test_the_published_product_of_sums_does_not_care_which_pixels_are_trusted(rng):
    picture, warped = rng.uniform(0, 255, (2, 6, 8, 3))
    trust = (rng.uniform(size=(6, 8)) > 0.4).astype(np.float32)
    shuffled = rng.permutation(trust.ravel()).reshape(trust.shape)
    published = [video_formulas.temporal_as_published(picture, warped, c) for c in (trust, shuffled)]
    assert published[0] == pytest.approx(published[1])
    masked = [video_formulas.temporal(picture, warped, c) for c in (trust, shuffled)]
    assert masked[0] != pytest.approx(masked[1])


def test_blending_is_the_formula_written_out(rng):
    own, warped = rng.uniform(0, 255, (2, 6, 8, 3)).astype(np.float32)
    trust = rng.uniform(size=(6, 8)).astype(np.float32)
    share = 0.3
    c = trust[..., np.newaxis]
    expected = share * c * warped + ((1 - share) + share * (1 - c)) * own
    np.testing.assert_allclose(blend(own, warped, trust, share), expected, rtol=1e-5)
    # artistic-videos' program writes the same as a quotient: (own + c · warped) / (1 + c), for c of 0 or 1.
    trust = np.rint(trust)
    c = trust[..., np.newaxis]
    np.testing.assert_allclose(blend(own, warped, trust), (own + c * warped) / (1 + c), rtol=1e-5)


def test_flow_of_a_photograph_of_16_bits_and_of_floats_beyond_white_is_that_of_the_clipped():
    picture = skimage.data.coffee()[:60, :80].astype(np.float32)
    beyond = np.where(picture > 250, 400, picture)
    clipped = np.minimum(beyond, 255)
    np.testing.assert_array_equal(optical_flow(beyond, picture), optical_flow(clipped, picture))

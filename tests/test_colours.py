import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab, rgb2luv
from skimage.data import chelsea, coffee

from neuralstyle.files import InputError
from neuralstyle.pictures.colours import SPACES, keep_colours, luminance, match_colours, match_luminance

CONTENT = chelsea()[100:164, 100:180]
# Squeezed towards the middle so that matching does not run into 0 or 255.
SOFT_STYLE = 100 + 0.2 * coffee()[100:150, 100:190].astype(np.float32)
SOFT_CONTENT = 90 + 0.25 * CONTENT.astype(np.float32)


def moments(image):
    pixels = image.reshape(-1, 3).astype(float)
    centred = pixels - pixels.mean(0)
    return pixels.mean(0), centred.T @ centred / len(pixels)


# After the transfer


def test_ycbcr_is_what_neural_style_does_with_pillow():
    stylized = coffee()[100:164, 100:180]
    grey = (stylized @ [0.299, 0.587, 0.114]).astype(np.uint8)
    mixed = np.array(Image.fromarray(CONTENT).convert("YCbCr"))
    mixed[..., 0] = grey
    expected = np.asarray(Image.fromarray(mixed, "YCbCr").convert("RGB"), float)
    # It rounds luminance and colour down, and blue holds 1.77 times its colour.
    np.testing.assert_allclose(keep_colours(stylized, CONTENT, "ycbcr"), expected, atol=4)


@pytest.mark.parametrize("space", ["yuv", "ycbcr"])
def test_linear_spaces_add_the_difference_of_the_luminances(space):
    stylized = coffee()[100:164, 100:180]
    difference = (stylized.astype(float) - CONTENT) @ [0.299, 0.587, 0.114]
    expected = np.clip(CONTENT + difference[..., None], 0, 255)
    np.testing.assert_allclose(keep_colours(stylized, CONTENT, space), expected, atol=0.05)


@pytest.mark.parametrize(("space", "convert"), [("lab", rgb2lab), ("luv", rgb2luv)])
def test_lightness_is_the_stylised_pictures_and_colour_the_contents(space, convert):
    stylized = np.clip(SOFT_CONTENT + 10 * np.sin(np.arange(80))[:, None], 0, 255)
    kept = convert(keep_colours(stylized, SOFT_CONTENT, space) / 255)
    np.testing.assert_allclose(kept[..., 0], convert(stylized / 255)[..., 0], atol=0.05)
    np.testing.assert_allclose(kept[..., 1:], convert(SOFT_CONTENT / 255)[..., 1:], atol=0.3)


@pytest.mark.parametrize("space", SPACES)
def test_a_picture_keeps_its_own_colours(space):
    np.testing.assert_allclose(keep_colours(CONTENT, CONTENT, space), CONTENT, atol=0.2)


@pytest.mark.parametrize("space", SPACES)
def test_the_result_lies_in_0_to_255_and_says_nothing(space, recwarn):
    noise = np.random.default_rng(0)
    stylized = noise.uniform(-200, 500, (20, 20, 3))
    content = noise.integers(0, 2, (20, 20, 3)) * 255
    kept = keep_colours(stylized, content, space)
    assert kept.dtype == np.float32
    assert kept.min() >= 0 and kept.max() <= 255
    assert not recwarn.list


def test_an_unknown_space_is_refused():
    with pytest.raises(InputError, match="hsv.*yuv"):
        keep_colours(CONTENT, CONTENT, "hsv")


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(InputError, match="one size"):
        keep_colours(CONTENT, CONTENT[:-1])


# Before the transfer


@pytest.mark.parametrize("method", ["cholesky", "symmetric"])
def test_mean_and_covariance_become_the_contents(method):
    matched = match_colours(SOFT_STYLE, SOFT_CONTENT, method)
    assert 0 < matched.min() and matched.max() < 255
    for got, expected in zip(moments(matched), moments(SOFT_CONTENT), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_cholesky_takes_the_first_channel_from_the_first_alone():
    # L_C L_S⁻¹ is lower triangular: red depends on red, and blue on all three.
    matched = match_colours(SOFT_STYLE, SOFT_CONTENT, "cholesky")
    red, got = SOFT_STYLE[..., 0].ravel(), matched[..., 0].ravel()
    gain = SOFT_CONTENT[..., 0].std() / red.std()
    np.testing.assert_allclose(got, gain * (red - red.mean()) + SOFT_CONTENT[..., 0].mean(), atol=0.02)


def test_symmetric_multiplies_the_roots_of_the_covariances():
    def root(matrix):
        values, axes = np.linalg.eigh(matrix)
        return axes @ np.diag(np.sqrt(values)) @ axes.T

    (style_mean, style_covariance), (content_mean, content_covariance) = (
        moments(SOFT_STYLE),
        moments(SOFT_CONTENT),
    )
    transform = root(content_covariance) @ np.linalg.inv(root(style_covariance))
    expected = np.einsum("ij,hwj->hwi", transform, SOFT_STYLE - style_mean) + content_mean
    np.testing.assert_allclose(match_colours(SOFT_STYLE, SOFT_CONTENT, "symmetric"), expected, atol=0.02)


@pytest.mark.parametrize("method", ["cholesky", "symmetric"])
def test_matched_to_itself_a_picture_stays(method):
    np.testing.assert_allclose(match_colours(CONTENT, CONTENT, method), CONTENT, atol=0.05)


@pytest.mark.parametrize("method", ["cholesky", "symmetric"])
def test_the_rounding_noise_of_a_grey_style_is_not_blown_up(method):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, SOFT_STYLE.shape)
    grey = luminance(coffee()[100:150, 100:190])
    difference = match_colours(grey + noise, CONTENT, method) - match_colours(grey, CONTENT, method)
    assert np.isfinite(difference).all()
    assert difference.std() < 15


@pytest.mark.parametrize("method", ["cholesky", "symmetric"])
def test_a_style_of_one_colour_becomes_the_contents_mean(method):
    matched = match_colours(np.full((20, 20, 3), 200, np.uint8), CONTENT, method)
    np.testing.assert_allclose(matched, np.broadcast_to(CONTENT.mean((0, 1)), matched.shape), atol=0.01)


@pytest.mark.parametrize("method", ["cholesky", "symmetric"])
def test_a_grey_content_makes_the_style_grey(method):
    matched = match_colours(SOFT_STYLE, luminance(SOFT_CONTENT), method)
    assert np.ptp(matched, axis=-1).max() < 0.1
    np.testing.assert_allclose(matched.std(), luminance(SOFT_CONTENT).std(), rtol=1e-3)


def test_an_unknown_way_to_match_is_refused():
    with pytest.raises(InputError, match="histogram"):
        match_colours(CONTENT, CONTENT, "histogram")


# On luminance alone


def test_luminance_is_pillows_grey():
    grey = np.asarray(Image.fromarray(CONTENT).convert("L"), float)
    np.testing.assert_allclose(luminance(CONTENT), np.dstack([grey] * 3), atol=0.51)


def test_the_styles_luminance_gets_the_contents_mean_and_deviation():
    matched = match_luminance(SOFT_STYLE, SOFT_CONTENT)
    grey, target = SOFT_STYLE @ [0.299, 0.587, 0.114], SOFT_CONTENT @ [0.299, 0.587, 0.114]
    expected = (grey - grey.mean()) / grey.std() * target.std() + target.mean()
    np.testing.assert_allclose(matched, np.dstack([expected] * 3), atol=0.01)


def test_a_style_of_one_tone_becomes_the_contents_mean():
    matched = match_luminance(np.full((20, 20, 3), 7), CONTENT)
    np.testing.assert_allclose(matched, luminance(CONTENT).mean(), atol=0.01)


def test_the_luminance_with_its_colours_put_back_is_the_picture():
    np.testing.assert_allclose(keep_colours(luminance(CONTENT), CONTENT), CONTENT, atol=0.05)

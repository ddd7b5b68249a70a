"""Pictures written and resized."""

import imagecodecs
import imageio.v3
import numpy as np
import pytest
import tifffile
from skimage.data import chelsea
from skimage.transform import resize as skimage_resize

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import read_image, read_text
from neuralstyle.pictures.sizes import fit_height, fit_longer_side, fit_width, fitted_size, resize
from neuralstyle.pictures.writing import check_output, write_image


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)


# Writing


def test_every_row_of_a_large_picture_is_written(tmp_path):
    image = np.random.default_rng(0).uniform(-9, 260, (700, 401, 3)).astype(np.float32)
    write_image(tmp_path / "a.bmp", image)
    np.testing.assert_array_equal(imageio.v3.imread(tmp_path / "a.bmp"), np.rint(np.clip(image, 0, 255)))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.tiff", "a.bmp", "A.PNG"])
def test_values_are_clipped_and_rounded(tmp_path, name):
    image = np.random.default_rng(0).uniform(-300, 600, (20, 31, 3))
    write_image(tmp_path / name, image)
    np.testing.assert_array_equal(imageio.v3.imread(tmp_path / name), np.rint(np.clip(image, 0, 255)))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bits_are_written_clipped_and_rounded(tmp_path, name):
    image = np.random.default_rng(0).uniform(-50, 300, (20, 31, 3)).astype(np.float32)
    write_image(tmp_path / name, image, bits=16)
    data = (tmp_path / name).read_bytes()
    written = imagecodecs.png_decode(data) if name == "a.png" else tifffile.imread(tmp_path / name)
    assert written.dtype == np.uint16
    np.testing.assert_array_equal(written, np.rint(257 * np.clip(image, 0, 255)))


def test_jpeg_keeps_the_colours_at_full_resolution(tmp_path):
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = (255, 0, 0)
    stripes[:, 1::2] = (0, 0, 255)
    write_image(tmp_path / "a.jpg", stripes)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg"), stripes, atol=20)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_a_lower_quality_makes_a_smaller_file(tmp_path, name):
    write_image(tmp_path / f"fine-{name}", chelsea(), quality=95)
    write_image(tmp_path / f"coarse-{name}", chelsea(), quality=40)
    assert (tmp_path / f"coarse-{name}").stat().st_size < 0.5 * (tmp_path / f"fine-{name}").stat().st_size


@pytest.mark.parametrize("bits", [8, 16])
def test_text_comes_back_from_a_png(tmp_path, pixels, bits):
    text = {"neuralstyle": '{"recipe": "cookbook", "content": "Tübingen – 東京.jpg"}', "Author": "nobody"}
    write_image(tmp_path / "a.png", pixels, bits=bits, text=text)
    assert read_text(tmp_path / "a.png") == text
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)


def test_text_of_a_file_that_is_no_png_is_refused(tmp_path, pixels):
    write_image(tmp_path / "a.jpg", pixels)
    with pytest.raises(InputError, match="a.jpg"):
        read_text(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.xyz", {}, "cannot write pictures of that kind"),
        ("a", {}, "cannot write pictures of that kind"),
        ("a.jpg", {"bits": 16}, "8 bits"),
        ("a.png", {"bits": 12}, "8 or 16"),
        ("a.jpg", {"quality": 0}, "quality"),
        ("a.jpg", {"text": {"a": "b"}}, "PNG"),
        ("missing/a.png", {}, "missing"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, pixels, name, options, message):
    with pytest.raises(InputError, match=message):
        write_image(tmp_path / name, pixels, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_with_nan_is_refused_and_the_old_file_stays(tmp_path, pixels):
    write_image(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match="NaN"):
        write_image(tmp_path / "a.png", np.full((20, 20, 3), np.nan))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)


def test_a_picture_too_large_for_its_format_is_refused_and_the_old_file_stays(tmp_path, pixels):
    write_image(tmp_path / "a.webp", pixels)
    before = (tmp_path / "a.webp").read_bytes()
    with pytest.raises(InputError, match="a.webp: cannot be written"):
        write_image(tmp_path / "a.webp", np.zeros((16, 16384, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.webp"]
    assert (tmp_path / "a.webp").read_bytes() == before


def test_an_output_that_exists_is_refused_unless_it_may_be_overwritten(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match="a.png: exists"):
        check_output(tmp_path / "a.png")
    check_output(tmp_path / "a.png", overwrite=True)
    check_output(tmp_path / "b.tiff", bits=16)


@pytest.mark.parametrize(("name", "bits"), [("a.xyz", 8), ("a.jpg", 16), ("missing/a.png", 8), (".", 8)])
def test_an_output_that_cannot_be_written_is_found_out_beforehand(tmp_path, name, bits):
    with pytest.raises(InputError):
        check_output(tmp_path / name, overwrite=True, bits=bits)


# Resizing


def test_bilinear_enlarging_equals_scikit_image():
    image = np.random.default_rng(0).uniform(0, 255, (20, 31, 3)).astype(np.float32)
    expected = skimage_resize(image, (47, 50), order=1, mode="edge", preserve_range=True)
    np.testing.assert_allclose(resize(image, 47, 50), expected, atol=1e-2)


def test_bilinear_shrinking_weighs_with_a_triangle_as_wide_as_two_new_pixels():
    row = np.random.default_rng(0).uniform(0, 255, 40)
    image = np.broadcast_to(row[None, :, None], (16, 40, 3))
    centres = (np.arange(10) + 0.5) * 4
    weights = np.maximum(0, 1 - np.abs(np.arange(40) + 0.5 - centres[:, None]) / 4)
    expected = weights @ row / weights.sum(1)
    np.testing.assert_allclose(resize(image, 16, 10)[5, :, 1], expected, atol=1e-2)


def test_shrinking_does_not_alias():
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 255
    assert np.abs(resize(stripes, 20, 20)[2:-2, 2:-2] - 127.5).max() < 10


def test_nearest_keeps_the_values():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 1)).astype(np.float32)
    np.testing.assert_array_equal(resize(image, 40, 60, "nearest"), image.repeat(2, 0).repeat(3, 1))


def test_bicubic_stays_within_the_values_of_the_picture():
    step = np.full((20, 20, 3), 10, np.float32)
    step[:, 10:] = 250
    resized = resize(step, 50, 50, "bicubic")
    assert resized.min() == 10 and resized.max() == 250


def test_values_outside_0_to_255_pass_through_resizing():
    image = np.random.default_rng(0).uniform(-500, 900, (20, 20, 3)).astype(np.float32)
    resized = resize(image, 40, 40)
    assert resized.min() < -300 and resized.max() > 700


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="lanczos"):
        resize(np.zeros((20, 20, 3)), 10, 10, "lanczos")


def test_the_other_side_follows_and_halves_are_rounded_up():
    image = np.zeros((30, 45, 3), np.float32)
    assert fit_width(image, 90).shape == (60, 90, 3)
    assert fit_height(image, 20).shape == (20, 30, 3)
    assert fit_height(image, 15).shape == (15, 23, 3)  # 22.5
    assert fit_width(image, 1).shape == (1, 1, 3)


def test_the_longer_side_is_fitted():
    assert fit_longer_side(np.zeros((30, 45, 3)), 90).shape == (60, 90, 3)
    assert fit_longer_side(np.zeros((45, 30, 3)), 90).shape == (90, 60, 3)


@pytest.mark.parametrize("shape", [(30, 45), (45, 30), (16, 1000), (33, 33)])
@pytest.mark.parametrize("size", [1, 17, 90])
def test_the_size_alone_is_what_resizing_gives(shape, size):
    image = np.zeros((*shape, 3), np.float32)
    ways = {"width": fit_width, "height": fit_height, "longer side": fit_longer_side}
    for rule, fit in ways.items():
        assert fitted_size(*shape, rule, size) == fit(image, size).shape[:2]


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match="shorter side"):
        fitted_size(30, 45, "shorter side", 20)

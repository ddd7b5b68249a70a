"""Names that the system takes, sizes that a file holds; arrays, Pillow's pictures and masks as input."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import (
    as_image,
    as_mask,
    read_image,
    read_mask,
    read_text,
)
from neuralstyle.pictures.writing import check_output, write_image

ORIENTATION, TURNED = 0x0112, 6


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (40, 62, 3), dtype=np.uint8)


# Names


def test_a_name_that_is_no_utf8_is_read_and_written(tmp_path, pixels):
    for name in (b"caf\xe9.png", b"caf\xe9.jpg", b"caf\xe9.tif"):
        path = tmp_path / os.fsdecode(name)
        write_image(path, pixels)
        assert read_image(path).shape == (40, 62, 3)
    assert sorted(os.listdir(os.fsencode(tmp_path))) == [b"caf\xe9.jpg", b"caf\xe9.png", b"caf\xe9.tif"]


def test_such_a_name_comes_back_from_the_json_in_a_png(tmp_path, pixels):
    record = {"content": os.fsdecode(b"caf\xe9.jpg")}
    write_image(tmp_path / "a.png", pixels, text={"record": json.dumps(record, ensure_ascii=False)})
    assert json.loads(read_text(tmp_path / "a.png")["record"]) == record


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_a_name_of_255_bytes_is_written(tmp_path, pixels, suffix):
    path = tmp_path / ("x" * (255 - len(suffix)) + suffix)
    check_output(path)
    write_image(path, pixels)
    assert os.listdir(tmp_path) == [path.name]


def test_a_name_longer_than_the_file_system_takes_is_refused_beforehand(tmp_path):
    path = tmp_path / ("x" * 300 + ".png")
    with pytest.raises(InputError, match="File name too long"):
        check_output(path)
    with pytest.raises(InputError, match="File name too long"):
        read_image(path)


# Sizes that a kind of file cannot hold


@pytest.mark.parametrize(
    ("name", "size"),
    [("a.webp", (16, 16384)), ("a.jpg", (65501, 16)), ("a.jpeg", (16, 65501)), ("a.png", (16, 1_000_001))],
)
def test_a_picture_too_large_for_its_kind_of_file_is_refused_before_the_work(tmp_path, name, size):
    with pytest.raises(InputError, match=f"{size[1]}×{size[0]} pixels.*use .tiff"):
        check_output(tmp_path / name, size=size)
    check_output(tmp_path / "a.tiff", size=size)
    check_output(tmp_path / name, size=tuple(side - 1 if side > 16 else side for side in size))


@pytest.mark.parametrize(("name", "longest"), [("a.webp", 16383), ("a.jpg", 65500)])
def test_the_largest_picture_that_is_not_refused_can_be_written_and_read(tmp_path, name, longest):
    write_image(tmp_path / name, np.zeros((16, longest, 3), np.uint8))
    assert read_image(tmp_path / name).shape == (16, longest, 3)


# Arrays and Pillow's pictures


def test_floating_point_in_0_to_1_is_refused_with_the_range_that_is_meant(pixels):
    with pytest.raises(InputError, match=r"0\.\.255"):
        as_image(pixels / 255)


def test_black_is_a_picture_whatever_its_type():
    assert not as_image(np.zeros((20, 20, 3))).any()
    assert as_image(np.ones((20, 20, 3), np.uint8)).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1", "CMYK", "I;16"])
def test_a_picture_of_pillow_is_what_its_file_would_be(tmp_path, pixels, mode):
    if mode == "I;16":
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    elif mode == "RGBA":
        picture = Image.fromarray(np.dstack([pixels, pixels[..., :1]]))
    else:
        picture = Image.fromarray(pixels).convert(mode)
    picture.save(tmp_path / "a.tif")
    np.testing.assert_allclose(as_image(picture), read_image(tmp_path / "a.tif"), atol=1e-4)


def test_a_picture_of_pillow_is_turned_the_right_way_up(tmp_path, pixels):
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as picture:
        np.testing.assert_array_equal(as_image(picture), np.rot90(pixels, -1))


def test_any_path_is_taken_for_its_picture(tmp_path, pixels):
    class Place:
        def __fspath__(self):
            return str(tmp_path / "a.png")

    write_image(Place(), pixels)
    np.testing.assert_array_equal(as_image(Place()), pixels)


# Masks


@pytest.fixture
def drawn(tmp_path):
    """White strokes on nothing, in a file whose transparent pixels are white as well."""
    alpha = np.zeros((20, 31, 1), np.uint8)
    alpha[5:10, 5:10], alpha[12:14] = 255, 51
    Image.fromarray(np.dstack([np.full((20, 31, 3), 255, np.uint8), alpha])).save(tmp_path / "mask.png")
    return tmp_path / "mask.png", alpha[..., 0] / 255


def test_what_is_transparent_in_a_mask_is_not_wanted(drawn):
    path, expected = drawn
    mask = read_mask(path)
    assert mask.dtype == np.float32
    np.testing.assert_allclose(mask, expected, atol=1e-6)


def test_a_mask_may_be_a_path_a_picture_of_pillows_or_an_array(drawn):
    path, expected = drawn
    with Image.open(path) as picture:
        for given in (path, str(path), picture, expected, expected.astype(np.float32)):
            np.testing.assert_allclose(as_mask(given), expected, atol=1e-6)
    np.testing.assert_array_equal(as_mask(expected > 0), expected > 0)


def test_an_opaque_mask_is_the_mean_of_its_colours(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_mask(tmp_path / "a.png"), pixels.mean(axis=2) / 255, atol=1e-6)


@pytest.mark.parametrize(
    "mask",
    [np.full((20, 20), 255, np.uint8), np.full((20, 20), np.nan), np.zeros((20, 20, 3)), np.zeros((0, 5))],
)
def test_an_array_that_is_no_mask_is_refused(mask):
    with pytest.raises(InputError, match="mask"):
        as_mask(mask)

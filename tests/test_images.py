import struct
import zlib

import imagecodecs
import imageio.v3
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from skimage.data import chelsea, coffee

from neuralstyle.files import InputError, example_pair
from neuralstyle.pictures.reading import as_image, read_image
from neuralstyle.pictures.sizes import resize
from neuralstyle.pictures.writing import write_image

D65 = (0.3127, 0.3290)
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
GAMMA = 2.19921875


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)


def adobe_profile(gamma=GAMMA):
    primaries = [number for x, y in ADOBE for number in (x, y, 1.0)]
    return imagecodecs.cms_profile("rgb", whitepoint=[*D65, 1.0], primaries=primaries, gamma=gamma)


def to_xyz(primaries):
    """RGB to XYZ, the matrix that primaries and white point make (Lindbloom, RGB/XYZ Matrices)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    return columns * np.linalg.solve(columns, white)


def adobe_to_srgb(pixels, gamma=GAMMA):
    """0..255 to 0..255 by the formulas of IEC 61966-2-1 and Adobe RGB (1998)."""
    linear = (pixels / 255) ** gamma @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(ADOBE)).T
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def ink_profile():
    """A CMYK profile: Lab of each corner of the ink cube, lightness (1 − darkest ink) · 100."""
    corners = np.indices((2, 2, 2, 2)).reshape(4, -1).T
    lab = np.array([[255 * (1 - max(inks)), 128, 128] for inks in corners], np.uint8)
    ramp = np.arange(256, dtype=np.uint8).tobytes()
    identity = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + 4 * ramp + lab.tobytes() + 3 * ramp
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = struct.pack(">I4sII4sII", 2, b"A2B0", 156, len(table), b"wtpt", 156 + len(table), len(white))
    size = 128 + len(tags) + len(table) + len(white)
    header = struct.pack(
        ">I4sI4s4s4s12s4s", size, b"lcms", 0x02100000, b"prtr", b"CMYK", b"Lab ", b"", b"acsp"
    )
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + tags + table + white


def write_tagged(path, pixels, profile, bits=8):
    """Write a PNG or TIFF with a colour profile."""
    write_image(path, pixels, bits=bits)
    if path.suffix == ".png":
        chunk = b"a profile\0\0" + zlib.compress(profile)
        path.write_bytes(_insert_chunk(path.read_bytes(), b"iCCP", chunk))
    else:
        tifffile.imwrite(path, tifffile.imread(path), photometric="rgb", iccprofile=profile)


# Reading


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_lossless_files_are_read_to_the_last_bit(tmp_path, pixels, suffix):
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(pixels).save(path)
    image = read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".gif", ".jp2"])
def test_other_kinds_are_read_as_imageio_reads_them(tmp_path, pixels, suffix):
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(pixels).save(path)
    expected = imageio.v3.imread(path, index=0, plugin="pillow", mode="RGB")
    np.testing.assert_array_equal(read_image(str(path)), expected)


def test_a_kind_of_file_that_only_imageio_knows_is_read(tmp_path, pixels):
    path = tmp_path / "picture.bsdf"
    imageio.v3.imwrite(path, pixels)
    np.testing.assert_array_equal(read_image(path), pixels)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif") == (255, 0, 0)).all()


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_palette_and_one_bit_pictures_become_rgb(tmp_path, pixels, mode):
    picture = Image.fromarray(pixels).convert(mode)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_transparent_colours_are_laid_on_white(tmp_path, pixels, suffix):
    alpha = np.random.default_rng(1).integers(0, 256, (20, 31, 1), dtype=np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / f"a{suffix}", lossless=True, exact=True)
    expected = pixels * (alpha / 255) + 255 * (1 - alpha / 255)
    np.testing.assert_allclose(read_image(tmp_path / f"a{suffix}"), expected, atol=1e-4)


def test_transparent_grey_is_laid_on_white(tmp_path):
    Image.new("LA", (20, 20), (100, 51)).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), 100 * 0.2 + 255 * 0.8, atol=1e-4)


def test_a_transparent_palette_entry_is_white(tmp_path):
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([10, 20, 30, 200, 0, 0])
    picture.paste(1, (0, 0, 10, 20))
    picture.save(tmp_path / "a.png", transparency=0)
    image = read_image(tmp_path / "a.png")
    assert (image[:, :10] == (200, 0, 0)).all() and (image[:, 10:] == 255).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_keeps_its_precision(tmp_path, channels):
    deep = np.random.default_rng(0).integers(0, 65536, (20, 31, channels), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep.squeeze()))
    colours, alpha = deep / 257, 1
    if channels in (2, 4):
        colours, alpha = colours[..., :-1], colours[..., -1:] / 255
    expected = np.broadcast_to(colours * alpha + 255 * (1 - alpha), (20, 31, 3))
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), expected, atol=1e-4)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_16_bit_tiff_keeps_its_precision(tmp_path, planar, compression):
    deep = np.random.default_rng(0).integers(0, 65536, (20, 31, 3), dtype=np.uint16)
    data = deep if planar == "contig" else deep.transpose(2, 0, 1)
    options = {"photometric": "rgb", "planarconfig": planar, "compression": compression}
    tifffile.imwrite(tmp_path / "a.tif", data, **options)
    np.testing.assert_allclose(read_image(tmp_path / "a.tif"), deep / 257, atol=1e-4)


def test_a_tiff_whose_zero_is_white_is_turned_round(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (20, 31), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="miniswhite")
    np.testing.assert_allclose(read_image(tmp_path / "a.tif")[..., 0], 255 - deep / 257, atol=1e-4)


def test_colours_that_a_tiff_holds_multiplied_by_alpha_are_not_multiplied_again(tmp_path):
    deep = np.zeros((20, 20, 4), np.uint16)
    deep[:] = (20000, 10000, 0, 32768)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extrasamples=["assocalpha"])
    expected = np.array([20000, 10000, 0]) / 257 + 255 * (1 - 32768 / 65535)
    np.testing.assert_allclose(
        read_image(tmp_path / "a.tif"), np.broadcast_to(expected, (20, 20, 3)), atol=1e-3
    )


def test_floating_point_from_0_to_1_is_read(tmp_path):
    values = np.random.default_rng(0).random((20, 31, 3)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    np.testing.assert_allclose(read_image(tmp_path / "a.tif"), 255 * values, atol=1e-4)


def test_floating_point_beyond_1_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((20, 20, 3), 1.5, np.float32), photometric="rgb")
    with pytest.raises(InputError, match=r"a\.tif.*0\.\.1"):
        read_image(tmp_path / "a.tif")


def test_a_cmyk_jpeg_without_profile_is_read_as_pillow_converts_it(tmp_path, pixels):
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    with Image.open(tmp_path / "a.jpg") as picture:
        expected = np.asarray(picture.convert("RGB"), float)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg"), expected, atol=1.01)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "16-bit png", "16-bit tif"])
def test_a_picture_is_turned_the_way_its_file_says(tmp_path, orientation, kind):
    pixels = chelsea()[200:220, 50:81]
    path = tmp_path / f"a.{kind[-3:]}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    marked = tmp_path / "marked.png"
    Image.fromarray(pixels).save(marked, exif=exif)
    with Image.open(marked) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    if kind == "16-bit tif":
        tags = [(0x0112, 3, 1, orientation, True)]
        tifffile.imwrite(path, pixels.astype(np.uint16) * 257, photometric="rgb", extratags=tags)
    elif kind == "16-bit png":
        chunk = exif.tobytes().removeprefix(b"Exif\0\0")
        with_chunk = _insert_chunk(imagecodecs.png_encode(pixels.astype(np.uint16) * 257), b"eXIf", chunk)
        path.write_bytes(with_chunk)
    else:
        Image.fromarray(pixels).save(path, exif=exif, quality=100)
    image = read_image(path)
    assert image.shape == expected.shape
    np.testing.assert_allclose(image, expected, atol=16 if kind == "jpg" else 1e-4)


def _insert_chunk(png, kind, data):
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]


# Colour profiles


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gamma", [GAMMA, 1.0])
def test_a_picture_with_another_profile_becomes_srgb(tmp_path, pixels, suffix, bits, gamma):
    path = tmp_path / f"a{suffix}"
    write_tagged(path, pixels, adobe_profile(gamma), bits)
    expected = adobe_to_srgb(pixels, gamma)
    assert np.abs(expected - pixels).max() > 40
    np.testing.assert_allclose(read_image(path), expected, atol=0.5)


def test_16_bits_with_another_profile_keep_their_precision(tmp_path):
    ramp = np.linspace(100, 101, 200)[:, None, None] * np.ones((1, 16, 3))
    write_tagged(tmp_path / "a.png", ramp, adobe_profile(), 16)
    image = read_image(tmp_path / "a.png")
    assert len(np.unique(image[..., 0])) > 150
    np.testing.assert_allclose(image, adobe_to_srgb(ramp), atol=0.05)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_picture_tagged_srgb_is_left_as_it_is(tmp_path, pixels, bits):
    write_tagged(tmp_path / "a.png", pixels, imagecodecs.cms_profile("srgb"), bits)
    told = []
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", told.append), pixels)
    assert told == []


def test_a_profile_that_changes_the_colours_is_told_of(tmp_path, pixels):
    write_tagged(tmp_path / "a.png", pixels, adobe_profile())
    told = []
    read_image(tmp_path / "a.png", told.append)
    assert len(told) == 1 and "a.png" in told[0]


@pytest.mark.parametrize("bits", [12, 16])
def test_white_is_white_in_a_tiff_of_any_depth(tmp_path, bits):
    ramp = np.linspace(0, 2**bits - 1, 16 * 16).astype(np.uint16).reshape(16, 16)
    pixels = np.dstack([ramp] * 3)
    # Not every imagecodecs packs 12 bits, so they are packed here, as more pixels of 8 bits; then the tags
    # are made to say what they are.
    packed = np.packbits(np.unpackbits(pixels.astype(">u2")[..., None].view(np.uint8), axis=3)[..., -bits:])
    tifffile.imwrite(tmp_path / "a.tif", packed.reshape(16, -1, 3), photometric="rgb", byteorder=">")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite(16)
        tiff.pages[0].tags["BitsPerSample"].overwrite((bits,) * 3)
    np.testing.assert_allclose(
        read_image(tmp_path / "a.tif")[..., 1], ramp * (255 / (2**bits - 1)), atol=0.01
    )


def test_grey_with_a_linear_profile_becomes_srgb(tmp_path):
    grey = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    profile = imagecodecs.cms_profile("gray", whitepoint=[*D65, 1.0], gamma=1.0)
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=profile)
    linear = grey / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[..., 1], expected, atol=0.5)


def test_inks_with_a_profile_become_srgb(tmp_path):
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:8, :, 3] = 255
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif", icc_profile=ink_profile())
    inks[8:, :, 0] = 255  # by this profile every full ink is black
    Image.fromarray(inks, "CMYK").save(tmp_path / "b.tif", icc_profile=ink_profile())
    np.testing.assert_allclose(read_image(tmp_path / "a.tif")[:8], 0, atol=3)
    np.testing.assert_allclose(read_image(tmp_path / "a.tif")[8:], 255, atol=3)
    np.testing.assert_allclose(read_image(tmp_path / "b.tif"), 0, atol=3)


@pytest.mark.parametrize("profile", [b"no profile at all", imagecodecs.cms_profile("gray", gamma=1.0)])
def test_a_profile_that_cannot_be_used_counts_as_none(tmp_path, pixels, profile):
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.webp"])
def test_what_is_written_carries_no_profile_which_means_srgb(tmp_path, pixels, name):
    write_image(tmp_path / name, pixels)
    with Image.open(tmp_path / name) as image:
        assert "icc_profile" not in image.info


# Bad files


def check_one_line(path):
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_in_one_line(tmp_path):
    check_one_line(tmp_path / "missing.png")


def test_a_folder_is_named_in_one_line(tmp_path):
    check_one_line(tmp_path)


@pytest.mark.parametrize("content", [b"", b"this is no picture\n" * 20])
def test_a_file_that_is_no_picture_is_named_in_one_line(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    check_one_line(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.png", "deep.png", "a.tif", "deep.tif", "a.jpg", "a.webp", "a.bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_named_in_one_line(tmp_path, name, share):
    path = tmp_path / name
    write_image(path, chelsea()[:100, :100], bits=16 if "deep" in name else 8)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    check_one_line(path)


@pytest.mark.parametrize("size", [(15, 40), (40, 15)])
def test_a_picture_under_16_pixels_is_refused(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "small.png")
    with pytest.raises(InputError, match=f"small.png: {size[0]}×{size[1]} pixels"):
        read_image(tmp_path / "small.png")


# Arrays


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_an_array_is_taken_as_it_is_and_left_alone(pixels, kind):
    given = pixels.astype(kind)
    image = as_image(given)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, pixels)
    np.testing.assert_array_equal(given, pixels)


def test_a_path_is_read(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(as_image(str(tmp_path / "a.png")), pixels)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((20, 20)),
        np.zeros((20, 20, 4)),
        np.zeros((1, 20, 20, 3)),
        np.zeros((20, 20, 3), np.uint16),
        np.zeros((15, 20, 3)),
        np.full((20, 20, 3), np.nan),
        np.full((20, 20, 3), np.inf),
    ],
    ids=["grey", "alpha", "batch", "uint16", "small", "nan", "infinite"],
)
def test_an_array_that_is_no_picture_is_refused(array):
    with pytest.raises(InputError):
        as_image(array)


# The example


def test_the_example_pair_is_there():
    content, style = map(read_image, example_pair())
    assert np.abs(content - resize(coffee(), 320, 480, "bicubic")).mean() < 3
    assert style.shape == (512, 768, 3)
    assert style.std() > 40

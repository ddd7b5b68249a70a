"""Whatever picture files people bring: odd kinds, pages, sizes, damaged metadata; each read once."""

import hashlib
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import threading
import zlib

import imagecodecs
import imageio_ffmpeg
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage.data import chelsea

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import (
    picture_size,
    read_image,
    read_picture,
)

ORIENTATION = 0x0112
TURNED = 6


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (40, 62, 3), dtype=np.uint8)


def png_with(pixels, kind, data, checksum=None):
    """A PNG with one more chunk after its header."""
    png = imagecodecs.png_encode(pixels)
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return png[:33] + struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum) + png[33:]


def refusal(path):
    """What is said of a file that is refused, which must be one line that names it."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


# Read once


def test_one_reading_gives_the_pixels_the_digest_of_the_bytes_and_the_size(tmp_path, pixels):
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (picture.path, picture.height, picture.width, picture.converted) == (path, 40, 62, False)


def test_a_picture_comes_out_of_a_pipe_which_can_be_read_once_only(tmp_path, pixels):
    os.mkfifo(tmp_path / "pipe")
    content = imagecodecs.png_encode(pixels)
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content], daemon=True).start()
    picture = read_picture(tmp_path / "pipe")
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.sha256 == hashlib.sha256(content).hexdigest()


def test_a_device_that_never_ends_is_not_read():
    with pytest.raises(InputError, match="/dev/zero: is a device"):
        read_image("/dev/zero")


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "deep.png", "a.tif", "a.webp", "a.gif", "a.avif", "a.jxl"]
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_size_is_told_without_the_pixels(tmp_path, pixels, name, turned):
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED if turned else 1
    path = tmp_path / name
    if name == "deep.png":
        chunk = exif.tobytes().removeprefix(b"Exif\0\0")
        path.write_bytes(png_with(pixels.astype(np.uint16) * 257, b"eXIf", chunk))
    elif name == "a.jxl":
        path.write_bytes(imagecodecs.jpegxl_encode(pixels))
    else:
        Image.fromarray(pixels).save(path, exif=exif)
    assert picture_size(path) == read_image(path).shape[:2]


def test_the_size_of_a_png_is_told_though_its_pixels_are_missing(tmp_path, pixels):
    png = imagecodecs.png_encode(pixels)
    (tmp_path / "a.png").write_bytes(png[: png.index(b"IDAT") + 20])
    assert picture_size(tmp_path / "a.png") == (40, 62)


# Pages


def test_the_largest_page_of_a_tiff_is_the_picture(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (pixels[::4, ::4], pixels, pixels[::2, ::2]):
            file.write(page, photometric="rgb")
    told = []
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", told.append), pixels)
    assert told == []
    assert picture_size(tmp_path / "a.tif") == (40, 62)


def test_a_picture_in_a_sub_page_is_found(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels[::4, ::4], photometric="rgb", subfiletype=1, subifds=1)
        file.write(pixels, photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels)


def test_the_largest_page_may_be_of_a_kind_that_pillow_reads(tmp_path, pixels):
    small, large = (Image.fromarray(page).convert("P") for page in (pixels[::2, ::2], pixels))
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.asarray(large.convert("RGB")))


def test_of_pages_that_show_different_things_the_first_of_the_largest_is_read_and_told_of(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (pixels[:20], pixels, 255 - pixels):
            file.write(page, photometric="rgb")
    told = []
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", told.append), pixels)
    assert told == [f"{tmp_path / 'a.tif'}: it holds 3 pages; page 2, the largest, was read"]


def test_a_tiff_of_which_only_the_thumbnail_is_left_is_refused(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels[::2, ::2], photometric="rgb", subfiletype=1)
        first = file.filehandle.tell()
        file.write(pixels, photometric="rgb")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:first])
    assert "only a reduced picture is left" in refusal(tmp_path / "a.tif")


# Refused by name


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "mov", "mpg", "ts"])
def test_a_film_is_refused_with_what_to_use(tmp_path, kind):
    path = tmp_path / f"film.{kind}"
    source = ["-f", "lavfi", "-i", "color=size=64x64:duration=0.1"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, path], check=True)
    assert "film; give it to `neuralstyle video`" in refusal(path)
    if kind != "ts":  # which has no signature
        path.rename(tmp_path / "film.jpg")
        assert "neuralstyle video" in refusal(tmp_path / "film.jpg")


def test_a_moving_picture_is_its_first_frame(tmp_path, pixels):
    frames = [Image.fromarray(frame) for frame in (pixels, 255 - pixels)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp"), pixels)


def test_a_dng_is_refused_though_its_thumbnail_could_be_read(tmp_path, pixels):
    version = (50706, 1, 4, b"\x01\x04\0\0", True)
    with tifffile.TiffWriter(tmp_path / "a.dng") as file:
        file.write(pixels[::2, ::2], photometric="rgb", subfiletype=1, subifds=1, extratags=[version])
        file.write(pixels[..., 0].astype(np.uint16), photometric=32803)
    assert "camera's raw file; develop it" in refusal(tmp_path / "a.dng")


def test_a_raw_file_is_known_by_its_sensor_pixels(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.nef") as file:
        file.write(pixels[::2, ::2], photometric="rgb", subfiletype=1)
        file.write(pixels[..., 0].astype(np.uint16), photometric=32803)
    assert "camera's raw file" in refusal(tmp_path / "a.nef")


@pytest.mark.parametrize(
    "start",
    [
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
    ],
    ids=["Canon", "Canon of today", "Fujifilm", "Olympus", "Panasonic"],
)
def test_raw_files_of_all_makers_are_known(tmp_path, start):
    (tmp_path / "a.raw").write_bytes(start + bytes(200))
    assert "camera's raw file" in refusal(tmp_path / "a.raw")


# Kinds that not every installation reads


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_jpeg_xl_is_read_in_full_depth(tmp_path, depth):
    whole = np.iinfo(depth).max
    values = np.random.default_rng(0).integers(0, whole, (20, 31, 3), dtype=depth, endpoint=True)
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(values, lossless=True))
    np.testing.assert_allclose(read_image(tmp_path / "a.jxl"), values * (255 / whole), atol=1e-4)


def test_avif_is_read(tmp_path):
    values = chelsea()[100:140, 100:162]
    Image.fromarray(values).save(tmp_path / "a.avif", quality=100, subsampling="4:4:4")
    np.testing.assert_allclose(read_image(tmp_path / "a.avif"), values, atol=4)


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is not None, reason="HEIC can be read here")
def test_heic_names_the_package_that_is_missing(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert "pip install pillow-heif" in refusal(tmp_path / "a.heic")


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="needs pillow-heif")
def test_heic_is_read_the_right_way_up(tmp_path):
    import pillow_heif

    values = chelsea()[100:140, 100:162]
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    pillow_heif.from_pillow(Image.fromarray(values)).save(
        tmp_path / "a.heic", quality=95, exif=exif.tobytes()
    )
    np.testing.assert_allclose(read_image(tmp_path / "a.heic"), np.rot90(values, -1), atol=40)
    assert picture_size(tmp_path / "a.heic") == (62, 40)


# Damaged metadata, good pixels


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("block", [b"Exif\0\0junk and no block", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\xff"])
def test_a_damaged_exif_block_is_no_reason_to_refuse_a_picture(tmp_path, pixels, suffix, block, recwarn):
    plain, damaged = tmp_path / f"plain{suffix}", tmp_path / f"damaged{suffix}"
    Image.fromarray(pixels).save(plain)
    Image.fromarray(pixels).save(damaged, exif=block)
    np.testing.assert_array_equal(read_image(damaged), read_image(plain))
    assert picture_size(damaged) == (40, 62)
    assert not recwarn.list


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("kind", "data", "checksum"),
    [
        (b"tEXt", b"Comment\0changed on the way", 1),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 3_000_000), None),
        (b"iCCP", b"profile\0\0" + b"no compressed data", None),
        (b"eXIf", b"II*\0", 1),
    ],
    ids=["text of a wrong checksum", "text of three megabytes", "damaged profile", "damaged EXIF"],
)
def test_a_png_with_damaged_notes_is_read(tmp_path, pixels, depth, kind, data, checksum):
    values = pixels.astype(depth) * (np.iinfo(depth).max // 255)
    (tmp_path / "a.png").write_bytes(png_with(values, kind, data, checksum))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)
    assert picture_size(tmp_path / "a.png") == (40, 62)


def test_a_profile_of_megabytes_is_applied(tmp_path, pixels):
    """Profiles of printers hold large tables; Pillow takes such a PNG for an attack."""
    primaries = [0.64, 0.33, 1, 0.21, 0.71, 1, 0.15, 0.06, 1]
    linear = imagecodecs.cms_profile("rgb", whitepoint=[0.3127, 0.3290, 1], primaries=primaries, gamma=1.0)
    for name, padding in (("a.png", 0), ("b.png", 3_000_000)):
        profile = struct.pack(">I", len(linear) + padding) + linear[4:] + bytes(padding)
        (tmp_path / name).write_bytes(png_with(pixels, b"iCCP", b"profile\0\0" + zlib.compress(profile)))
    expected, picture = (read_picture(tmp_path / name) for name in ("a.png", "b.png"))
    assert expected.converted and picture.converted
    np.testing.assert_array_equal(picture.pixels, expected.pixels)


def test_a_png_whose_transparency_is_damaged_is_refused(tmp_path, pixels):
    """Which of its pixels can be seen is no note about it."""
    (tmp_path / "a.png").write_bytes(png_with(pixels, b"tRNS", bytes(6), checksum=1))
    refusal(tmp_path / "a.png")


# Large pictures, and headers that claim them


def test_pillows_limit_on_pixels_does_not_count_and_stays_as_it_was(tmp_path, pixels, monkeypatch):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # the picture has 2480, more than twice as many
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")
    assert picture_size(tmp_path / "a.png") == (40, 62)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)
    assert Image.MAX_IMAGE_PIXELS == 1000  # it is the whole process's


def test_a_huge_jpeg_of_which_little_is_needed_is_decoded_small(tmp_path):
    picture = Image.new("L", (13440, 13440), 40)
    picture.paste(200, (6720, 0, 13440, 6720))
    picture.save(tmp_path / "a.jpg", quality=90)
    image = read_picture(tmp_path / "a.jpg", at_least=(1500, 1500)).pixels
    assert image.shape == (1680, 1680, 3)
    assert abs(image[400, 1200, 0] - 200) < 2 and abs(image[1200, 400, 0] - 40) < 2


def test_every_other_jpeg_comes_whole_whatever_is_needed(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    whole = read_image(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.jpg", at_least=(16, 16)).pixels, whole)


def test_a_picture_that_memory_cannot_hold_is_refused_before_it_is_decoded(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 1_000_000, 1_000_000, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(bytes(100)), b"IEND"]
    png = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + png)
    assert picture_size(tmp_path / "a.png") == (1_000_000, 1_000_000)
    assert "1000000×1000000 pixels take 28000.0 GB to read and" in refusal(tmp_path / "a.png")


def claim(path, side):
    """Let the header of a TIFF claim a square of so many pixels."""
    with tifffile.TiffFile(path) as tiff:
        places = [(tag.offset, tag.valueoffset) for tag in map(tiff.pages[0].tags.get, (256, 257))]
    content = bytearray(path.read_bytes())
    for entry, value in places:
        content[entry + 2 : entry + 4] = struct.pack("<H", 4)  # a long, whatever it was
        content[value : value + 4] = struct.pack("<I", side)
    path.write_bytes(content)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(("side", "what"), [(427_000, "GB are free"), (16_000, "cut short or damaged")])
def test_a_tiff_that_claims_too_much_gets_one_line(tmp_path, pixels, compression, side, what, capfd, caplog):
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression=compression)
    claim(tmp_path / "a.tif", side)
    assert what in refusal(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "") and not caplog.records


def read_damaged(path, seed):
    """Overwrite four bytes of a file, and read it: a picture, or one line that names it."""
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for place in rng.integers(4, min(300, len(content)), 4):
        content[place] = rng.integers(256)
    path.write_bytes(content)
    try:
        assert read_image(path).shape[2] == 3
    except InputError as error:
        assert path.name in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_tiff_prints_nothing(tmp_path, pixels, seed, capfd, caplog):
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression="zlib")
    read_damaged(tmp_path / "a.tif", seed)
    assert capfd.readouterr() == ("", "") and not caplog.records


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        *(("P", kind) for kind in ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate")),
        *(("1", kind) for kind in ("raw", "group3", "group4", "tiff_ccitt", "packbits")),
        *(("LAB", "tiff_lzw"), ("YCbCr", "raw"), ("YCbCr", "jpeg")),
    ],
)
def test_a_damaged_tiff_of_a_rarer_kind_prints_nothing(tmp_path, pixels, mode, compression, capfd, caplog):
    picture = Image.fromarray(pixels)
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        picture = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    picture.convert(mode).save(tmp_path / "whole.tif", compression=compression)
    for seed in range(40):
        shutil.copyfile(tmp_path / "whole.tif", tmp_path / "a.tif")
        read_damaged(tmp_path / "a.tif", seed)
    assert capfd.readouterr() == ("", "") and not caplog.records


def test_libtiff_says_again_what_it_said_before_a_picture_was_read(tmp_path, pixels, capfd):
    path = tmp_path / "a.tif"
    Image.fromarray(pixels).convert("P").save(path, compression="tiff_lzw")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[0].dataoffsets[0]
    content = path.read_bytes()
    path.write_bytes(content[:start] + b"\xff" * 20 + content[start + 20 :])
    with pytest.raises(InputError):
        read_image(path)
    assert capfd.readouterr() == ("", "")
    with Image.open(path) as picture, pytest.raises(OSError):
        picture.load()
    assert capfd.readouterr().err


def test_opencv_prints_nothing_of_a_damaged_gif(tmp_path, pixels):
    pytest.importorskip("cv2")
    Image.fromarray(pixels).save(tmp_path / "a.gif")
    content = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(b"GIF88a" + content[6:])
    # In a process of its own, where OpenCV is loaded before a setting could reach it.
    program = "import sys, cv2; from neuralstyle.pictures.reading import read_image; read_image(sys.argv[1])"
    command = [sys.executable, "-c", program, tmp_path / "a.gif"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "" and "ERROR" not in done.stderr
    assert "a.gif: cannot be read as a picture" in done.stderr.splitlines()[-1]

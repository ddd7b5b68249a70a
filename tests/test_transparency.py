"""Transparent pictures: what a network sees under them, and their alpha in what is written."""

from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image

from neuralstyle import RECIPES, stylize
from neuralstyle.command import main as cli
from neuralstyle.files import InputError
from neuralstyle.pictures.cut_outs import as_cut_out
from neuralstyle.pictures.reading import read_image, read_picture
from neuralstyle.pictures.transparency import fill_transparent
from neuralstyle.pictures.writing import write_image


@pytest.fixture
def cut_out():
    """A gradient 40×64, opaque in the middle, half so around it, black where nothing is seen; its alpha."""
    colours = np.empty((40, 64, 3), np.uint8)
    colours[...] = np.linspace(80, 200, 64)[:, np.newaxis]
    alpha = np.zeros((40, 64), np.uint8)
    alpha[8:32, 12:52] = 128
    alpha[10:30, 14:50] = 255
    colours[alpha == 0] = 0
    return colours, alpha


@pytest.fixture
def folder(tmp_path, cut_out, photograph, monkeypatch):
    monkeypatch.chdir(tmp_path)
    iio.imwrite("content.png", np.dstack(cut_out))
    iio.imwrite("style.png", photograph[:64, 200:264].astype(np.uint8))
    return tmp_path


def test_opaque_and_half_opaque_pixels_keep_their_colours_exactly(cut_out):
    colours, alpha = cut_out[0].astype(np.float32), cut_out[1] / np.float32(255)
    filled = fill_transparent(colours.copy(), alpha)
    np.testing.assert_array_equal(filled[alpha > 0], colours[alpha > 0])


def test_transparent_pixels_continue_the_colours_around_them(cut_out):
    colours, alpha = cut_out[0].astype(np.float32), cut_out[1] / np.float32(255)
    filled = fill_transparent(colours.copy(), alpha)
    seen = colours[alpha > 0]
    assert seen.min() <= filled.min() and filled.max() <= seen.max()
    # Beside an edge they are its colours, to a few steps of 255.
    for beside, edge in ((filled[7, 16:48], colours[8, 16:48]), (filled[20, 52:54], colours[20, 50:52])):
        assert np.abs(beside - edge).max() < 12


@pytest.mark.parametrize("shape", [(16, 16), (17, 40), (33, 16)])
def test_one_opaque_pixel_fills_a_picture(shape):
    alpha = np.zeros(shape, np.float32)
    alpha[5, 3] = 1
    colours = np.zeros((*shape, 3), np.float32)
    colours[5, 3] = 10, 120, 250
    np.testing.assert_allclose(fill_transparent(colours, alpha) - [10, 120, 250], 0, atol=1e-3)


def test_a_picture_that_is_transparent_everywhere_is_refused(tmp_path):
    iio.imwrite(tmp_path / "nothing.png", np.zeros((20, 20, 4), np.uint8))
    with pytest.raises(InputError, match=r"nothing\.png: is transparent everywhere"):
        read_picture(tmp_path / "nothing.png", keep_alpha=True)
    assert (read_image(tmp_path / "nothing.png") == 255).all()


def test_an_opaque_alpha_channel_is_none(tmp_path, cut_out):
    iio.imwrite(tmp_path / "a.png", np.dstack([cut_out[0], np.full((40, 64), 255, np.uint8)]))
    picture = read_picture(tmp_path / "a.png", keep_alpha=True)
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.pixels, cut_out[0])


def test_alpha_is_read_from_palettes_tiffs_and_16_bits(tmp_path, cut_out):
    colours, alpha = cut_out
    hard = np.where(alpha == 255, 255, 0).astype(np.uint8)
    entries = np.where(hard == 255, 1, 0).astype(np.uint8)
    palette = Image.fromarray(entries, "P")
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.save(tmp_path / "palette.png", transparency=0)
    palette.save(tmp_path / "palette.gif", transparency=0)
    deep = np.dstack([colours, alpha]).astype(np.uint16) * 257
    deep[..., 3] = np.maximum(deep[..., 3], 3) - 3  # what 8 bits cannot hold
    multiplied = deep.copy()
    multiplied[..., :3] = np.rint(deep[..., :3] * (deep[..., 3:] / 65535))
    tifffile.imwrite(tmp_path / "plain.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    tifffile.imwrite(tmp_path / "multiplied.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"])
    for name in ("palette.png", "palette.gif"):
        picture = read_picture(tmp_path / name, keep_alpha=True)
        np.testing.assert_array_equal(picture.alpha, hard / 255)
        np.testing.assert_array_equal(np.unique(picture.pixels.reshape(-1, 3), axis=0), [[200, 100, 50]])
    plain, other = (
        read_picture(tmp_path / f"{name}.tif", keep_alpha=True) for name in ("plain", "multiplied")
    )
    np.testing.assert_allclose(plain.alpha, deep[..., 3] / 65535, atol=1e-6)
    np.testing.assert_array_equal(plain.alpha, other.alpha)
    np.testing.assert_allclose(other.pixels, plain.pixels, atol=0.01)


def test_alpha_turns_with_the_picture(tmp_path, cut_out):
    exif = Image.Exif()
    exif[274] = 6
    image = Image.fromarray(np.dstack(cut_out))
    image.save(tmp_path / "turned.png", exif=exif)
    picture = read_picture(tmp_path / "turned.png", keep_alpha=True)
    np.testing.assert_array_equal(picture.alpha, np.rot90(cut_out[1], -1) / np.float32(255))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_written_with_alpha_is_read_with_it(tmp_path, photograph, suffix, bits):
    if suffix == ".webp" and bits == 16:
        return
    picture, alpha = photograph[:40, :64], np.linspace(0, 1, 40 * 64, dtype=np.float32).reshape(40, 64)
    path = tmp_path / f"a{suffix}"
    write_image(path, picture, bits=bits, alpha=alpha, text={"a": "b"} if suffix == ".png" else None)
    found = read_picture(path, keep_alpha=True)
    np.testing.assert_allclose(found.alpha, alpha, atol=0.5001 / (2**bits - 1))
    if suffix != ".webp":
        np.testing.assert_allclose(found.pixels[alpha >= 0.2], picture[alpha >= 0.2], atol=0.5)


def test_kinds_without_alpha_get_the_picture_on_white(tmp_path, photograph):
    alpha = np.zeros((40, 64), np.float32)
    alpha[:, :32] = 0.25
    write_image(tmp_path / "a.bmp", photograph[:40, :64], alpha=alpha)
    expected = np.full((40, 64, 3), 255.0)
    expected[:, :32] = 0.25 * photograph[:40, :32] + 0.75 * 255
    np.testing.assert_allclose(read_image(tmp_path / "a.bmp"), expected, atol=0.501)


def test_a_painted_cut_out_keeps_its_alpha_and_is_made_again_from_its_record(folder, cut_out, capsys):
    options = ["--content", "content.png", "--style", "style.png", "--iterations", "2", "--width", "32"]
    more = ["--checkpoint-output", "{}.png", "--checkpoint-iterations", "1", "--timelapse", "film.gif"]
    assert cli.main([*options, *more, "--preserve-colors", "--bits", "16", "--output", "out.png"]) == 0
    out = read_picture("out.png", keep_alpha=True)
    expected = np.asarray(Image.fromarray(cut_out[1] / np.float32(255)).resize((32, 20), Image.BILINEAR))
    np.testing.assert_allclose(out.alpha, expected, atol=1e-4)
    np.testing.assert_array_equal(read_picture("1.png", keep_alpha=True).alpha, out.alpha)
    # The film shows it on white.
    np.testing.assert_allclose(iio.imread("film.gif", index=None)[-1, 0, 0], 255, atol=3)
    assert cli.main(["--from-record", "out.png", "--output", "again.png"]) == 0
    assert (folder / "again.png").read_bytes() == (folder / "out.png").read_bytes()
    assert cli.main([*options, "--output", "out.jpg", "--quality", "100"]) == 0
    assert "out.jpg: is laid on white, for content.png is transparent" in capsys.readouterr().err
    np.testing.assert_allclose(iio.imread("out.jpg")[:2, :4], 255, atol=3)


def test_what_a_file_holds_under_transparent_pixels_does_not_matter(folder, cut_out):
    colours, alpha = cut_out
    colours = np.where(alpha[..., np.newaxis] == 0, [250, 0, 90], colours).astype(np.uint8)
    iio.imwrite("pink.png", np.dstack([colours, alpha]))
    for name in ("content", "pink"):
        assert (
            cli.main(["--fixed-style", "4", "--content", f"{name}.png", "--output", f"{name}_out.png"]) == 0
        )
    np.testing.assert_array_equal(iio.imread("pink_out.png"), iio.imread("content_out.png"))


def test_a_network_keeps_alpha_in_folders_and_tiles(folder, cut_out, capsys):
    (folder / "in").mkdir()
    iio.imwrite("in/a.png", np.dstack(cut_out))
    Image.fromarray(np.dstack(cut_out)).save("in/b.webp", lossless=True)
    iio.imwrite("in/nothing.png", np.zeros((20, 20, 4), np.uint8))
    options = ["--fixed-style", "4", "--stroke-scale", "1.5"]
    assert cli.main([*options, "--content", "in", "--output", "out"]) == 0
    said = capsys.readouterr().err
    assert "nothing.png: is transparent everywhere; there is nothing to paint; skipped" in said
    for name in ("out/a.png", "out/b.webp"):
        np.testing.assert_array_equal(iio.imread(name)[..., 3], cut_out[1])
    assert cli.main([*options, "--tile", "32", "--content", "content.png", "--output", "out.bmp"]) == 0
    assert "out.bmp: is laid on white" in capsys.readouterr().err
    on_white = read_image("out/a.png")
    np.testing.assert_allclose(read_image("out.bmp"), on_white, atol=2)
    assert cli.main(["--from-record", "out/a.png", "--output", "again.png"]) == 0
    np.testing.assert_array_equal(iio.imread("again.png"), iio.imread("out/a.png"))


@pytest.mark.parametrize("kind", ["array", "floating point", "Pillow's", "path"])
def test_stylize_gives_a_cut_out_for_a_cut_out_of_any_kind(folder, cut_out, small_network, photograph, kind):
    both = np.dstack(cut_out)
    given = {
        "array": both,
        "floating point": both.astype(np.float64),
        "Pillow's": Image.fromarray(both),
        "path": "content.png",
    }
    recipe = replace(RECIPES["neural-style"], iterations=1)
    found = stylize(given[kind], photograph[:40, :40], recipe, small_network).image
    filled = read_picture("content.png", keep_alpha=True).pixels
    expected = stylize(filled, photograph[:40, :40], recipe, small_network).image
    np.testing.assert_array_equal(found, np.dstack([expected, cut_out[1]]))


def test_an_array_that_is_opaque_gives_three_channels_and_one_without_opacity_is_refused(cut_out):
    opaque, alpha = as_cut_out(np.dstack([cut_out[0], np.full((40, 64), 255, np.uint8)]))
    assert alpha is None and opaque.shape == (40, 64, 3)
    with pytest.raises(InputError, match="the picture: is transparent everywhere"):
        as_cut_out(np.dstack([cut_out[0], np.zeros((40, 64), np.uint8)]))
    with pytest.raises(InputError, match=r"alpha must be numbers in 0\.\.255"):
        as_cut_out(np.dstack([np.float32(cut_out[0]), np.full((40, 64), np.nan)]))

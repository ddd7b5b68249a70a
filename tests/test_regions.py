"""Where a picture is painted: masks of the content, and regions by colour."""

import io
import json
from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from neuralstyle import RECIPES, Style
from neuralstyle.command import main as cli
from neuralstyle.command.scene import given_for, read_shared
from neuralstyle.files import InputError
from neuralstyle.loss.losses import loss_and_gradient
from neuralstyle.pictures.reading import read_picture
from neuralstyle.pictures.regions import read_regions
from neuralstyle.pictures.transparency import laid_over, softened
from neuralstyle.runs.repeating import Inputs

RED, BLUE, GREEN = (220, 30, 30), (20, 40, 200), (40, 190, 60)


def painted(*parts, size=(48, 64)):
    """A picture of flat colours: vertical stripes from a column on, each of a colour."""
    picture = np.empty((*size, 3), np.uint8)
    for column, colour in parts:
        picture[:, column:] = colour
    return picture


@pytest.fixture
def folder(tmp_path, photograph, monkeypatch):
    monkeypatch.chdir(tmp_path)
    iio.imwrite("content.png", photograph[100:148, 120:184].astype(np.uint8))
    iio.imwrite("style.png", photograph[:48, 200:264].astype(np.uint8))
    iio.imwrite("other.png", photograph[200:248, 200:264].astype(np.uint8))
    iio.imwrite("red_blue.png", painted((0, RED), (20, BLUE)))
    iio.imwrite("blue_red.png", painted((0, BLUE), (40, RED)))
    return tmp_path


def test_a_colour_goes_with_the_same_colour_of_a_style(folder):
    red, blue = sorted(read_regions("red_blue.png", ["blue_red.png"]), key=lambda region: region.mask.sum())
    assert (red.colour, red.style) == (RED, 0) and (blue.colour, blue.style) == (BLUE, 0)
    for region, mask, own in ((red, np.s_[:20], np.s_[40:]), (blue, np.s_[20:], np.s_[:40])):
        for found, columns in ((region.mask, mask), (region.own_mask, own)):
            expected = np.zeros((48, 64))
            expected[:, columns] = 1
            np.testing.assert_array_equal(found, expected)


def test_jpeg_and_smooth_edges_make_no_further_regions(folder):
    large = Image.fromarray(painted((0, RED), (20, BLUE), (50, GREEN))).resize((160, 120), Image.BICUBIC)
    file = io.BytesIO()
    large.rotate(30, Image.BICUBIC, fillcolor=GREEN).save(file, "JPEG", quality=40)
    (folder / "noisy.jpg").write_bytes(file.getvalue())
    iio.imwrite("three.png", painted((0, (230, 25, 20)), (30, (25, 30, 210)), (45, (50, 180, 50))))
    regions = read_regions("noisy.jpg", ["three.png"])
    assert len(regions) == 3
    assert sum(region.mask for region in regions).min() == 1
    found = [region.own_mask.mean() for region in sorted(regions, key=lambda region: region.colour[0])]
    np.testing.assert_allclose(sorted(found), [15 / 64, 19 / 64, 30 / 64])


def test_a_colour_in_no_style_is_named(folder):
    iio.imwrite("three.png", painted((0, RED), (20, BLUE), (50, GREEN)))
    with pytest.raises(InputError, match="three.png: its colour #28be3c is in none of the styles' regions"):
        read_regions("three.png", ["red_blue.png", "blue_red.png"])
    assert len(read_regions("red_blue.png", ["three.png"])) == 2


def test_a_photograph_is_no_picture_of_regions(folder, photograph):
    iio.imwrite("colours.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    with pytest.raises(InputError, match=r"colours\.png: has more than 32 colours"):
        read_regions("colours.png", ["red_blue.png"])


def given(inputs, recipe=RECIPES["neural-style"]):
    content = read_picture(inputs.content, keep_alpha=True)
    return given_for(content, read_shared(inputs, recipe, lambda line: None), recipe)


def inputs(folder, styles=("style.png",), **more):
    nothing = [None] * len(styles)
    return Inputs(folder / "content.png", [folder / name for name in styles], nothing, nothing, **more)


def test_every_place_counts_as_much_as_it_is_large(folder):
    files = [folder / name for name in ("red_blue.png", "blue_red.png", "red_blue.png")]
    found = given(inputs(folder, ("style.png", "other.png"), regions=files))
    assert len(found.scene.styles) == 4
    weights = dict.fromkeys((True, False), 0.0)
    for style, weight in zip(found.scene.styles, found.recipe.style_blend, strict=True):
        weights[bool(style.mask[0, 0])] += weight
    np.testing.assert_allclose((weights[True], weights[False]), (20 / 64, 44 / 64))
    assert found.recipe.style_weight == pytest.approx(RECIPES["neural-style"].style_weight)


def test_within_a_mask_every_pixel_is_painted_as_strongly_as_without(folder, small_network, photograph):
    """The gradient of a picture that repeats itself does not change where the mask is white."""
    tile = photograph[100:132, 120:152].astype(np.uint8)
    iio.imwrite("content.png", np.tile(tile, (1, 4, 1)))
    iio.imwrite("mask.png", painted((0, (255, 255, 255)), (64, (0, 0, 0)), size=(32, 128)))
    gradients = []
    layers = {"relu1_1": 1.0, "relu2_1": 1.0}  # which see only a few pixels far
    recipe = replace(RECIPES["neural-style"], tv_weight=0.0, style_layers=layers)
    for mask in (None, folder / "mask.png"):
        found = given(inputs(folder, content_mask=mask), recipe)
        content = found.finish.content.pixels
        pictures = content, content, found.scene.styles
        gradients.append(loss_and_gradient(*pictures, found.recipe, small_network)[1])
    whole, masked = gradients
    inside = np.s_[:, 32:40]
    assert np.abs(masked[inside] - whole[inside]).mean() < 0.1 * np.abs(whole[inside]).mean()
    assert np.abs(masked[:, 80:]).max() == 0


def test_a_region_outside_the_mask_is_left_out(folder):
    iio.imwrite("mask.png", painted((0, (255, 255, 255)), (10, (0, 0, 0))))
    regions = [folder / "red_blue.png", folder / "blue_red.png"]
    found = given(inputs(folder, regions=regions, content_mask=folder / "mask.png"))
    (style,) = found.scene.styles
    assert isinstance(style, Style) and style.mask[:, 10:].max() == 0
    assert found.recipe.style_weight == pytest.approx(RECIPES["neural-style"].style_weight * 10 / 64)


def test_outside_a_mask_the_photograph_stays_and_its_border_is_soft():
    mask = np.zeros((100, 400), np.float32)
    mask[:, 200:] = 1
    photograph, picture = np.full((100, 400, 3), 10.0), np.full((100, 400, 3), 250.0)
    result = laid_over(picture, photograph, softened(mask))
    assert (result[:, :190] == 10).all() and np.allclose(result[:, 210:], 250)
    steps = np.diff(result[50, :, 0])
    assert (steps >= 0).all() and steps.max() < 60


@pytest.mark.parametrize("method", [["--iterations", "2"], ["--any-style", "--tile", "32"]])
def test_the_command_paints_within_the_mask_only(folder, method):
    iio.imwrite("mask.png", painted((0, (0, 0, 0)), (40, (255, 255, 255))))
    options = ["--content", "content.png", "--style", "style.png", "--content-mask", "mask.png"]
    assert cli.main([*options, *method, "--record", "out.json", "--output", "out.png"]) == 0
    out, content = iio.imread("out.png"), iio.imread("content.png")
    np.testing.assert_array_equal(out[:, :38], content[:, :38])
    assert np.abs(out[:, 42:].astype(int) - content[:, 42:]).mean() > 5
    assert json.loads((folder / "out.json").read_text())["content_mask"]["path"] == "mask.png"
    assert cli.main(["--from-record", "out.png", "--output", "again.png"]) == 0
    assert (folder / "again.png").read_bytes() == (folder / "out.png").read_bytes()


def test_the_command_paints_regions_and_does_it_again(folder, capsys):
    options = ["--content", "content.png", "--style", "style.png", "--iterations", "2"]
    regions = ["--regions", "red_blue.png", "blue_red.png"]
    assert cli.main([*options, *regions, "--output", "out.png"]) == 0
    assert cli.main(["--from-record", "out.png", "--output", "again.png"]) == 0
    assert (folder / "again.png").read_bytes() == (folder / "out.png").read_bytes()
    iio.imwrite("blue_red.png", painted((0, BLUE), (41, RED)))
    capsys.readouterr()
    assert cli.main(["--from-record", "out.png", "--output", "more.png"]) == 2
    assert "blue_red.png: the record's regions picture has changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line, expected",
    [
        (
            "--regions red_blue.png",
            "--regions has 1 pictures; it needs one for the content and one for each of 1",
        ),
        ("--regions red_blue.png blue_red.png --masks red_blue.png", "--regions does not go with --masks"),
        ("--regions red_blue.png blue_red.png --any-style", "--regions does not go with --any-style"),
        (
            "--regions red_blue.png blue_red.png --recipe style-transfer-pytorch",
            "--style-blending makes one target of several styles, which does not go with masks",
        ),
        ("--regions red_blue.png nowhere.png", "nowhere.png: no such file"),
        ("--content-mask black.png", "black.png: is black everywhere"),
        ("--content-mask black.png --any-style", "black.png: is black everywhere"),
        ("--content-mask out.png", "no such file"),
    ],
)
def test_what_cannot_be_used_gets_one_line(folder, capsys, line, expected):
    iio.imwrite("black.png", painted((0, (0, 0, 0))))
    options = ["--content", "content.png", "--style", "style.png", "--output", "stylized.png"]
    assert cli.main([*options, *line.split()]) == 2
    printed = capsys.readouterr().err
    assert expected in printed and printed.count("\n") == 1

"""The command line's feed-forward options."""

import hashlib
import json

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from neuralstyle.command import main as cli
from neuralstyle.feedforward import any_style, checkpoints, multi_style, transform
from neuralstyle.networks import weights_folder
from neuralstyle.pictures import colours
from neuralstyle.pictures.sizes import fit_longer_side, resize


@pytest.fixture
def folder(tmp_path, photograph, monkeypatch):
    monkeypatch.chdir(tmp_path)
    iio.imwrite("content.png", photograph[100:150, 120:183].astype(np.uint8))
    iio.imwrite("style.png", photograph[:64, 200:264].astype(np.uint8))
    return tmp_path


def test_any_style_writes_what_its_renderer_gives(folder):
    options = ["--any-style", "--content", "content.png", "--style", "style.png", "--strength", "0.5"]
    assert cli.main([*options, "--output", "out.png"]) == 0
    content, style = (iio.imread(name).astype(np.float32) for name in ("content.png", "style.png"))
    with any_style.renderer([style], None, 0.5) as render:
        expected = render(content)
    np.testing.assert_array_equal(iio.imread("out.png"), np.rint(np.clip(expected, 0, 255)))


def test_16_bits_and_the_contents_colours_can_be_had_at_once(folder):
    options = ["--any-style", "--content", "content.png", "--style", "style.png", "--bits", "16"]
    assert cli.main([*options, "--preserve-colors", "--output", "out.tif"]) == 0
    content, style = (iio.imread(name).astype(np.float32) for name in ("content.png", "style.png"))
    with any_style.renderer([style]) as render:
        expected = colours.keep_colours(render(content), content, "yuv")
    found = tifffile.imread("out.tif")
    assert found.dtype == np.uint16
    np.testing.assert_allclose(found / 257, np.clip(expected, 0, 255), atol=0.01)


def test_fixed_styles_are_blended_for_a_whole_folder(folder):
    (folder / "in").mkdir()
    for name in ("content.png", "style.png"):
        (folder / name).rename(folder / "in" / name)
    assert cli.main(["--fixed-style", "3:1,5:3", "--content", "in", "--output", "out"]) == 0
    blend = np.zeros(26, np.float32)
    blend[[3, 5]] = 0.25, 0.75
    with multi_style.renderer(blend) as render:
        expected = render(iio.imread("in/style.png").astype(np.float32))
    assert {path.name for path in (folder / "out").iterdir()} == {"content.png", "style.png"}
    np.testing.assert_array_equal(iio.imread("out/style.png"), np.rint(np.clip(expected, 0, 255)))


def test_a_transform_network_without_a_name_is_the_shipped_one(folder):
    assert cli.main(["--transform", "--content", "content.png", "--output", "out.png"]) == 0
    shipped = weights_folder() / "wheat-field.ckpt"
    with transform.renderer(checkpoints.read_checkpoint(shipped), margin=transform.MARGIN) as render:
        expected = render(iio.imread("content.png").astype(np.float32))
    np.testing.assert_array_equal(iio.imread("out.png"), np.rint(expected))
    assert sum(path.stat().st_size for path in shipped.parent.glob("wheat-field.ckpt.*")) < 2e6


@pytest.mark.parametrize(
    "line, expected",
    [
        ("--any-style --fixed-style 3", "--any-style and --fixed-style do not go together"),
        ("--any-style --strength 2", "--strength is 2.0"),
        ("--strength 0.5", "--strength goes with --any-style only"),
        ("--fixed-style 99", "there is no style 99"),
        ("--fixed-style 3 --style style.png", "--styles does not go with --fixed-style"),
        ("--fixed-style 3 --strength 0.5", "--strength does not go with --fixed-style"),
        ("--hub-model . --styles style.png content.png", "--hub-model takes one style picture"),
        ("--any-style --width 0", "--width is 0"),
        ("--any-style --width 8 --content content.png --style style.png", "pixels are too few"),
        ("--any-style --scales 60 80", "--scales does not go with --any-style"),
        ("--any-style --stroke-scale 0", "--stroke-scale is 0"),
        ("--stroke-scale 2", "--stroke-scale goes with --any-style and the like only"),
        ("--any-style --resume", "--resume goes with a folder"),
        ("--hub-model . --tile 64", "--tile does not go with --hub-model"),
        ("--any-style --content empty --output results --record a.json", "--record goes with one picture"),
        ("--any-style --record stylized.png", "would be written twice"),
        ("--any-style --seed 3", "--seed does not go with --any-style"),
        ("--any-style --regions a.png b.png", "--regions does not go with --any-style; a network paints the"),
        ("--fixed-style 3 --luminance-only", "--luminance-only does not go with --fixed-style"),
        ("--any-style --history table.csv", "--history does not go with --any-style"),
        ("--any-style --quality 0", "--quality is 0"),
        ("--any-style --content empty", "--output: name a folder"),
        ("--transform nothing", "nothing"),
        ("--any-style --content empty --output results", "empty"),
    ],
)
def test_what_does_not_go_together_gets_one_line(capsys, folder, line, expected):
    (folder / "empty").mkdir()
    assert cli.main(line.split()) == 2
    printed = capsys.readouterr().err
    assert expected in printed
    assert printed.count("\n") == 1
    assert not (folder / "stylized.png").exists()


def test_the_size_and_the_strokes_can_be_chosen(folder):
    options = [
        "--fixed-style",
        "4",
        "--content",
        "content.png",
        "--longer-side",
        "96",
        "--stroke-scale",
        "1.5",
    ]
    assert cli.main([*options, "--margin", "8", "--output", "out.png"]) == 0
    content = fit_longer_side(iio.imread("content.png").astype(np.float32), 96)
    assert content.shape == (76, 96, 3)
    with multi_style.renderer(np.eye(26)[4], margin=8) as render:
        expected = resize(render(resize(content, 51, 64, "bicubic")), 76, 96, "bicubic")
    np.testing.assert_array_equal(iio.imread("out.png"), np.rint(np.clip(expected, 0, 255)))
    assert cli.main([*options, "--margin", "8", "--tile", "16", "--output", "tiled.png"]) == 0
    np.testing.assert_allclose(iio.imread("tiled.png").astype(int), iio.imread("out.png"), atol=1)


def test_where_a_picture_does_not_fit_as_a_whole_it_is_rendered_in_tiles(folder, photograph, capsys):
    iio.imwrite("long.png", np.hstack([photograph[:48]] * 2).astype(np.uint8))
    options = ["--fixed-style", "4", "--content", "long.png", "--output"]
    assert cli.main([*options, "whole.png"]) == 0
    assert "tiles" not in capsys.readouterr().err
    assert cli.main([*options, "tiled.png", "--free-memory", "0.312"]) == 0
    assert "rendering 902×48 pixels, in tiles of 256\n" in capsys.readouterr().err
    np.testing.assert_allclose(iio.imread("tiled.png").astype(int), iio.imread("whole.png"), atol=1)
    assert cli.main([*options, "quiet.png", "--free-memory", "0.312", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main([*options, "none.png", "--free-memory", "0.312", "--tile", "none"]) == 2
    assert "GB are free; give --tile 512" in capsys.readouterr().err
    assert cli.main([*options, "again.png"]) == 0  # the limit was that of a run, not of the process
    assert "tiles" not in capsys.readouterr().err


def test_a_picture_carries_what_made_it_and_is_made_again_from_that(folder, capsys):
    options = ["--any-style", "--content", "content.png", "--style", "style.png", "--strength", "0.25"]
    assert cli.main([*options, "--width", "48", "--record", "out.json", "--output", "out.png"]) == 0
    for number, source in enumerate(("out.png", "out.json")):
        assert cli.main(["--from-record", source, "--output", f"{number}.png"]) == 0
        np.testing.assert_array_equal(iio.imread(f"{number}.png"), iio.imread("out.png"))
    record = json.loads((folder / "out.json").read_text())
    assert record["kind"] == "any_style" and record["program"] == "neuralstyle"
    weights = (weights_folder() / "any-style.npz").read_bytes()
    assert record["network"] == {"name": "any-style.npz", "sha256": hashlib.sha256(weights).hexdigest()}
    assert record["options"]["strength"] == 0.25 and record["options"]["width"] == 48

    def refused(text, expected):
        (folder / "changed.json").write_text(text)
        assert cli.main(["--from-record", "changed.json", "--output", "again.png"]) == 2
        printed = capsys.readouterr().err
        assert expected in printed and printed.count("\n") == 1

    text = (folder / "out.json").read_text()
    capsys.readouterr()
    refused(text.replace(record["network"]["sha256"], "0" * 64), "was made with other weights")
    refused(text.replace('"strength": 0.25', '"strength": "a"'), "its option strength is unknown")
    refused(text.replace('"sha256"', '"sha1"'), "incomplete or was changed by hand")
    assert cli.main(["--from-record", "out.json", "--content", "content.png", "--output", "again.png"]) == 2
    assert "--content does not go with --from-record" in capsys.readouterr().err
    iio.imwrite("style.png", iio.imread("content.png"))
    refused(text, "style.png: a picture of the record has changed since")


def test_a_folder_is_gone_on_with(folder, capsys):
    (folder / "in").mkdir()
    for name in ("content.png", "style.png"):
        (folder / name).rename(folder / "in" / name)
    options = ["--fixed-style", "2", "--content", "in", "--output", "out"]
    assert cli.main(options) == 0
    first = iio.imread("out/content.png")
    (folder / "out" / "content.png").unlink()
    assert cli.main(options) == 2
    assert "out/style.png: exists" in capsys.readouterr().err
    assert cli.main([*options, "--resume"]) == 0
    np.testing.assert_array_equal(iio.imread("out/content.png"), first)

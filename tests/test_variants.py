"""Variants of one command, and their contact sheet."""

import imageio.v3 as iio
import numpy as np
import pytest

from neuralstyle.command.main import main
from neuralstyle.pictures.contact_sheet import LINE, SPACE, contact_sheet


@pytest.fixture
def pictures(tmp_path, photograph):
    """A content and a style picture as options, and a folder for results."""
    iio.imwrite(tmp_path / "content.png", photograph[100:140, 120:168].astype(np.uint8))
    iio.imwrite(tmp_path / "style.png", photograph[:48, 200:240].astype(np.uint8))
    given = ["--content", tmp_path / "content.png", "--style", tmp_path / "style.png", "--quiet"]
    return [str(word) for word in given]


def refused(capsys, *arguments):
    """The line that bad input gets."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as error:  # the parser's own words
        status = error.code
    assert status == 2
    return capsys.readouterr().err


def test_each_value_gives_the_picture_that_the_option_alone_gives(tmp_path, pictures):
    output = tmp_path / "out.png"
    many = [*pictures, "--iterations", "2", "--vary", "style-weight", "500", "8000", "--output", str(output)]
    assert main(many) == 0
    one = tmp_path / "one.png"
    assert main([*pictures, "--iterations", "2", "--style-weight", "8000", "--output", str(one)]) == 0
    varied = [iio.imread(tmp_path / f"out-style-weight-{weight}.png") for weight in (500, 8000)]
    assert (varied[1] == iio.imread(one)).all()
    assert (varied[0] != varied[1]).any()


def test_options_given_twice_are_combined_on_a_sheet(tmp_path, pictures):
    given = ["--any-style", "--vary", "strength", "0", "1", "--vary", "stroke-scale", "1", "2"]
    files = ["--output", str(tmp_path / "out.png"), "--contact-sheet", str(tmp_path / "sheet.png")]
    assert main([*pictures, *given, *files]) == 0
    names = [f"out-strength-{a}-stroke-scale-{b}.png" for a in (0, 1) for b in (1, 2)]
    made = [iio.imread(tmp_path / name) for name in names]
    sheet = iio.imread(tmp_path / "sheet.png")
    height, width = made[0].shape[:2]
    for index, picture in enumerate(made):
        top, left = (
            SPACE + number * side
            for number, side in zip(divmod(index, 2), (height + LINE + SPACE, width + SPACE), strict=True)
        )
        assert (sheet[top : top + height, left : left + width] == picture).all()


def test_resume_makes_only_what_is_missing(tmp_path, pictures):
    given = [*pictures, "--any-style", "--vary", "strength", "0", "1", "--output", str(tmp_path / "out.png")]
    mark = np.full((8, 8, 3), 7, np.uint8)
    iio.imwrite(tmp_path / "out-strength-0.png", mark)
    assert main([*given, "--resume"]) == 0
    assert (iio.imread(tmp_path / "out-strength-0.png") == mark).all()
    assert (tmp_path / "out-strength-1.png").exists()


def test_a_picture_that_exists_is_not_replaced_and_nothing_is_made(tmp_path, pictures, capsys):
    (tmp_path / "out-strength-1.png").touch()
    given = ["--any-style", "--vary", "strength", "0", "1", "--output", tmp_path / "out.png"]
    assert "out-strength-1.png: exists;" in refused(capsys, *pictures, *given)
    assert not (tmp_path / "out-strength-0.png").exists()


def test_ranges_pairs_of_yes_and_no_and_files_name_the_pictures(tmp_path, pictures, capsys):
    for name in ("out-seed-7", "out-no", "out-clip-no", "out-styles-style"):
        (tmp_path / f"{name}.png").touch()
    output = ["--output", tmp_path / "out.png"]
    style = pictures[3]
    assert "out-seed-7.png: exists" in refused(capsys, *pictures, *output, "--vary", "seed", "6..8")
    assert "out-clip-no.png: exists" in refused(capsys, *pictures, *output, "--vary", "clip", "yes", "no")
    assert "out-styles-style.png: exists" in refused(
        capsys, *pictures[:2], *output, "--vary", "styles", style
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--vary", "bits", "8", "16"], "--vary bits: this option does not decide the picture"),
        (["--vary", "threads", "1", "2"], "--vary threads: this option does not decide the picture"),
        (["--vary", "nothing", "1"], "--vary nothing: there is no option --nothing"),
        (["--vary", "seed"], "--vary seed: name the values"),
        (["--vary", "clip", "maybe"], "--vary clip maybe: this option is on or off"),
        (["--vary", "seed", "3..1"], "--vary seed 3..1: the range goes from"),
        (["--vary", "seed", "1", "--vary", "seed", "2"], "--vary seed is given twice"),
        (["--vary", "seed", "1..200", "--vary", "style-weight", "1", "2"], "400 pictures; 256 are the most"),
        (["--vary", "style-weight", "1", "x"], "argument --style-weight: invalid float value: 'x'"),
        (["--vary", "style-weight", "2", "-1"], "--style-weight is -1.0"),
        (["--vary", "seed", "1", "--history", "h.csv"], "--history does not go with --vary"),
        (["--contact-sheet", "sheet.png"], "--contact-sheet shows variants"),
        (["--vary", "seed", "1", "--contact-sheet", "sheet.txt"], "sheet.txt"),
    ],
)
def test_what_cannot_be_varied_is_refused_before_any_work(tmp_path, pictures, capsys, given, message):
    assert message in refused(capsys, *pictures, "--output", tmp_path / "out.png", *given)
    assert not list(tmp_path.glob("out*"))


def test_a_sheet_has_its_pictures_in_rows_made_smaller_where_they_are_large():
    grey, large = np.full((10, 20, 3), 90, np.uint8), np.full((400, 768, 3), 30.0)
    sheet = contact_sheet([("a", grey), ("b", grey), ("c" * 500, large)], columns=2)
    assert sheet.shape == (SPACE + 10 + LINE + SPACE + 200 + LINE + SPACE, 2 * (384 + SPACE) + SPACE, 3)
    assert (sheet[SPACE : SPACE + 10, SPACE : SPACE + 20] == 90).all()
    top = SPACE + 10 + LINE + SPACE
    assert (sheet[top : top + 200, SPACE : SPACE + 384] == 30).all()
    assert (sheet[top + 200 :, 384 + SPACE :] == 255).all()  # a long line ends where its picture does

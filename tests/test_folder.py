"""A folder of pictures by the slow method."""

import csv

import imageio.v3 as iio
import numpy as np
import pytest

from neuralstyle.command import main as cli

RUN = ["--content", "photos", "--style", "painting.png", "--output", "results", "--iterations", "2"]


@pytest.fixture
def folder(tmp_path, photograph, monkeypatch):
    """The current folder, with two photographs of a folder and a style picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    iio.imwrite("photos/a.png", photograph[100:132, 120:160].astype(np.uint8))
    iio.imwrite("photos/b.gif", photograph[60:92, 120:152].astype(np.uint8))
    iio.imwrite("painting.png", photograph[:32, 200:232].astype(np.uint8))
    return tmp_path


def table():
    """The rows of the table of losses."""
    with open("results/losses.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def broken(folder):
    """Two files more, of which one is no picture, and one too small once it has the width asked for."""
    (folder / "photos" / "notes.txt").write_text("to do")
    iio.imwrite("photos/c.png", np.zeros((16, 200, 3), np.uint8))


def test_every_picture_of_a_folder_is_the_one_that_it_is_alone(folder):
    assert cli.main(RUN) == 0
    assert {path.name for path in (folder / "results").iterdir()} == {"a.png", "b.gif.png", "losses.csv"}
    one = ["--content", "photos/b.gif", *RUN[2:5], "alone.png", *RUN[6:], "--history", "alone.csv"]
    assert cli.main(one) == 0
    np.testing.assert_array_equal(iio.imread("results/b.gif.png"), iio.imread("alone.png"))
    with open("alone.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    rows = table()
    assert [(row["picture"], row["outcome"], row["iterations"]) for row in rows] == [
        ("a.png", "made", "2"),
        ("b.gif", "made", "2"),
    ]
    assert {name: rows[1][name] for name in ("total", "content", "style", "tv")} == {
        name: last[name] for name in ("total", "content", "style", "tv")
    }


def test_what_fails_is_told_of_and_counted_and_the_rest_goes_on(folder, broken, capsys):
    assert cli.main([*RUN, "--width", "40", "--quiet"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert any("c.png" in line and "it needs 16" in line for line in lines)
    assert any("notes.txt" in line and line.endswith("; skipped") for line in lines)
    assert "photos: 1 of 4 pictures failed; the same command with --resume makes those" in lines[-1]
    assert [row["outcome"] for row in table()] == ["made", "made", "failed", "skipped"]
    assert (folder / "results" / "a.png").exists() and (folder / "results" / "b.gif.png").exists()


def test_results_that_exist_are_refused_before_the_work_and_kept_when_it_goes_on(folder, capsys):
    (folder / "results").mkdir()
    iio.imwrite("results/a.png", np.zeros((20, 20, 3), np.uint8))
    assert cli.main(RUN) == 2
    assert "results/a.png: exists" in capsys.readouterr().err
    assert not (folder / "results" / "b.gif.png").exists()
    assert cli.main([*RUN, "--resume"]) == 0
    assert "1 of 2 results are there and kept" in capsys.readouterr().err
    assert not iio.imread("results/a.png").any()
    assert [row["picture"] for row in table()] == ["b.gif"]
    (folder / "results" / "a.png").unlink()
    assert cli.main([*RUN, "--resume"]) == 0
    assert [row["picture"] for row in table()] == ["a.png", "b.gif"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--history", "losses.csv"], "--history goes with one picture; photos is a folder"),
        (["--timelapse", "film.gif", "--checkpoint-iterations", "1"], "--timelapse goes with one picture"),
        (["--resume", "--overwrite"], "give one of them"),
        (["--output", "stylized.png"], "--output: name a folder"),
        (["--output", "painting.png"], "painting.png: is a file; for a folder of pictures name a folder"),
        (["--output", "photos"], "holds the pictures themselves"),
        (["--styles", "none.png"], "none.png"),
    ],
)
def test_what_does_not_go_with_a_folder_gets_one_line_and_no_work(folder, capsys, options, expected):
    assert cli.main([*RUN, *options]) == 2
    printed = capsys.readouterr().err
    assert expected in printed and printed.count("\n") == 1
    assert not list(folder.glob("results/*.png"))

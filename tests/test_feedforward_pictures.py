import numpy as np
import pytest

from neuralstyle.feedforward.pictures import centre_square, fitted, render_files
from neuralstyle.feedforward.sizing import Sizing
from neuralstyle.files import InputError
from neuralstyle.pictures.folders import files_in
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.writing import write_image


def inverted(picture):
    return 255 - picture


@pytest.fixture
def folder(tmp_path):
    """Three pictures of different sizes and kinds; one of the kinds cannot be written."""
    from PIL import Image

    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (20, 24)), ("b.tif", (17, 19)), ("c.gif", (16, 16))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / name)
    return folder


def test_pictures_of_any_size_are_padded_to_a_multiple_of_four_and_cropped():
    seen = []

    def render(picture):
        seen.append(picture)
        return picture + 1

    picture = np.random.default_rng(0).random((17, 22, 3))
    np.testing.assert_array_equal(fitted(render)(picture), picture + 1)
    np.testing.assert_array_equal(seen[0], np.pad(picture, ((0, 3), (0, 2), (0, 0)), mode="reflect"))


def test_one_picture_is_rendered(tmp_path, folder):
    assert render_files(inverted, folder / "a.png", tmp_path / "out.png") == 1
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), 255 - read_image(folder / "a.png"))


def test_every_picture_of_a_folder_is_rendered_under_its_name(tmp_path, folder):
    assert render_files(inverted, folder, tmp_path / "out") == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.tif", "c.gif.png"]
    for name in ("a.png", "b.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / "out" / name), 255 - read_image(folder / name))


def test_what_is_no_picture_is_skipped_with_a_line_and_counted(tmp_path, folder):
    (folder / "notes.txt").write_text("to do")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / ".hidden").write_text("")
    (folder / "folder").mkdir()
    lines = []
    assert render_files(inverted, folder, tmp_path / "out", report=lines.append) == 3
    assert len(lines) == 3
    assert "broken.png" in lines[0] and lines[0].endswith("; skipped")
    assert "notes.txt" in lines[1] and lines[1].endswith("; skipped")
    assert "2 of 5 files skipped" in lines[2]


def test_an_empty_folder_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="in: is an empty folder"):
        render_files(inverted, tmp_path / "in", tmp_path / "out")


def test_a_folder_without_a_single_picture_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("to do")
    with pytest.raises(InputError, match="none of its 1 files is a picture"):
        render_files(inverted, tmp_path / "in", tmp_path / "out", report=[].append)


def test_nothing_is_rendered_when_one_result_exists_already(tmp_path, folder):
    (tmp_path / "out").mkdir()
    write_image(tmp_path / "out" / "b.tif", np.zeros((16, 16, 3)))
    with pytest.raises(InputError, match="b.tif: exists"):
        render_files(inverted, folder, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.tif"]
    assert render_files(inverted, folder, tmp_path / "out", overwrite=True) == 3


def test_the_pictures_themselves_are_not_written_over(folder):
    with pytest.raises(InputError, match="holds the pictures themselves"):
        render_files(inverted, folder, folder, overwrite=True)


def test_a_file_cannot_take_a_folder_of_pictures(tmp_path, folder):
    (tmp_path / "out.png").write_bytes(b"")
    with pytest.raises(InputError, match="out.png: is a file; for a folder of pictures name a folder"):
        render_files(inverted, folder, tmp_path / "out.png")


def test_a_picture_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="none.png"):
        render_files(inverted, tmp_path / "none.png", tmp_path / "out.png")


def test_the_centre_square_is_the_middle_of_the_picture(photograph):
    np.testing.assert_array_equal(centre_square(photograph), photograph[:, 75:375])


def test_two_pictures_whose_results_would_have_one_name_are_refused_before_any_work(tmp_path, folder):
    write_image(folder / "c.gif.png", np.zeros((16, 16, 3)))
    with pytest.raises(InputError, match="its result would be c.gif.png, and that of c.gif as well"):
        render_files(inverted, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_that_exist_are_kept_when_a_folder_is_resumed(tmp_path, folder):
    (tmp_path / "out").mkdir()
    write_image(tmp_path / "out" / "b.tif", np.zeros((16, 16, 3)))
    lines = []
    assert render_files(inverted, folder, tmp_path / "out", resume=True, report=lines.append) == 2
    assert "1 of 3 results are there and kept" in lines[0]
    assert not read_image(tmp_path / "out" / "b.tif").any()
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "a.png"), 255 - read_image(folder / "a.png"))


def test_a_picture_that_fails_is_told_of_and_counted_and_the_rest_goes_on(tmp_path, folder):
    def render(picture):
        if picture.shape[:2] == (20, 24):
            raise InputError("too large")
        return picture

    lines = []
    with pytest.raises(InputError, match="1 of 3 pictures failed; the same command with --resume"):
        render_files(render, folder, tmp_path / "out", report=lines.append)
    assert len(lines) == 1 and lines[0].endswith("a.png: too large")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.tif", "c.gif.png"]


def test_a_margin_is_reflected_rendered_and_cropped():
    seen = []

    def render(picture):
        seen.append(picture)
        return picture

    picture = np.random.default_rng(0).random((17, 22, 3))
    np.testing.assert_array_equal(fitted(render, margin=6)(picture), picture)
    np.testing.assert_array_equal(seen[0], np.pad(picture, ((6, 9), (6, 8), (0, 0)), mode="reflect"))


def test_a_network_may_crop_what_the_margin_added():
    picture = np.random.default_rng(0).random((17, 22, 3))
    np.testing.assert_array_equal(fitted(lambda padded: padded[4:-4, 4:-4], margin=8)(picture), picture)


def test_files_in_nested_folders_are_found_once_and_hidden_ones_are_not(tmp_path):
    for name in ("b.png", "one/a.png", "one/two/c.png", ".hidden/d.png", "one/.e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "one" / "loop").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in files_in(tmp_path, nested=True)]
    assert found == ["b.png", "one/a.png", "one/two/c.png"]
    assert files_in(tmp_path) == [tmp_path / "b.png"]


def test_the_size_asked_for_the_strokes_and_the_memory_decide_where_a_picture_is_rendered():
    seen = []

    def render(picture):
        seen.append(picture.shape)
        return picture

    picture = np.full((60, 90, 3), 77, np.float32)
    sizing = Sizing("width", 120, stroke_scale=2)
    content = sizing.content(picture)
    assert content.shape == (80, 120, 3)
    result = sizing.rendered(render, content)
    assert seen == [(40, 60, 3)] and result.shape == (80, 120, 3)
    np.testing.assert_allclose(result, 77, atol=1e-3)
    with pytest.raises(InputError, match=r"120×80 pixels would take 960\.3 GB, .*--tile 512"):
        Sizing("width", 120, bytes_per_pixel=10**8).tile_for(picture)


@pytest.mark.parametrize(
    ("free", "expected"), [(2, None), (1, 2048), (0.7, 1024), (0.6, 512), (0.5, 256), (0.3, InputError)]
)
def test_auto_takes_a_picture_whole_or_in_the_largest_tiles_that_fit(free, expected):
    # 0.3 GB for the program, 0.14 for the picture, and 300 bytes for each pixel that is rendered at once.
    sizing = Sizing(bytes_per_pixel=300, tile="auto", free=free * 1e9)
    picture = np.broadcast_to(np.float32(0), (500, 6000, 3))
    if expected is InputError:
        with pytest.raises(InputError, match=r"GB in tiles of 256, 0\.3 GB are free; make the"):
            sizing.tile_for(picture)
    else:
        assert sizing.tile_for(picture) == expected

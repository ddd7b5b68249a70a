import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from neuralstyle.feedforward.crops import (
    Crops,
    pairs,
    photographs,
    random_square,
    split,
)
from neuralstyle.files import InputError
from neuralstyle.pictures.writing import write_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five pictures of one colour each, of different sizes, and a file that is none."""
    folder = tmp_path_factory.mktemp("photographs")
    for index in range(5):
        write_image(folder / f"{index}.png", np.full((40 + index, 60, 3), 40 * index, np.uint8))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def rows_of(folder, batch=2, seed=3, lines=None):
    return Crops(photographs(folder), 32, batch, seed, [].append if lines is None else lines.append)


def colours(rows, positions):
    return [int(rows.at(position)[0, 0, 0]) for position in positions]


def test_an_epoch_shows_every_picture_once(tmp_path):
    for index in range(6):
        write_image(tmp_path / f"{index}.png", np.full((40, 50, 3), 40 * index, np.uint8))
    rows = rows_of(tmp_path, batch=3)
    first, second = colours(rows, range(6)), colours(rows, range(6, 12))
    assert rows.batches == 2
    assert sorted(first) == sorted(second) == [0, 40, 80, 120, 160, 200]
    assert first != second


def test_the_last_batch_of_an_epoch_is_filled_up(tmp_path):
    for index in range(5):
        write_image(tmp_path / f"{index}.png", np.full((40, 50, 3), 40 * index, np.uint8))
    rows = rows_of(tmp_path, batch=4)
    assert rows.batches == 2
    found = colours(rows, range(8))
    assert found[5:] == found[:3]


def test_a_crop_depends_on_the_seed_and_its_position_alone(tmp_path):
    write_image(tmp_path / "a.png", skimage.data.astronaut())
    one, same, other = rows_of(tmp_path), rows_of(tmp_path), rows_of(tmp_path, seed=4)
    one.at(0)
    np.testing.assert_array_equal(one.at(7), same.at(7))
    assert not np.array_equal(one.at(7), other.at(7))
    assert not np.array_equal(one.at(7), one.at(8))


def test_a_file_that_is_no_picture_is_reported_once_and_the_next_one_takes_its_place(folder):
    lines = []
    rows = rows_of(folder, batch=6, lines=lines)
    assert {0, 40, 80, 120, 160} == set(colours(rows, range(12)))
    assert len(lines) == 1 and "notes.txt" in lines[0] and lines[0].endswith("skipped")
    assert [path.name for path in rows.unreadable] == ["notes.txt"]


def test_a_folder_without_any_picture_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(InputError, match="none of its files is a picture"):
        rows_of(tmp_path)


def test_the_batches_are_the_crops_in_their_order_from_any_step_on(tmp_path):
    write_image(tmp_path / "a.png", skimage.data.astronaut())
    write_image(tmp_path / "b.png", skimage.data.coffee())
    rows = rows_of(tmp_path)
    with tf.Graph().as_default() as graph:
        iterator = tf.compat.v1.data.make_initializable_iterator(rows.dataset(tf.constant(3, tf.int64)))
        following = iterator.get_next()
    with tf.compat.v1.Session(graph=graph) as session:
        session.run(iterator.initializer)
        batches = [session.run(following) for _ in range(3)]
    expected = [np.stack([rows.at(2 * step), rows.at(2 * step + 1)]) for step in (3, 4, 5)]
    np.testing.assert_array_equal(batches, expected)


def test_a_random_square_is_part_of_the_picture():
    # Each pixel holds its column and row, so that a crop tells where it is from.
    columns, rows = np.meshgrid(np.arange(90), np.arange(70))
    picture = np.stack([columns, rows, columns + rows], axis=2).astype(np.float32)
    rng = np.random.default_rng(0)
    sides, mirrored = [], 0
    for _ in range(60):
        crop = random_square(picture, 32, rng)
        assert crop.shape == (32, 32, 3)
        across, down = crop[0, -1, 0] - crop[0, 0, 0], crop[-1, 0, 1] - crop[0, 0, 1]
        # Centres of the outermost pixels of a square of side s reduced to 32 are s·31/32 apart.
        assert abs(across) == pytest.approx(down, abs=0.6)
        sides.append(down * 32 / 31)
        mirrored += across < 0
    assert min(sides) >= 31 and max(sides) <= 71
    assert max(sides) - min(sides) > 20
    assert 15 < mirrored < 45


def test_a_picture_smaller_than_the_crop_is_enlarged():
    picture = skimage.data.chelsea()[:20, :30].astype(np.float32)
    assert random_square(picture, 32, np.random.default_rng(0)).shape == (32, 32, 3)


def test_the_share_held_out_is_not_trained_on(folder):
    examples = photographs(folder)
    trained, held_out = split(examples, 0.3, seed=1)
    assert (len(trained), len(held_out)) == (4, 2)
    assert sorted(example.photograph for example in trained + held_out) == [
        example.photograph for example in examples
    ]
    assert split(examples, 0.3, seed=1) == (trained, held_out)


@pytest.mark.parametrize(
    ("share", "message"), [(1.0, "--held-out is 1"), (-0.1, "--held-out"), (0.95, "none")]
)
def test_a_share_that_leaves_nothing_is_refused(folder, share, message):
    with pytest.raises(InputError, match=message):
        split(photographs(folder), share, seed=1)


def test_a_pair_is_cut_from_one_place_at_the_size_of_the_result(tmp_path):
    photograph = skimage.data.astronaut()
    (tmp_path / "photographs").mkdir()
    (tmp_path / "results").mkdir()
    write_image(tmp_path / "photographs" / "one.png", photograph)
    # The result: half the size, and the inverse of its photograph.
    half = photograph.reshape(256, 2, 256, 2, 3).mean((1, 3))
    write_image(tmp_path / "results" / "one.png", 255 - half)
    write_image(tmp_path / "photographs" / "alone.png", photograph)
    lines = []
    (example,) = pairs(tmp_path, lines.append)
    assert len(lines) == 1 and "alone.png" in lines[0]
    crop = Crops([example], 64, 1, 0).at(0)
    assert crop.shape == (64, 64, 6)
    assert np.abs(crop[..., :3] + crop[..., 3:] - 255).mean() < 2


def test_pairs_need_both_folders(tmp_path):
    (tmp_path / "photographs").mkdir()
    write_image(tmp_path / "photographs" / "one.png", skimage.data.astronaut())
    with pytest.raises(InputError, match="results: is no folder"):
        pairs(tmp_path)

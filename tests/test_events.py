import io

import numpy as np
import pytest
import tensorflow as tf
from conftest import step_of
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.runs.events import EventWriter


def events(folder):
    """All events of a folder's files, the oldest file first, as TensorFlow reads them."""
    files = sorted(folder.glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns)
    return [event for path in files for event in tf.compat.v1.train.summary_iterator(str(path))]


def values(folder):
    return [(event.step, value) for event in events(folder) for value in event.summary.value]


def test_the_losses_of_every_step_are_there_under_their_names(tmp_path):
    with EventWriter(tmp_path) as writer:
        writer.add_step(step_of(0, 0.0, 10.0, 1.0, 8.0, 1.0))
        writer.add_step(step_of(5, 1.0, 3.5, 1.0, 2.25, 0.25))
    found = {(step, value.tag): value.simple_value for step, value in values(tmp_path)}
    assert found == {
        (0, "loss/total"): 10.0,
        (0, "loss/content"): 1.0,
        (0, "loss/style"): 8.0,
        (0, "loss/tv"): 1.0,
        (5, "loss/total"): 3.5,
        (5, "loss/content"): 1.0,
        (5, "loss/style"): 2.25,
        (5, "loss/tv"): 0.25,
    }


def test_a_picture_is_there_pixel_for_pixel(tmp_path):
    rng = np.random.default_rng(0)
    picture = rng.uniform(-20, 275, (21, 34, 3)).astype(np.float32)
    with EventWriter(tmp_path) as writer:
        writer.add_picture(25, picture)
    ((step, value),) = values(tmp_path)
    assert (step, value.tag) == (25, "picture")
    assert (value.image.height, value.image.width, value.image.colorspace) == (21, 34, 3)
    pixels = Image.open(io.BytesIO(value.image.encoded_image_string))
    np.testing.assert_array_equal(np.asarray(pixels), np.rint(np.clip(picture, 0, 255)))


def test_the_graph_is_there_with_names_and_shapes(tmp_path):
    with tf.Graph().as_default() as graph:
        picture = tf.compat.v1.placeholder(tf.float32, (5, 7, 3), name="picture")
        tf.reduce_sum(picture * picture, name="total")
    with EventWriter(tmp_path) as writer:
        writer.add_graph(graph)
    (definition,) = [event.graph_def for event in events(tmp_path) if event.graph_def]
    nodes = {node.name: node for node in tf.compat.v1.GraphDef.FromString(definition).node}
    assert {"picture", "total"} <= set(nodes)
    (shape,) = nodes["picture"].attr["_output_shapes"].list.shape
    assert [dimension.size for dimension in shape.dim] == [5, 7, 3]


def test_a_writer_leaves_eager_code_as_it_was(tmp_path):
    with EventWriter(tmp_path / "events") as writer:
        assert tf.executing_eagerly()
        writer.add_step(step_of(0, 0.0, 10.0, 1.0, 8.0, 1.0))
    assert len(values(tmp_path / "events")) == 4


def test_a_run_that_goes_on_says_from_where(tmp_path):
    for first in (0, 3):
        with EventWriter(tmp_path, first) as writer:
            for iteration in range(first, first + 5):
                writer.add_step(step_of(iteration, 0.0, 10.0, 1.0, 8.0, 1.0))
    starts = [event.step for event in events(tmp_path) if event.HasField("session_log")]
    assert starts == [3]


def test_a_folder_that_cannot_be_made_is_named_in_one_line(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="^[^\n]*file[^\n]*$"):
        EventWriter(tmp_path / "file" / "events")
    with pytest.raises(InputError, match="^[^\n]*file[^\n]*$"):
        EventWriter(tmp_path / "file")

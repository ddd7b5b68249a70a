import numpy as np
import pytest
import tensorflow as tf

from neuralstyle.feedforward import saved_model
from neuralstyle.files import InputError

BATCH = tf.TensorSpec((None, None, None, 3), tf.float32)


def export_like_magenta(folder):
    """Save a model the way Magenta exports its own to TensorFlow Hub: arguments without names.

    It halves the content and adds the brightest of the style.
    """
    feeds, fetches = [], []

    def stylize(content, style):
        share = tf.compat.v1.get_variable("share", [], initializer=tf.compat.v1.constant_initializer(0.5))
        feeds.extend([content, style])
        fetches.append(share * content + tf.reduce_max(style, [1, 2], keepdims=True))
        return fetches[0]

    wrapped = tf.compat.v1.wrap_function(stylize, [BATCH, BATCH])
    model = tf.train.Checkpoint()
    model.__call__ = wrapped.prune(feeds, fetches)
    model.variables = list(model.__call__.graph.variables)
    tf.saved_model.save(model, str(folder), signatures=model.__call__)


def export_with_names(folder, function):
    model = tf.Module()
    model.function = tf.function(function)
    pictures = [BATCH] * function.__code__.co_argcount
    tf.saved_model.save(model, str(folder), signatures=model.function.get_concrete_function(*pictures))


@pytest.fixture
def style():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 10:50] = 51
    return picture


def test_a_model_from_tensorflow_hub_gets_content_and_style(tmp_path, photograph, style):
    export_like_magenta(tmp_path / "hub")
    picture = photograph[:33, :46]
    with saved_model.renderer(tmp_path / "hub", style) as render:
        np.testing.assert_allclose(render(picture), picture / 2 + 51, atol=1e-3)


def test_the_style_is_the_centre_square_at_256_pixels(tmp_path, photograph, style):
    def sizes(content, style):
        return content * 0 + tf.cast(tf.shape(style)[1] + tf.shape(style)[2], tf.float32)

    export_with_names(tmp_path / "hub", sizes)
    with saved_model.renderer(tmp_path / "hub", style) as render:
        assert (render(photograph[:16, :16]) == 255 * 512).all()


def test_names_say_which_picture_is_which(tmp_path, photograph, style):
    def stylize(a_style_image, the_content):
        return the_content / 2 + tf.reduce_max(a_style_image, [1, 2], keepdims=True)

    export_with_names(tmp_path / "hub", stylize)
    picture = photograph[:16, :20]
    with saved_model.renderer(tmp_path / "hub", style) as render:
        np.testing.assert_allclose(render(picture), picture / 2 + 51, atol=1e-3)


def test_a_folder_without_a_model_is_named(tmp_path, style):
    with pytest.raises(InputError, match="cannot be read as a SavedModel") as error:
        with saved_model.renderer(tmp_path, style):
            pass
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_a_model_of_one_picture_is_refused(tmp_path, style):
    def grey(picture):
        return tf.reduce_mean(picture, 3)

    export_with_names(tmp_path / "grey", grey)
    with pytest.raises(InputError, match="serving_default must take a content and a style picture"):
        with saved_model.renderer(tmp_path / "grey", style):
            pass

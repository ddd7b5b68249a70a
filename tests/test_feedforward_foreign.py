"""Networks of other programs: SavedModels and frozen graphs, made here as those programs would."""

import imageio.v3 as iio
import numpy as np
import pytest
import tensorflow as tf

from neuralstyle.command import main as cli
from neuralstyle.feedforward import foreign
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
    with foreign.renderer(tmp_path / "hub", style) as render:
        np.testing.assert_allclose(render(picture), picture / 2 + 51, atol=1e-3)


def test_the_style_is_the_centre_square_at_256_pixels(tmp_path, photograph, style):
    def sizes(content, style):
        return content * 0 + tf.cast(tf.shape(style)[1] + tf.shape(style)[2], tf.float32)

    export_with_names(tmp_path / "hub", sizes)
    with foreign.renderer(tmp_path / "hub", style) as render:
        assert (render(photograph[:16, :16]) == 255 * 512).all()


def test_names_say_which_picture_is_which(tmp_path, photograph, style):
    def stylize(a_style_image, the_content):
        return the_content / 2 + tf.reduce_max(a_style_image, [1, 2], keepdims=True)

    export_with_names(tmp_path / "hub", stylize)
    picture = photograph[:16, :20]
    with foreign.renderer(tmp_path / "hub", style) as render:
        np.testing.assert_allclose(render(picture), picture / 2 + 51, atol=1e-3)


def test_a_folder_without_a_model_is_named(tmp_path, style):
    with pytest.raises(InputError, match="cannot be read as a SavedModel") as error:
        with foreign.renderer(tmp_path, style):
            pass
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_a_model_of_one_picture_is_refused(tmp_path, style):
    def grey(picture):
        return tf.reduce_mean(picture, 3)

    export_with_names(tmp_path / "grey", grey)
    with pytest.raises(InputError, match="takes no --style"):
        with foreign.renderer(tmp_path / "grey", style):
            pass


# --- of one picture ---------------------------------------------------------------------------------


def freeze(path, build, shape=(1, None, None, 3), kind=tf.float32, **placeholders):
    """Write a frozen graph: what a function builds from a placeholder for a picture, and from others."""
    with tf.Graph().as_default() as graph:
        picture = tf.compat.v1.placeholder(kind, shape, name="img_placeholder")
        others = {
            name: tf.compat.v1.placeholder(tf.float32, value, name) for name, value in placeholders.items()
        }
        build(picture, **others)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def rendered(path, picture, style=None):
    with foreign.renderer(path, style) as render:
        return render(picture)


def darker(values):
    """A network that makes pictures darker, in the range of values that its program uses."""
    black, white = values

    def build(picture):
        share = (tf.cast(picture, tf.float32) - black) / (white - black)
        return tf.clip_by_value(black + (white - black) * 0.5 * share, black, white, name="result")

    return build


@pytest.mark.parametrize("values", [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize(
    "shape", [(1, None, None, 3), (None, None, None, 3), (4, None, None, 3), (None, None, 3), None]
)
def test_a_frozen_graph_renders_in_the_range_that_it_has(tmp_path, photograph, values, shape):
    path = freeze(tmp_path / "graph.pb", darker(values), shape)
    picture = photograph[:33, :46]
    np.testing.assert_allclose(rendered(path, picture), picture / 2, atol=1e-3)


def test_bytes_in_and_a_share_of_white_out(tmp_path, photograph):
    path = freeze(tmp_path / "no suffix", lambda picture: tf.cast(picture, tf.float32) / 510, kind=tf.uint8)
    picture = photograph[:32, :40]
    np.testing.assert_allclose(rendered(path, picture), picture / 2, atol=1e-3)


def test_channels_may_come_first_and_placeholders_that_nothing_uses_do_no_harm(tmp_path, photograph):
    path = freeze(tmp_path / "a.pb", lambda picture, unused: 0.5 * picture, (1, 3, None, None), unused=())
    picture = photograph[:32, :40]
    np.testing.assert_allclose(rendered(path, picture), picture / 2, atol=1e-3)


def test_a_graph_of_one_size_renders_at_that_size(tmp_path, photograph):
    path = freeze(tmp_path / "a.pb", lambda picture: 0.5 * picture, (1, 64, 96, 3))
    picture = np.repeat(np.linspace(20, 200, 150, dtype=np.float32)[:, np.newaxis], 225, 1)[..., np.newaxis]
    picture = np.repeat(picture, 3, 2)
    result = rendered(path, picture)
    assert result.shape == picture.shape
    np.testing.assert_allclose(result[8:-8], picture[8:-8] / 2, atol=1)


@pytest.mark.parametrize("halvings", [3, 4])
def test_a_network_that_halves_more_often_gets_sides_that_it_can_halve(tmp_path, photograph, halvings):
    def build(picture):
        small = picture
        for _ in range(halvings):
            small = tf.nn.avg_pool2d(small, 2, 2, "SAME")
        sides = 2**halvings * tf.shape(small)[1:3]
        return tf.add(0 * tf.image.resize(small, sides), picture[:, : sides[0], : sides[1]], name="result")

    picture = photograph[:45, :61]
    np.testing.assert_allclose(rendered(freeze(tmp_path / "a.pb", build), picture), picture, atol=1e-3)


def test_what_a_network_crops_is_given_to_it_beforehand(tmp_path, photograph):
    path = freeze(tmp_path / "a.pb", lambda picture: tf.identity(picture[:, 6:-6, 6:-6], "result"))
    picture = photograph[:45, :61]
    np.testing.assert_allclose(rendered(path, picture), picture, atol=1e-3)


def test_a_saved_model_of_one_picture(tmp_path, photograph):
    export_with_names(tmp_path / "model", lambda picture: tf.sigmoid(picture - 0.5))
    picture = photograph[:33, :46]
    expected = 255 / (1 + np.exp(0.5 - picture / 255))
    for path in (tmp_path / "model", tmp_path / "model" / "saved_model.pb"):
        np.testing.assert_allclose(rendered(path, picture), expected, atol=1e-3)


def variables(picture):
    return picture * tf.compat.v1.get_variable("share", ())


@pytest.mark.parametrize(
    "build, placeholders, expected",
    [
        (lambda picture: (0.5 * picture, 0.4 * picture), {}, "gives mul, mul_1; it must take one picture"),
        (
            lambda picture, strength: strength * picture,
            {"strength": ()},
            "takes .*; it must take one picture",
        ),
        (lambda picture: tf.reduce_mean(picture), {}, "gives nothing; it must"),
        (lambda picture: picture[..., :1], {}, "gives nothing; it must"),
        (lambda picture: tf.reduce_mean(picture, [1, 2]), {}, "gives nothing; it must"),
        (
            lambda picture: picture[:, ::2, ::2],
            {},
            "does not give a picture of the size of the one that it takes",
        ),
        (variables, {}, "its variables, such as share, have no values; freeze it first"),
    ],
)
def test_a_graph_without_one_picture_in_and_one_out_is_refused(
    tmp_path, photograph, build, placeholders, expected
):
    path = freeze(tmp_path / "graph.pb", build, **placeholders)
    with pytest.raises(InputError, match=expected) as error:
        rendered(path, photograph[:32, :32])
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_damaged_graph_is_refused(tmp_path, photograph):
    path = freeze(tmp_path / "graph.pb", lambda picture: 0.5 * picture)
    whole = path.read_bytes()
    for damaged in (whole[:60], whole[:-7], whole.replace(b"Mul", b"Mxl")):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"graph\.pb: ") as error:
            rendered(path, photograph[:32, :32])
        assert "\n" not in str(error.value)


def test_the_command_takes_both_kinds_and_makes_them_again_from_a_record(
    tmp_path, photograph, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    iio.imwrite("content.png", photograph[:45, :61].astype(np.uint8))
    iio.imwrite("style.png", np.full((40, 40, 3), 51, np.uint8))
    freeze(tmp_path / "graph", darker((0.0, 1.0)))
    export_like_magenta(tmp_path / "model")
    options = ["--content", "content.png", "--output"]
    assert cli.main(["--transform", "graph", *options, "one.png"]) == 0
    content = iio.imread("content.png").astype(float)
    np.testing.assert_allclose(iio.imread("one.png"), content / 2, atol=0.51)
    assert cli.main(["--transform", "model", "--style", "style.png", *options, "two.png"]) == 0
    np.testing.assert_allclose(iio.imread("two.png"), content / 2 + 51, atol=0.51)
    for name in ("one.png", "two.png"):
        assert cli.main(["--from-record", name, "--output", f"again_{name}"]) == 0
        np.testing.assert_array_equal(iio.imread(f"again_{name}"), iio.imread(name))
    capsys.readouterr()
    for line, expected in (
        ("--transform graph --style style.png", "--styles does not go with --transform"),
        ("--transform model", "model: takes a style picture as well; name one with --style"),
        ("--transform graph --tile 64", "--tile is 64; it must be left out"),
        ("--transform model --style style.png content.png", "--transform takes one style picture"),
    ):
        assert cli.main([*line.split(), *options, "more.png"]) == 2
        printed = capsys.readouterr().err
        assert expected in printed and printed.count("\n") == 1

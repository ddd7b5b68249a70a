import numpy as np
import pytest
import tensorflow as tf

from neuralstyle.feedforward import transform
from neuralstyle.feedforward.checkpoints import OWN_NAMES, read_checkpoint, read_network
from neuralstyle.files import InputError

V1 = tf.compat.v1.train.SaverDef.V1
V2 = tf.compat.v1.train.SaverDef.V2


@pytest.fixture(scope="module")
def weights():
    rng = np.random.default_rng(3)
    shapes = {name: value.shape for name, value in transform.initial_weights(0.125).items()}
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def save(path, arrays, version=V2, names=None, adam=False, left_out=()):
    """Write a checkpoint with TensorFlow 1's machinery, which names unnamed variables itself."""
    with tf.Graph().as_default() as graph:
        variables = [
            tf.compat.v1.Variable(array, name=names and names[name]) for name, array in arrays.items()
        ]
        if adam:
            loss = tf.add_n([tf.reduce_sum(tf.square(variable)) for variable in variables])
            # A learning rate of 0: the slots get values, the weights stay.
            train = tf.compat.v1.train.AdamOptimizer(0.0).minimize(loss)
        kept = [v for v in tf.compat.v1.global_variables() if v.op.name not in left_out]
        saver = tf.compat.v1.train.Saver(kept, write_version=version)
        initializer = tf.compat.v1.global_variables_initializer()
    with tf.compat.v1.Session(graph=graph) as session:
        session.run(initializer)
        if adam:
            session.run(train)
        return saver.save(session, str(path))


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("adam", [False, True])
def test_a_checkpoint_of_fast_style_transfer_is_read(tmp_path, weights, version, adam):
    path = tmp_path / "wave.ckpt"
    save(path, weights, version, adam=adam)
    assert path.is_file() == (version == V1)
    assert_same(read_checkpoint(path), weights)


def test_our_own_checkpoint_is_read(tmp_path, weights):
    save(tmp_path / "own.ckpt", weights, names=OWN_NAMES, adam=True)
    assert_same(read_checkpoint(tmp_path / "own.ckpt"), weights)


@pytest.mark.parametrize("ending", [".index", ".meta", ".data-00000-of-00001"])
def test_any_file_of_a_checkpoint_names_it(tmp_path, weights, ending):
    path = save(tmp_path / "wave.ckpt", weights)
    assert_same(read_checkpoint(path + ending), weights)


def test_a_folder_stands_for_its_latest_checkpoint(tmp_path, weights):
    save(tmp_path / "wave.ckpt", weights)
    assert_same(read_checkpoint(tmp_path), weights)


def test_the_variable_that_is_missing_is_named(tmp_path, weights):
    path = save(tmp_path / "short.ckpt", weights, left_out=["Variable_17"])
    with pytest.raises(InputError, match=r"variable Variable_17 is missing.*residual2/conv1/scale"):
        read_checkpoint(path)


def test_a_variable_of_another_shape_is_named_with_both_shapes(tmp_path, weights):
    wrong = weights | {"conv2/kernel": np.zeros((3, 3, 5, 8), np.float32)}
    path = save(tmp_path / "wrong.ckpt", wrong)
    with pytest.raises(
        InputError, match=r"variable Variable_3 has the shape \(3, 3, 5, 8\); .* \(3, 3, 4, 8\)"
    ):
        read_checkpoint(path)


def test_a_last_layer_of_other_than_three_channels_is_refused(tmp_path, weights):
    wrong = weights | {"output/kernel": np.zeros((9, 9, 4, 1), np.float32)}
    path = save(tmp_path / "grey.ckpt", wrong)
    with pytest.raises(InputError, match=r"Variable_45 .* \(9, 9, 4, 3\)"):
        read_checkpoint(path)


def test_values_that_are_not_finite_are_named(tmp_path, weights):
    wrong = weights | {"conv1/shift": np.array([1, np.nan, 0, 0], np.float32)}
    path = save(tmp_path / "nan.ckpt", wrong)
    with pytest.raises(InputError, match="variable Variable_1 holds values that are not finite"):
        read_checkpoint(path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = save(tmp_path / "other.ckpt", {"w": np.ones(3, np.float32)}, names={"w": "encoder/w"})
    with pytest.raises(InputError, match="holds no transform network; it has encoder/w"):
        read_checkpoint(path)


def test_a_file_that_is_no_checkpoint_is_named_in_one_line(tmp_path):
    path = tmp_path / "picture.ckpt"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(InputError, match="picture.ckpt: cannot be read as a TensorFlow checkpoint") as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("version", [V1, V2])
def test_a_truncated_checkpoint_is_named_in_one_line(tmp_path, weights, version):
    path = tmp_path / "half.ckpt"
    save(path, weights, version)
    data = path if version == V1 else path.with_name("half.ckpt.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    with pytest.raises(InputError, match="half.ckpt: cannot be read as a TensorFlow checkpoint") as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_checkpoint_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="none.ckpt: there is no such checkpoint"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match="the folder has no checkpoint"):
        read_checkpoint(tmp_path)


def in_another_folder(tmp_path, weights, name="m [v2]", version=V2):
    """A checkpoint in a folder that TensorFlow would take for a pattern."""
    save(tmp_path / "wave.ckpt", weights, version)
    folder = tmp_path / name
    folder.mkdir()
    for file in tmp_path.glob("wave.ckpt*"):
        file.rename(folder / file.name)
    return folder


@pytest.mark.parametrize("version", [V1, V2])
def test_a_checkpoint_in_a_folder_with_brackets_is_read(tmp_path, weights, version):
    folder = in_another_folder(tmp_path, weights, version=version)
    assert_same(read_checkpoint(folder / "wave.ckpt"), weights)


@pytest.mark.parametrize(
    "written",
    [
        b'model_checkpoint_path: "/home/me/models/wave.ckpt"\n',
        rb'model_checkpoint_path: "C:\\users\\me\\wave.ckpt"',
        rb'model_checkpoint_path: "C:\users\me\wave.ckpt"',
        b'model_checkpoint_path: "gone.ckpt"',
        b"\xff\x00 nothing",
        None,
    ],
)
def test_a_folder_that_was_moved_still_stands_for_its_checkpoint(tmp_path, weights, written):
    folder = in_another_folder(tmp_path, weights)
    (folder / "wave.ckpt.training.index").write_bytes(b"a state, no checkpoint")
    if written:
        (folder / "checkpoint").write_bytes(written)
    assert_same(read_checkpoint(folder), weights)


def test_of_several_checkpoints_one_has_to_be_named(tmp_path, weights):
    folder = in_another_folder(tmp_path, weights)
    (folder / "b.ckpt.index").write_bytes(b"")
    with pytest.raises(InputError, match="several checkpoints; name one of b.ckpt, wave.ckpt"):
        read_checkpoint(folder)


def test_a_checkpoint_of_hwalsuklee_is_read(tmp_path, weights):
    names = {}
    for name in weights:
        layer, part = name.rsplit("/", 1)
        layer = layer.replace("residual", "resid").replace("/conv", "_").replace("transposed", "convt")
        names[name] = f"{layer.replace('output', 'convt3')}/{'weight' if part == 'kernel' else part}"
    assert names["residual5/conv2/kernel"] == "resid5_2/weight" and names["output/scale"] == "convt3/scale"
    network = read_network(save(tmp_path / "wave.ckpt", weights, names=names, adam=True))
    assert_same(network.weights, weights)
    assert network.layout == transform.HWALSUKLEE and not network.own

"""Where and how graphs are computed: what can be known without a GPU."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from neuralstyle import RECIPES, InputError
from neuralstyle.graphs import (
    Machine,
    accelerator_bytes,
    custom_gradient,
    derivatives,
    new_graph,
    open_session,
    session_config,
    thread_count,
)
from neuralstyle.loss.fallback import WholeThenTiledLoss
from neuralstyle.loss.losses import open_loss
from neuralstyle.loss.terms import objective_of
from neuralstyle.preparation import scene_of


def test_a_session_takes_of_a_card_what_it_needs_and_nothing_where_the_cpu_is_asked_for():
    assert session_config(Machine()).gpu_options.allow_growth
    assert dict(session_config(Machine(device="cpu")).device_count) == {"GPU": 0}
    assert dict(session_config(Machine(device="/CPU:0")).device_count) == {"GPU": 0}
    assert dict(session_config(Machine(device="gpu")).device_count) == {}


def test_threads_are_those_asked_for_or_those_that_this_process_may_use():
    assert thread_count(Machine(threads=3)) == 3
    assert thread_count(Machine()) >= 1
    with pytest.raises(InputError, match="threads is 0"):
        thread_count(Machine(threads=0))


def test_tensorfloat_32_is_off_unless_it_is_asked_for():
    def opened(machine):
        with new_graph() as graph:
            tf.constant(1.0)
        open_session(graph, machine).close()
        return tf.config.experimental.tensor_float_32_execution_enabled()

    assert not opened(Machine())
    assert opened(Machine(fast_math=True))
    assert not opened(Machine())


def test_a_second_number_of_threads_in_one_process_is_told_of():
    with new_graph() as graph:
        tf.constant(1.0)
    open_session(graph).close()
    with new_graph() as graph:
        tf.constant(1.0)
    with pytest.warns(UserWarning, match="goes on with"):
        open_session(graph, Machine(threads=thread_count(Machine()) + 1)).close()


def test_without_a_card_there_is_no_memory_of_one():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a card")
    assert accelerator_bytes(Machine()) is None


def test_where_the_memory_of_a_card_runs_out_the_same_loss_goes_on_in_tiles(small_network, photograph):
    content, style = photograph[:80, :96], photograph[100:148, :48]
    objective = objective_of(RECIPES["cookbook"])
    scene = scene_of(content, style)

    class Full:
        """A card with less room than it seemed to have."""

        tile, closed = None, False

        def losses_and_gradient(self, picture):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

        def __exit__(self, *exception):
            self.closed = True

    full = Full()
    picture = np.ascontiguousarray(content[::-1])
    tiled = WholeThenTiledLoss(full, lambda: open_loss(small_network, objective, scene, Machine(tile=48)))
    with tiled as loss, open_loss(small_network, objective, scene, Machine(tile=None)) as whole:
        with pytest.warns(UserWarning, match="going on in tiles of 48 pixels"):
            losses, gradient = loss.losses_and_gradient(picture)
        expected, slope = whole.losses_and_gradient(picture)
    assert full.closed and loss.tile == 48
    assert losses == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, atol=1e-4 * np.abs(slope).max())


def test_an_evaluation_gives_the_same_bits_every_time(shipped_network, photograph):
    """TensorFlow's AddN begins with whichever of its inputs is free: sums of three would change."""
    content, style = photograph[100:132, 120:160], photograph[:32, 200:232]
    scene = scene_of(content, style)
    with open_loss(shipped_network, objective_of(RECIPES["cookbook"]), scene, Machine(tile=None)) as loss:
        assert not [
            operation
            for operation in loss.graph.get_operations()
            if len(operation.inputs) > 2 and operation.type == "AddN"
        ]
        found = {loss.losses_and_gradient(content[::-1])[1].tobytes() for _ in range(60)}
    assert len(found) == 1


def test_tensorflow_does_not_join_additions_again():
    rewrites = session_config(Machine()).graph_options.rewrite_options
    assert rewrites.arithmetic_optimization == rewrites.OFF


@custom_gradient
def product_and_sum(x, y):
    """With a derivative that nobody would take for TensorFlow's own."""
    return (x * y, x + y), lambda by_product, by_sum: [by_product * y + 10 * by_sum, by_product * x]


def test_a_custom_gradient_is_what_its_function_says():
    with new_graph() as graph:
        x, y = tf.constant([2.0, 3.0]), tf.constant([5.0, 7.0])
        product, total = product_and_sum(x, y)
        slopes = derivatives(3 * product + total, [x, y])
    with open_session(graph) as session:
        found = session.run([product, total, *slopes])
    np.testing.assert_array_equal(found, [[10, 21], [7, 10], [25, 31], [6, 9]])


def test_a_graph_with_custom_gradients_is_freed_with_what_it_holds():
    with new_graph() as graph:
        x = tf.constant([2.0])
        slopes = derivatives(product_and_sum(x, x)[0], [x])
    with open_session(graph) as session:
        session.run(slopes)
    freed = weakref.ref(graph)
    del graph, x, slopes, session
    gc.collect()
    assert freed() is None

"""What the renderers share: a graph, a session that stays open on it, and its results as functions."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.pictures import Render
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, new_graph, open_session

#: A tensor, and the placeholders that it is computed from, each a batch of one.
Result = tuple[tf.Tensor, Sequence[tf.Tensor]]


@dataclass(frozen=True, eq=False)
class Rendering:
    """How pictures are rendered, in whatever process: what it holds can be sent to another.

    Attributes
    ----------
    open_renderer : callable
        From ``machine`` to a context manager that gives a `Render`: one of the networks' ``renderer`` with
        its other arguments.
    machine : Machine
        With "auto" as its tile, ``treat`` chooses.
    treat : callable
        From a `TiledRender` and a picture to what the picture becomes.
    """

    open_renderer: Callable[..., AbstractContextManager]
    machine: Machine
    treat: Callable[["TiledRender", np.ndarray], np.ndarray]

    @contextmanager
    def opened(self) -> Iterator[Render]:
        """Open the network for as long as the block lasts."""
        with TiledRender(self.open_renderer, self.machine) as render:
            yield partial(self.treat, render)


class TiledRender:
    """A network that is open for whole pictures, or for tiles of one size: whatever was last asked for.

    A context manager; parameters are those of `Rendering`.
    """

    def __init__(self, open_renderer: Callable[..., AbstractContextManager], machine: Machine) -> None:
        self._open_renderer, self._machine = open_renderer, machine
        self._stack = ExitStack()

    def __enter__(self) -> "TiledRender":
        self._open(self._machine.tile if isinstance(self._machine.tile, int) else None)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def __call__(self, picture: np.ndarray, tile: int | None) -> np.ndarray:
        """Render a picture as a `Render` does it, in tiles of so many pixels; None: as a whole."""
        if tile != self._tile:
            self._stack.close()
            self._open(tile)
        return self._render(picture)

    def _open(self, tile: int | None) -> None:
        machine = replace(self._machine, tile=tile)
        self._tile = tile
        self._render = self._stack.enter_context(self._open_renderer(machine=machine))


def function_of(session: tf.compat.v1.Session, result: tf.Tensor, inputs: Sequence[tf.Tensor]) -> Callable:
    """A result of a session's graph as a function of arrays.

    Parameters
    ----------
    session : tf.compat.v1.Session
    result : tf.Tensor or str
        1×…
    inputs : sequence of (tf.Tensor or str)
        Placeholders, 1×… each.

    Returns
    -------
    callable
        From arrays to an array, all without the batch's axis. Raises an InputError where the memory does not
        suffice.
    """
    run = session.make_callable(result, list(inputs))

    def function(*arrays: np.ndarray) -> np.ndarray:
        try:
            return run(*(array[np.newaxis] for array in arrays))[0]
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            height, width = arrays[0].shape[:2]
            raise InputError(
                f"the memory does not suffice for {width}×{height} pixels; make the picture smaller, with "
                "--longer-side"
            ) from error

    return function


@contextmanager
def open_functions(
    build: Callable[[], Sequence[Result]], machine: Machine | None = None
) -> Iterator[list[Callable]]:
    """Build a graph and open a session on it, for as long as the block lasts.

    Parameters
    ----------
    build : callable
        Builds in the default graph; returns the results, each with its placeholders.
    machine : Machine, optional
        What the graph runs on.

    Yields
    ------
    list of callable
        One a result, as `function_of` gives it.
    """
    with new_graph(machine) as graph:
        results = build()
    with closing(open_session(graph, machine)) as session:
        yield [function_of(session, result, inputs) for result, inputs in results]


def picture_placeholder() -> tf.Tensor:
    """A placeholder for one picture of any size, 1×H×W×3, float32, RGB, 0..255."""
    return tf.compat.v1.placeholder(tf.float32, (1, None, None, 3))

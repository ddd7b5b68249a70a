"""TensorFlow in graph mode: arrays that a graph holds, the session that runs it, and on what."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import wraps

import numpy as np
import tensorflow as tf

from neuralstyle import environment, free_memory
from neuralstyle.files import InputError, require

_HELD = "neuralstyle/held"
_DERIVED = "neuralstyle/derived"


@dataclass(frozen=True)
class Machine:
    """Where and how graphs are computed.

    Attributes
    ----------
    threads : int or None
        How many threads one operation may use; None: as many as there are cores.
    device : str or None
        ``"cpu"``, ``"gpu"`` or TensorFlow's name of one, such as ``"/GPU:1"``; None: a GPU where
        TensorFlow sees one.
    tile : int, "auto" or None
        The longest side of a tile in pixels; None takes pictures whole; "auto" takes them whole where
        they fit into the memory that is free, and in tiles otherwise. The result is the same.
    fast_math : bool
        Whether a GPU may round the factors of its products to TensorFloat-32, with 10 bits of the 23.
    deterministic : bool
        Whether a GPU computes the same bits every time, at the price of its fastest operations.
    cluster : neuralstyle.cluster.Cluster or None
        Workers that compute the tiles of a picture; None: this process does.
    """

    threads: int | None = None
    device: str | None = None
    tile: int | str | None = "auto"
    fast_math: bool = False
    deterministic: bool = False
    cluster: object | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU was asked for."""
        return self.device is not None and "cpu" in self.device.lower()


def _device_name(device: str) -> str:
    """TensorFlow's name of a device.

    Raises
    ------
    InputError
        If TensorFlow sees no such device.
    """
    name = {"cpu": "/CPU:0", "gpu": "/GPU:0"}.get(device.lower(), "/" + device.upper().lstrip("/"))
    there = [
        f"/{kind}:{index}"
        for kind in ("CPU", "GPU")
        for index in range(len(tf.config.list_physical_devices(kind)))
    ]
    if name not in there:
        raise InputError(
            f"device {device}: TensorFlow sees no such device; it sees {', '.join(there)}", fields=("device",)
        )
    return name


def thread_count(machine: Machine) -> int:
    """How many threads one operation uses on a machine.

    Raises
    ------
    InputError
        If the number of threads is not positive.
    """
    if machine.threads is None:
        # What a scheduler leaves to this process, where the system says so.
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    require(machine.threads >= 1, "threads", machine.threads, "1 or more")
    return machine.threads


@contextmanager
def new_graph(machine: Machine | None = None) -> Iterator[tf.Graph]:
    """Make a graph and build in it, on the device of a machine, for as long as the block lasts.

    Parameters
    ----------
    machine : Machine, optional

    Yields
    ------
    tf.Graph

    Raises
    ------
    InputError
        If TensorFlow sees no such device.
    """
    device = machine.device if machine else None
    if machine is not None:
        _thread_pool(machine)
    graph = tf.Graph()
    with graph.as_default(), graph.device(device and _device_name(device)):
        yield graph


def held(array: np.ndarray, name: str) -> tf.Tensor:
    """Give the default graph an array that it does not carry in its definition.

    A constant would be copied into the graph's definition, which TensorFlow then folds, copies and
    limits to 2 GB; a variable that `open_session` fills once costs one copy and no time.

    Parameters
    ----------
    array : ndarray
        Any shape and dtype.
    name : str
        What the variable is called in the graph.

    Returns
    -------
    tf.Tensor
        Of the array's shape and dtype.
    """
    return held_variable(array, name).read_value()


def held_variable(array: np.ndarray, name: str) -> tf.Variable:
    """As `held`, for an array in whose place another comes later."""
    array = np.asarray(array)
    value = tf.compat.v1.placeholder(array.dtype, array.shape, name=f"{name}_value")
    variable = tf.compat.v1.Variable(value, trainable=False, use_resource=True, name=name, collections=[])
    tf.compat.v1.add_to_collection(_HELD, (variable.initializer, value, array))
    return variable


def session_config(machine: Machine) -> tf.compat.v1.ConfigProto:
    """How a session on a machine is configured.

    One operation at a time, each on all cores: a VGG is a chain, and two of its convolutions at once only
    fight over the caches (0.47 s against 0.55 s an iteration on two cores). Memory of a GPU is taken as it
    is needed, for others may use the card; where the CPU was asked for, none of it is.

    TensorFlow's rewriting of sums is off: it makes one AddN of several additions, and AddN begins with
    whichever of its inputs happens to be free, so that the last bits would change from run to run.

    Raises
    ------
    InputError
        If the number of threads is not positive.
    """
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=thread_count(machine),
        inter_op_parallelism_threads=1,
        allow_soft_placement=True,  # what has no kernel on the device runs on the CPU
        device_count={"GPU": 0} if machine.on_cpu else {},
        gpu_options=tf.compat.v1.GPUOptions(allow_growth=True),
    )
    rewrites = config.graph_options.rewrite_options
    rewrites.arithmetic_optimization = rewrites.OFF
    return config


#: Derivatives that meet are added two at a time, where their order cannot matter (see `session_config`).
AGGREGATION = tf.AggregationMethod.EXPERIMENTAL_TREE


def derivatives(
    value: tf.Tensor | list[tf.Tensor], inputs: list[tf.Tensor], **given: object
) -> list[tf.Tensor]:
    """As `tf.gradients`, to the same bits in every run."""
    return tf.gradients(value, inputs, aggregation_method=AGGREGATION, **given)


def custom_gradient(function: Callable) -> Callable:
    """As `tf.custom_gradient`, for graphs that end.

    TensorFlow's own keeps every gradient that was ever defined for as long as the process lasts, and with
    it the graph that it is of and all that this graph holds: a network in one pass leaves its weights, 5 to
    17 MB a picture. Here a graph has its gradients itself, and is freed with them.

    Parameters
    ----------
    function : callable
        From tensors to a result, a tensor or a tuple of them, and a function from the derivatives with
        respect to these to those with respect to the tensors.

    Returns
    -------
    callable
        From tensors to the result alone.
    """

    @wraps(function)
    def derived(*inputs: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, ...]:
        graph = tf.compat.v1.get_default_graph()
        if tf.executing_eagerly() or graph.building_function:
            return tf.custom_gradient(function)(*inputs)
        result, gradient = function(*inputs)
        results = tf.nest.flatten(result)
        with graph.gradient_override_map({"IdentityN": _DERIVED}):
            same = tf.identity_n([*results, *inputs])[: len(results)]
        known = graph.get_collection_ref(_DERIVED)
        if not known:
            known.append({})
        known[0][same[0].op.name] = len(results), gradient
        return tf.nest.pack_sequence_as(result, same)

    return derived


def _custom_derivatives(operation: tf.Operation, *upstream: tf.Tensor) -> list[tf.Tensor | None]:
    """The derivatives of what `custom_gradient` has built: of its results, none, and of its inputs."""
    (known,) = operation.graph.get_collection_ref(_DERIVED)
    count, gradient = known[operation.name]
    found = gradient(*upstream[:count])
    return [None] * count + (list(found) if isinstance(found, list | tuple) else [found])


with suppress(KeyError):  # it is there already where a notebook loads this module again
    tf.RegisterGradient(_DERIVED)(_custom_derivatives)


def open_session(graph: tf.Graph, machine: Machine | None = None) -> tf.compat.v1.Session:
    """Open a session on a graph and fill the arrays that the graph holds.

    A graph is opened once: its arrays are the session's from then on.

    Parameters
    ----------
    graph : tf.Graph
        A finished graph.
    machine : Machine, optional
        How it is computed; the device is the graph's own.

    Returns
    -------
    tf.compat.v1.Session
        For use in a ``with`` statement, or to be closed by its owner.

    Raises
    ------
    InputError
        If the number of threads is not positive.

    Warns
    -----
    UserWarning
        If an earlier session of this process had another number of threads, which TensorFlow then keeps.
    """
    machine = machine or Machine()
    threads, first = thread_count(machine), _thread_pool(machine)
    if threads != first:
        warnings.warn(
            f"TensorFlow goes on with {first} threads, which this process began with, not {threads}",
            stacklevel=2,
        )
    # Rounding to TensorFloat-32 would make tiles differ from whole pictures, and L-BFGS stop early.
    tf.config.experimental.enable_tensor_float_32_execution(machine.fast_math)
    if machine.deterministic:
        tf.config.experimental.enable_op_determinism()
    session = tf.compat.v1.Session(graph=graph, config=session_config(machine))
    given = graph.get_collection(_HELD)
    session.run(
        [initializer for initializer, _, _ in given],
        {placeholder: array for _, placeholder, array in given},
    )
    graph.clear_collection(_HELD)
    return session


def check_threads(machine: Machine) -> None:
    """Make sure that this process computes with the threads of a machine, and not with those it began with.

    Raises
    ------
    InputError
        If an earlier session of this process had another number of threads, which TensorFlow then keeps.
    """
    threads, first = thread_count(machine), _thread_pool(machine)
    if threads != first:
        raise InputError(
            f"began with {first} threads and keeps them, but the run has {threads}; start it anew, or give "
            f"threads {first}",
            fields=("threads",),
        )


_POOL: list[int] = []


def _thread_pool(machine: Machine) -> int:
    """How many threads TensorFlow's pool has: the process has one, and its first session decides.

    Building some graphs makes TensorFlow's eager context, whose pool has a thread for each core, so a session
    is opened before.
    """
    if not _POOL:
        _POOL.append(thread_count(machine))
        _begin(session_config(machine))
        free_memory.KEPT.append(_kept_bytes)
    return _POOL[0]


def _begin(config: tf.compat.v1.ConfigProto) -> None:
    """Open this process's first session, and run nothing in it."""
    # Before 2.21 the first run prints a line whatever the environment says.
    version = tuple(int(number) for number in tf.__version__.split(".")[:2])
    talkative = version < (2, 21) and environment.wants_no_messages()
    with environment.unheard() if talkative else nullcontext():
        graph = tf.Graph()
        with graph.as_default():
            nothing = tf.no_op()
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            session.run(nothing)


def _kept_bytes() -> int:
    """What TensorFlow's own allocator keeps, once a first picture has been computed, for the next."""
    # Where there is a card, asking would take some of its memory.
    if tf.config.list_physical_devices("GPU"):
        return 0
    try:
        told = tf.config.experimental.get_memory_info("CPU:0")
    except (ValueError, tf.errors.OpError):  # the C library's allocator keeps no account
        return 0
    return max(0, told["peak"] - told["current"])


def cpu_in_use() -> Machine:
    """The CPU, with the threads that this process computes with."""
    return Machine(threads=_POOL[0] if _POOL else None, device="cpu")


def accelerator_bytes(machine: Machine) -> int | None:
    """The memory that is free on the GPU that the graphs of a machine run on, in bytes.

    Returns
    -------
    int or None
        None where they run on the CPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus or machine.on_cpu:
        return None
    # TensorFlow tells its own limit for each card, and what it has taken of it.
    from tensorflow.python.client import device_lib

    name = _device_name(machine.device or "gpu").upper()
    limits = {
        f"/GPU:{device.name.rsplit(':', 1)[-1]}": device.memory_limit
        for device in device_lib.list_local_devices()
        if device.device_type == "GPU"
    }
    used = tf.config.experimental.get_memory_info(name.lstrip("/"))["current"]
    return limits[name] - used

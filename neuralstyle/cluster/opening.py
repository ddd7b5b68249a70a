"""Clusters started on this machine, or found at an address."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neuralstyle.cluster.workers import PATIENCE, Cluster
from neuralstyle.files import InputError, first_line

if TYPE_CHECKING:
    from distributed import Client

#: How long a scheduler may take to answer for the first time; twice that passes at most.
_SECONDS_TO_CONNECT = 4.0

#: What a worker begins with in place of Dask's choice, which leaves NumPy one thread: its log goes nowhere.
_ENVIRONMENT = {"DASK_LOGGING__DISTRIBUTED": "critical"}


@contextmanager
def local_cluster(count: int, gpus: Sequence[str] = (), patience: float = PATIENCE) -> Iterator[Cluster]:
    """Start workers on this machine, processes that nobody but this machine can reach.

    Parameters
    ----------
    count : int
    gpus : sequence of str
        The names by which CUDA knows the cards that there are; the workers have one each, in turn.
    patience : float
        As in `Cluster`.

    Raises
    ------
    InputError
        If Dask is not installed, or the workers do not start.
    """
    _check_installed()
    import dask
    from distributed import Client, Nanny, Scheduler
    from distributed.deploy.spec import SpecCluster
    from distributed.security import Security

    def options(index: int) -> dict:
        return {
            "nthreads": 1,  # of Dask's own; TensorFlow's are the run's
            "memory_limit": 0,
            "host": "127.0.0.1",
            "security": plain,
            "dashboard": False,
            "preload": ["neuralstyle.cluster.keeping"],
            "env": {"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {},
        }

    plain = Security(require_encryption=False)
    scheduler = {"host": "127.0.0.1", "port": 0, "security": plain, "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": _ENVIRONMENT}),
        SpecCluster(
            scheduler={"cls": Scheduler, "options": scheduler},
            workers={index: {"cls": Nanny, "options": options(index)} for index in range(count)},
            security=plain,
            silence_logs=logging.CRITICAL,
        ) as started,
        Client(started, security=plain, set_as_default=False) as client,
    ):
        cluster = Cluster(client, patience)
        cluster.wait_for(count)
        yield cluster


@contextmanager
def cluster_at(address: str, patience: float = PATIENCE) -> Iterator[Cluster]:
    """Use the workers of a cluster that runs.

    Encryption and certificates are those of Dask's own configuration.

    Parameters
    ----------
    address : str
        The scheduler's, such as ``tcp://head:8786`` or ``tls://head:8786``.
    patience : float
        As in `Cluster`.

    Raises
    ------
    InputError
        If Dask is not installed, nothing answers there within ten seconds, or no worker can take part.
    """
    _check_installed()
    with _client_of(address) as client:
        cluster = Cluster(client, patience)
        cluster.wait_for(1)
        yield cluster


def _client_of(address: str) -> "Client":
    """Connect to a scheduler.

    Dask waits for whom it knows to be there; a name server or a program that says nothing may keep it waiting
    for ever, so it does so in a thread that nobody waits for.

    Raises
    ------
    InputError
        If that fails, or takes longer than it may.
    """
    from distributed import Client

    outcome: list[Client | BaseException] = []

    def connect() -> None:
        try:
            outcome.append(Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False))
        except BaseException as error:  # nobody there, somebody else, the wrong certificate, no address
            outcome.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(2 * _SECONDS_TO_CONNECT)
    found = outcome[0] if outcome else TimeoutError("it takes too long")
    if isinstance(found, BaseException):
        raise InputError(f"{address}: no scheduler of Dask answers there ({_why(found)})") from found
    return found


def _why(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error) or type(error).__name__


def _check_installed() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError(
            "several workers need Dask; install it with pip install 'neuralstyle[cluster]'"
        ) from error

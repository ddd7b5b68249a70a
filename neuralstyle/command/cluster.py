"""The workers of a run, as the options ask for them."""

import logging
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neuralstyle.command.terminal import tell
from neuralstyle.files import InputError, require

if TYPE_CHECKING:
    from neuralstyle.cluster import Cluster


def check_cluster_options(options: Namespace) -> None:
    """Find out whether the options make sense, before any work.

    Raises
    ------
    InputError
        If they do not.
    """
    require(options.workers is None or 1 <= options.workers <= 256, "workers", options.workers, "1 to 256")


def threads_of(options: Namespace) -> int | None:
    """How many threads each process computes with: what was asked for, or the cores by the workers here."""
    if options.threads is not None or options.workers is None:
        return options.threads
    from neuralstyle.graphs import Machine, thread_count

    return max(1, thread_count(Machine()) // options.workers)


@contextmanager
def opened_cluster(options: Namespace) -> "Iterator[Cluster | None]":
    """The workers that the options ask for; None where they ask for none.

    Raises
    ------
    InputError
        As `neuralstyle.cluster.local_cluster` and `neuralstyle.cluster.cluster_at`.
    """
    if options.workers is None and options.cluster is None:
        yield None
        return
    # What Dask tells its log of lost connections this program says itself, in a line.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    from neuralstyle.cluster import cluster_at, local_cluster
    from neuralstyle.graphs import Machine

    if options.workers is not None:
        opened = local_cluster(options.workers, [] if Machine(device=options.device).on_cpu else _gpus())
    else:
        opened = cluster_at(options.cluster)
    with opened as cluster:
        if not options.quiet:
            seen = f"; dashboard: {cluster.dashboard}" if cluster.dashboard else ""
            tell(f"{len(cluster.members)} workers at {cluster.address}{seen}")
        yield cluster


def _gpus() -> list[str]:
    """The names by which CUDA knows the cards that this process may use."""
    import tensorflow as tf

    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = len(tf.config.list_physical_devices("GPU"))
    return allowed.split(",")[:count] if allowed else [str(index) for index in range(count)]


def refuse_cluster(options: Namespace, what: str) -> None:
    """Refuse the options where nothing could be handed out.

    Raises
    ------
    InputError
        If one of them is given.
    """
    for name in ("workers", "cluster"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name} {what}")

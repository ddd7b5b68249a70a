"""The pictures of a folder on the workers of a cluster: read and written here, each made by one of them."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tensorflow.errors import ResourceExhaustedError

from neuralstyle import transfer
from neuralstyle.cluster import Cluster, ClusterRun, Kept, Piece
from neuralstyle.command.folder import Outcomes, Plan
from neuralstyle.command.progress import frames_bar
from neuralstyle.files import InputError
from neuralstyle.graphs import check_threads

if TYPE_CHECKING:
    from neuralstyle.pictures.reading import Picture
    from neuralstyle.runs.state import State


class _SkippedError(InputError):
    """The file is no picture, which was told already."""


def _checked(job: transfer.Job) -> transfer.Job:
    check_threads(job.machine)
    return job


def _made(job: transfer.Job, content: np.ndarray, resume: "State | None") -> transfer.Result:
    """At a worker: make a picture. What it would need to go on is not sent back, for it is finished."""
    job = replace(job, scene=replace(job.scene, content=content))
    try:
        return replace(transfer.run(job, resume=resume), state=None)
    except (MemoryError, ResourceExhaustedError) as error:
        raise InputError("the memory of its worker ran out; --tile 512 takes less") from error


def stylize(
    options: Namespace,
    plan: Plan,
    prepared: "Callable[[Picture, Path], object]",
    write: Callable[[object, transfer.Result], int],
    cluster: Cluster,
) -> int:
    """Make the pictures, as many at a time as there are workers.

    Parameters, result and errors are those of `neuralstyle.command.folder.stylize`; what a run of one picture
    would save on its way is not saved, so that a picture whose worker is lost is begun again.
    """
    outcomes = Outcomes(options, plan)
    files = list(plan.results.items())
    ready: dict[int, object] = {}

    def piece(index: int) -> Piece:
        path, result = files[index]

        def arguments() -> tuple:
            if index not in ready:  # else its worker was lost
                content = outcomes.read(path)
                if content is None:
                    raise _SkippedError(f"{path}: skipped")
                ready[index] = prepared(content, result)
            return ready[index].job.scene.content, ready[index].resume

        def shared() -> transfer.Job:
            job = ready[index].job
            machine = replace(job.machine, cluster=None)
            return replace(job, machine=machine, scene=replace(job.scene, content=None))

        return Piece(_made, (Kept("job", 0, shared, _checked),), arguments)

    run = ClusterRun(cluster, hanging=False)  # a large picture takes many times as long as a small one
    with frames_bar(options, len(files), "picture") as bar:
        cluster.on_progress = lambda done, count, workers: bar.set_postfix_str(f"{workers} workers")
        for index, outcome in run.map([piece(index) for index in range(len(files))]):
            bar.update()
            path, own = files[index][0], ready.pop(index, None)
            if isinstance(outcome, InputError):
                if not isinstance(outcome, _SkippedError):
                    outcomes.failed(path, outcome)
                continue
            try:
                write(own, outcome)
            except InputError as error:
                outcomes.failed(path, error)
                continue
            outcomes.made(path, outcome)
    run.close()
    outcomes.close()
    return 0

"""Pieces of work on Dask's workers, processes of this machine or of others.

`neuralstyle.cluster.opening` starts or finds the workers, `neuralstyle.cluster.workers` watches them,
`neuralstyle.cluster.runs` hands the pieces out, `neuralstyle.cluster.keeping` is what happens at a worker.
None of them knows what the pieces are: the tiles of a picture, or the pictures of a folder.
"""

from neuralstyle.cluster.opening import cluster_at, local_cluster
from neuralstyle.cluster.runs import ClusterRun, Kept, Piece, in_order
from neuralstyle.cluster.workers import Cluster, ClusterLostError

__all__ = [
    "Cluster",
    "ClusterLostError",
    "ClusterRun",
    "Kept",
    "Piece",
    "cluster_at",
    "in_order",
    "local_cluster",
]

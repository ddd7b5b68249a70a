"""The options of several workers; what they amount to is in `neuralstyle.command.cluster`."""

import argparse


def add_cluster_options(group: argparse._ArgumentGroup) -> None:
    """Add the options to a parser's group."""
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="compute the tiles of a picture, the pictures of a folder, or the frames of a film that a "
        "network renders, in N processes of this machine",
    )
    either.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="compute them on a Dask cluster, whose scheduler is at an address such as tcp://head:8786",
    )

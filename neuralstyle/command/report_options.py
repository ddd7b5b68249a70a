"""The options for what a run leaves behind."""

import argparse


def add_report_options(group: argparse._ArgumentGroup) -> None:
    """Add the options for what there is beside the picture, and for several pictures at once."""
    add = group.add_argument
    add("--print-iterations", type=int, metavar="N", help="print the losses every N iterations")
    add(
        "--checkpoint-output",
        metavar="FORM",
        help="write snapshots, pictures on the way, to names such as out_{:05}.jpg or out_%%05d.jpg",
    )
    add(
        "--checkpoint-iterations",
        dest="checkpoint_every",
        type=int,
        metavar="N",
        help="take a snapshot every N iterations",
    )
    add("--timelapse", metavar="FILE.gif|mp4", help="write the snapshots as a film")
    add("--history", metavar="FILE.csv", help="write the losses of every iteration as a table")
    add(
        "--progress-write",
        action="store_true",
        help="write the losses of every iteration to progress.txt in the output's folder",
    )
    add(
        "--progress-plot",
        action="store_true",
        help="draw the losses of every iteration to progress.png in the output's folder",
    )
    add("--logdir", metavar="DIR", help="write losses, pictures and graph as events for TensorBoard")
    add("--record", metavar="FILE.json", help="write every setting that made the picture to a file")
    add(
        "--from-record",
        metavar="FILE",
        help="make a picture again from its record, or from a PNG of neuralstyle, which carries one",
    )
    add("--resume", action="store_true", help="go on with a stopped run; in a folder, make what is missing")
    add("--quiet", action="store_true", help="show no progress")
    add(
        "--vary",
        nargs="+",
        action="append",
        metavar=("OPTION", "VALUE"),
        help="make a picture for each of these values of an option, such as style-weight 500 2000 8000 or "
        "seed 1..8; given twice, for each combination",
    )
    add("--contact-sheet", metavar="FILE", help="put the pictures of --vary on one sheet, side by side")

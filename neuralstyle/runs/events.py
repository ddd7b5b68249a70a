"""A run as TensorBoard shows it: losses, pictures, and the graph of the loss."""

from pathlib import Path

import imagecodecs
import numpy as np
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.runs.history import Step
from neuralstyle.runs.watching import Beginning, Watcher

Summary = tf.compat.v1.Summary


class EventWriter(Watcher):
    """Writes a TensorBoard event file while a run goes on; TensorBoard itself is not needed for it.

    A context manager: what is still in memory is written when the block ends. What is older than ten
    seconds is in the file already.

    Parameters
    ----------
    folder : path
        Made if it is missing. Each writer adds a file of its own.
    first : int
        The iteration that a run goes on from. What an earlier file in the folder says about this
        iteration and later ones, TensorBoard then forgets.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """

    def __init__(self, folder: str | Path, first: int = 0) -> None:
        try:
            # TensorFlow 1's writer works where graphs are built, which need not be so where it is used.
            with tf.Graph().as_default():
                self._writer = tf.compat.v1.summary.FileWriter(str(folder), flush_secs=10)
        except (tf.errors.OpError, OSError) as error:
            raise InputError(f"{folder}: no folder for events can be made there; name another") from error
        if first:
            start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
            self._writer.add_session_log(start, first)

    def __enter__(self) -> "EventWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        self._writer.close()

    def begin(self, beginning: Beginning) -> None:
        """Write the graph of the loss, as a watcher of the run."""
        self.add_graph(beginning.graph)

    def step(self, step: Step) -> None:
        """Write the losses of a step, as a watcher of the run."""
        self.add_step(step)

    def snapshot(self, step: Step) -> None:
        """Write the picture of a step, as a watcher of the run."""
        self.add_picture(step.iteration, step.picture)

    def add_graph(self, graph: tf.Graph) -> None:
        """Write the definition of a graph, with the shapes of its tensors.

        Parameters
        ----------
        graph : tf.Graph
            Such as ``WholeLoss.graph``.
        """
        self._writer.add_graph(graph)

    def add_step(self, step: Step) -> None:
        """Write the losses of a step: ``loss/total``, ``loss/content`` and so on."""
        values = [
            Summary.Value(tag=f"loss/{name}", simple_value=value) for name, value in step.losses.items()
        ]
        self._writer.add_summary(Summary(value=values), step.iteration)

    def add_picture(self, iteration: int, picture: np.ndarray) -> None:
        """Write a picture, ``picture``, as PNG.

        Parameters
        ----------
        iteration : int
        picture : ndarray
            H×W×3, any real type, sRGB, 0..255; clipped and rounded here.
        """
        pixels = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
        height, width = pixels.shape[:2]
        image = Summary.Image(
            height=height,
            width=width,
            colorspace=3,  # RGB, as summary.proto numbers them
            encoded_image_string=imagecodecs.png_encode(pixels, level=6),
        )
        self._writer.add_summary(Summary(value=[Summary.Value(tag="picture", image=image)]), iteration)

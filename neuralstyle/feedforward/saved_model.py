"""Magenta's full-size network, or another of its kind, from a folder downloaded from TensorFlow Hub.

``arbitrary-image-stylization-v1-256`` is a SavedModel whose signature takes a content and a style picture
and gives the stylised one. What is inside stays inside: styles can be neither mixed nor weakened.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.feedforward.any_style import STYLE_SIZE
from neuralstyle.feedforward.pictures import Render, centre_square, fitted
from neuralstyle.feedforward.rendering import function_of
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, new_graph, open_session
from neuralstyle.pictures.reading import as_image
from neuralstyle.pictures.sizes import resize


@contextmanager
def renderer(
    folder: str | Path, style: np.ndarray, machine: Machine | None = None, margin: int = 0
) -> Iterator[Render]:
    """Open a SavedModel for rendering pictures in the style of another.

    Parameters
    ----------
    folder : path
        The one that holds ``saved_model.pb``. Its signature ``serving_default`` takes two batches of
        pictures, RGB, 0..1, and gives one. Which is the content shows from the names: the one with
        "content" in it, or the one without "style", or else the first in the alphabet, as TensorFlow calls
        unnamed arguments ``placeholder`` and ``placeholder_1``.
    style : ndarray
        The style picture, H×W×3, uint8 or float32, RGB, 0..255. Its centre square is reduced to 256×256,
        the size these networks were trained on.
    machine : Machine, optional
        What the graph runs on.
    margin : int
        Pixels that the picture is extended by on each side, as `pictures.fitted` does it.

    Yields
    ------
    callable
        From a picture, float32 H×W×3, RGB, 0..255, to one of the same size and kind. Sizes that are not
        multiples of 4 are padded by reflection, and the result is cropped.

    Raises
    ------
    InputError
        If the folder holds no SavedModel, or one with another signature.
    """
    style = resize(centre_square(as_image(style)), STYLE_SIZE, STYLE_SIZE) / 255
    with new_graph(machine) as graph, ExitStack() as stack:
        tf.no_op()  # no session opens on an empty graph, and the model is loaded into an open one
        session = stack.enter_context(closing(open_session(graph, machine)))
        try:
            model = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
        except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{folder}: cannot be read as a SavedModel ({reason})") from error
        signature = model.signature_def.get("serving_default")
        if signature is None or len(signature.inputs) != 2 or len(signature.outputs) != 1:
            raise InputError(
                f"{folder}: its signature serving_default must take a content and a style picture "
                "and give one picture"
            )
        content_name, style_name = sorted(signature.inputs, key=_content_first)
        (output_name,) = signature.outputs
        run = function_of(
            session,
            signature.outputs[output_name].name,
            [signature.inputs[name].name for name in (content_name, style_name)],
        )
        yield fitted(lambda image: 255 * run(image / 255, style), margin)


def _content_first(name: str) -> tuple[bool, bool, str]:
    return "content" not in name, "style" in name, name

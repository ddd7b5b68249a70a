"""Masks that were painted on the photograph, a colour for each painting."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuralstyle.files import replacing
from neuralstyle.web.folder import Folder


def masks_of(layers: Sequence[Path], colours: Sequence[str], folder: Folder) -> list[str]:
    """What was painted in each colour, as masks that are kept in the folder.

    Parameters
    ----------
    layers : sequence of pathlib.Path
        PNGs of one size, transparent where nothing was painted; later ones lie above.
    colours : sequence of str
        ``#rrggbb``, one a painting. A painted pixel belongs to the nearest of them.
    folder : Folder

    Returns
    -------
    list of str
        A mask's name for each colour, or "all" where it was not used.
    """
    from PIL import Image

    from neuralstyle.pictures.writing import write_image

    nearest: np.ndarray | None = None
    palette = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours], float)
    for layer in layers:
        with Image.open(layer) as picture:
            pixels = np.asarray(picture.convert("RGBA"), float)
        distances = ((pixels[..., np.newaxis, :3] - palette) ** 2).sum(axis=-1)
        painted = np.where(pixels[..., 3] > 127, distances.argmin(axis=-1), -1)
        nearest = painted if nearest is None else np.where(painted >= 0, painted, nearest)
    names = []
    for number in range(len(colours)):
        mask = None if nearest is None else nearest == number
        if mask is None or not mask.any():
            names.append("all")
            continue
        with replacing(folder.own / "mask.png") as temporary:
            write_image(temporary, np.repeat(255.0 * mask[..., np.newaxis], 3, axis=-1))
            names.append(folder.keep(temporary, f"mask-{number + 1}.png"))
    return names

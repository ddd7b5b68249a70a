"""Regions: pictures of flat colours that say what in the content gets the style of what in a painting.

neural-doodle (Champandard 2016, Semantic Style Transfer and Turning Two-Bit Doodles into Fine Artworks) and
the programs for Gatys et al. 2017, section 4, take such pictures.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import read_image

#: Colours that lie nearer to one another, as RGB of 0..255, are one: JPEG and resizing shift them.
_DISTINCT = 40

#: How far the nine pixels around a place of flat colour may differ in a channel.
_FLAT = 12

#: The share of a picture that a colour needs to count.
_SMALLEST_SHARE = 1e-3

#: More colours than anyone paints regions with; a photograph has as many.
_MOST_COLOURS = 32

#: The width of the bins of colour that are counted.
_BIN = 8


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the content picture, and the part of one style picture that it gets its style from.

    Attributes
    ----------
    style : int
        Which of the style pictures.
    colour : tuple of int
        RGB, 0..255: by what it is marked in the content's picture of regions.
    mask : ndarray
        H×W, float32, 0 or 1: where in the content, at the size of its picture of regions.
    own_mask : ndarray
        The same of the style picture.
    """

    style: int
    colour: tuple[int, int, int]
    mask: np.ndarray
    own_mask: np.ndarray


def read_regions(content: str | os.PathLike, styles: Sequence[str | os.PathLike]) -> list[Region]:
    """Find what in the content goes with what in the style pictures.

    Of each picture the main colours are found; every pixel belongs to the nearest of them. A colour need
    not be exactly the same in two pictures.

    Parameters
    ----------
    content : path
        The content's regions.
    styles : sequence of path
        The regions of each style picture.

    Returns
    -------
    list of Region
        For each colour of the content, and each style picture that has it. Colours that only a style
        picture has are left alone.

    Raises
    ------
    InputError
        If a picture cannot be read or has more than 32 colours, or a colour of the content is in no style.
    """
    own, own_labels = _labelled(content)
    found = [_labelled(path) for path in styles]
    regions = []
    for number, colour in enumerate(own):
        marked = tuple(int(value) for value in np.rint(colour))
        matches = []
        for style, (colours, labels) in enumerate(found):
            distances = np.linalg.norm(colours - colour, axis=1)
            if distances.min() < _DISTINCT:
                own_mask = (labels == distances.argmin()).astype(np.float32)
                mask = (own_labels == number).astype(np.float32)
                matches.append(Region(style, marked, mask, own_mask))
        if not matches:
            raise InputError(
                f"{content}: its colour #{bytes(marked).hex()} is in none of the styles' regions; paint it "
                "there, or give that part of the content another colour"
            )
        regions += matches
    return regions


def _labelled(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """The main colours of a picture, K×3, and for each pixel, H×W, the number of the nearest."""
    image = read_image(path)
    colours = main_colours(image)
    if len(colours) > _MOST_COLOURS:
        raise InputError(
            f"{path}: has more than {_MOST_COLOURS} colours; paint each region in one flat colour"
        )
    nearest, labels = np.full(image.shape[:2], np.inf, np.float32), np.zeros(image.shape[:2], np.uint8)
    for number, colour in enumerate(colours):
        distances = np.square(image - colour.astype(np.float32)).sum(axis=2)
        labels[distances < nearest] = number
        np.minimum(nearest, distances, out=nearest)
    return colours, labels


def main_colours(image: np.ndarray) -> np.ndarray:
    """The colours that a picture of flat colours is painted in, the most frequent first.

    Only places whose neighbours are alike count: between two regions smooth edges mix their colours, and
    JPEG leaves others.

    Parameters
    ----------
    image : ndarray
        H×W×3, 0..255.

    Returns
    -------
    ndarray
        K×3, float64.
    """
    around = (3, 3, 1)
    flat = (maximum_filter(image, around) - minimum_filter(image, around)).max(axis=2) <= _FLAT
    pixels = image[flat] if flat.any() else image.reshape(-1, 3)
    levels = 256 // _BIN
    bins = np.minimum(pixels // _BIN, levels - 1).astype(np.int64) @ [levels**2, levels, 1]
    counts = np.bincount(bins, minlength=levels**3)
    means = [np.bincount(bins, pixels[:, channel], levels**3) for channel in range(3)]
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    means = np.stack(means, axis=1)[order] / counts[order, np.newaxis]
    colours, totals = [], []
    for mean, count in zip(means, counts[order], strict=True):
        distances = np.linalg.norm(np.reshape(colours, (-1, 3)) - mean, axis=1)
        if distances.size and distances.min() < _DISTINCT:
            totals[distances.argmin()] += count
        else:
            colours.append(mean)
            totals.append(count)
    least = _SMALLEST_SHARE * len(pixels)
    return np.array([colour for colour, total in zip(colours, totals, strict=True) if total >= least])

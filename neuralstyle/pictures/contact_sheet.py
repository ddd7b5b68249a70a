"""A contact sheet: small pictures side by side, each with a line beneath it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from neuralstyle.pictures.sizes import reduced

#: The longest side of a picture on the sheet, the space between two, and the height of a line, in pixels.
LONGEST, SPACE, LINE = 384, 12, 20

_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def contact_sheet(pictures: Sequence[tuple[str, np.ndarray]], columns: int) -> np.ndarray:
    """Put pictures on one sheet, row by row.

    Parameters
    ----------
    pictures : sequence of (str, ndarray)
        What stands beneath each picture, and the picture, H×W×3, uint8 or floating point, RGB, 0..255. Those
        with a side of more than 384 pixels are made smaller; none is made larger.
    columns : int
        How many stand in a row.

    Returns
    -------
    ndarray
        H×W×3, uint8, RGB.
    """
    columns = min(columns, len(pictures))
    small = [(text, fitted(picture)) for text, picture in pictures]
    rows = [small[first : first + columns] for first in range(0, len(small), columns)]
    width = max(picture.shape[1] for _, picture in small) + SPACE
    heights = [max(picture.shape[0] for _, picture in row) + LINE + SPACE for row in rows]
    sheet = Image.new("RGB", (columns * width + SPACE, sum(heights) + SPACE), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    top = SPACE
    for row, height in zip(rows, heights, strict=True):
        for column, (text, picture) in enumerate(row):
            left = SPACE + column * width
            sheet.paste(Image.fromarray(picture), (left, top))
            line = _shortened(text, width - SPACE, font)
            draw.text((left, top + picture.shape[0] + 3), line, _INK, font)
        top += height
    return np.asarray(sheet)


def fitted(picture: np.ndarray) -> np.ndarray:
    """A picture as it stands on a sheet: H×W×3, uint8, its longer side at most 384 pixels."""
    return np.clip(np.rint(reduced(picture, LONGEST)), 0, 255).astype(np.uint8)


def _shortened(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    """As much of the end of a text as fits: labels differ at their ends."""
    kept = text
    while kept and font.getlength(kept if kept == text else f"…{kept}") > width:
        kept = kept[1:]
    return kept if kept == text else f"…{kept}"

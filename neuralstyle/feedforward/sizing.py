"""At which size a picture is rendered: the one asked for, that of the strokes, and what the memory holds."""

from dataclasses import dataclass

import numpy as np

from neuralstyle.feedforward.pictures import Render
from neuralstyle.files import InputError
from neuralstyle.free_memory import free_bytes
from neuralstyle.pictures.sizes import check_size, fitted_size, resize

#: What the program and TensorFlow take beside the picture, most of it before the first picture is read.
FIXED_BYTES = 300 * 10**6


#: What the picture itself takes a pixel: as it was read, padded, rendered, and written.
_PICTURE_BYTES = 48

#: The tiles that "auto" chooses among, where a picture does not fit as a whole.
TILES = (2048, 1024, 512, 256)

#: What a tile sees beyond itself, on each side. A transform network looks 57 pixels far, that of 26 styles 65
HALO = 80


@dataclass(frozen=True)
class Sizing:
    """The sizes at which pictures are rendered.

    Attributes
    ----------
    rule : str or None
        "width", "height" or "longer side", as in `neuralstyle.pictures.sizes.fitted_size`; None: as it is.
    size : int
        That many pixels.
    stroke_scale : float
        A network's strokes have a size in pixels. A picture is rendered at its size divided by this, and
        the result brought back, so that its strokes are larger by this factor.
    bytes_per_pixel : int or None
        What rendering takes; None where nobody knows.
    tile : int, "auto" or None
        The size of tiles to render in; None: whole; "auto": whole, or where that does not fit into the
        memory that is free, in the largest tiles of `TILES` that do. Tiles take several passes.
    free : float or None
        How many bytes there are; None: what the system has free when a picture is rendered.
    """

    rule: str | None = None
    size: int = 0
    stroke_scale: float = 1.0
    bytes_per_pixel: int | None = None
    tile: int | str | None = None
    free: float | None = None

    def content(self, picture: np.ndarray) -> np.ndarray:
        """A picture at the size that its result is to have.

        Raises
        ------
        InputError
            If it is too small then.
        """
        picture = resize(picture, *self._result(picture))
        check_size(picture, "the resized picture")
        return picture

    def tile_for(self, picture: np.ndarray) -> int | None:
        """In tiles of how many pixels a picture is rendered; None: as a whole.

        Raises
        ------
        InputError
            If what is to be rendered would not fit into the memory that is free.
        """
        return self.chosen_tile(*self._strokes(*self._result(picture)))

    def rendered(self, render: Render, picture: np.ndarray) -> np.ndarray:
        """Render a picture at the size of the strokes, and bring the result back to the picture's own."""
        height, width = picture.shape[:2]
        small = resize(picture, *self._strokes(height, width), "bicubic")
        return resize(render(small), height, width, "bicubic")

    def _strokes(self, height: int, width: int) -> tuple[int, int]:
        return tuple(max(16, round(side / self.stroke_scale)) for side in (height, width))

    def _result(self, picture: np.ndarray) -> tuple[int, int]:
        height, width = picture.shape[:2]
        return fitted_size(height, width, self.rule, self.size) if self.rule else (height, width)

    def _free(self) -> float:
        return free_bytes() if self.free is None else self.free

    def best_tile(self, height: int, width: int) -> int | None:
        """The tile that suits a picture that is rendered at this size, whether or not even that fits."""
        if self.tile != "auto":
            return self.tile
        free = self._free()
        fitting = (tile for tile in (None, *TILES) if self.needed(height, width, tile) <= free)
        return next(fitting, TILES[-1])

    def chosen_tile(self, height: int, width: int) -> int | None:
        """As `tile_for`, of a picture that is rendered at this size."""
        tile = self.best_tile(height, width)
        needed = self.needed(height, width, tile)
        free = self._free()
        if needed <= free:
            return tile
        advice = {None: "give --tile 512, which most networks take, or ", "auto": ""}
        advice = advice.get(self.tile, "give a smaller --tile, or ")
        how = f" in tiles of {tile}" if tile else ""
        raise InputError(
            f"{width}×{height} pixels would take {needed / 1e9:.1f} GB{how}, {free / 1e9:.1f} GB are free; "
            f"{advice}make the picture smaller, with --width"
        )

    def needed(self, height: int, width: int, tile: int | None = None) -> int:
        """What rendering a picture takes, whole or in tiles, in bytes; 0 where nobody knows."""
        if self.bytes_per_pixel is None:
            return 0
        at_once = height * width
        if tile:
            at_once = min(height, tile + 2 * HALO) * min(width, tile + 2 * HALO)
        return FIXED_BYTES + self.bytes_per_pixel * at_once + _PICTURE_BYTES * height * width

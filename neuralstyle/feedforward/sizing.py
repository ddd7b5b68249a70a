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
    tile : int or None
        The size of tiles to render in; None: whole.
    free : float or None
        How many bytes there are; None: what the system has free when a picture is rendered.
    """

    rule: str | None = None
    size: int = 0
    stroke_scale: float = 1.0
    bytes_per_pixel: int | None = None
    tile: int | None = None
    free: float | None = None

    def content(self, picture: np.ndarray) -> np.ndarray:
        """A picture at the size that its result is to have.

        Raises
        ------
        InputError
            If it is too small then, or what is to be rendered would not fit into the memory that is free.
        """
        height, width = picture.shape[:2]
        if self.rule:
            height, width = fitted_size(height, width, self.rule, self.size)
        self._check(*self._strokes(height, width))
        picture = resize(picture, height, width)
        check_size(picture, "the resized picture")
        return picture

    def rendered(self, render: Render, picture: np.ndarray) -> np.ndarray:
        """Render a picture at the size of the strokes, and bring the result back to the picture's own."""
        height, width = picture.shape[:2]
        small = resize(picture, *self._strokes(height, width), "bicubic")
        return resize(render(small), height, width, "bicubic")

    def _strokes(self, height: int, width: int) -> tuple[int, int]:
        return tuple(max(16, round(side / self.stroke_scale)) for side in (height, width))

    def needed(self, height: int, width: int) -> int:
        """What rendering a picture takes, in bytes; 0 where nobody knows."""
        if self.bytes_per_pixel is None:
            return 0
        at_once = height * width
        if self.tile:
            at_once = min(height, self.tile + 2 * HALO) * min(width, self.tile + 2 * HALO)
        return FIXED_BYTES + self.bytes_per_pixel * at_once + _PICTURE_BYTES * height * width

    def _check(self, height: int, width: int) -> None:
        needed = self.needed(height, width)
        free = free_bytes() if self.free is None else self.free
        if needed > free:
            raise InputError(
                f"{width}×{height} pixels would take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
                f"give {'a smaller' if self.tile else 'a'} --tile, such as --tile 512, or make the picture "
                "smaller, with --longer-side"
            )

"""A film whose optical flow is known exactly: a camera over photographs, with something passing in front.

Places are complex numbers, x + iy. Both layers of a shot, what is behind and what passes in front, are
photographs on which the camera's view lies turned, enlarged and moved: the place z of frame i shows the
photograph's place a·z + b. So every pixel's motion follows from two such pairs (a, b), without rounding.

python benchmarks/made_film.py FOLDER

makes the frames of examples/film.gif: a cat passes over a cup of coffee.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio.v3
import numpy as np
import skimage.data
from scipy.ndimage import map_coordinates
from skimage.transform import resize


@dataclass(frozen=True)
class MadeFilm:
    """A film and all that can be known of its motion.

    Attributes
    ----------
    frames : ndarray
        N×H×W×3, uint8.
    backward : ndarray
        N×H×W×2, float32: of frame i's pixels, into frame i − 1; NaN where a shot begins.
    forward : ndarray
        N×H×W×2, float32: of frame i − 1's pixels, into frame i; NaN where a shot begins.
    visible : ndarray
        N×H×W, bool: whether what frame i's pixel shows can be seen in frame i − 1, too.
    cuts : tuple of int
        The frames that begin a shot, but for the first.
    """

    frames: np.ndarray
    backward: np.ndarray
    forward: np.ndarray
    visible: np.ndarray
    cuts: tuple[int, ...]


@dataclass(frozen=True)
class Shot:
    """A photograph that the camera moves over, and one of which an ellipse passes in front."""

    behind: np.ndarray
    in_front: np.ndarray
    velocity: complex
    turn: complex

    def pose(self, layer: str, frame: int, size: complex) -> tuple[complex, complex]:
        """The pair (a, b) that takes places of a frame to places of a layer's photograph."""
        centre = size / 2
        if layer == "behind":
            a = self.turn**frame
            return a, _middle(self.behind) + frame * self.velocity - a * centre - 3 * self.velocity
        # Moves against what is behind it, half as fast, and turns the other way.
        a = self.turn ** (-2 * frame)
        position = (
            centre - 0.1 * size.real * np.sign(self.velocity.real) + frame * 0.5 * self.velocity.conjugate()
        )
        return a, _middle(self.in_front) - a * position


def make_film(
    height: int = 240,
    width: int = 320,
    lengths: Sequence[int] = (8, 8),
    speed: float = 20.0,
    shots: Sequence[Shot] = (),
) -> MadeFilm:
    """Make a film of one or more shots.

    Parameters
    ----------
    height, width : int
    lengths : sequence of int
        How many frames each shot has.
    speed : float
        Pixels a frame that the camera moves. What passes in front moves against it, half as fast.
    shots : sequence of Shot
        Two that are measured with, unless others are given, which have a speed of their own.

    Returns
    -------
    MadeFilm
    """
    shots = shots or [
        Shot(skimage.data.coffee(), skimage.data.astronaut(), speed * np.exp(0.2j), 1.004 * np.exp(0.004j)),
        Shot(skimage.data.astronaut(), skimage.data.chelsea(), -speed * np.exp(-0.3j), np.exp(-0.006j)),
    ]
    parts = [
        _frame(shot, index, height, width)
        for shot, length in zip(shots, lengths, strict=False)
        for index in range(length)
    ]
    cuts = tuple(int(cut) for cut in np.cumsum(lengths)[:-1])
    return MadeFilm(*(np.stack(arrays) for arrays in zip(*parts, strict=True)), cuts)


def _frame(shot: Shot, index: int, height: int, width: int) -> tuple[np.ndarray, ...]:
    """A frame, its backward and its forward flow, and which of its pixels the frame before shows."""
    size = complex(width, height)
    rows, columns = np.mgrid[:height, :width]
    places = columns + 1j * rows
    depth = _depth(shot, places, index, size)
    behind, in_front = (_view(shot, layer, places, index, size) for layer in ("behind", "in_front"))
    cover = np.clip(depth + 0.5, 0, 1)[..., np.newaxis]
    picture = np.rint(np.clip(cover * in_front + (1 - cover) * behind, 0, 255)).astype(np.uint8)
    if index == 0:
        unknown = np.full((height, width, 2), np.nan, np.float32)
        return picture, unknown, unknown, np.zeros((height, width), bool)
    backward = _motion(shot, places, index, index - 1, size)
    sources = places + backward
    visible = (sources.real >= 0) & (sources.real <= width - 1)
    visible &= (sources.imag >= 0) & (sources.imag <= height - 1)
    visible &= (_depth(shot, sources, index - 1, size) > 0) == (depth > 0)
    forward = _motion(shot, places, index - 1, index, size)
    return picture, _as_flow(backward), _as_flow(forward), visible


def _motion(shot: Shot, places: np.ndarray, start: int, end: int, size: complex) -> np.ndarray:
    """How far what a frame shows at each place has moved in another frame."""
    moved = {}
    for layer in ("behind", "in_front"):
        (a, b), (c, d) = (shot.pose(layer, frame, size) for frame in (start, end))
        moved[layer] = (a * places + b - d) / c - places
    return np.where(_depth(shot, places, start, size) > 0, moved["in_front"], moved["behind"])


def _depth(shot: Shot, places: np.ndarray, index: int, size: complex) -> np.ndarray:
    """How many pixels, about, a place lies inside the ellipse in front; negative outside."""
    a, b = shot.pose("in_front", index, size)
    offset = a * places + b - _middle(shot.in_front)
    across, down = 0.16 * size.real, 0.26 * size.imag
    return (1 - np.hypot(offset.real / across, offset.imag / down)) * min(across, down)


def _view(shot: Shot, layer: str, places: np.ndarray, index: int, size: complex) -> np.ndarray:
    """What a frame shows of a layer's photograph, which is mirrored at its borders."""
    photograph = getattr(shot, layer)
    a, b = shot.pose(layer, index, size)
    seen = a * places + b
    channels = [
        map_coordinates(photograph[..., c].astype(np.float32), (seen.imag, seen.real), order=3, mode="mirror")
        for c in range(3)
    ]
    return np.stack(channels, axis=-1)


def _middle(photograph: np.ndarray) -> complex:
    return complex(photograph.shape[1], photograph.shape[0]) / 2


def _as_flow(motion: np.ndarray) -> np.ndarray:
    return np.stack([motion.real, motion.imag], axis=-1).astype(np.float32)


def example_shot() -> Shot:
    """A cat's face that passes over a cup of coffee, for frames of 320×208 pixels."""

    def smaller(photograph: np.ndarray, height: int, width: int) -> np.ndarray:
        return np.uint8(resize(photograph, (height, width), anti_aliasing=True, preserve_range=True))

    face = skimage.data.chelsea()[10:290, 103:383]
    velocity = 5 * np.exp(0.15j)
    return Shot(smaller(skimage.data.coffee(), 296, 444), smaller(face, 124, 124), velocity, np.exp(0.006j))


def main() -> None:
    """Write the frames of the example."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(make_film(208, 320, [18], shots=[example_shot()]).frames, start=1):
        imageio.v3.imwrite(folder / f"frame_{number:04}.png", frame)


if __name__ == "__main__":
    main()

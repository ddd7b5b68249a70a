"""Paint two more style pictures: a mosaic of a sun over water, and a woodcut of waves.

The mosaic is a Voronoi diagram whose points are spread evenly by Lloyd's method [1]_ and whose cells are
stones of one colour each, with mortar where two cells meet. The woodcut is printed from two blocks, indigo
and red: lines along the waves, as thick as the picture is dark there, as engravers have it. The same seed
gives the same pictures.

    python scripts/maintainers/paint_styles.py

References
----------
.. [1] Lloyd 1982, Least squares quantization in PCM, IEEE Transactions on Information Theory.
"""

import argparse
from pathlib import Path

import numpy as np
from paint_example import palette, smooth_noise
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from neuralstyle.pictures.sizes import resize
from neuralstyle.pictures.writing import write_image

HEIGHT, WIDTH = 512, 640
#: Both are made so many times larger, which smooths their edges when they are shrunk.
OVERSAMPLING = 2

#: How many stones the mosaic has, how often they are moved to their middles, and half the mortar's width.
STONES, ROUNDS, MORTAR = 3600, 6, 1.7

# Palettes: where in 0..1 a colour stands, and RGB.
SUN = ((0.0, (255, 236, 170)), (0.35, (250, 190, 60)), (0.7, (226, 116, 32)), (1.0, (172, 52, 34)))
AIR = ((0.0, (238, 214, 160)), (0.4, (224, 150, 96)), (0.75, (150, 84, 104)), (1.0, (70, 52, 104)))
WATER = ((0.0, (14, 52, 76)), (0.4, (20, 104, 118)), (0.7, (60, 160, 150)), (1.0, (206, 222, 180)))

PAPER, INDIGO, RED = (240, 228, 202), (26, 38, 84), (196, 56, 40)


def places() -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the large picture's pixels, in units of its height."""
    y, x = np.mgrid[: HEIGHT * OVERSAMPLING, : WIDTH * OVERSAMPLING] / (HEIGHT * OVERSAMPLING)
    return y, x


def stones(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which stone each pixel belongs to, H×W, and where two of them meet, H×W, 0..1."""
    height, width = HEIGHT * OVERSAMPLING, WIDTH * OVERSAMPLING
    pixels = np.stack(np.mgrid[:height, :width], axis=-1).reshape(-1, 2).astype(np.float32)
    points = rng.random((STONES, 2)) * (height, width)
    for _ in range(ROUNDS):
        _, own = cKDTree(points).query(pixels[::7])
        counts = np.maximum(np.bincount(own, minlength=STONES), 1)
        middles = [np.bincount(own, pixels[::7, axis], STONES) / counts for axis in (0, 1)]
        points = np.stack(middles, axis=-1)
    distances, nearest = cKDTree(points).query(pixels, k=2)
    gap = distances[:, 1] - distances[:, 0]
    meeting = np.clip(1.5 - gap / (2 * MORTAR), 0, 1)
    return nearest[:, 0].reshape(height, width), meeting.reshape(height, width)


def sun_over_water(rng: np.random.Generator) -> np.ndarray:
    """What the mosaic shows, H×W×3, 0..255."""
    y, x = places()
    horizon = 0.62 + 0.012 * np.sin(9 * x)
    distance = np.hypot(x - 0.78, y - 0.40)
    rays = 0.5 + 0.5 * np.cos(18 * np.arctan2(y - 0.40, x - 0.78))
    air = palette(AIR, np.clip(1.05 * distance + 0.18 * rays - 0.12, 0, 1))
    sun = palette(SUN, np.clip(distance / 0.23, 0, 1))
    waves = 0.5 + 0.5 * np.sin(46 * (y + 0.035 * np.sin(6 * x + 9 * y)) + 1.5 * np.sin(5 * x))
    glitter = np.exp(-(((x - 0.78) / (0.05 + 0.5 * (y - horizon))) ** 2))
    water = palette(WATER, np.clip(0.75 * waves + 0.125 * smooth_noise(rng, x.shape, 12), 0, 1))
    water += (glitter * waves)[..., None] * (np.array((252, 200, 96)) - water)
    sky = np.where((distance < 0.2)[..., None], sun, air)
    return np.where((y < horizon)[..., None], sky, water)


def mosaic(rng: np.random.Generator) -> np.ndarray:
    """Lay the stones; H×W×3, 0..255."""
    stone, meeting = stones(rng)
    shown = sun_over_water(rng)
    counts = np.maximum(np.bincount(stone.ravel(), minlength=STONES), 1)
    colours = [np.bincount(stone.ravel(), shown[..., c].ravel(), STONES) / counts for c in range(3)]
    colours = np.stack(colours, axis=-1)
    colours += rng.normal(0, 15, (STONES, 1)) + rng.normal(0, 7, (STONES, 3))
    laid = colours[stone] * (1 + 0.05 * smooth_noise(rng, stone.shape, 2))[..., None]
    # Each stone is a little rounded, and lit from the upper left.
    down, right = np.gradient(gaussian_filter(1 - meeting, 2.5))
    laid *= (1 + 2.2 * (down + right))[..., None]
    return laid + meeting[..., None] * (np.array((58, 50, 48)) - laid)


def woodcut(rng: np.random.Generator) -> np.ndarray:
    """Cut and print waves under a red sun; H×W×3, 0..255."""
    y, x = places()
    swell = 0.60 + 0.07 * np.sin(4.6 * x + 0.7) + 0.025 * np.sin(13 * x + 1.3)
    curl = 0.06 * np.exp(-(((x - 0.42) / 0.22) ** 2)) * np.sin(20 * (y - swell))
    below = y > swell
    depth = np.clip((y - swell) / (1 - swell), 0, 1)
    wobble = 0.004 * smooth_noise(rng, x.shape, 9)
    # Lines follow the swell in the water, and lie level in the air; the sky darkens upwards.
    water_lines = 2 * np.pi * 30 * (y - (1 - depth) * (swell - 0.6) + curl + wobble)
    air_lines = 2 * np.pi * 46 * (y + 0.01 * np.sin(3 * x) + wobble)
    crest = np.exp(-((depth / 0.06) ** 2))
    water_tone = 0.42 + 0.30 * np.sin(7 * x + 16 * depth + 2 * np.sin(5 * depth)) + 0.25 * depth - 0.5 * crest
    air_tone = np.clip(0.72 - 1.15 * y, 0.0, 1) + 0.1 * np.exp(-(((y - swell) / 0.03) ** 2))
    cut = np.where(below, np.sin(water_lines), np.sin(air_lines))
    tone = np.clip(np.where(below, water_tone, air_tone), 0, 1)
    tone = np.clip(tone + 0.05 * smooth_noise(rng, x.shape, 5), 0, 0.97)
    indigo = np.clip(0.5 + 6 * (np.cos(np.pi * (1 - tone)) - cut * (tone > 0.02)), 0, 1)
    indigo = np.maximum(indigo, np.exp(-(((y - swell) / 0.006) ** 2)))
    distance = np.hypot(x - 0.93, y - 0.27)
    red = np.clip((0.155 - distance) * 300, 0, 1) * ~below
    # Wood takes ink unevenly, along its grain.
    grain = np.clip(0.86 + 0.12 * gaussian_filter(rng.standard_normal(x.shape), (1, 22)) * 9, 0.55, 1)
    picture = np.array(PAPER) + 5 * smooth_noise(rng, x.shape, 3)[..., None]
    picture = picture + (red * grain)[..., None] * (np.array(RED) - picture)
    return picture + (indigo * (1 - 0.85 * red) * grain)[..., None] * (np.array(INDIGO) - picture)


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[2] / "examples", help="folder")
    parser.add_argument("--seed", type=int, default=1914, help="another seed, other pictures")
    arguments = parser.parse_args()
    for name, paint in (("mosaic", mosaic), ("woodcut", woodcut)):
        painted = np.clip(paint(np.random.default_rng(arguments.seed)), 0, 255)
        small = resize(np.float32(painted), HEIGHT, WIDTH, "bicubic")
        write_image(arguments.output / f"{name}.jpg", small, quality=90)


if __name__ == "__main__":
    main()

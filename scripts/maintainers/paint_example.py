"""Paint the example's style picture, and put the example's content picture beside it.

A night over a wheat field. A flow field says where the strokes go; line integral convolution [1]_ of
noise along it says how light the paint is; some four thousand strokes of a brush with bristles, from
broad to fine [2]_, are laid over each other and lit from the upper left. The same seed gives the same
picture.

    python scripts/maintainers/paint_example.py

References
----------
.. [1] Cabral & Leedom 1993, Imaging vector fields using line integral convolution, SIGGRAPH.
.. [2] Hertzmann 1998, Painterly rendering with curved brush strokes of multiple sizes, SIGGRAPH.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.data import coffee

from neuralstyle.pictures.sizes import resize
from neuralstyle.pictures.writing import write_image

HEIGHT, WIDTH = 512, 768
#: Strokes are laid down on a canvas this many times larger, which smooths them when it is shrunk.
OVERSAMPLING = 2
#: Steps that a stroke takes in each pixel of the canvas: enough that a bend leaves no gaps.
STEPS = 2

# Places and radii are in units of the picture's height, from its upper left corner.

#: Whirls of the sky: x, y, radius, strength; the sign is the direction of turning.
WHIRLS = (
    (0.56, 0.31, 0.25, 2.6),
    (0.93, 0.44, 0.15, -2.4),
    (0.16, 0.47, 0.09, -1.8),
    (0.95, 0.07, 0.08, 1.6),
)
#: Lights in the sky: x, y, radius of the glow.
LIGHTS = (
    (1.26, 0.20, 0.165),
    (0.13, 0.14, 0.085),
    (0.34, 0.08, 0.05),
    (0.80, 0.17, 0.055),
    (0.29, 0.56, 0.05),
    (1.03, 0.30, 0.045),
    (1.41, 0.49, 0.06),
)

# Palettes: where in 0..1 a colour stands (shade to light, or the middle of a light to its rim), and RGB.
SKY = (
    (0.00, (14, 18, 62)),
    (0.22, (24, 38, 118)),
    (0.45, (38, 76, 166)),
    (0.65, (70, 128, 196)),
    (0.80, (126, 180, 204)),
    (0.92, (196, 214, 186)),
    (1.00, (246, 232, 168)),
)
GLOW = (
    (0.00, (255, 246, 206)),
    (0.22, (255, 226, 110)),
    (0.42, (248, 180, 44)),
    (0.60, (222, 196, 96)),
    (0.80, (140, 184, 160)),
    (1.00, (60, 110, 180)),
)
HILLS = (
    (0.00, (16, 22, 58)),
    (0.35, (30, 50, 104)),
    (0.60, (44, 92, 116)),
    (0.80, (74, 130, 112)),
    (1.00, (150, 130, 170)),
)
FIELD = (
    (0.00, (92, 46, 22)),
    (0.20, (160, 86, 26)),
    (0.45, (214, 140, 34)),
    (0.70, (240, 186, 60)),
    (0.88, (250, 220, 120)),
    (1.00, (116, 140, 66)),
)


def palette(stops, values):
    """Colours for values in 0..1, from (position, RGB) stops; the last axis of the result is RGB."""
    positions, colours = zip(*stops, strict=True)
    return np.stack([np.interp(values, positions, channel) for channel in np.transpose(colours)], axis=-1)


def smooth_noise(rng, shape, sigma):
    """Gaussian noise smoothed over ``sigma`` pixels, mean 0, standard deviation 1."""
    noise = gaussian_filter(rng.standard_normal(shape), sigma)
    return (noise - noise.mean()) / noise.std()


def ranks(values):
    """Each value's rank among all, 0..1: every tone of a palette gets the same area."""
    order = np.empty(values.size)
    order[np.argsort(values, axis=None, kind="stable")] = np.linspace(0, 1, values.size)
    return order.reshape(values.shape)


def walk(flow, place, length, sense, scale=1):
    """Follow the flow from many places at once, ``length`` steps of one pixel.

    The flow has no forward and backward: each step takes the sense that turns less.

    Parameters
    ----------
    flow : ndarray
        2×H×W, unit vectors (down, right).
    place : ndarray
        N×2, where to start (row, column), in steps.
    length : int
        How many places to give back; the first is the start.
    sense : int or ndarray
        1 or -1 for each of them (N×1): along the flow or against it.
    scale : int
        How many steps go into one pixel of the flow.

    Yields
    ------
    place, direction : ndarray
        N×2 each.
    """
    limits = np.array(flow.shape[1:]) - 1
    direction = None
    for _ in range(length):
        rows, columns = np.clip(np.rint(place / scale), 0, limits).astype(int).T
        step = flow[:, rows, columns].T
        if direction is not None:
            sense = np.where((step * direction).sum(1, keepdims=True) < 0, -1, 1)
        direction = sense * step
        yield place, direction
        place = place + direction


def line_integral_convolution(noise, flow, length):
    """Mean of the noise along the streamline through each pixel, ``length`` pixels to either side."""
    start = np.stack(np.mgrid[: noise.shape[0], : noise.shape[1]], axis=-1).reshape(-1, 2).astype(float)
    total = np.zeros(len(start))
    for sense in (1, -1):
        for place, _ in walk(flow, start, length, sense):
            total += map_coordinates(noise, place.T, order=1, mode="nearest")
    return (total / (2 * length)).reshape(noise.shape)


def composition(rng):
    """What is to be painted: the flow and the colours.

    Returns
    -------
    flow : ndarray
        2×H×W: the unit vector (down, right) along which strokes run.
    colours : ndarray
        H×W×3, 0..255.
    """
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    ridge = 0.70 + 0.045 * np.sin(4.1 * x + 0.4) + 0.025 * np.sin(9.0 * x + 2)
    edge = 0.815 + 0.03 * np.sin(3.0 * x + 2.2) + 0.008 * np.sin(11 * x)

    # The sky drifts to the right in a slow wave; whirls turn it round, and a little inwards.
    down = 0.35 * np.cos(5.2 * x - 0.6) + 0.1 * np.cos(13 * x + 7 * y)
    right = np.ones_like(x)
    for centre_x, centre_y, radius, strength in WHIRLS:
        dy, dx = y - centre_y, x - centre_x
        distance = np.hypot(dx, dy) + 1e-6
        pull = strength * np.exp(-((distance / radius) ** 2)) / distance
        inwards = 0.28 * np.sign(strength)
        down += pull * (dx - inwards * dy)
        right += pull * (-dy - inwards * dx)
    # Rings around the lights. A stroke has no sense, so directions are mixed at twice their angle.
    angle = 2 * np.arctan2(down, right)
    sine, cosine = np.sin(angle), np.cos(angle)
    for centre_x, centre_y, radius in LIGHTS:
        dy, dx = y - centre_y, x - centre_x
        weight = 6 * np.exp(-((np.hypot(dx, dy) / (1.05 * radius)) ** 4))
        angle = 2 * np.arctan2(dx, -dy)
        sine += weight * np.sin(angle)
        cosine += weight * np.cos(angle)
    angle = np.arctan2(sine, cosine) / 2
    down, right = np.sin(angle), np.cos(angle)
    sky = np.stack([down, right])
    slope = np.gradient(ridge, axis=1) * HEIGHT
    hills = np.stack([1.6 * slope + 0.25 * np.sin(20 * x + 14 * y), np.ones_like(x)])
    lean = -1.1 + 0.55 * np.sin(5 * x - 4 * y) + 0.25 * smooth_noise(rng, x.shape, 30)
    field = np.stack([np.sin(lean), np.cos(lean)])
    flow = np.where(y < ridge, sky, np.where(y < edge, hills, field))
    flow /= np.hypot(*flow) + 1e-9

    tone = ranks(line_integral_convolution(smooth_noise(rng, x.shape, 4), flow, 60))
    colours = palette(SKY, np.clip(0.78 * tone + 0.2 * (y / ridge) ** 2, 0, 1))
    for centre_x, centre_y, radius in LIGHTS:
        distance = np.hypot(x - centre_x, y - centre_y) / (1.25 * radius)
        glow = palette(GLOW, np.clip(distance + 0.1 * (tone - 0.5), 0, 1))
        weight = np.clip(1.25 - distance, 0, 1)[..., None] ** 0.8
        colours = (1 - weight) * colours + weight * glow
    rise = (edge - y) / (edge - ridge)
    hill_colours = palette(HILLS, np.clip(0.75 * tone + 0.25 * rise, 0, 1))
    field_colours = palette(FIELD, np.clip(0.9 * tone + 0.1 * np.sin(12 * x), 0, 1))
    below_ridge, below_edge = (y >= ridge)[..., None], (y >= edge)[..., None]
    colours = np.where(below_edge, field_colours, np.where(below_ridge, hill_colours, colours))
    return flow, colours


@dataclass(frozen=True)
class Brush:
    """One layer of strokes, in pixels of the canvas.

    Attributes
    ----------
    radius : float
        Half the width of a stroke.
    length : int
        Of a stroke.
    coverage : float
        How many times the strokes would cover the canvas if they did not overlap.
    """

    radius: float
    length: int
    coverage: float


BRUSHES = (Brush(28, 200, 3.6), Brush(16, 130, 2.0), Brush(10, 96, 1.2), Brush(6, 64, 0.6))


def paint(flow, colours, rng):
    """Lay the strokes down.

    Returns
    -------
    ndarray
        H×W×3, 0..255, lit.
    """
    height, width = (OVERSAMPLING * side for side in flow.shape[1:])
    canvas = 0.6 * resize(gaussian_filter(colours, (3, 3, 0)), height, width).astype(float)
    relief = np.zeros((height, width))
    for brush in BRUSHES:
        margin = brush.length / 2
        area = (height + 2 * margin) * (width + 2 * margin)
        count = int(brush.coverage * area / (2 * brush.radius * brush.length))
        target = gaussian_filter(
            colours, (brush.radius / OVERSAMPLING / 2, brush.radius / OVERSAMPLING / 2, 0)
        )
        starts = rng.random((count, 2)) * (height + 2 * margin, width + 2 * margin) - margin
        sense = rng.choice((-1, 1), (count, 1))
        steps = list(walk(flow, STEPS * starts, STEPS * brush.length, sense, STEPS * OVERSAMPLING))
        paths, directions = np.array(steps).transpose(1, 2, 0, 3)
        for path, direction in zip(paths / STEPS, directions, strict=True):
            lay_stroke(canvas, relief, target, path, direction, brush, rng)
    return light(canvas, relief)


def lay_stroke(canvas, relief, target, path, direction, brush, rng):
    """Draw one stroke, bristle by bristle, into the canvas and its relief."""
    height, width = relief.shape
    length = int(len(path) * rng.uniform(0.5, 1.0))
    radius = brush.radius * rng.uniform(0.7, 1.15)
    # A stroke ends where the flow breaks off, and in a bend the painter turns the brush on its edge.
    reach = 8 * STEPS
    turn = np.hypot(*(direction[reach:] - direction[:-reach]).T)
    length = min(length, reach + int(np.argmax(np.append(turn, 9) > 0.8)))
    radius = min(radius, 10 / max(turn[: length - reach + 1].max(), 0.01))
    path, direction = path[:length], direction[:length]
    offsets = np.arange(-radius, radius + 0.01, 0.6)
    across = offsets / radius
    bristles = gaussian_filter(rng.standard_normal(offsets.size), 1.1) * 1.6

    # The brush carries two colours side by side: those of the beginning and of the middle of its way.
    rows, columns = (
        np.clip(path[[length // 6, length // 2]] // OVERSAMPLING, 0, np.array(target.shape[:2]) - 1)
        .astype(int)
        .T
    )
    first, second = target[rows, columns] + rng.normal(0, 9, (2, 3)) + rng.normal(0, 11)
    side = np.clip(0.5 + 0.5 * across * rng.choice((-1, 1)) + 0.25 * bristles, 0, 1)[:, None]
    paint_colour = first * (1 - side) + second * side + 13 * bristles[:, None]

    along = np.linspace(0, 1, length)[:, None]
    taper = np.clip(np.minimum(along * 9, (1 - along) * 6), 0, 1) ** 0.5
    normal = np.stack([direction[:, 1], -direction[:, 0]], axis=-1)
    points = path[:, None] + normal[:, None] * (offsets * (0.55 + 0.45 * taper))[..., None]
    begin = np.abs(0.05 * bristles) + 0.05 * across**2
    end = 1 - np.abs(0.10 * bristles) - 0.10 * across**2
    rows, columns = np.rint(points).astype(int).transpose(2, 0, 1)
    wet = (along >= begin) & (along <= end)
    wet &= (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = rows[wet], columns[wet]
    colour = np.broadcast_to(paint_colour, (length, *paint_colour.shape))[wet]
    canvas[rows, columns] = 0.1 * canvas[rows, columns] + 0.9 * colour
    # Paint is thickest where the brush pushes it: along the sides and at the far end.
    thickness = 0.5 + 0.5 * bristles + 0.7 * across**4 + 0.8 * along**4
    relief[rows, columns] = 0.3 * relief[rows, columns] + (radius**0.5 * thickness)[wet]


def light(canvas, relief):
    """Light the relief from the upper left and shrink the canvas to the picture's size."""
    surface = gaussian_filter(relief, 0.9)
    down, right = np.gradient(surface)
    lit = (0.5 * down + 0.4 * right) / np.sqrt(1 + down**2 + right**2)
    shaded = canvas * (1 + 0.42 * np.clip(lit, -1, 1))[..., None]
    shaded += 40 * np.clip(lit - 0.35, 0, 1)[..., None]
    return resize(np.clip(shaded, 0, 255), HEIGHT, WIDTH, "bicubic")


def main():
    """Write both example pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[2] / "examples", help="folder")
    parser.add_argument("--seed", type=int, default=1889, help="another seed, another painting")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    flow, colours = composition(rng)
    write_image(arguments.output / "style.jpg", paint(flow, colours, rng), quality=90)
    write_image(arguments.output / "content.jpg", resize(coffee(), 320, 480, "bicubic"), quality=92)


if __name__ == "__main__":
    main()

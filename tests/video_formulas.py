"""The formulas of Ruder, Dosovitskiy & Brox (2016) written out pixel by pixel, to compare with."""

import numpy as np


def trust(forward, backward):
    """Both conditions of section 4.1, and that the source lies in the frame: a list of rows, 0 or 1."""
    height, width = backward.shape[:2]
    result = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            u, v = backward[y, x].astype(float)
            if not (0 <= x + u <= width - 1 and 0 <= y + v <= height - 1):
                continue
            there = _bilinear(forward, x + u, y + v)
            error = (there[0] + u) ** 2 + (there[1] + v) ** 2
            if error > 0.01 * (there[0] ** 2 + there[1] ** 2 + u**2 + v**2) + 0.5:
                continue
            edge = sum(
                _derivative(backward[..., channel], y, x, axis) ** 2 for channel in (0, 1) for axis in (0, 1)
            )
            result[y, x] = edge <= 0.01 * (u**2 + v**2) + 0.002
    return result


def temporal(picture, warped, trusts):
    """Equation 7: 1/D Σ c (x − ω)², D = height · width · 3."""
    total = 0.0
    height, width, channels = picture.shape
    for y in range(height):
        for x in range(width):
            for channel in range(channels):
                total += trusts[y, x] * (picture[y, x, channel] - warped[y, x, channel]) ** 2
    return total / (height * width * channels)


def temporal_long_term(picture, warped, trusts):
    """Equation 9: the sum over several earlier frames, the nearest first, with equation 8's weights."""
    total = 0.0
    for index, (earlier, own) in enumerate(zip(warped, trusts, strict=True)):
        weights = np.maximum(own - sum(trusts[:index], np.zeros_like(own)), 0)
        total += temporal(picture, earlier, weights)
    return total


def temporal_as_published(picture, warped, trusts):
    """neural-style-tf's temporal_loss: 1/D Σ(c · ½Σ(x − ω)²), where c has three equal channels."""
    l2_loss = 0.5 * np.square(picture.astype(float) - warped).sum()
    return (np.repeat(trusts[..., np.newaxis], 3, axis=2) * l2_loss).sum() / picture.size


def _bilinear(field, x, y):
    height, width = field.shape[:2]
    left, top = int(np.floor(x)), int(np.floor(y))
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    a, b = x - left, y - top
    upper = (1 - a) * field[top, left].astype(float) + a * field[top, right]
    lower = (1 - a) * field[bottom, left].astype(float) + a * field[bottom, right]
    return (1 - b) * upper + b * lower


def _derivative(plane, y, x, axis):
    """Central differences; one-sided ones at the border."""
    line, at = (plane[:, x], y) if axis == 0 else (plane[y], x)
    before, after = max(at - 1, 0), min(at + 1, len(line) - 1)
    return (float(line[after]) - float(line[before])) / (after - before)

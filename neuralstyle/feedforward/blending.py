"""How much of which style: strengths and weights, checked before anything is opened. No TensorFlow here."""

from collections.abc import Sequence

import numpy as np

from neuralstyle.files import InputError
from neuralstyle.validity import shares_of

#: How many styles the network of fixed styles has; their numbers count from 0.
FIXED_STYLES = 26


def check_strength(strength: float) -> None:
    """Make sure that a strength lies in 0..1.

    Raises
    ------
    InputError
        If it does not.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"--strength is {strength}; it must lie between 0 and 1")


def proportions(blend_weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Scale the weights of several styles so that their sum is 1.

    Parameters
    ----------
    blend_weights : sequence of float or None
        None: equal weights.
    count : int
        How many styles there are.

    Returns
    -------
    ndarray
        float32.

    Raises
    ------
    InputError
        If there are not as many weights as styles, or they are negative, not finite, or all zero.
    """
    weights = np.asarray(np.ones(count) if blend_weights is None else blend_weights, np.float64)
    if weights.shape != (count,):
        raise InputError(f"--style-blend-weights has {weights.size} numbers for {count} style pictures")
    return np.float32(shares_of(weights, "--style-blend-weights"))


def parse_fixed_styles(text: str) -> np.ndarray:
    """Read what the command line calls a fixed style: ``7``, or ``3:0.5,12:1.5`` for a blend.

    Parameters
    ----------
    text : str
        Numbers of styles, separated by commas, each with its weight after a colon; 1 where there is none.

    Returns
    -------
    ndarray
        26 weights, float64.

    Raises
    ------
    InputError
        If it is not of that form, or there is no style of a number.
    """
    blend = np.zeros(FIXED_STYLES)
    for part in text.split(","):
        number, colon, weight = part.partition(":")
        try:
            number, weight = int(number), float(weight) if colon else 1.0
        except ValueError:
            raise InputError(f"--fixed-style {text!r}: give a number, or some as 3:0.5,12:0.5") from None
        if not 0 <= number < FIXED_STYLES:
            raise InputError(f"--fixed-style {text!r}: there is no style {number}; 0 to {FIXED_STYLES - 1}")
        blend[number] += weight
    return blend


def shares_of_fixed_styles(blend: Sequence[float]) -> np.ndarray:
    """Scale the weights of the fixed styles so that their sum is 1.

    Parameters
    ----------
    blend : sequence of float
        26 numbers.

    Returns
    -------
    ndarray
        float32.

    Raises
    ------
    InputError
        If there are not 26 of them, or they are negative, not finite, or all zero.
    """
    blend = np.asarray(blend, np.float64)
    if blend.shape != (FIXED_STYLES,):
        raise InputError(f"a blend of the fixed styles has {FIXED_STYLES} numbers, not {blend.size}")
    return np.float32(shares_of(blend, "the weights of --fixed-style"))

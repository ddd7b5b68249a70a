"""Colours kept: the content's put back after the transfer, or the style's moved to the content's before it.

Both ways, and transfer on luminance alone, are those of Gatys et al. 2016 [1]_; the spaces that the colours
can be put back in are neural-style-tf's.

References
----------
.. [1] Gatys, Bethge, Hertzmann & Shechtman 2016, Preserving Color in Neural Artistic Style Transfer,
   arXiv:1606.05897; again in Gatys et al. 2017, Controlling Perceptual Factors in Neural Style Transfer.
"""

import warnings

import numpy as np
from skimage import color

from neuralstyle.files import InputError

#: Spaces whose first coordinate is luminance: how to get there and back.
SPACES = {
    "yuv": (color.rgb2yuv, color.yuv2rgb),
    "ycbcr": (color.rgb2ycbcr, color.ycbcr2rgb),
    "lab": (color.rgb2lab, color.lab2rgb),
    "luv": (color.rgb2luv, color.luv2rgb),
}

#: Weights of red, green and blue in luminance (Rec. 601, the Y of YUV, YIQ and YCbCr).
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def keep_colours(stylized: np.ndarray, content: np.ndarray, space: str = "yuv") -> np.ndarray:
    """Put the content's colours back: luminance of the one picture, the other two coordinates of the other.

    Parameters
    ----------
    stylized, content : ndarray
        H×W×3, of one size, sRGB, 0..255.
    space : {"yuv", "ycbcr", "lab", "luv"}
        Where luminance is told from colour. ``ycbcr`` is neural-style's ``--preserve-colors``, which
        rounds to 8 bits on the way; all four are neural-style-tf's ``--original_colors``. YUV and YCbCr
        are linear in RGB with the same luminance, so that both come to adding the difference of the
        luminances to red, green and blue. Lab and Luv follow the eye: lightness is what stays.

    Returns
    -------
    ndarray
        H×W×3, float32, 0..255; what falls outside is clipped.

    Raises
    ------
    InputError
        If the space is unknown or the sizes differ.
    """
    if space not in SPACES:
        raise InputError(f"cannot keep colours in {space!r}; choose one of {', '.join(SPACES)}")
    if stylized.shape != content.shape:
        raise InputError(
            f"colours are kept between pictures of one size, not {stylized.shape}, {content.shape}"
        )
    forth, back = SPACES[space]
    # Beyond 0..255 the curves of Lab and Luv mean nothing.
    mixed = forth(np.clip(content, 0, 255).astype(np.float32) / 255)
    mixed[..., 0] = forth(np.clip(stylized, 0, 255).astype(np.float32) / 255)[..., 0]
    with warnings.catch_warnings():
        # A lightness with another picture's colour often lies outside what RGB can show.
        warnings.filterwarnings("ignore", message="Conversion from CIE")
        kept = back(mixed)
    return (255 * np.clip(kept, 0, 1)).astype(np.float32)


def match_colours(style: np.ndarray, content: np.ndarray, method: str = "cholesky") -> np.ndarray:
    """Move the style's colours so that their mean and covariance are the content's.

    Every pixel x becomes A x + b with b = μ_C − A μ_S and A Σ_S Aᵀ = Σ_C (colour histogram matching in
    [1]_), where A is

    - ``cholesky``: L_C L_S⁻¹, with Σ = L Lᵀ (their equation for the Cholesky decomposition);
    - ``symmetric``: Σ_C^½ Σ_S^−½, roots by eigenvalues (theirs for image analogies).

    Where the style's colours vary by less than one level in some direction, as a grey picture's do, they
    are treated as if they varied by one: such a direction holds rounding noise, which is not blown up.

    Parameters
    ----------
    style, content : ndarray
        H×W×3, of any two sizes, sRGB, 0..255.
    method : {"cholesky", "symmetric"}
        Which of the many A.

    Returns
    -------
    ndarray
        The style, H×W×3, float32, 0..255; what falls outside is clipped.

    Raises
    ------
    InputError
        If the method is unknown.
    """
    if method not in ("cholesky", "symmetric"):
        raise InputError(f"cannot match colours by {method!r}; choose cholesky or symmetric")
    style_pixels = np.asarray(style, np.float64).reshape(-1, 3)
    content_pixels = np.asarray(content, np.float64).reshape(-1, 3)
    style_mean, content_mean = style_pixels.mean(0), content_pixels.mean(0)
    style_values, style_axes = np.linalg.eigh(np.cov(style_pixels.T, bias=True))
    content_values, content_axes = np.linalg.eigh(np.cov(content_pixels.T, bias=True))
    style_values = np.maximum(style_values, 1)
    content_values = np.maximum(content_values, 1e-6)  # no Cholesky decomposition at 0
    if method == "cholesky":
        style_factor = np.linalg.cholesky((style_axes * style_values) @ style_axes.T)
        content_factor = np.linalg.cholesky((content_axes * content_values) @ content_axes.T)
    else:
        style_factor = (style_axes * np.sqrt(style_values)) @ style_axes.T
        content_factor = (content_axes * np.sqrt(content_values)) @ content_axes.T
    transform = content_factor @ np.linalg.inv(style_factor)
    moved = (style_pixels - style_mean) @ transform.T + content_mean
    return np.clip(moved, 0, 255).reshape(style.shape).astype(np.float32)


def luminance(image: np.ndarray) -> np.ndarray:
    """The luminance of a picture (Rec. 601) as a grey picture.

    For transfer on luminance alone ([1]_), which stylises ``luminance(content)`` with
    ``match_luminance(style, content)`` and then puts the colours back with `keep_colours`.

    Parameters
    ----------
    image : ndarray
        H×W×3, sRGB, 0..255.

    Returns
    -------
    ndarray
        H×W×3, float32, 0..255, all three channels the same.
    """
    grey = np.asarray(image, np.float32) @ LUMA
    return np.repeat(grey[..., None], 3, axis=-1)


def match_luminance(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The style's luminance with the mean and standard deviation of the content's ([1]_).

    L' = (σ_C / σ_S) (L − μ_S) + μ_C.

    Parameters
    ----------
    style, content : ndarray
        H×W×3, of any two sizes, sRGB, 0..255.

    Returns
    -------
    ndarray
        H×W×3, float32, 0..255, all three channels the same; what falls outside is clipped. A style of
        one tone becomes the content's mean.
    """
    grey, target = luminance(style), luminance(content)
    gain = target.std(dtype=np.float64) / max(grey.std(dtype=np.float64), 1)
    moved = gain * (grey - grey.mean(dtype=np.float64)) + target.mean(dtype=np.float64)
    return np.clip(moved, 0, 255).astype(np.float32)

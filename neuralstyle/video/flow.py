"""Optical flow between two frames, where it can be trusted, and what is done with it.

A flow is float32 H×W×2: for each pixel of one frame the step (u, v), in pixels to the right and down, to
the place in the other frame that shows the same thing. The *backward* flow of a frame belongs to its own
pixels and points into an earlier frame; the *forward* flow belongs to the earlier frame's pixels. NaN,
infinity, and steps of more than 10⁹ pixels, as Middlebury's files have them, stand for "unknown".
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from neuralstyle.files import InputError
from neuralstyle.pictures.reading import as_image

#: Ways to compute optical flow. The first two are OpenCV's; the third needs nothing but scikit-image.
METHODS = ("dis", "deepflow", "tvl1")

#: A step longer than this stands for "unknown" (Middlebury's flowIO.h, UNKNOWN_FLOW_THRESH).
UNKNOWN = 1e9


def check_flow(method: str) -> None:
    """Find out, before any work starts, whether `optical_flow` could use a method here.

    Raises
    ------
    InputError
        If there is no such method, or OpenCV is missing or comes without the method.
    """
    if method not in METHODS:
        raise InputError(f"flow is {method!r}; it must be one of {', '.join(METHODS)}")
    if method == "tvl1":
        return
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            f"flow by {method} needs OpenCV: pip install 'neuralstyle[video]', or use tvl1, which is slower"
        ) from error
    if method == "deepflow" and not hasattr(cv2, "optflow"):
        raise InputError(
            "flow by deepflow needs OpenCV with its contrib modules: take opencv-python away, then "
            "pip install 'neuralstyle[video]', or use dis"
        )


def optical_flow(
    first: np.ndarray | str | Path, second: np.ndarray | str | Path, method: str = "dis"
) -> np.ndarray:
    """Estimate how far each pixel of a frame has moved in another frame.

    Parameters
    ----------
    first, second : ndarray, PIL picture or path
        H×W×3, uint8 or floating point, sRGB, 0..255, of one size. Only their luma counts.
    method : {"dis", "deepflow", "tvl1"}
        Dense inverse search (Kroeger et al., ECCV 2016) by OpenCV; DeepFlow's variational part
        (Weinzaepfel et al., ICCV 2013) by OpenCV's contrib modules; TV-L1 (Zach et al., DAGM 2007) by
        scikit-image.

    Returns
    -------
    ndarray
        H×W×2, float32: (u, v) in pixels, of the first frame's pixels, with
        ``second(x + u, y + v) = first(x, y)``. For the backward flow of frame i give frame i, then the
        earlier frame.

    Raises
    ------
    InputError
        If the frames are of two sizes or cannot be used, or as `check_flow` does.

    Examples
    --------
    >>> import numpy as np, skimage.data
    >>> photograph = skimage.data.astronaut()
    >>> flow = optical_flow(photograph[:200, 10:310], photograph[:200, :300], "tvl1")
    >>> np.median(flow, axis=(0, 1)).round().tolist()
    [10.0, 0.0]
    """
    check_flow(method)
    first, second = as_image(first), as_image(second)
    if first.shape != second.shape:
        sizes = " and ".join(f"{picture.shape[1]}×{picture.shape[0]}" for picture in (first, second))
        raise InputError(f"optical flow needs two frames of one size; these have {sizes} pixels")
    first, second = luma(first), luma(second)
    if method == "tvl1":
        from skimage.registration import optical_flow_tvl1

        # Twice as many warps as by default: half the error, twice the time.
        rows_and_columns = optical_flow_tvl1(first / 255, second / 255, num_warp=10)
        return np.stack(rows_and_columns[::-1], axis=-1).astype(np.float32)
    import cv2

    first, second = (np.rint(luma).astype(np.uint8) for luma in (first, second))
    if method == "dis":
        estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        # At full size, where the preset stops at half: half the error, four times the (little) time.
        estimator.setFinestScale(0)
    else:
        estimator = cv2.optflow.createOptFlow_DeepFlow()
    return estimator.calc(first, second, None)


def flow_trust(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """Tell for each pixel of the later frame whether its flow into the earlier one can be trusted.

    With ŵ the backward flow and w̃ the forward flow where ŵ points, w̃(x) = w(x + ŵ(x)), a pixel is
    disoccluded where |w̃ + ŵ|² > 0.01 (|w̃|² + |ŵ|²) + 0.5, and on a motion boundary where
    |∇û|² + |∇v̂|² > 0.01 |ŵ|² + 0.002. Source: Ruder, Dosovitskiy & Brox, "Artistic style transfer for
    videos" (2016), equations 5 and 6, after Sundaram, Brox & Keutzer (2010). The forward flow is sampled
    bilinearly and gradients are central differences, as in artistic-videos' consistencyChecker.cpp; that
    program also blurs its result.

    Parameters
    ----------
    forward : ndarray
        H×W×2, from the earlier frame to the later one, of the earlier frame's pixels.
    backward : ndarray
        H×W×2, from the later frame to the earlier one, of the later frame's pixels.

    Returns
    -------
    ndarray
        H×W, float32: 1 where the flow can be trusted. 0 where one of the conditions holds, where the
        source lies outside the earlier frame, and where flow is unknown at the pixel, beside it, or at
        its source.

    Raises
    ------
    InputError
        If a flow is no array H×W×2, or the two have different sizes.
    """
    forward, backward = _checked(forward, "forward"), _checked(backward, "backward")
    if forward.shape != backward.shape:
        sizes = " and ".join(f"{flow.shape[1]}×{flow.shape[0]}" for flow in (forward, backward))
        raise InputError(f"the forward and the backward flow must be of one size; these have {sizes} pixels")
    x, y, inside = _sources(backward)
    returning = _sampled(forward, x, y, order=1)
    # Written so that unknown flow, which is NaN here, fails.
    consistent = _square(returning + backward) <= 0.01 * (_square(returning) + _square(backward)) + 0.5
    gradients = sum(_square(gradient) for gradient in np.gradient(backward, axis=(0, 1)))
    smooth = gradients <= 0.01 * _square(backward) + 0.002
    return (inside & consistent & smooth).astype(np.float32)


def warp(picture: np.ndarray, flow: np.ndarray, outside: np.ndarray | None = None) -> np.ndarray:
    """Move a frame's pixels along a flow: ``result(x, y) = picture(x + u, y + v)``.

    Sampled by bicubic splines. A film warps what it has warped before: 20 times to and fro, these leave a
    photograph with half the error of bilinear sampling (artistic-videos) and 0.6 of that of OpenCV's
    ``INTER_CUBIC`` (neural-style-tf), which moreover overshoots 0..255 by 46 at edges.

    Parameters
    ----------
    picture : ndarray
        H×W×C, the frame that the flow points into: for a backward flow, the earlier one.
    flow : ndarray
        H×W×2, of the pixels of the result.
    outside : ndarray, optional
        What to put where the source lies outside the picture or the flow is unknown: a picture H×W×C, or
        a colour, as artistic-videos puts the mean pixel there. Default: the border goes on for ever, and
        unknown flow is none.

    Returns
    -------
    ndarray
        H×W×C, float32. May overshoot at edges.

    Raises
    ------
    InputError
        If the flow is no array H×W×2 or has another size than the picture.
    """
    picture, flow = np.asarray(picture, np.float32), _checked(flow, "backward")
    if picture.shape[:2] != flow.shape[:2]:
        sizes = f"{flow.shape[1]}×{flow.shape[0]} and {picture.shape[1]}×{picture.shape[0]}"
        raise InputError(f"a flow and the frame that it warps must be of one size; these have {sizes} pixels")
    x, y, inside = _sources(flow)
    warped = _sampled(picture, x, y, order=3)
    return warped if outside is None else np.where(inside[..., np.newaxis], warped, np.float32(outside))


def long_term_trust(trusts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Let the nearest frame that can be trusted count, and no other.

    c_long(j) = max(c(j) − Σ_{k nearer than j} c(k), 0). Source: Ruder, Dosovitskiy & Brox (2016),
    equation 8.

    Parameters
    ----------
    trusts : sequence of ndarray
        H×W, 0..1: the trust in several earlier frames, the nearest first.

    Returns
    -------
    list of ndarray
        In the same order.
    """
    nearer = np.zeros_like(trusts[0])
    result = []
    for trust in trusts:
        result.append(np.maximum(trust - nearer, 0))
        nearer = nearer + trust
    return result


def blend(own: np.ndarray, warped: np.ndarray, trust: np.ndarray, share: float = 0.5) -> np.ndarray:
    """Blend a frame with its warped neighbour where that can be trusted.

    δ c ∘ warped + ((1 − δ) + δ (1 − c)) ∘ own. Source: Ruder, Dosovitskiy & Brox (2016), section 4.3.

    Parameters
    ----------
    own, warped : ndarray
        H×W×3.
    trust : ndarray
        c: H×W, 0..1.
    share : float
        δ: how much of the warped picture there is where the trust is 1.

    Returns
    -------
    ndarray
        H×W×3.
    """
    trust = np.float32(share) * trust[..., np.newaxis]
    return trust * warped + (1 - trust) * own


def luma(picture: np.ndarray) -> np.ndarray:
    """Rec. 601's luma of a picture H×W×3, which OpenCV calls grey: H×W, float32, 0..255."""
    return np.clip(picture, 0, 255).astype(np.float32) @ np.float32([0.299, 0.587, 0.114])


def _checked(flow: np.ndarray, name: str) -> np.ndarray:
    """A flow as float32 whose unknown steps are NaN."""
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise InputError(f"the {name} flow must be an array of height × width × 2, not {flow.shape}")
    known = (np.abs(flow) <= UNKNOWN).all(axis=2, keepdims=True)
    return np.where(known, flow, np.float32(np.nan))


def _sources(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each pixel comes from, x and y, and whether that lies in the frame. Unknown flow: (0, 0), no."""
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    # In double precision, for a float32 has steps of 1/2048 beyond 4096 pixels.
    x, y = columns + flow[..., 0].astype(np.float64), rows + flow[..., 1].astype(np.float64)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.where(np.isnan(x), columns, x), np.where(np.isnan(y), rows, y), inside


def _square(flow: np.ndarray) -> np.ndarray:
    """The squared length of each vector, H×W."""
    return np.square(flow).sum(axis=2)


def _sampled(field: np.ndarray, x: np.ndarray, y: np.ndarray, order: int) -> np.ndarray:
    """Read H×W×C values at places between pixels, by splines of an order; the border goes on for ever."""
    planes = [
        map_coordinates(field[..., channel], (y, x), order=order, mode="nearest")
        for channel in range(field.shape[2])
    ]
    return np.stack(planes, axis=-1)

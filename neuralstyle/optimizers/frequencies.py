"""A filter that weighs the frequencies of a picture as natural pictures have them.

The power of a frequency f in a natural picture falls like f⁻² (Field 1987). An optimiser that takes pixels
for independent of each other knows nothing of that, and spends most of its steps on what is coarse. Olah,
Mordvintsev & Schubert ("Feature Visualization", Distill 2017; lucid's ``fft_image``) optimise Fourier
coefficients divided by their frequency; here the same knowledge is the first guess of an inverse Hessian.
"""

import numpy as np

from neuralstyle.optimizers.blocks import THREADS, dot


class FrequencyFilter:
    """The symmetric, positive definite filter A = F⁻¹ (1 + f²/f₀²)^(−p) F on a picture's rows and columns.

    F is the orthonormal cosine transform of each channel (DCT-II: its basis is even at the picture's
    borders, which therefore count for no edges, as they would if the picture were taken for periodic), and
    f the frequency in cycles per pixel, k/2N for the k-th of N coefficients; f² = fy² + fx². The factor
    f₀^(2p) beside (f² + f₀²)^(−p) leaves the mean of a picture as it is.

    Parameters
    ----------
    height, width : int
    exponent : float
        p; 0 leaves every picture as it is.
    corner_frequency : float
        f₀, in cycles per pixel; frequencies below it weigh nearly the same.
    """

    def __init__(self, height: int, width: int, exponent: float, corner_frequency: float) -> None:
        rows, columns = (np.square(np.arange(size) / (2 * size)) for size in (height, width))
        squares = (rows[:, None] + columns) / corner_frequency**2
        self._gains = None
        if exponent:
            self._gains = ((1 + squares) ** -exponent).astype(np.float32)[..., None]

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """A · picture, for float32 H×W×3, which may be overwritten."""
        if self._gains is None:
            return picture
        # Imported here, because who only reads the settings needs none of it.
        from scipy.fft import dctn, idctn

        how = {"axes": (0, 1), "norm": "ortho", "overwrite_x": True, "workers": THREADS}
        coefficients = dctn(picture, **how)
        coefficients *= self._gains
        return idctn(coefficients, **how)

    def norm(self, picture: np.ndarray) -> float:
        """The product picture · A · picture; F is orthonormal, so the coefficients suffice."""
        if self._gains is None:
            return dot(picture, picture)
        from scipy.fft import dctn

        coefficients = dctn(picture, axes=(0, 1), norm="ortho", workers=THREADS)
        coefficients *= np.sqrt(self._gains)
        return dot(coefficients, coefficients)

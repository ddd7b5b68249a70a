"""3×3 convolutions with a quarter of the multiplications: Winograd's F(4×4, 3×3) (Lavin and Gray 2016).

**In one dimension.** Four results of a convolution with three taps, y_i = Σ_d x_{i+d} k_d, take 12
multiplications; 6 are enough. Weigh the results with any w_0 … w_3. Then

    Σ_i w_i y_i = Σ_n x_n s_n    with s_n = Σ_{i+d=n} w_i k_d

and s are the coefficients of s(t) = w(t) k(t), the product of two polynomials. It has the degree 5, so that
its values at 5 points p and its leading coefficient, its "value at ∞", determine it (Lagrange):

    s(t) = Σ_p s(p)/N_p Π_{q≠p} (t − q) + s_5 Π_q (t − q)    with N_p = Π_{q≠p} (p − q)

There are 6 products: s(p) = w(p) k(p), and s_5 = w_3 k_2. Let the rows of Bᵀ hold the coefficients of the
polynomials Π, those of A the powers p⁰ … p³, and those of G the powers p⁰, p¹, p², divided by N_p; at ∞,
0, 0, 0, 1 and 0, 0, 1. Since all this holds for every w,

    y = Aᵀ [(G k) ⊙ (Bᵀ x)]

Lavin and Gray's points (section 4.3) are 0, ±1, ±2. The points here are 0, ±2/3, ±3/2: their powers differ
less in size, and rounding errors are less than half of the others' (1.05e-6 instead of 2.37e-6 of the
results, in the mean, at 256 channels). A point's row of Bᵀ and its row of A can be multiplied by any numbers
if that of G is divided by both; here they are such that Bᵀ and A are small integers, exact in float32.

**Backwards.** The derivative with respect to the input is a convolution with the mirrored kernel, k_2, k_1,
k_0. That is the polynomial t² k(1/t): its value at p is p² times that of k at 1/p. The reciprocals of the
points are the points, ∞ and 0 being each other's, and the rows' factors are such that the one is, without a
factor, the other: G k' is G k with its rows in the order of the reciprocals. So whoever exchanges the rows
of Bᵀ and of A instead computes the derivative with the kernel as it was transformed for the way forward.

**In two**, one dimension inside the other: Y = Aᵀ [(G K Gᵀ) ⊙ (Bᵀ X B)] A for a *tile* of 4×4 results from
6×6 positions; tiles overlap by two. Summed over input channels, each of the 36 products is a matrix
product (tiles × inputs) · (inputs × outputs), and the transforms are matrix products too: with Bᵀ on rows and
then on columns, and with the 16×36 matrix Aᵀ ⊗ Aᵀ at once, where two steps gained nothing.

**In memory.** The transforms take 36/16 of input and output. A large layer is therefore computed some
rows of tiles at a time. That also keeps each array small enough for the C library to give it out again
from what it holds, instead of having it from the system anew, page by page, every time.

**Rounding.** Transforms and products are in float32; the kernel is transformed in float64 beforehand where
it is fixed. Results differ from exact ones by about 1e-6 of the largest, up to six times as much as the
direct form's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tensorflow as tf

#: A tile covers so many positions in each direction. A part of a picture whose every layer begins on a
#: multiple of it is cut into the tiles that the whole picture is cut into, and rounded as that is.
TILE = 4

_SIDE = TILE + 2

#: How many numbers an array of tiles may hold: 25 MB. The C library gives out arrays below 32 MB again.
_LARGEST = 6 * 2**20

#: How many pairs of channels of a kernel are transformed at once: 5 MB.
_COLUMNS = 2**14

_POINTS = np.array([0, 2 / 3, -2 / 3, 3 / 2, -3 / 2])
_OTHERS = [np.delete(_POINTS, index) for index in range(len(_POINTS))]
_DISTANCES = [np.prod(point - others) for point, others in zip(_POINTS, _OTHERS, strict=True)]

#: What the rows of Bᵀ and of A are multiplied by, that of ∞ at the end.
_B_FACTORS, _A_FACTORS = np.array([36, 12, 12, -18, -18, 36]), np.array([1, 27, 27, 8, 8, 1])

#: For each point the place of its reciprocal.
_RECIPROCALS = [5, 3, 4, 1, 2, 0]

# One row for each point and the last for ∞. (numpy.poly gives the highest coefficient first.)
_B = np.array([[*np.poly(others)[::-1], 0] for others in _OTHERS] + [np.poly(_POINTS)[::-1]]).T
_G = np.vstack([np.vander(_POINTS, 3, increasing=True) / np.array(_DISTANCES)[:, None], [0, 0, 1]])
_A = np.vstack([np.vander(_POINTS, TILE, increasing=True), [0, 0, 0, 1]])
_B, _A = np.rint(_B * _B_FACTORS), np.rint(_A * _A_FACTORS[:, None])
_G = _G / (_B_FACTORS * _A_FACTORS)[:, None]


def _twice(matrix: np.ndarray) -> tf.Tensor:
    """The matrix that transforms rows and columns of a tile laid out as one vector."""
    return tf.constant(np.kron(matrix, matrix), tf.float32)


def _spectrum(tiles: tf.Tensor, channels: int, order: Sequence[int] | slice = slice(None)) -> tf.Tensor:
    """Bᵀ X B for 6×6×tiles×C: 36×tiles×C, the points in some order.

    Rows first, then columns: a third of the multiplications.
    """
    matrix = _B.T[order].astype(np.float32)
    rows = tf.matmul(matrix, tf.reshape(tiles, (_SIDE, -1)))
    columns = tf.matmul(matrix[np.newaxis], tf.reshape(rows, (_SIDE, _SIDE, -1)))
    return tf.reshape(columns, (_SIDE**2, -1, channels))


def transformed(kernel: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Transform a kernel: G K Gᵀ for each pair of channels.

    Parameters
    ----------
    kernel : ndarray or tf.Tensor
        3×3×C×K. An array is transformed at once, in float64; a tensor in the graph, each time it runs.

    Returns
    -------
    ndarray or tf.Tensor
        float32, 36×C×K, as the kernel was.
    """
    inputs, outputs = kernel.shape[2:]
    if isinstance(kernel, tf.Tensor):
        flat = tf.matmul(_twice(_G), tf.reshape(kernel, (9, -1)))
        return tf.reshape(flat, (_SIDE**2, inputs, outputs))
    flat = np.empty((_SIDE**2, inputs * outputs), np.float32)
    taps, both = kernel.reshape(9, -1), np.kron(_G, _G)
    for part in range(0, inputs * outputs, _COLUMNS):  # in float64, as much at a time as the caches hold
        flat[:, part : part + _COLUMNS] = both @ taps[:, part : part + _COLUMNS].astype(np.float64)
    return flat.reshape(_SIDE**2, inputs, outputs)


def convolve(
    x: tf.Tensor,
    kernel: tf.Tensor,
    margin: int,
    bias: tf.Tensor | None = None,
    relu: bool = False,
    mirrored: bool = False,
) -> tf.Tensor:
    """Convolve pictures with a 3×3 kernel, and add a bias and apply a ReLU while the results are at hand.

    Parameters
    ----------
    x : tf.Tensor
        N×H×W×C, or N×H×W×K where the kernel is mirrored. Any of N, H and W may be known only when the graph
        runs.
    kernel : tf.Tensor
        36×C×K, as `transformed` gives it.
    margin : int
        How many zeros are put around each picture: 0 (VALID), 1 (SAME) or 2.
    bias : tf.Tensor, optional
        K numbers.
    relu : bool
    mirrored : bool
        Convolve with the kernel whose rows and columns are mirrored and whose input and output channels are
        swapped, as the way back does.

    Returns
    -------
    tf.Tensor
        N×(H + 2·margin − 2)×(W + 2·margin − 2)×K; C instead of K where the kernel is mirrored.
    """
    definition = _definition(tuple(x.shape), tuple(kernel.shape), margin, bias is not None, relu, mirrored)
    given = {"x": x, "kernel": kernel} | ({} if bias is None else {"bias": bias})
    (y,) = tf.import_graph_def(definition, given, ["y:0"], name="winograd")
    sizes = [size and size + 2 * margin - 2 for size in x.shape[1:3]]
    y.set_shape([x.shape[0], *sizes, kernel.shape[1 if mirrored else 2]])
    return y


@lru_cache
def _definition(
    shape: tuple[int | None, ...],
    spectrum: tuple[int, int, int],
    margin: int,
    biased: bool,
    relu: bool,
    mirrored: bool,
) -> tf.compat.v1.GraphDef:
    """The graph of a convolution of pictures of a shape, built once: for every layer anew takes seconds."""
    inputs, outputs = shape[3], spectrum[1 if mirrored else 2]
    order = _RECIPROCALS if mirrored else slice(None)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, shape, name="x")
        kernel = tf.compat.v1.placeholder(tf.float32, spectrum, name="kernel")
        bias = tf.compat.v1.placeholder(tf.float32, (outputs,), name="bias") if biased else None
        results = _results(x, margin)
        tiles = _tiles(x, results, _SIDE, margin)
        across = TILE * results.across

        def compute(rows: tf.Tensor) -> tf.Tensor:
            products = tf.matmul(_spectrum(tiles(rows), inputs, order), kernel, transpose_b=mirrored)
            y = tf.matmul(_twice(_A[order].T), tf.reshape(products, (_SIDE**2, -1)))
            y = tf.transpose(tf.reshape(y, (TILE, TILE, -1, results.across, outputs)), (2, 0, 3, 1, 4))
            y = tf.reshape(y, (-1, across, outputs))
            y = tf.nn.bias_add(y, bias) if biased else y
            return tf.nn.relu(y) if relu else y

        count, part = results.parts(max(inputs, outputs))
        if isinstance(count, int) and count == 1:
            lines = compute(part(0))
        else:

            def one(index: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
                return index + 1, found.write(index, compute(part(index)))

            found = tf.TensorArray(tf.float32, count, infer_shape=False)
            _, found = tf.while_loop(lambda index, _: index < count, one, (0, found), parallel_iterations=1)
            lines = found.concat()
        y = tf.reshape(lines, (-1, TILE * results.down, across, outputs))
        tf.identity(y[:, : results.height, : results.width], name="y")
    return graph.as_graph_def()


def kernel_derivative(x: tf.Tensor, upstream: tf.Tensor, margin: int) -> tf.Tensor:
    """The derivative with respect to the kernel, in as few multiplications as the convolution itself.

    Each product of the spectrum of x and the kernel's, V_t · U for a tile t, passes V_tᵀ · (A dY_t Aᵀ) on to
    U, and U = G K Gᵀ passes Gᵀ dU G on to K.

    Parameters
    ----------
    x : tf.Tensor
        N×H×W×C: what was convolved.
    upstream : tf.Tensor
        N×(H + 2·margin − 2)×(W + 2·margin − 2)×K: the derivative with respect to the results.
    margin : int
        As in `convolve`.

    Returns
    -------
    tf.Tensor
        3×3×C×K.
    """
    inputs, outputs = x.shape[3], upstream.shape[3]
    results = _results(x, margin)
    tiles = _tiles(x, results, _SIDE, margin)
    upstream_tiles = _tiles(upstream, results, TILE, 0)
    count, part = results.parts(max(inputs, outputs))

    def one(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = part(index)
        spectrum = _spectrum(tiles(rows), inputs)
        products = tf.matmul(_twice(_A), tf.reshape(upstream_tiles(rows), (TILE**2, -1)))
        products = tf.reshape(products, (_SIDE**2, -1, outputs))
        return index + 1, total + tf.matmul(spectrum, products, transpose_a=True)

    start = (0, tf.zeros((_SIDE**2, inputs, outputs)))
    _, total = tf.while_loop(lambda index, _: index < count, one, start, parallel_iterations=1)
    derivative = tf.matmul(_twice(_G.T), tf.reshape(total, (_SIDE**2, -1)))
    return tf.reshape(derivative, (3, 3, inputs, outputs))


#: A number, known when the graph is built or only when it runs.
Size = int | tf.Tensor


@dataclass(frozen=True)
class _Results:
    """The size of a convolution's results, and how many tiles they are."""

    pictures: Size
    height: Size
    width: Size

    @property
    def down(self) -> Size:
        """Tiles from the top of a picture to its bottom."""
        return _divided(self.height, TILE)

    @property
    def across(self) -> Size:
        return _divided(self.width, TILE)

    def parts(self, channels: int) -> tuple[Size, Callable[[Size], tf.Tensor]]:
        """In how many parts to compute, and which rows of tiles, of all pictures together, a part has."""
        rows = self.pictures * self.down
        fitting = _LARGEST // (_SIDE**2 * channels) // self.across
        fitting = max(fitting, 1) if isinstance(fitting, int) else tf.maximum(fitting, 1)
        at_once = _divided(rows, _divided(rows, fitting))
        return _divided(rows, at_once), lambda index: tf.range(
            index * at_once, tf.minimum(index * at_once + at_once, rows)
        )


def _divided(number: Size, by: Size) -> Size:
    """A quotient rounded up."""
    return (number + (by - 1)) // by


def _results(x: tf.Tensor, margin: int) -> _Results:
    """The results of a convolution of x."""
    pictures, height, width, _ = _dimensions(x)
    return _Results(pictures, height + 2 * margin - 2, width + 2 * margin - 2)


def _dimensions(x: tf.Tensor) -> list[Size]:
    """The shape of a tensor: numbers where they are known, tensors where they are not yet."""
    shape = tf.shape(x)
    return [shape[axis] if size is None else size for axis, size in enumerate(x.shape)]


def _tiles(x: tf.Tensor, results: _Results, side: int, margin: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from rows of tiles to the positions under those tiles.

    Its result is side×side×rows×tiles×C, for tiles of side×side that begin at every fourth row and column of
    the pictures with a margin of zeros. The rows of all pictures are counted in one go.
    """
    _, height, width, channels = _dimensions(x)
    down, across = results.down, results.across
    lines, columns = TILE * down + side - TILE, TILE * across + side - TILE
    margins = [[margin, lines - height - margin], [margin, columns - width - margin]]
    positions = tf.reshape(tf.pad(x, [[0, 0], *margins, [0, 0]]), (-1, channels))
    line = np.arange(side, dtype=np.int32)
    # Of a tile's position in the row of tiles that begins at position 0: side × side × 1 × across.
    offsets = line[:, None, None, None] * columns + line[:, None, None] + TILE * tf.range(across)

    def gather(rows: tf.Tensor) -> tf.Tensor:
        begins = (rows // down * lines + rows % down * TILE) * columns
        return tf.gather(positions, offsets + begins[:, tf.newaxis])

    return gather

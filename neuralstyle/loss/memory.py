"""How much memory a picture takes, how much there is, and whether to cut the picture into tiles."""

from collections.abc import Callable
from functools import partial

from neuralstyle.files import InputError
from neuralstyle.free_memory import free_bytes
from neuralstyle.loss.objectives import Objective
from neuralstyle.loss.tiles import longest_region
from neuralstyle.networks import Network
from neuralstyle.networks.convolutions import SMALL, form
from neuralstyle.optimizers import LBFGS, Optimizer, PreconditionedLBFGS

_FLOAT = 4

#: What plain kernels, TensorFlow's threads and the allocator's rounding take beside the arrays, measured.
_FIXED = 420 * 2**20

#: What a process has before it computes: Python, TensorFlow and the weights, measured.
PROCESS = 600 * 2**20

#: The halo adds a sixth to a tile of so many pixels, and a third to one of half as many.
LARGEST_TILE = 2048


def graph_bytes(
    network: Network, layers: tuple[str, ...], height: int, width: int, masked: tuple[str, ...] = ()
) -> int:
    """What a run of the loss's graph and its gradient takes for a picture or a region, in bytes.

    Every ReLU's and pooling's output is kept until the gradient has passed it; a convolution's is
    overwritten by its ReLU. On the way back three arrays of the largest layer live at once: a gradient,
    the one made from it, and a Gram matrix's share. A mask keeps another array of a style layer's size.
    Kernels in Winograd's form, for the way forward and back, have 36 numbers in the place of 9.

    Parameters
    ----------
    network : Network
    layers : tuple of str
        The layers in use.
    height, width : int
        In pixels.
    masked : tuple of str
        The style layers that are looked at through a mask, once for each mask.
    """
    kept = [layer.name for layer in network.up_to(layers) if layer.kind in ("relu", "pool")]
    floats = [
        rows * columns * channels for rows, columns, channels in network.sizes(height, width, kept).values()
    ]
    floats_of_masks = [
        rows * columns * channels
        for layer in masked
        for rows, columns, channels in network.sizes(height, width, [layer]).values()
    ]
    kernels = _kernel_bytes(network, layers) if height * width > SMALL else 0
    return _FIXED + kernels + _FLOAT * (sum(floats) + sum(floats_of_masks) + 3 * max(floats, default=0))


def _kernel_bytes(network: Network, layers: tuple[str, ...]) -> int:
    """What kernels in Winograd's form take, and what is left of the arrays that they were filled from."""
    shapes = [layer.kernel.shape for layer in network.up_to(layers) if layer.kind == "convolution"]
    return sum(2 * _FLOAT * 36 * shape[2] * shape[3] for shape in shapes if form("CPU", shape) == "winograd")


def forward_bytes(network: Network, layers: tuple[str, ...], height: int, width: int) -> int:
    """What a run forward takes for a picture or a region, in bytes.

    Three arrays of the largest layer live at once: its input, its output, and a Gram matrix's share.
    Parameters are those of `graph_bytes`.
    """
    used = [layer.name for layer in network.up_to(layers) if layer.kind == "relu"]
    floats = [
        rows * columns * channels for rows, columns, channels in network.sizes(height, width, used).values()
    ]
    return _FIXED + _FLOAT * 3 * max(floats, default=0)


def optimizer_bytes(optimizer: Optimizer, height: int, width: int) -> int:
    """What an optimiser remembers and works with for a picture, in bytes.

    Adam and gradient descent: up to six float32 arrays, the picture, its gradient, two moments, and two on
    their way to and from the loss. Our own L-BFGS: 2 m float32 arrays for a memory of m steps, and six more:
    the last picture, the best, the next, its gradient, and two on their way to and from the loss.
    SciPy's L-BFGS-B: (2 m + 5) float64 arrays, and about eight more for the point, its bounds and the
    conversions.

    Parameters
    ----------
    optimizer : Adam, GradientDescent, LBFGS or PreconditionedLBFGS
    height, width : int
        In pixels.
    """
    values = 3 * height * width
    if isinstance(optimizer, LBFGS):
        return 2 * _FLOAT * values * (2 * optimizer.memory + 5 + 8)
    if isinstance(optimizer, PreconditionedLBFGS):
        return _FLOAT * values * (2 * optimizer.memory + 6)
    return _FLOAT * values * 6


def check_optimizer_fits(optimizer: Optimizer, height: int, width: int) -> None:
    """Find out, before any work starts, whether an optimiser's memory fits into what is free.

    Parameters
    ----------
    optimizer : Adam, GradientDescent or LBFGS
    height, width : int
        Of the picture, in pixels.

    Raises
    ------
    InputError
        If it does not; the message says what to choose.
    """
    needed, free = optimizer_bytes(optimizer, height, width), free_bytes()
    if needed > free:
        choice = (
            "choose --optimizer adam, or a smaller --memory"
            if isinstance(optimizer, LBFGS | PreconditionedLBFGS)
            else "make the picture smaller"
        )
        raise InputError(
            f"the optimizer would take {needed / 1e9:.1f} GB for {width}×{height} pixels and "
            f"{free / 1e9:.1f} GB are free; {choice}"
        )


def choose_tile(
    network: Network,
    objective: Objective,
    height: int,
    width: int,
    tile: int | str | None,
    free: int | None = None,
    masked: int = 0,
) -> int | None:
    """Decide whether the loss of a picture is computed whole or in tiles.

    Parameters
    ----------
    network : Network
    objective : Objective
    height, width : int
        Of the picture.
    tile : int, "auto" or None
        What was asked for; a picture of one tile is taken whole. "auto" takes the picture whole where its
        graph fits into the memory that is free, and otherwise in tiles of 2048 pixels, or of 1024, 512 or
        256 where that does not fit. What does not go with tiles is taken whole.
    free : int, optional
        How many bytes there are for the graph; default: what the system has free.
    masked : int
        How many styles have a mask.

    Returns
    -------
    int or None
        The size of tiles, or None for the whole picture.

    Raises
    ------
    InputError
        If it is another word than "auto".
    """
    if isinstance(tile, int):
        return None if tile >= max(height, width) else tile
    if tile is None:
        return None
    if tile != "auto":
        raise InputError(f"unknown tile {tile!r}; give a number of pixels, auto or none")
    free = free_bytes() if free is None else free
    layers, masks = objective.layers, masked * objective.style_layers
    if objective.normalize_gradients or graph_bytes(network, layers, height, width, masks) <= free:
        return None
    return _largest_tile(network, layers, free, partial(graph_bytes, masked=masks))


def check_whole_fits(
    network: Network,
    objective: Objective,
    height: int,
    width: int,
    free: int | None = None,
    masked: int = 0,
) -> None:
    """Find out, before any work starts, whether the loss of a whole picture fits into what is free.

    Parameters are those of `choose_tile`.

    Raises
    ------
    InputError
        If it does not.
    """
    needed = graph_bytes(network, objective.layers, height, width, masked * objective.style_layers)
    free = free_bytes() if free is None else free
    if needed > free:
        raise InputError(
            f"{width}×{height} pixels take {needed / 1e9:.1f} GB as a whole, {free / 1e9:.1f} GB are free; "
            "leave tile at auto, give it a number, or say with free_memory how much there is",
            fields=("tile", "free_memory"),
        )


def choose_style_tile(
    network: Network,
    layers: tuple[str, ...],
    height: int,
    width: int,
    tile: int | str | None,
    free: int | None = None,
) -> int | None:
    """Decide whether a style picture, which is only run forward, is taken whole or in tiles.

    Parameters and result are those of `choose_tile`.
    """
    if tile != "auto":
        return tile
    free = free_bytes() if free is None else free
    if forward_bytes(network, layers, height, width) <= free:
        return None
    return _largest_tile(network, layers, free, forward_bytes)


def _largest_tile(network: Network, layers: tuple[str, ...], free: int, needed: Callable[..., int]) -> int:
    size = LARGEST_TILE
    while size > 256 and needed(network, layers, *2 * (longest_region(network, layers, size),)) > free:
        size //= 2
    return size

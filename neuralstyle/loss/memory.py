"""How much memory a picture takes, how much there is, and whether to cut the picture into tiles."""

from pathlib import Path

from neuralstyle.files import InputError
from neuralstyle.loss.objectives import layers_in_use
from neuralstyle.loss.tiles import strides_and_reach
from neuralstyle.networks import Network, vgg
from neuralstyle.optimizers import LBFGS, Optimizer, PreconditionedLBFGS
from neuralstyle.recipes import Recipe

_FLOAT = 4

#: What kernels, TensorFlow's threads and the allocator's rounding take beside the arrays, measured.
_FIXED = 400 * 2**20

#: The halo adds a sixth to a tile of so many pixels, and a third to one of half as many.
LARGEST_TILE = 2048

#: Assumed to be free where the system does not say.
_UNKNOWN = 4 * 2**30


def free_bytes() -> int:
    """The memory that this process can still have without swapping, in bytes.

    Linux says; elsewhere 4 GB are assumed.
    """
    table = Path("/proc/meminfo")
    if not table.is_file():
        return _UNKNOWN
    fields = dict(line.split(":") for line in table.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    # A container may have less than the machine (version 2 of control groups). What it has used counts the
    # files that the system keeps in memory as long as nobody else wants it.
    group = Path("/sys/fs/cgroup")
    if (group / "memory.max").is_file() and (group / "memory.max").read_text().strip() != "max":
        limit, used = (int((group / f"memory.{what}").read_text()) for what in ("max", "current"))
        counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        free = min(free, limit - used + int(counts["inactive_file"]) + int(counts["active_file"]))
    return free


def graph_bytes(network: Network, recipe: Recipe, height: int, width: int) -> int:
    """What a run of the loss's graph and its gradient takes for a picture or a region, in bytes.

    Every ReLU's and pooling's output is kept until the gradient has passed it; a convolution's is
    overwritten by its ReLU. On the way back three arrays of the largest layer live at once: a gradient,
    the one made from it, and a Gram matrix's share. Measured with `neural-style` at 1024×1364: 3.2 GB
    beyond what the process takes before, where this says 3.3.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    height, width : int
        In pixels.
    """
    content_layers, style_layers = layers_in_use(recipe)
    kept = [
        layer.name
        for layer in network.up_to((*content_layers, *style_layers))
        if layer.kind in ("relu", "pool")
    ]
    sizes = vgg.sizes(network, height, width, kept, recipe.padding)
    floats = {name: rows * columns * channels for name, (rows, columns, channels) in sizes.items()}
    return _FIXED + _FLOAT * (sum(floats.values()) + 3 * max(floats.values(), default=0))


def optimizer_bytes(optimizer: Optimizer, height: int, width: int) -> int:
    """What an optimiser remembers and works with for a picture, in bytes.

    Adam and gradient descent: up to eight float32 arrays, the picture, its gradient, two moments and
    what a step works with. Our own L-BFGS: 2 m float32 arrays for a memory of m steps, and seven more: the
    last picture, the best, the next, its gradient, and three that the filter and the direction work with, of
    which all but three are free while the loss is evaluated. SciPy's L-BFGS-B: (2 m + 5) float64 arrays,
    and about eight more for the point, its bounds and the conversions.

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
        return _FLOAT * values * (2 * optimizer.memory + 7)
    return _FLOAT * values * 8


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
    network: Network, recipe: Recipe, height: int, width: int, tile: int | str | None
) -> int | None:
    """Decide whether a picture is taken whole or in tiles.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    height, width : int
        Of the picture.
    tile : int, "auto" or None
        What was asked for. "auto" takes the picture whole where its graph and its optimiser fit into the
        memory that is free, and otherwise in tiles of 2048 pixels, or of 1024, 512 or 256 where that does
        not fit. What does not go with tiles is taken whole.

    Returns
    -------
    int or None
        The size of tiles, or None for the whole picture.

    Raises
    ------
    InputError
        If it is another word than "auto".
    """
    if tile is None or isinstance(tile, int):
        return tile
    if tile != "auto":
        raise InputError(f"unknown tile {tile!r}; give a number of pixels, auto or none")
    free = free_bytes() - optimizer_bytes(recipe.optimizer, height, width)
    if recipe.normalize_gradients or graph_bytes(network, recipe, height, width) <= free:
        return None
    content_layers, style_layers = layers_in_use(recipe)
    halo = 2 * strides_and_reach(network, (*content_layers, *style_layers))[1]
    size = LARGEST_TILE
    while size > 256 and graph_bytes(network, recipe, size + halo, size + halo) > free:
        size //= 2
    return size

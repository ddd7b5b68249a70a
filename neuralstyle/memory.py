"""How much memory a picture takes, and how much there is."""

from neuralstyle.files import InputError
from neuralstyle.networks import Network
from neuralstyle.recipes import Recipe


def choose_tile(
    network: Network, recipe: Recipe, height: int, width: int, tile: int | str | None
) -> int | None:
    """Decide on whole or tiles.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    height, width : int
        Of the picture.
    tile : int, "auto" or None
        What was asked for.

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
    return None

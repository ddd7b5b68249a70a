"""Make neuralstyle/web/fixed-styles.jpg: the bundled photograph in each of the 26 fixed styles.

    python scripts/maintainers/fixed_styles.py

The styles stand side by side and row by row, in the order of their numbers.
"""

from pathlib import Path

import numpy as np

from neuralstyle.feedforward import multi_style
from neuralstyle.feedforward.blending import FIXED_STYLES
from neuralstyle.feedforward.pictures import centre_square
from neuralstyle.files import example_pair
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.sizes import resize
from neuralstyle.pictures.writing import write_image
from neuralstyle.web import STYLES_IN_A_ROW

#: Sides of the square that is rendered, and of what is kept of it.
RENDERED, KEPT = 288, 112


def main() -> None:
    """Render the styles and write the sheet."""
    photograph = resize(centre_square(read_image(example_pair()[0])), RENDERED, RENDERED)
    tiles = []
    for number in range(FIXED_STYLES):
        with multi_style.renderer(np.eye(FIXED_STYLES)[number]) as render:
            tiles.append(resize(render(photograph), KEPT, KEPT))
    rows = [tiles[at : at + STYLES_IN_A_ROW] for at in range(0, FIXED_STYLES, STYLES_IN_A_ROW)]
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    package = Path(__file__).parents[2] / "neuralstyle"
    write_image(package / "web" / "fixed-styles.jpg", sheet, quality=82)


if __name__ == "__main__":
    main()

"""A film in a program: pictures in, frames out."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence

from neuralstyle.networks import Network, load_network
from neuralstyle.pictures.reading import AnyPicture, as_image
from neuralstyle.pictures.sizes import resize
from neuralstyle.preparation import Style, content_size, scene_of
from neuralstyle.recipes import Recipe, find_recipe, stages
from neuralstyle.video.flow import check_flow
from neuralstyle.video.flows import Flows
from neuralstyle.video.folder import Rendered, WorkFolder
from neuralstyle.video.loop import FilmJob, run_film


def stylize_frames(
    frames: Iterable[AnyPicture],
    styles: AnyPicture | Style | Sequence[AnyPicture | Style],
    recipe: Recipe | str = "painterly-film",
    network: Network | None = None,
    *,
    flow: str = "dis",
    seed: int = 0,
    find_cuts: bool = True,
) -> Iterator[Rendered]:
    """Render the frames of a film so that strokes move with what they are on.

    Parameters
    ----------
    frames : iterable of (ndarray, PIL picture or path)
        H×W×3, of one size; rounded to 8 bits.
    styles : ndarray, path or Style, or a sequence of them
    recipe : Recipe or str
        Its `neuralstyle.motion.Motion` says how frames follow each other.
    network : Network, optional
        Default: `neuralstyle.load_network`'s.
    flow : {"dis", "deepflow", "tvl1"}
    seed : int
    find_cuts : bool
        Whether scene cuts are looked for.

    Yields
    ------
    Rendered
        Numbered from 1.

    Raises
    ------
    InputError
        As `neuralstyle.stylize` and `neuralstyle.optical_flow`.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import neuralstyle, skimage.data
    >>> from neuralstyle.motion import Motion
    >>> photograph, painting = skimage.data.coffee(), skimage.data.astronaut()[:64, :64]
    >>> frames = [photograph[100:148, x : x + 64] for x in (300, 303)]
    >>> quick = Motion(iterations=2, tolerance=None)
    >>> recipe = replace(neuralstyle.RECIPES["artistic-videos"], iterations=2, motion=quick)
    >>> [frame.picture.shape for frame in neuralstyle.stylize_frames(frames, painting, recipe, flow="tvl1")]
    [(48, 64, 3), (48, 64, 3)]
    """
    check_flow(flow)
    recipe = find_recipe(recipe)
    frames = [as_image(frame) for frame in frames]
    styles = scene_of(frames[0], styles).styles
    size = content_size(stages(recipe.with_listing())[-1], *frames[0].shape[:2])
    with tempfile.TemporaryDirectory() as path:
        folder = WorkFolder(path, {})
        for number, frame in enumerate(frames, start=1):
            folder.keep_content(number, resize(frame, *size, recipe.resampling))
        numbers = range(1, len(frames) + 1)
        job = FilmJob(numbers, styles, recipe, network or load_network(), seed, find_cuts=find_cuts)
        with Flows(folder.content, folder.film, flow) as flows:
            yield from run_film(job, folder, flows)

"""A film by a network that renders in one pass: options to a network, frames to frames.

    neuralstyle video film.mp4 --any-style --style painting.jpg --output painted.mp4 --workers 4

Nothing here imports TensorFlow before the options, the film and the pictures have been found good.
"""

import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralstyle.command.cluster import opened_cluster
from neuralstyle.command.feedforward import check_blend, open_network
from neuralstyle.command.film_outputs import check_kept_and_written
from neuralstyle.command.terminal import quiet_import, tell
from neuralstyle.command.video_options import KINDS, found_frames, spelled
from neuralstyle.feedforward.sizing import Sizing
from neuralstyle.files import example_pair
from neuralstyle.pictures.colours import keep_colours
from neuralstyle.pictures.reading import Picture, read_picture
from neuralstyle.pictures.sizes import fitted_size, resize
from neuralstyle.video.flow import check_flow
from neuralstyle.video.folder import hash_frames
from neuralstyle.video.frames import Frames, read_frames
from neuralstyle.video.kept import KeptFrames
from neuralstyle.video.outputs import film_output

if TYPE_CHECKING:
    from tqdm import tqdm

    from neuralstyle.cluster import Cluster
    from neuralstyle.command.feedforward import Opened
    from neuralstyle.feedforward.pictures import RenderAll
    from neuralstyle.feedforward.rendering import TiledRender
    from neuralstyle.runs.watching import Watchers


@dataclass(frozen=True, eq=False)
class _Film:
    """What is to be done.

    Attributes
    ----------
    options : argparse.Namespace
    frames : Frames
    size : (int, int)
        Height and width of the result.
    opened : Opened
    kept : KeptFrames or None
        Where finished frames are kept.
    """

    options: Namespace
    frames: Frames
    size: tuple[int, int]
    opened: "Opened"
    kept: KeptFrames | None

    @property
    def share(self) -> float:
        """How much of the frame before there is in each."""
        return self.options.temporal_blend or 0.0

    @property
    def method(self) -> str:
        """How flow is computed."""
        return self.options.flow or "dis"


@dataclass(frozen=True)
class _Treatment:
    """What is done with a frame beside rendering it."""

    keep_colours: str | None
    tile: int | None

    def __call__(self, render: "TiledRender", frame: np.ndarray) -> np.ndarray:
        result = render(frame, self.tile)
        if self.keep_colours:
            result = keep_colours(result, frame, self.keep_colours)
        return np.clip(result, 0, 255)


def render(kind: str, options: Namespace, watchers: "Watchers", stop: threading.Event) -> int:
    """Render a film by a network of a kind; the exit status: 0, or 130 where it was stopped early."""
    check_blend(kind, options)
    if options.temporal_blend:
        check_flow(options.flow or "dis")
    frames = found_frames(options)
    size = frames.size if options.width is None else fitted_size(*frames.size, "width", options.width)
    folder = Path(options.keep_frames) if options.keep_frames else None
    check_kept_and_written(options, frames, size, folder)
    paths = (options.styles or [example_pair()[1]]) if kind == KINDS[0] else []
    styles = [read_picture(path) for path in paths]
    with quiet_import():
        from neuralstyle.command.progress import frames_bar
        from neuralstyle.runs.interrupts import stopping_on_ctrl_c

    options.margin = None
    opened = open_network(kind, options, [style.pixels for style in styles])
    kept = folder and KeptFrames(folder, _made_by(options, frames, size, styles, opened), options.resume)
    film, done = _Film(options, frames, size, opened, kept), 0
    with ExitStack() as stack:
        cluster = stack.enter_context(opened_cluster(options))
        bar = stack.enter_context(frames_bar(options, len(frames.numbers)))
        rendered = stack.enter_context(closing(_rendered(film, cluster, bar)))
        write = stack.enter_context(film_output(options.output, frames, size))
        stack.enter_context(stopping_on_ctrl_c(stop))
        for number, frame in rendered:
            write(number, frame)
            done += 1
            bar.update()
            watchers.frame(done, frame)
            if stop.is_set():
                break
    if done == len(frames.numbers):
        return 0
    goes_on = "; the same command with --resume goes on" if kept else ""
    tell(f"stopped after {done} of {len(frames.numbers)} frames, wrote {options.output}{goes_on}")
    return 130


def _rendered(film: _Film, cluster: "Cluster | None", bar: "tqdm") -> Iterator[tuple[int, np.ndarray]]:
    """The film's frames: those that are kept, and then the others, which are kept as they are made."""
    numbers, kept = film.frames.numbers, film.kept
    count = kept.count(numbers) if kept else 0
    for number in numbers[:count]:
        yield number, kept.frame(number)
    if count == len(numbers):
        return
    from neuralstyle.video.stream import render_frames

    prepare = partial(_resized, size=film.size)
    before = None
    if film.share and count:
        last = numbers[count - 1]
        with closing(read_frames(film.frames, last)) as earlier:
            before = prepare(np.float32(next(earlier)[1])), kept.exact(last)
    with _renderer(film, cluster, bar) as render_all:
        frames = read_frames(film.frames, numbers[count])
        made = render_frames(frames, prepare, render_all, film.share, film.method, before)
        with closing(made):
            for number, frame in made:
                if kept:
                    kept.keep(number, frame, exactly=film.share > 0)
                yield number, frame


def _resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return resize(frame, *size)


@contextmanager
def _renderer(film: _Film, cluster: "Cluster | None", bar: "tqdm") -> "Iterator[RenderAll]":
    """What renders the frames: this process, or workers, who are shown in the progress bar."""
    from neuralstyle.feedforward.on_cluster import render_all
    from neuralstyle.feedforward.pictures import one_by_one
    from neuralstyle.feedforward.rendering import Rendering

    opened, (height, width) = film.opened, film.size
    sizing = Sizing(bytes_per_pixel=opened.bytes_per_pixel, tile=opened.machine.tile)
    if cluster is None:
        tile = sizing.chosen_tile(height, width)
    else:  # what suits half of the workers; those that have less are left out
        frees = sorted(cluster.shares())
        tile = replace(sizing, free=frees[len(frees) // 2]).best_tile(height, width)
    if tile and not film.options.quiet:
        tell(f"rendering frames of {width}×{height} pixels, in tiles of {tile}")
    treatment = _Treatment(film.options.keep_colours, tile)
    rendering = Rendering(opened.open_renderer, replace(opened.machine, tile=tile), treatment)
    if cluster is None:
        with rendering.opened() as render_one:
            yield one_by_one(render_one)
        return
    cluster.require(sizing.needed(height, width, tile), "a frame")
    cluster.on_progress = lambda done, count, workers: bar.set_postfix_str(f"{workers} workers")
    yield partial(render_all, rendering, cluster, alike=True)


def _made_by(
    options: Namespace, frames: Frames, size: tuple[int, int], styles: list[Picture], opened: "Opened"
) -> dict[str, object]:
    """What decides the frames, each under the name that a message calls it by."""
    share = options.temporal_blend or None
    decided = {name: getattr(options, name) for name in ("strength", "style_blend", "keep_colours")}
    decided |= {"temporal_blend": share, "flow": (options.flow or "dis") if share else None}
    return {
        "film": hash_frames(frames),
        "rate": str(frames.rate) if frames.resampled else None,
        "choice of frames": [frames.numbers[0], frames.numbers[-1]],
        "size": size,
        "network": opened.network["sha256"],
        "style picture": [style.sha256 for style in styles],
        "fixed style": options.fixed_style,
        **{spelled(name): value for name, value in decided.items()},
    }

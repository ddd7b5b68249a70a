"""A film by a network that renders in one pass a frame; and what both ways of making films share."""

import threading
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuralstyle.command.terminal import quiet_import, tell
from neuralstyle.command.video_options import KINDS
from neuralstyle.files import example_pair

if TYPE_CHECKING:
    import numpy as np

    from neuralstyle.runs.watching import Watcher
    from neuralstyle.video.frames import Frames


@dataclass(frozen=True)
class Others:
    """Who else looks on, and what stops the run."""

    watchers: "Sequence[Watcher]"
    stop: threading.Event

    def frame(self, done: int, picture: "np.ndarray | None") -> None:
        """Tell them how many frames are done."""
        for watcher in self.watchers:
            watcher.frame(done, picture)


def find(options: Namespace) -> "Frames":
    """The frames that are to be painted."""
    from neuralstyle.video.frames import find_frames, parse_range

    wanted = (None, None) if options.frames is None else parse_range(options.frames)
    return find_frames(options.film, wanted, tell)


def render(kind: str, options: Namespace, others: Others) -> int:
    """Render a film by a network; the exit status."""
    from neuralstyle.pictures.colours import keep_colours
    from neuralstyle.pictures.reading import read_image
    from neuralstyle.pictures.sizes import fitted_size, resize
    from neuralstyle.video.flow import check_flow
    from neuralstyle.video.frames import read_frames
    from neuralstyle.video.outputs import check_film_output, film_output

    share, method = options.temporal_blend or 0.0, options.flow or "dis"
    if share:
        check_flow(method)
    frames = find(options)
    size = frames.size if options.width is None else fitted_size(*frames.size, "width", options.width)
    check_film_output(options.output, frames, size, options.overwrite)
    styles = [read_image(path) for path in options.styles or [example_pair()[1]]] if kind == KINDS[0] else []
    with quiet_import():
        from neuralstyle.command.feedforward import open_network
        from neuralstyle.command.progress import frames_bar
        from neuralstyle.runs.interrupts import stopping_on_ctrl_c
        from neuralstyle.video.stream import render_frames

    options.margin = None
    opened = open_network(kind, options, styles)
    stop, done = others.stop, 0
    with ExitStack() as stack:
        render = stack.enter_context(opened.renderer)

        def render_frame(frame: "np.ndarray") -> "np.ndarray":
            result = render(frame)
            return keep_colours(result, frame, options.keep_colours) if options.keep_colours else result

        rendered = render_frames(
            read_frames(frames), lambda frame: resize(frame, *size), render_frame, share, method
        )
        stack.callback(rendered.close)
        bar = stack.enter_context(frames_bar(options, len(frames.numbers)))
        write = stack.enter_context(film_output(options.output, frames, size))
        stack.enter_context(stopping_on_ctrl_c(stop))
        for number, frame in rendered:
            write(number, frame)
            done += 1
            bar.update()
            others.frame(done, frame)
            if stop.is_set():
                break
    if done < len(frames.numbers):
        tell(f"stopped after {done} of {len(frames.numbers)} frames, wrote {options.output}")
        return 130
    return 0

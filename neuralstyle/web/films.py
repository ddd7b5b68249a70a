"""Films on the page: one is uploaded, its first frames are looked at, and some of them are painted."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import gradio as gr
import numpy as np

from neuralstyle.files import InputError
from neuralstyle.recipes import RECIPES
from neuralstyle.web import form, layout
from neuralstyle.web.folder import MOST_PIXELS, Folder
from neuralstyle.web.handlers import Handlers, said, styles_of, uploaded
from neuralstyle.web.layout import Widgets

#: How many frames are shown of a film that is put in, and how many are painted unless others are asked for.
_SHOWN, _AT_FIRST = 6, 24

#: How the kinds of films that are taken begin, each with its place in the file and the kind's suffix. Of
#: other files some name further files, which ffmpeg would read wherever they are.
_KINDS = (
    (4, b"ftyp", ".mp4"),
    *((4, atom, ".mov") for atom in (b"moov", b"mdat", b"wide", b"free", b"skip")),
    (0, b"\x1a\x45\xdf\xa3", ".mkv"),
    (8, b"AVI ", ".avi"),
    (0, b"GIF8", ".gif"),
)


@dataclass(frozen=True)
class Film:
    """What is on the page for films."""

    file: gr.File
    name: gr.State
    preview: gr.HTML
    frames: gr.Slider
    method: gr.Dropdown
    width: gr.Slider
    steady: gr.Checkbox
    paint: gr.Button


def film(program: form.Program) -> Film | None:
    """Where a film is put in; where none can be made, a sentence that says why."""
    moving = [(f"{name}: {recipe.source.split(';')[0]}"[:70], name)
              for name, recipe in RECIPES.items() if recipe.motion]  # fmt: skip
    with gr.Accordion("A film", open=False, elem_id="film"):
        if program.no_films:
            gr.Markdown(program.no_films)
            return None
        gr.Markdown(
            "Drop an MP4, MOV, WebM, MKV, AVI or GIF. It is painted in the style of the paintings above, or "
            "in the fixed style that is chosen there."
        )
        file = gr.File(label="Film", type="filepath", height=110, elem_id="film-file")
        preview = gr.HTML("", elem_id="film-frames")
        method = gr.Dropdown(
            layout.networks(program) + moving, value=form.ANY_STYLE, label="Method", elem_id="film-method",
            info="A network takes a second a frame; a recipe with motion takes minutes.",
        )  # fmt: skip
        with gr.Row():
            frames = gr.Slider(
                1, 1000, _AT_FIRST, step=1, label="Frames", info="How many, from the first.", elem_id="frames"
            )
            width = gr.Slider(64, 1920, 320, step=16, label="Width", info="In pixels.", elem_id="film-width")
        steady = gr.Checkbox(
            True, label="Hold a network's frames still", elem_id="steady",
            info="Each is blended with the last one, moved as the film moves.",
        )  # fmt: skip
        paint = gr.Button("Paint the film", variant="primary", elem_id="paint-film")
    return Film(file, gr.State(""), preview, frames, method, width, steady, paint)


def connect(page: Handlers, widgets: Widgets, film: Film, quiet: Mapping[str, object]) -> None:
    """What happens when a film is put in, taken out, or to be painted."""
    shown = [film.name, film.preview, film.frames, widgets.message]
    film.file.upload(partial(put_in, page.folder), [film.file], shown, preprocess=False, **quiet)
    film.file.clear(lambda: _none(""), None, shown, **quiet)
    pictures, controls = widgets.pictures, widgets.controls
    values = {
        pictures.names,
        *pictures.weights,
        controls.colours,
        controls.fixed,
        controls.strength,
        film.name,
    }
    values |= {film.frames, film.method, film.width, film.steady}
    film.paint.click(partial(paint, page, widgets, film), values, [widgets.message], **quiet)


def put_in(folder: Folder, value: Mapping) -> list:
    """Keep a film that was uploaded, and show its first frames."""
    try:
        name, frames, count = keep(folder, *uploaded(value))
    except InputError as error:
        return _none(said(error))
    slider = gr.update(
        maximum=count, value=min(count, _AT_FIRST), info=f"How many of {count}, from the first."
    )
    return [name, "".join(map(_image, frames)), slider, ""]


def _none(message: str) -> list:
    return ["", "", gr.skip(), message]


def _image(frame: np.ndarray) -> str:
    """A frame as HTML, the picture in it."""
    from PIL import Image

    picture, file = Image.fromarray(frame), io.BytesIO()
    picture.thumbnail((240, 240))
    picture.save(file, "JPEG", quality=85)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}">'


def keep(folder: Folder, file: Path, called: str) -> tuple[str, list[np.ndarray], int]:
    """Keep a film that was uploaded.

    Parameters
    ----------
    folder : Folder
    file : pathlib.Path
        Where it lies now.
    called : str
        What the user calls it.

    Returns
    -------
    tuple of (str, list of ndarray, int)
        Its name in ``inputs/``, its first frames, and how many it has.

    Raises
    ------
    InputError
        If it is no film of a kind that is taken, or its frames are too large; by the user's name for it.
    """
    from neuralstyle.video.frames import find_frames, read_frames

    called = Path(called).name
    with file.open("rb") as stream:
        beginning = stream.read(16)
    suffix = next((suffix for at, mark, suffix in _KINDS if beginning[at : at + len(mark)] == mark), None)
    if suffix is None:
        raise InputError(f"{called}: is no film that the page takes; make it an MP4 first")
    try:
        found = find_frames(file)
        height, width = found.size
        if height * width > MOST_PIXELS:
            raise InputError(f"{called}: has frames of {width}×{height} pixels; make it smaller first")
        first = replace(found, numbers=found.numbers[:_SHOWN])
        frames = [np.asarray(frame, np.uint8) for _, frame in read_frames(first)]
    except InputError as error:
        raise InputError(str(error).replace(str(file), called)) from error
    return folder.keep_as(file, called, suffix), frames, len(found.numbers)


def paint(page: Handlers, widgets: Widgets, film: Film, values: Mapping) -> str:
    """Put the film into the queue."""
    if not values[film.name]:
        return said("there is no film yet; drop one")
    styles, weights = styles_of(widgets, values)
    controls = widgets.controls
    wish = form.Wish(
        film=values[film.name],
        styles=styles,
        weights=weights,
        method=values[film.method],
        size=int(values[film.width]),
        frames=int(values[film.frames]),
        steady=bool(values[film.steady]),
        colours=values[controls.colours],
        fixed=values[controls.fixed],
        strength=values[controls.strength],
    )
    return page.ask_for(wish)

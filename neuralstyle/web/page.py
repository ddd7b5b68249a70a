"""The page put together: what stands on it, and which handler answers what."""

from functools import partial

import gradio as gr

from neuralstyle.web import films, form, layout
from neuralstyle.web.folder import Folder
from neuralstyle.web.handlers import Handlers, chosen_style, taken_out
from neuralstyle.web.layout import Widgets
from neuralstyle.web.painting import Painter

#: Brings into view what was asked for, or why it cannot be: the settings may be longer than a screen.
_SHOW = """() => {
    const place = document.querySelector("#message [role=alert]") || document.getElementById("result");
    place.scrollIntoView({block: "nearest"});
}"""

#: How often the page asks whether there is something new, in seconds.
_EVERY = 1.0


def build(folder: Folder, program: form.Program, painter: Painter) -> gr.Blocks:
    """Put the page together.

    Parameters
    ----------
    folder : Folder
    program : Program
    painter : Painter
    """
    page = Handlers(folder, program, painter)
    with gr.Blocks(title="neuralstyle", analytics_enabled=False, delete_cache=(60, 900)) as blocks:
        gr.Markdown("# neuralstyle\nA photograph, a painting, and the photograph repainted.", elem_id="title")
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                message = gr.HTML("", elem_id="message")
                pictures = layout.pictures()
                controls = layout.controls(program)
                masks = layout.masks()
                film = films.film(program)
            with gr.Column(scale=6, min_width=320):
                shown = layout.shown()
        results = layout.results(folder)
        widgets = Widgets(message, pictures, controls, masks, shown, results, gr.State([]), gr.State({}))
        _connect_pictures(page, widgets)
        _connect_runs(page, widgets)
        _connect_results(page, widgets)
        if film is not None:
            films.connect(page, widgets, film, _quiet(message))
        quiet = _quiet(message)
        # Not queued: the answer to a first click could be lost while the queue's stream is being closed.
        blocks.load(page.opened, None, [*widgets.filled(), widgets.seen], queue=False, **quiet)
        blocks.load(layout.fixed_style_thumbnails, None, [controls.thumbnails], queue=False, **quiet)
        gr.Timer(_EVERY).tick(
            page.news, [widgets.seen], widgets.news(), queue=False, trigger_mode="once", **quiet
        )
    return blocks


def _quiet(message: gr.HTML) -> dict[str, object]:
    """How every handler is connected: no other program's, and with no sign of progress of Gradio's.

    Before Gradio shows progress on a component, it asks the component for its value, and the editor of masks
    answers that by uploading its layers. So the place for it is one that has nothing to upload.
    """
    return {
        "show_progress": "hidden",
        "show_progress_on": [message],
        "api_visibility": "private",
        "concurrency_limit": None,
    }


def _connect_pictures(page: Handlers, widgets: Widgets) -> None:
    """What happens when pictures come and go."""
    pictures, masks, message = widgets.pictures, widgets.masks, widgets.message
    quiet = _quiet(message)
    look = {widgets.controls.look, pictures.names, *pictures.weights}
    for slot, image in enumerate([pictures.content, *pictures.styles, widgets.controls.initial]):
        outputs = [image, pictures.names, message, *([masks.editor] if slot == 0 else [])]
        put_in = image.upload(
            partial(page.put_in, slot), [image, pictures.names], outputs, preprocess=False, **quiet
        )
        put_in.then(partial(page.look, widgets), look, [message], **quiet)
        image.clear(partial(taken_out, slot), [pictures.names], [pictures.names], **quiet)
    bundled = pictures.bundled.click(
        page.bundled,
        [pictures.names],
        [pictures.content, pictures.styles[0], pictures.names, masks.editor, message],
        **quiet,
    )
    bundled.then(partial(page.look, widgets), look, [message], **quiet)
    used = [pictures.masks, masks.said, message]
    masks.use.click(page.use_masks, [masks.editor, pictures.names], used, preprocess=False, **quiet)
    masks.clear.click(page.without_masks, [pictures.names], [masks.editor, *used], **quiet)


def _connect_runs(page: Handlers, widgets: Widgets) -> None:
    """What happens when something is to be painted, stopped, or gone on with."""
    pictures, controls, message = widgets.pictures, widgets.controls, widgets.message
    quiet = _quiet(message)
    said = {pictures.names, pictures.masks, *widgets.form().values(), *controls.settings.values()}
    painted = controls.paint.click(partial(page.paint, widgets), said, [message], **quiet)
    painted.then(None, None, None, js=_SHOW)
    settings = controls.settings
    controls.method.change(
        partial(page.method, tuple(settings)),
        [controls.method],
        [controls.balance, controls.strength, *settings.values()],
        **quiet,
    )
    controls.thumbnails.select(chosen_style, None, [controls.fixed, controls.method], **quiet)
    widgets.shown.stop.click(page.painter.stop, None, None, **quiet)
    widgets.shown.go_on.click(page.go_on, None, [message], **quiet)


def _connect_results(page: Handlers, widgets: Widgets) -> None:
    """What happens when a result is chosen."""
    results, quiet = widgets.results, _quiet(widgets.message)
    chosen = [results.chosen, results.picture, results.command, results.again, results.go_on]
    results.gallery.select(page.choose, [widgets.listed], chosen, **quiet)
    results.again.click(page.again, [results.chosen], widgets.filled(), **quiet)
    results.go_on.click(page.go_on, [results.chosen], [widgets.message], **quiet)
    results.own.upload(page.from_png, [results.own], widgets.filled(), preprocess=False, **quiet)

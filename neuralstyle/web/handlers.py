"""What the page does: each handler takes what the browser sends, and gives what it is to show."""

import html
import os
from collections.abc import Mapping
from pathlib import Path

import gradio as gr

from neuralstyle.files import InputError
from neuralstyle.recipes import RECIPES
from neuralstyle.web import form, layout, record, telling
from neuralstyle.web.folder import FILM, THUMBNAIL, Folder
from neuralstyle.web.layout import SAID, Widgets
from neuralstyle.web.masking import masks_of
from neuralstyle.web.painting import DONE, PAINTING, STOPPED, Painter, Run

#: Size of a picture that shows how any style would look.
_LOOK = 512

#: How many results the gallery shows.
_GALLERY = 60

_NO_MASKS = "No masks: every painting counts everywhere."


def taken_out(slot: int, names: list[str]) -> list[str]:
    """The names of the pictures without one of them."""
    return [*names[:slot], "", *names[slot + 1 :]]


def chosen_style(event: gr.SelectData) -> tuple[str, str]:
    """The number of the fixed style that was clicked on, and the method that renders it."""
    return str(int(event.index)), form.FIXED_STYLE


def said(message: object) -> str:
    """A sentence above the form; nothing where there is none."""
    return f'<p role="alert" class="failed">{html.escape(telling.sentence(message))}</p>' if message else ""


def uploaded(value: Mapping) -> tuple[Path, str]:
    """A file that the browser uploaded, and no other that it might name; and what the user calls it."""
    uploads = Path(os.environ["GRADIO_TEMP_DIR"]).resolve()
    file = Path(value["path"]).resolve()
    if not (file.is_relative_to(uploads) and file.is_file()):
        raise InputError("that is no file that was uploaded; drop it once more")
    return file, str(value.get("orig_name") or file.name)


class Handlers:
    """The handlers. All that visitors share is in the folder and in the painter.

    Parameters
    ----------
    folder : Folder
    program : Program
    painter : Painter
    """

    def __init__(self, folder: Folder, program: form.Program, painter: Painter) -> None:
        self.folder, self.program, self.painter = folder, program, painter

    def opened(self) -> list:
        """What a page shows that is opened or loaded again: what is being painted, or was last."""
        run = self.painter.latest()
        settings = self.folder.settings(run.output) if run else None
        if settings and not settings.get("film"):
            return [*self._filled(form.wish_from(settings)), {}]
        return [*[gr.skip()] * len(self._filled(form.Wish())), {}]

    def put_in(self, slot: int, value: Mapping, names: list[str]) -> list:
        """Keep a picture that was uploaded."""
        try:
            name = self._kept(value)
            shown, message = self._shown(name), ""
        except InputError as error:
            name, shown, message = "", None, said(error)
        names = [*names[:slot], name, *names[slot + 1 :]]
        return [shown, names, message, *([self._canvas(names[0])] if slot == 0 else [])]

    def _kept(self, value: Mapping) -> str:
        """Keep a picture that the browser uploaded."""
        file, called = uploaded(value)
        return self.folder.keep(file, called)

    def _shown(self, name: str) -> str:
        """What the browser is shown of a kept picture."""
        return str(self.folder.shown(self.folder.input(name)))

    def bundled(self, names: list[str]) -> list:
        """Put in the bundled photograph and painting."""
        content, style = form.bundled_pair(self.folder)
        shown = self._shown(content)
        return [shown, self._shown(style), [content, style, *names[2:]], self._canvas(content), ""]

    def look(self, widgets: Widgets, values: Mapping) -> str:
        """Show at once how any style would look, if there are two pictures and that is wanted."""
        styles, weights = styles_of(widgets, values)
        names = values[widgets.pictures.names]
        if not (values[widgets.controls.look] and names[0] and styles):
            return gr.skip()
        try:
            wish = form.Wish(names[0], styles, form.ANY_STYLE, _LOOK, weights=weights)
            output = self.folder.look()
            arguments = form.arguments_of(wish, self.folder, output, self.program)
            self.folder.remember(output, wish.as_json())
            self.painter.add([*arguments, "--overwrite"], output, None, look=True)
        except InputError as error:
            return said(error)
        return ""

    def paint(self, widgets: Widgets, values: Mapping) -> str:
        """Put what is said on the page into the queue."""
        return self.ask_for(_wish(widgets, values))

    def ask_for(self, wish: form.Wish) -> str:
        """Put what is wished into the queue; what is to be said where that cannot be."""
        try:
            output = self.folder.new_result(form.stem(wish), FILM if wish.film else ".png")
            arguments = form.arguments_of(wish, self.folder, output, self.program)
            iterations = self.program.plan(arguments)
            self.folder.remember(output, wish.as_json())
            self.painter.add(arguments, output, iterations)
        except InputError as error:
            return said(error)
        return ""

    def go_on(self, name: str = "") -> str:
        """Go on with a run that was stopped: the one named, or the one that the page shows."""
        try:
            result = self.folder.path / name if name else self._stopped()
            if result not in self.folder.unfinished():
                raise InputError("no run was stopped that could go on; paint a new one")
            wish = form.wish_from(self.folder.settings(result))
            arguments = form.arguments_of(wish, self.folder, result, self.program)
            iterations = self.program.plan(arguments)
            self.painter.add([*arguments, "--resume"], result, iterations)
        except InputError as error:
            return said(error)
        return ""

    def _stopped(self) -> Path | None:
        """The result whose run could go on: what the page shows, or what an earlier process left."""
        run, unfinished = self.painter.latest(), self.folder.unfinished()
        if run and run.output in unfinished:
            return run.output if run.status == STOPPED else None
        return unfinished[0] if unfinished and not self.painter.queue() else None

    def use_masks(self, painted: Mapping | None, names: list[str]) -> list:
        """Keep the masks that were painted."""
        layers = [layer for layer in (painted or {}).get("layers") or () if layer]
        try:
            kept = [self.folder.input(self._kept(layer)) for layer in layers]
            pictures = masks_of(kept, list(layout.BRUSHES), self.folder)
        except InputError as error:
            return [[], _NO_MASKS, said(error)]
        masks = pictures[: max(1, sum(map(bool, paintings(names))))]
        used = [f"painting {at}" for at, mask in enumerate(masks, 1) if mask != "all"]
        told = f"Masks for {' and '.join(used)}." if used else _NO_MASKS
        return [masks if used else [], told, ""]

    def _canvas(self, name: str) -> dict | None:
        """What the editor of masks paints on."""
        if not name:
            return None
        background = self.folder.shown(self.folder.input(name), layout.PAINTED)
        return {"background": str(background), "layers": [], "composite": None}

    def without_masks(self, names: list[str]) -> list:
        """Begin the masks afresh."""
        return [self._canvas(names[0]), [], _NO_MASKS, ""]

    def method(self, settings: tuple[str, ...], method: str) -> list:
        """What goes with a method: its sliders, and its own values in the empty boxes."""
        own = RECIPES.get(method)
        boxes = [gr.update(placeholder=record.value_of(own, name) if own else "") for name in settings]
        switched = self.program.settings
        boxes = [
            gr.update(label=f"{name}: {record.value_of(own, name)}" if own else name)
            if setting.switch or setting.choices
            else box
            for name, setting, box in zip(settings, switched, boxes, strict=True)
        ]
        return [gr.update(visible=own is not None), gr.update(visible=method == form.ANY_STYLE), *boxes]

    def choose(self, listed: list[str], event: gr.SelectData) -> list:
        """Show a result in full, and what can be done with it."""
        try:
            result = self.folder.result(listed[int(event.index)])
        except (InputError, IndexError, ValueError):
            return ["", None, "", gr.update(interactive=False), gr.update(interactive=False)]
        settings = self.folder.settings(result)
        stopped = result in self.folder.unfinished()
        if settings:
            wish = form.wish_from(settings)
            arguments = form.arguments_of(wish, self.folder, result, self.program)
        else:
            arguments = ["--from-record", str(result), "--output", "again.png"]
        return [
            result.name,
            str(result),
            form.command_line(arguments),
            gr.update(interactive=True),
            gr.update(interactive=stopped),
        ]

    def again(self, name: str) -> list:
        """Fill in the form with what made a result."""
        try:
            result = self.folder.result(name)
            settings = self.folder.settings(result)
            wish = form.wish_from(settings) if settings else self._wish_of(result)
            return self._filled(wish)
        except InputError as error:
            return self._unfilled(error)

    def from_png(self, value: Mapping) -> list:
        """Fill in the form with what made a PNG that was dropped."""
        try:
            return self._filled(self._wish_of(self.folder.input(self._kept(value))))
        except InputError as error:
            return self._unfilled(error)

    def _wish_of(self, result: Path) -> form.Wish:
        return record.wish_of_record(result, self.folder, self.program)

    def _unfilled(self, error: InputError) -> list:
        count = len(self._filled(form.Wish()))
        return [*[gr.skip()] * (count - 1), said(error)]

    def _filled(self, wish: form.Wish) -> list:
        """The form as a wish says it, in the order of `Widgets.filled`."""
        empty = [""] * layout.PAINTINGS
        names = [wish.content, *(*wish.styles, *empty)[: layout.PAINTINGS], wish.initial]
        weights = (*wish.weights, *[1.0] * layout.PAINTINGS)[: layout.PAINTINGS]
        try:
            pictures = [self._shown(name) if name else None for name in names]
        except InputError:  # somebody removed it
            names, pictures = ["", *empty, ""], [None] * (2 + layout.PAINTINGS)
        *pictures, initial = pictures
        masks = list(wish.masks)
        return [
            *(names, masks, *pictures, *weights),
            *(getattr(wish, name) for name in SAID),
            *(wish.settings.get(setting.name, "") for setting in self.program.settings),
            initial,
            self._canvas(names[0]),
            "Masks as in the picture." if masks else _NO_MASKS,
            "",
        ]

    def news(self, seen: dict) -> list:
        """What is new since a page was told last."""
        version = self.painter.version
        films = self.folder.films()[:_GALLERY]
        listed = [path.name for path in self.folder.results()][:_GALLERY]
        named = [*listed, *(path.name for path in films)]
        if seen and seen["version"] == version and seen["listed"] == named:
            return [gr.skip()] * 12
        run = self.painter.latest()
        now = {"version": version, "listed": named, "picture": telling.picture_key(run)}
        gallery = gr.skip()
        if seen.get("listed") != named or (run and run.number != seen.get("number")):
            gallery = [(str(self.folder.shown(self.folder.path / name, THUMBNAIL)), name) for name in listed]
        ended = run and run.status == DONE and seen.get("ended") != run.number
        now |= {"number": run and run.number, "ended": run.number if run and run.status == DONE else None}
        stopped = self._stopped()
        return [
            self._picture(run) if now["picture"] != seen.get("picture") else gr.skip(),
            telling.status(run, self.painter.queue(), stopped),
            gr.update(interactive=bool(run and run.status == PAINTING and run.iterations)),
            gr.update(interactive=stopped is not None),
            self._compared(run) if ended else gr.skip(),
            telling.losses(run) if run and run.losses else gr.skip(),
            telling.whole(run),
            form.command_line(telling.plain_arguments(run)) if run else gr.skip(),
            gallery,
            telling.films(films),
            listed,
            now,
        ]

    def _picture(self, run: Run | None) -> object:
        """The result, or what there is of it."""
        if run is None:
            return None
        written = run.status in (DONE, STOPPED) and run.output.is_file() and not run.film
        return str(run.output) if written else (run.picture if run.picture is not None else gr.skip())

    def _compared(self, run: Run) -> object:
        """The photograph and the result."""
        try:
            content = self.folder.settings(run.output)["content"]
            return self._shown(content), str(self.folder.shown(run.output))
        except (InputError, TypeError, KeyError):
            return gr.skip()


def paintings(names: list[str]) -> list[str]:
    """Of the names of the pictures, those of the paintings."""
    return names[1 : layout.PAINTINGS + 1]


def styles_of(widgets: Widgets, values: Mapping) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The paintings that are there, and how much each of them counts."""
    names = paintings(values[widgets.pictures.names])
    weights = [values[slider] for slider in widgets.pictures.weights]
    pairs = [(name, float(weight)) for name, weight in zip(names, weights, strict=True) if name]
    return tuple(name for name, _ in pairs), tuple(weight for _, weight in pairs)


def _wish(widgets: Widgets, values: Mapping) -> form.Wish:
    """What is said on the page."""
    styles, weights = styles_of(widgets, values)
    said = {name: values[getattr(widgets.controls, name)] for name in SAID}
    settings = {name: values[box] for name, box in widgets.controls.settings.items() if values[box]}
    return form.Wish(
        content=values[widgets.pictures.names][0],
        initial=values[widgets.pictures.names][-1],
        styles=styles,
        weights=weights,
        masks=tuple(values[widgets.pictures.masks]),
        settings=settings,
        **said,
    )

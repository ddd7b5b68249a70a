"""What stands on the page, and how it looks."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from neuralstyle.recipes import RECIPES
from neuralstyle.web import STYLES_IN_A_ROW
from neuralstyle.web.folder import Folder
from neuralstyle.web.form import COLOURS, NETWORKS, OWN, Program, Setting, Wish

#: Longest side, in pixels, of the photograph that masks are painted on.
PAINTED = 512

#: How many paintings can be given.
PAINTINGS = 4

#: The brushes of the masks, one a painting (Okabe & Ito's colours, for every eye), and what they are called.
BRUSHES = {"#E69F00": "orange", "#56B4E9": "light blue", "#009E73": "green", "#CC79A7": "pink"}


@dataclass(frozen=True)
class Pictures:
    """The pictures that are put in, and what the server keeps of them for each visitor.

    Attributes
    ----------
    content : gr.Image
    styles : list of gr.Image
    weights : list of gr.Slider
    names : gr.State
        Names in the folder, "" where there is none: of the photograph, of each painting, and of the
        picture to start from.
    masks : gr.State
        The same of the masks, "all" where there is none.
    bundled : gr.Button
    """

    content: gr.Image
    styles: list[gr.Image]
    weights: list[gr.Slider]
    names: gr.State
    masks: gr.State
    bundled: gr.Button


@dataclass(frozen=True)
class Masks:
    """Where masks are painted."""

    editor: gr.ImageEditor
    use: gr.Button
    clear: gr.Button
    said: gr.Markdown


@dataclass(frozen=True)
class Controls:
    """What decides the picture beside the pictures; each is named as the field of `Wish` that it sets."""

    method: gr.Dropdown
    size: gr.Slider
    balance: gr.Slider
    strength: gr.Slider
    strokes: gr.Slider
    colours: gr.Dropdown
    seed: gr.Number
    fixed: gr.Textbox
    thumbnails: gr.Gallery
    settings: dict[str, gr.Dropdown | gr.Textbox]
    initial: gr.Image
    paint: gr.Button
    look: gr.Checkbox


@dataclass(frozen=True)
class Shown:
    """What shows the run."""

    picture: gr.Image
    status: gr.HTML
    whole: gr.HTML
    stop: gr.Button
    go_on: gr.Button
    compare: gr.ImageSlider
    losses: gr.LinePlot
    command: gr.Textbox


@dataclass(frozen=True)
class Results:
    """What was made."""

    gallery: gr.Gallery
    films: gr.HTML
    chosen: gr.State
    picture: gr.Image
    command: gr.Textbox
    again: gr.Button
    go_on: gr.Button
    own: gr.UploadButton


#: The fields of a wish that one control each says.
SAID = ("method", "size", "balance", "strength", "strokes", "colours", "seed", "fixed")


@dataclass(frozen=True)
class Widgets:
    """Everything on the page that handlers read or change."""

    message: gr.HTML
    pictures: Pictures
    controls: Controls
    masks: Masks
    shown: Shown
    results: Results
    listed: gr.State
    seen: gr.State

    def form(self) -> dict[str, object]:
        """The controls that say one field of a wish each."""
        named = {name: getattr(self.controls, name) for name in SAID}
        return named | {f"weight {at}": slider for at, slider in enumerate(self.pictures.weights)}

    def filled(self) -> list:
        """What `Handlers._filled` fills in, in its order."""
        pictures, controls = self.pictures, self.controls
        return [
            *(pictures.names, pictures.masks, pictures.content, *pictures.styles, *pictures.weights),
            *(getattr(controls, name) for name in SAID),
            *(*controls.settings.values(), controls.initial),
            *(self.masks.editor, self.masks.said, self.message),
        ]

    def news(self) -> list:
        """What `Handlers.news` changes, in its order."""
        shown = self.shown
        return [
            *(shown.picture, shown.status, shown.stop, shown.go_on, shown.compare, shown.losses),
            *(shown.whole, shown.command, self.results.gallery, self.results.films, self.listed, self.seen),
        ]


def pictures() -> Pictures:
    """Where the photograph and the paintings go."""
    with gr.Row():
        content = _picture("Photograph", "content", 230)
        first = _picture("Painting", "style-1", 230)
    bundled = gr.Button("Use the bundled pair", size="sm", elem_id="bundled")
    styles, weights = [first], []
    with gr.Accordion("Several paintings", open=False):
        gr.Markdown("Up to four paintings at once, and how much each of them counts.")
        with gr.Row():
            weights.append(gr.Slider(0, 5, 1, step=0.1, label="The first painting counts"))
        with gr.Row():
            for number in range(2, PAINTINGS + 1):
                with gr.Column(min_width=160):
                    styles.append(_picture(f"Painting {number}", f"style-{number}", 150))
                    weights.append(gr.Slider(0, 5, 1, step=0.1, label="counts"))
    names = gr.State([""] * (PAINTINGS + 2))
    return Pictures(content, styles, weights, names, gr.State([]), bundled)


def _picture(label: str, name: str, height: int) -> gr.Image:
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        format="jpeg",
        height=height,
        elem_id=name,
        buttons=["fullscreen"],
        min_width=140,
    )


def methods(program: Program) -> list[tuple[str, str]]:
    """Whose recipes there are, and which networks."""
    recipes = [(f"{name}: {_first_words(recipe.source)}", name) for name, recipe in RECIPES.items()]
    return recipes + networks(program)


def networks(program: Program) -> list[tuple[str, str]]:
    """The networks that render in one pass."""
    own = [(f"{OWN}{name}: your own, in one pass", f"{OWN}{name}") for name in program.networks]
    return [(f"{name}: {what}", name) for name, what in NETWORKS.items()] + own


def controls(program: Program) -> Controls:
    """What decides the picture beside the pictures."""
    wish = Wish()
    method = gr.Dropdown(
        methods(program),
        value=wish.method,
        label="Method",
        info="Whose recipe paints, or which network renders in one pass.",
        elem_id="method",
    )
    with gr.Row():
        size = gr.Slider(
            64, 2048, wish.size, step=16, label="Size", elem_id="size",
            info="Longer side in pixels. Twice the size takes four times as long.",
        )  # fmt: skip
        balance = gr.Slider(
            -1, 1, wish.balance, step=0.1, label="Content against style", elem_id="balance",
            info="0 as the recipe has it; 1 ten times the style, -1 a tenth.",
        )  # fmt: skip
        strength = gr.Slider(
            0, 1, wish.strength, step=0.05, label="Strength", elem_id="strength", visible=False,
            info="1 paints as the painting does, 0 leaves the photograph's own style.",
        )  # fmt: skip
    with gr.Row():
        strokes = gr.Slider(
            0.25, 4, wish.strokes, step=0.05, label="Strokes", elem_id="strokes",
            info="How large they are; 2 is twice as large.",
        )  # fmt: skip
        colours = gr.Dropdown(
            list(COLOURS), value=wish.colours, label="Colours", elem_id="colours",
            info="Whose they are in the result.",
        )  # fmt: skip
    fixed, thumbnails = _fixed_styles(wish)
    own, seed, initial = _all_settings(program.settings)
    look = gr.Checkbox(
        True, label="Show at once how any style would look", elem_id="look",
        info="A network renders the pair in a second or two, as soon as both pictures are there.",
    )  # fmt: skip
    paint = gr.Button("Paint it properly", variant="primary", size="lg", elem_id="paint")
    return Controls(
        method, size, balance, strength, strokes, colours, seed, fixed, thumbnails, own, initial, paint, look
    )


def _first_words(source: str) -> str:
    """What a recipe comes from, without the rest of its story."""
    return source.split(";")[0].split(" (")[0][:70]


def _fixed_styles(wish: Wish) -> tuple[gr.Textbox, gr.Gallery]:
    with gr.Accordion("26 fixed styles", open=False, elem_id="fixed-styles"):
        gr.Markdown("Choose one: a network renders it in one pass. Each is shown on the bundled photograph.")
        thumbnails = gr.Gallery(
            columns=7, height="auto", allow_preview=False, show_label=False, format="jpeg", buttons=[],
            elem_id="thumbnails", object_fit="cover",
        )  # fmt: skip
        fixed = gr.Textbox(
            wish.fixed, label="Styles", elem_id="fixed",
            info="Its number; or several with weights, as 3:0.5,12:0.5.",
        )  # fmt: skip
    return fixed, thumbnails


def masks() -> Masks:
    """Where it is painted which painting counts where."""
    brushes = ", ".join(f"{name} for painting {at}" for at, name in enumerate(BRUSHES.values(), 1))
    with gr.Accordion("Which painting where", open=False, elem_id="masks"):
        gr.Markdown(
            f"Paint on the photograph where a painting is wanted: {brushes}. A painting whose colour you do "
            "not use counts everywhere. Goes with recipes."
        )
        editor = gr.ImageEditor(
            sources=[],
            transforms=[],
            layers=False,
            format="png",
            brush=gr.Brush(
                default_size=40, colors=list(BRUSHES), default_color="#E69F00", color_mode="fixed"
            ),
            eraser=gr.Eraser(default_size=40),
            canvas_size=(PAINTED, PAINTED),
            height=420,
            show_label=False,
            buttons=[],
            elem_id="editor",
        )
        with gr.Row():
            use = gr.Button("Use these masks", size="sm", elem_id="use-masks")
            clear = gr.Button("Without masks", size="sm", elem_id="no-masks")
        said = gr.Markdown("No masks: every painting counts everywhere.", elem_id="masks-said")
    return Masks(editor, use, clear, said)


def _all_settings(settings: tuple[Setting, ...]) -> tuple[dict, gr.Number, gr.Image]:
    """A control for each field of a recipe that the command has an option for."""
    own = {}
    with gr.Accordion("All settings", open=False, elem_id="all-settings"):
        gr.Markdown("What is left empty is as the recipe has it: each box shows the recipe's own value.")
        with gr.Row():
            seed = gr.Number(0, precision=0, minimum=0, label="seed", info="of the noise", elem_id="seed")
            initial = _picture("Start from", "initial", 150)
        with gr.Row():
            for setting in settings:
                name = {"label": setting.name, "info": setting.help, "elem_id": f"set-{setting.name}"}
                if setting.switch or setting.choices:
                    choices = setting.choices or ("yes", "no")
                    own[setting.name] = gr.Dropdown(["", *choices], value="", min_width=250, **name)
                else:
                    own[setting.name] = gr.Textbox("", min_width=250, max_lines=1, **name)
    return own, seed, initial


def shown() -> Shown:
    """What shows the run."""
    picture = gr.Image(
        label="Result", type="filepath", interactive=False, format="jpeg", height=520, elem_id="result",
        buttons=["download", "fullscreen"],
    )  # fmt: skip
    status = gr.HTML("", elem_id="status")
    whole = gr.HTML("", elem_id="whole")
    with gr.Row():
        stop = gr.Button("Stop, and keep what there is", elem_id="stop", interactive=False)
        go_on = gr.Button("Go on", elem_id="go-on", interactive=False)
    with gr.Tabs():
        with gr.Tab("Before and after"):
            compare = gr.ImageSlider(
                type="filepath", format="jpeg", show_label=False, interactive=False, max_height=480,
                elem_id="compare", buttons=["fullscreen"],
            )  # fmt: skip
        with gr.Tab("Loss"):
            losses = gr.LinePlot(
                x="iteration", y="log10 of the loss", height=240, show_label=False, elem_id="losses"
            )
        with gr.Tab("Command line"):
            command = gr.Textbox(
                label="Makes the same picture, from the folder in which the page was started",
                lines=4, interactive=False, buttons=["copy"], elem_id="command",
            )  # fmt: skip
    return Shown(picture, status, whole, stop, go_on, compare, losses, command)


def results(folder: Folder) -> Results:
    """What was made, and what can be done with it."""
    gr.Markdown(f"## In the folder {folder.path}")
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            gallery = gr.Gallery(
                columns=5, height="auto", allow_preview=False, show_label=False, format="jpeg", buttons=[],
                elem_id="gallery", object_fit="cover", fit_columns=False,
            )  # fmt: skip
            films = gr.HTML("", elem_id="films")
        with gr.Column(scale=2, min_width=300):
            picture = gr.Image(
                label="Chosen", type="filepath", interactive=False, height=260, elem_id="chosen",
                buttons=["download", "fullscreen"], format="png",
            )  # fmt: skip
            command = gr.Textbox(
                label="Makes it again", lines=2, interactive=False, buttons=["copy"], elem_id="chosen-command"
            )
            with gr.Row():
                again = gr.Button("Again with these settings", elem_id="again", interactive=False)
                go_on = gr.Button("Go on", elem_id="chosen-go-on", interactive=False)
            own = gr.UploadButton(
                "Take the settings of a PNG that neuralstyle wrote",
                file_types=[".png"],
                size="sm",
                elem_id="own-png",
            )
    return Results(gallery, films, gr.State(""), picture, command, again, go_on, own)


def fixed_style_thumbnails() -> list[tuple[object, str]]:
    """The 26 styles, as pictures with their numbers."""
    from PIL import Image

    sheet = Image.open(Path(__file__).with_name("fixed-styles.jpg"))
    side = sheet.width // STYLES_IN_A_ROW
    corners = [(x, y) for y in range(0, sheet.height, side) for x in range(0, sheet.width, side)]
    return [(sheet.crop((x, y, x + side, y + side)), str(at)) for at, (x, y) in enumerate(corners)]

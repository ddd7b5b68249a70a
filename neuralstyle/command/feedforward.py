"""The command line's feed-forward options: a network renders pictures in one pass, instead of a recipe."""

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralstyle.command.cluster import opened_cluster, refuse_cluster, threads_of
from neuralstyle.command.options import parser, spelled
from neuralstyle.command.scene import read_content_mask
from neuralstyle.command.terminal import quiet_import, tell
from neuralstyle.feedforward import blending, record
from neuralstyle.feedforward.kinds import is_foreign, is_saved_model
from neuralstyle.feedforward.sizing import Sizing
from neuralstyle.files import InputError, example_pair, require
from neuralstyle.pictures.colours import keep_colours
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.transparency import fitted_plane, laid_over, softened
from neuralstyle.runs import records

if TYPE_CHECKING:
    from neuralstyle.cluster import Cluster
    from neuralstyle.feedforward.pictures import RenderAll
    from neuralstyle.feedforward.rendering import Rendering, TiledRender
    from neuralstyle.graphs import Machine

#: The options that each choose a network; at most one may be given.
KINDS = ("transform", "any_style", "fixed_style", "hub_model")

#: Those of them that render in the style of a picture.
TAKE_STYLES = ("any_style", "hub_model")

#: Options that decide the picture, which its record holds, each with the types of its value.
RECORDED: dict[str, tuple[type, ...]] = {
    "transform": (str,),
    "any_style": (bool,),
    "fixed_style": (str,),
    "hub_model": (str,),
    "strength": (float, int),
    "style_blend": (list,),
    "width": (int,),
    "height": (int,),
    "longer_side": (int,),
    "stroke_scale": (float, int),
    "margin": (int, str),
    "tile": (int,),
    "keep_colours": (str,),
    "bits": (int,),
    "quality": (int,),
    "threads": (int,),
    "device": (str,),
}

#: Options that want one style here and another there.
_PLACES = ("masks", "style_masks", "regions")

#: The options that go with all of them.
TAKEN = (
    *(
        "content",
        "content_mask",
        "styles",
        "output",
        "overwrite",
        "resume",
        "bits",
        "quality",
        "record",
        "from_record",
    ),
    *("width", "height", "longer_side", "stroke_scale", "margin"),
    *("keep_colours", "threads", "device", "quiet", "workers", "cluster"),
)


def network_kind(options: Namespace) -> str | None:
    """The kind of network that the options ask for, or the record that they name; None for a recipe.

    Options that a record holds and that are not given otherwise are put among the options.

    Raises
    ------
    InputError
        If they ask for two, or give one something that it does not take.
    """
    if options.from_record:
        _take_from_record(options)
    kinds = [kind for kind in KINDS if getattr(options, kind)]
    if not kinds:
        for name in ("strength", "stroke_scale", "margin"):
            if getattr(options, name) is not None:
                choices = "--any-style" if name == "strength" else "--any-style and the like"
                raise InputError(f"{spelled(name)} goes with {choices} only")
        return None
    if len(kinds) > 1:
        raise InputError(f"{spelled(kinds[0])} and {spelled(kinds[1])} do not go together; give one of them")
    kind = kinds[0]
    takes_two = kind == "transform" and is_saved_model(options.transform)  # which may take a style picture
    if options.styles and kind not in TAKE_STYLES and not takes_two:
        raise InputError(f"--styles does not go with {spelled(kind)}, whose styles are its own")
    if (kind == "hub_model" or takes_two) and options.styles and len(options.styles) > 1:
        raise InputError(f"{spelled(kind)} takes one style picture")
    taken = {*TAKEN, kind, *(("strength", "style_blend") if kind == "any_style" else ())}
    if kind != "hub_model":
        taken |= {"tile", "free_memory"}
    for name, default in vars(parser().parse_args([])).items():
        if name not in taken and getattr(options, name) != default:
            why = "; a network paints the whole picture alike, a recipe by places" if name in _PLACES else ""
            raise InputError(f"{spelled(name)} does not go with {spelled(kind)}{why}")
    return kind


def _take_from_record(options: Namespace) -> None:
    """Put what a record of a feed-forward network holds in the place of defaults."""
    earlier = record.read_record(options.from_record)
    if earlier is None:  # a recipe's, or none
        return
    for name in ("content", "content_mask", "styles", *KINDS):
        if getattr(options, name):
            raise InputError(f"{spelled(name)} does not go with --from-record")
    record.check_pictures(earlier)
    options.content = earlier["content"]["path"]
    options.content_mask = earlier["content_mask"]["path"] if "content_mask" in earlier else None
    options.styles = [style["path"] for style in earlier["styles"]] or None
    for name, value in earlier["options"].items():
        if name not in RECORDED or not isinstance(value, RECORDED[name]):
            raise InputError(f"{options.from_record}: its option {name} is unknown to this version")
        if getattr(options, name) == parser().get_default(name):
            setattr(options, name, value)


def render(kind: str, options: Namespace) -> int:
    """Render a picture or a folder of pictures by a feed-forward network.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    options : argparse.Namespace
        As `network_kind` left them.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If an option or a file cannot be used.
    """
    example_content, example_style = example_pair()
    content = Path(options.content or example_content)
    style_paths = [Path(path) for path in options.styles or ([example_style] * (kind in TAKE_STYLES))]
    _check(options, content)
    styles = [read_image(path) for path in style_paths]
    mask = read_content_mask(options.content_mask) if options.content_mask else None
    check_blend(kind, options)
    with quiet_import():
        from neuralstyle.feedforward.pictures import Written, render_files
        from neuralstyle.feedforward.rendering import Rendering

    opened = open_network(kind, options, styles)
    _check_weights(options, opened)

    def described(path: Path) -> records.Record:
        pictures = record.Pictures(path, style_paths, options.content_mask)
        return record.make_record(kind, pictures, opened.network, _decided(options))

    earlier = described(content) if options.record else None
    tells = not options.quiet
    treatment = _Treatment(_sizing(options, opened), options.keep_colours, mask, tells)
    rendering = Rendering(opened.open_renderer, opened.machine, treatment)
    with ExitStack() as stack:
        cluster = stack.enter_context(opened_cluster(options))
        render_here = None if cluster else stack.enter_context(rendering.opened())
        render_files(
            render_here,
            content,
            options.output,
            overwrite=options.overwrite,
            resume=options.resume,
            written=Written(options.bits, options.quality, lambda path: records.text_chunk(described(path))),
            report=tell,
            render_all=cluster and _on_workers(options, rendering, cluster),
        )
    if earlier:
        records.write_record(options.record, earlier)
    return 0


@dataclass(frozen=True, eq=False)
class _Treatment:
    """What is done with a picture beside rendering it."""

    sizing: Sizing
    keep_colours: str | None
    mask: np.ndarray | None
    tells: bool

    def __call__(self, render: "TiledRender", picture: np.ndarray) -> np.ndarray:
        tile = self.sizing.tile_for(picture)
        picture = self.sizing.content(picture)
        if tile and self.tells:
            tell(f"rendering {picture.shape[1]}×{picture.shape[0]} pixels, in tiles of {tile}")
        result = self.sizing.rendered(partial(render, tile=tile), picture)
        if self.keep_colours:
            result = keep_colours(result, picture, self.keep_colours)
        if self.mask is None:
            return result
        return laid_over(result, picture, softened(fitted_plane(self.mask, result)))


def _on_workers(options: Namespace, rendering: "Rendering", cluster: "Cluster") -> "RenderAll":
    """Render the pictures of a folder at workers, with a progress bar that shows how many there are."""
    from neuralstyle.command.progress import frames_bar
    from neuralstyle.feedforward.on_cluster import render_all

    # Each has a share of what is free on its machine, and any of them may get the largest picture.
    free = min(cluster.shares())
    treatment = replace(rendering.treat, sizing=replace(rendering.treat.sizing, free=free), tells=False)
    shared = replace(rendering, treat=treatment)

    def on_workers(pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray | InputError]:
        with frames_bar(options, None, "picture") as bar:
            cluster.on_progress = lambda done, count, workers: bar.set_postfix_str(f"{workers} workers")
            for outcome in render_all(shared, cluster, pictures):
                bar.update()
                yield outcome

    return on_workers


def _decided(options: Namespace) -> dict[str, object]:
    """The options that decide the picture, for its record."""
    values = {name: getattr(options, name) for name in RECORDED}
    return {
        name: value
        for name, value in values.items()
        if value is not False and isinstance(value, RECORDED[name])
    }


def check_blend(kind: str, options: Namespace) -> None:
    """Find out whether there are shares of all styles, before TensorFlow is imported.

    Raises
    ------
    InputError
        If not.
    """
    blending.check_strength(1.0 if options.strength is None else options.strength)
    if kind in TAKE_STYLES:
        blending.proportions(options.style_blend, len(options.styles or [None]))
    if options.fixed_style:
        blending.parse_fixed_styles(options.fixed_style)


def _check(options: Namespace, content: Path) -> None:
    """Find out whether the options make sense together, before anything is read."""
    if content.is_dir():
        if options.output == parser().get_default("output"):
            raise InputError(f"--output: name a folder for the pictures of {content}")
        if options.record:
            raise InputError("--record goes with one picture; those of a folder carry theirs as PNG")
    else:
        refuse_cluster(options, "goes with a folder of pictures; one picture is rendered in one pass")
        if options.resume:
            raise InputError("--resume goes with a folder of pictures; one picture is rendered in one pass")
    if options.resume and options.overwrite:
        raise InputError("--resume keeps results that exist and --overwrite replaces them; give one of them")
    if options.record:
        record.check_new(options.record, options.overwrite, options.output)
    for name in ("width", "height", "longer_side", "threads"):
        value = getattr(options, name)
        require(value is None or value >= 1, name, value, "1 or more")
    scale = options.stroke_scale
    require(scale is None or 0.05 <= scale <= 20, "stroke_scale", scale, "between 0.05 and 20")


def _sizing(options: Namespace, opened: "Opened") -> Sizing:
    """At which size a network renders, as the options say."""
    rule, size = None, 0
    for name in ("width", "height", "longer_side"):
        if getattr(options, name) is not None:
            rule, size = name.replace("_", " "), getattr(options, name)
    stroke_scale = 1.0 if options.stroke_scale is None else options.stroke_scale
    return Sizing(rule, size, stroke_scale, opened.bytes_per_pixel, opened.machine.tile)


@dataclass(frozen=True)
class Opened:
    """A network to render with, found good.

    Attributes
    ----------
    open_renderer : callable
        From ``machine`` to a context manager that gives a `Render`.
    machine : Machine
        What it is rendered on, here or at each worker; its tile is "auto" only where the network takes tiles.
    network : mapping of str to str
        Its file's name and SHA-256, for the record.
    bytes_per_pixel : int or None
        What rendering takes; None where nobody has measured it.
    """

    open_renderer: Callable[..., AbstractContextManager]
    machine: "Machine"
    network: Mapping[str, str]
    bytes_per_pixel: int | None


def open_network(kind: str, options: Namespace, styles: list[np.ndarray]) -> Opened:
    """Read the network of a kind, and prepare its renderer.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    options : argparse.Namespace
        Those of the kind, and threads, workers, device, tile and margin.
    styles : list of ndarray
        H×W×3, 0..255, for the kinds that take styles.
    """
    with quiet_import():
        from neuralstyle.feedforward import any_style, checkpoints, foreign, multi_style, transform
        from neuralstyle.feedforward.weights import ANY_STYLE, MULTI_STYLE
        from neuralstyle.graphs import Machine
        from neuralstyle.networks import weights_folder

    machine = Machine(threads_of(options), options.device, options.tile)
    # The networks of any style and of 26 mirror the picture at every layer, and need no margin.
    margin = options.margin if isinstance(options.margin, int) else 0
    if kind == "hub_model" or (kind == "transform" and is_foreign(options.transform)):
        tile = machine.tile
        require(not isinstance(tile, int), "tile", tile, "left out with a network that brings its own graph")
        machine = replace(machine, tile=None)
        path = Path(getattr(options, kind))
        path = path.parent if path.is_file() and is_saved_model(path) else path
        # A worker may have another folder as its current one.
        found = path.absolute() if options.workers or options.cluster else path
        renderer = partial(foreign.renderer, found, styles[0] if styles else None, margin=margin)
        return Opened(renderer, machine, {"name": path.name, "sha256": record.hash_files(path)}, None)
    if kind == "transform":
        stored = checkpoints.read_network(options.transform)
        if options.margin == "auto" or (options.margin is None and stored.own):
            margin = transform.MARGIN
        if stored.layout.margin and machine.tile == "auto":
            machine = replace(machine, tile=None)
        return Opened(
            partial(transform.renderer, stored.weights, layout=stored.layout, margin=margin),
            machine,
            {"name": Path(options.transform).name, "sha256": record.hash_weights(stored.weights)},
            transform.bytes_per_pixel(stored.weights),
        )
    if kind == "fixed_style":
        blend = blending.parse_fixed_styles(options.fixed_style)
        name, memory = MULTI_STYLE, multi_style.BYTES_PER_PIXEL
        renderer = partial(multi_style.renderer, blend, margin=margin)
    else:
        strength = 1.0 if options.strength is None else options.strength
        name, memory = ANY_STYLE, any_style.BYTES_PER_PIXEL
        renderer = partial(any_style.renderer, styles, options.style_blend, strength, margin=margin)
    network = {"name": name, "sha256": record.hash_files(weights_folder() / name)}
    return Opened(renderer, machine, network, memory)


def _check_weights(options: Namespace, opened: Opened) -> None:
    earlier = record.read_record(options.from_record) if options.from_record else None
    if earlier and earlier["network"]["sha256"] != opened.network["sha256"]:
        raise InputError(
            f"{options.from_record}: was made with other weights than those of {opened.network['name']}, of "
            f"SHA-256 {earlier['network']['sha256']}; put the old ones back"
        )

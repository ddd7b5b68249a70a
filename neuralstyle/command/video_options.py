"""What can be said to ``neuralstyle video``, and what it amounts to."""

import argparse
import re
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from neuralstyle.command import options as stills
from neuralstyle.command.cluster import check_cluster_options, refuse_cluster
from neuralstyle.command.cluster_options import add_cluster_options
from neuralstyle.command.recipe import recipe_from
from neuralstyle.command.terminal import tell
from neuralstyle.files import InputError, require
from neuralstyle.motion import Motion
from neuralstyle.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from neuralstyle.video.frames import Frames

PROGRAM = "neuralstyle video"

#: The recipe of a film, where none is named.
DEFAULT_RECIPE = "painterly-film"

#: The options that each choose a network that renders in one pass; at most one may be given.
KINDS = ("any_style", "fixed_style", "transform")

#: Options that mean what they mean for stills.
_SHARED = (
    *("styles", "style_blend", "width", "keep_colours", "content_weight", "style_weight", "tv_weight"),
    *("as_published", "seed", "network", "threads", "device", "tile"),
)

#: What only the slow method has a use for.
_SLOW = (
    *("recipe", "flow_files", "trust_files", "temporal_weight", "offsets", "iterations", "passes"),
    *("scene_cuts", "as_published", "seed", "network"),
    *("content_weight", "style_weight", "tv_weight"),
)

#: Options that set a field of another name.
_SPELLED = {"weight": "--temporal-weight", "style_blend": "--style-blend-weights"}


def parser() -> argparse.ArgumentParser:
    """The subcommand's options."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Repaint a film so that strokes move with the things they are painted on.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("film", metavar="FILM", help="a film, a folder of pictures, or pictures such as frame_%%04d.png")
    add("--styles", "--style", metavar="FILE", nargs="+", action="extend", help="one or more style pictures")
    add("--style-blend-weights", dest="style_blend", type=float, nargs="+", metavar="W", help="of the styles")
    add("--output", metavar="FILE", required=True, help=".mp4, .webm, .gif, or pictures: out_%%04d.png")
    add("--overwrite", action="store_true", help="replace files that exist; start afresh")
    add(
        "--keep-frames",
        metavar="DIR",
        help="where finished frames and flow are kept; default: by a recipe beside the output, by a network "
        "nowhere",
    )
    add("--resume", action="store_true", help="go on with a film that was stopped, from the frames kept")
    add("--width", type=int, metavar="PIXELS", help="width of the result")
    add("--frames", metavar="A:B", help="which frames; default: all")
    add(
        "--preserve-colors",
        dest="keep_colours",
        nargs="?",
        const="yuv",
        choices=("yuv", "ycbcr", "lab", "luv"),
        help="keep the film's colours",
    )
    _add_slow(parser.add_argument_group("by a recipe, frame after frame"))
    _add_networks(parser.add_argument_group("by a network, in one pass a frame"))
    add_cluster_options(parser.add_argument_group("several processes or machines, by a network"))
    group = parser.add_argument_group("flow and machine")
    add = group.add_argument
    add("--flow", choices=("dis", "deepflow", "tvl1"), help="how optical flow is computed; default: dis")
    add("--threads", type=int, metavar="N", help="threads to compute with; default: one per core")
    add("--device", metavar="NAME", help="cpu, gpu or such as /GPU:1; default: a GPU where there is one")
    add("--tile", type=stills.tile_size, default="auto", metavar="N|auto|none", help="as for stills")
    add("--quiet", action="store_true", help="show no progress")
    return parser


def _add_slow(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--recipe", metavar="NAME", help=f"one of {', '.join(RECIPES)}; default: {DEFAULT_RECIPE}")
    add(
        "--iterations",
        type=int,
        nargs=2,
        metavar=("FIRST", "OTHERS"),
        help="of the first frame of a shot, and of the others",
    )
    for term, name in (("content", "content"), ("style", "style"), ("tv", "total variation")):
        add(f"--{term}-weight", type=float, metavar="W", help=f"of {name}; default: the recipe's")
    add("--temporal-weight", type=float, metavar="W", help="how firmly a frame is held to earlier ones")
    add(
        "--offsets",
        type=int,
        nargs="+",
        metavar="J",
        help="how many frames earlier those are, as 1 2 4 for long-term consistency; default: 1",
    )
    add("--passes", type=int, metavar="N", help="go through the film N times, to and fro; default: 1")
    add("--scene-cuts", choices=("auto", "none"), help="whether to look for scene cuts; default: auto")
    add(
        "--flow-files",
        nargs="+",
        metavar="PATTERN",
        help="flow of another program: backward_{i}_{j}.flo and forward_{j}_{i}.flo, j the earlier frame",
    )
    add("--trust-files", metavar="PATTERN", help="trust of another program: reliable_{i}_{j}.pgm or .txt")
    add("--as-published", action="store_true", default=None, help="bring back the recipe's mistakes")
    add("--seed", type=int, metavar="N", help="seed of the noise; default: 0")
    add("--network", metavar="FILE", help="weights of a VGG-19 or VGG-16; default: the shipped ones")


def _add_networks(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--any-style", action="store_true", help="in the style of any picture")
    add("--strength", type=float, metavar="0..1", help="strength of --any-style; default: 1")
    add("--fixed-style", metavar="N[:W],...", help="in one of 26 styles, or several with weights")
    add("--transform", metavar="CKPT", nargs="?", const="wheat-field.ckpt", help="by a network of one style")
    add(
        "--temporal-blend",
        type=float,
        nargs="?",
        const=0.5,
        metavar="0..1",
        help="how much of the last frame, warped, there is where its flow can be trusted; default: 0, or 0.5",
    )


def network_kind(options: Namespace) -> str | None:
    """The kind of network that the options ask for; None for a recipe.

    Raises
    ------
    InputError
        If they ask for two, or give one something that it does not take.
    """
    kinds = [kind for kind in KINDS if getattr(options, kind)]
    if not kinds:
        for name in ("strength", "temporal_blend"):
            if getattr(options, name) is not None:
                raise InputError(f"{spelled(name)} goes with --any-style and the like only")
        return None
    if len(kinds) > 1:
        raise InputError(f"{spelled(kinds[0])} and {spelled(kinds[1])} do not go together; give one of them")
    refused = (*_SLOW, *(() if kinds == ["any_style"] else ("styles", "style_blend", "strength")))
    for name in refused:
        if getattr(options, name) not in (None, False):
            raise InputError(f"{spelled(name)} does not go with {spelled(kinds[0])}")
    share = options.temporal_blend
    require(share is None or 0 <= share <= 1, "--temporal-blend", share, "between 0 and 1")
    if options.flow and not share:
        raise InputError("--flow: there is no flow without --temporal-blend")
    if options.resume and not options.keep_frames:
        raise InputError(
            f"--resume goes with {spelled(kinds[0])} where --keep-frames DIR has kept the frames from the "
            "start; otherwise a network goes straight on to the film, and begins anew"
        )
    return kinds[0]


def check_workers(options: Namespace, kind: str | None) -> None:
    """Find out whether the frames can be handed out to workers, where that is asked for.

    Raises
    ------
    InputError
        If they depend on each other.
    """
    check_cluster_options(options)
    if kind is None:
        refuse_cluster(
            options, "goes with --any-style and the like; a recipe needs the frame before each frame"
        )
    if options.temporal_blend:
        refuse_cluster(options, "does not go with --temporal-blend, where frames need those before")


def found_frames(options: Namespace) -> "Frames":
    """The frames of the film that the options name."""
    from neuralstyle.video.frames import find_frames, parse_range

    wanted = (None, None) if options.frames is None else parse_range(options.frames)
    return find_frames(options.film, wanted, tell)


def film_recipe(options: Namespace) -> Recipe:
    """The recipe that the options amount to, its motion included.

    Raises
    ------
    InputError
        If options are out of range or contradict each other.
    """
    given = {name: getattr(options, name) for name in _SHARED if getattr(options, name) is not None}
    for_still = stills.parser().parse_args([])
    vars(for_still).update(given, recipe=options.recipe or DEFAULT_RECIPE)
    motion: dict[str, object] = {}
    if options.iterations:
        first, motion["iterations"] = options.iterations
        for_still.iterations = [first]
    if options.offsets:
        motion["offsets"] = tuple(options.offsets)
    if options.passes is not None:
        motion["passes"] = options.passes
        require(options.passes >= 1, "--passes", options.passes, "1 or more")
    recipe = recipe_from(for_still)

    def varied(own: Motion | None) -> Motion:
        own = own or Motion()
        several = motion.get("passes", own.passes) > 1
        if several and options.iterations:
            raise InputError("--iterations does not go with --passes, where every frame has as many")
        weight = options.temporal_weight
        named = {} if weight is None else {"pass_weight" if several else "weight": weight}
        return replace(own, **motion, **named)

    listing = dict(recipe.listing)
    if "motion" in listing:
        listing["motion"] = varied(listing["motion"])
    return replace(recipe, motion=varied(recipe.motion), listing=listing)


def respelled(error: InputError) -> str:
    """The message of an error, with the fields that it names spelled as the options that set them."""
    known = {action.dest: action.option_strings[0] for action in parser()._actions if action.option_strings}
    known |= _SPELLED | {"pass_weight": "--temporal-weight"}
    message = str(error)
    for field in error.fields:
        # Once: "frames is 2:9; there are frames 1 to 3".
        message = re.sub(rf"\b{re.escape(field)}\b", known.get(field, field), message, count=1)
    return message


def spelled(name: str) -> str:
    """The option that sets a name."""
    spelled = {"styles": "--style", "keep_colours": "--preserve-colors"} | _SPELLED
    return spelled.get(name, f"--{name.replace('_', '-')}")

"""How good each optical flow is on a film whose flow is known, and how well trust tells what is visible.

python benchmarks/video.py [--size 320x240] [--frames 4 4] [--speed 20]
python benchmarks/video.py --flicker [--size 160x120] [--frames 5] [--speed 6] [--iterations 60 20]
python benchmarks/video.py --flicker --film FILE --shot 34:40 [--size 320x136]

With --flicker: how much a stylised film flickers, beside its frames stylised one by one, and the style loss
of both. Flicker is the mean of |x_i - warp(x_{i-1})| over the pixels whose flow can be trusted: the exact
flow of the film that is made here, or for a FILE the flow that OpenCV finds by DIS.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import skimage.data
from made_film import MadeFilm, make_film
from measuring import machine, size

from neuralstyle import RECIPES, Motion, load_network
from neuralstyle.pictures.sizes import resize
from neuralstyle.preparation import Style
from neuralstyle.recipes import Recipe
from neuralstyle.video.flow import METHODS, flow_trust, optical_flow, warp
from neuralstyle.video.flows import Flows
from neuralstyle.video.folder import Rendered, WorkFolder
from neuralstyle.video.frames import find_frames, parse_range, read_frames
from neuralstyle.video.loop import FilmJob, run_film

#: From a frame and its neighbour to the flow between them.
Estimate = Callable[[int, int], np.ndarray]


def estimates(made: MadeFilm) -> dict[str, Estimate]:
    """Each method, on a film's frames by their index; and for comparison the exact flow, and none."""

    def exact(first: int, second: int) -> np.ndarray:
        return made.backward[first] if second < first else made.forward[second]

    def none(first: int, second: int) -> np.ndarray:
        return np.zeros_like(made.backward[first])

    methods = {
        method: lambda first, second, method=method: optical_flow(
            made.frames[first], made.frames[second], method
        )
        for method in METHODS
    }
    return {"exact": exact, **methods, "none": none}


def measure(made: MadeFilm, estimate: Estimate) -> dict[str, float]:
    """Means over a film: errors in pixels, precision and recall of trust, seconds a flow."""
    errors, trusted_errors, both, trusted, visible = [], [], 0, 0, 0
    began = time.perf_counter()
    pairs = [index for index in range(1, len(made.frames)) if index not in made.cuts]
    found = [(estimate(index - 1, index), estimate(index, index - 1)) for index in pairs]
    seconds = (time.perf_counter() - began) / (2 * len(pairs))
    for index, (forward, backward) in zip(pairs, found, strict=True):
        error = np.linalg.norm(backward - made.backward[index], axis=2)
        seen, trust = made.visible[index], flow_trust(forward, backward) == 1
        errors.append(error[seen].mean())
        trusted_errors.append(error[trust].mean() if trust.any() else np.nan)
        both += (trust & seen).sum()
        trusted += trust.sum()
        visible += seen.sum()
    return {
        "error, visible": float(np.mean(errors)),
        "error, trusted": float(np.mean(trusted_errors)),
        "precision": both / max(trusted, 1),
        "recall": both / visible,
        "seconds": seconds,
    }


def read_film(path: str, shot: str, height: int, width: int) -> MadeFilm:
    """Frames of a film without a cut, with the flow between them as it is found."""
    found = find_frames(path, parse_range(shot))
    frames = np.stack([np.uint8(resize(np.float32(f), height, width)) for _, f in read_frames(found)])
    pairs = list(zip(frames[:-1], frames[1:], strict=True))
    unknown = np.full((1, height, width, 2), np.nan, np.float32)
    forward = np.concatenate([unknown, *(optical_flow(a, b)[np.newaxis] for a, b in pairs)])
    backward = np.concatenate([unknown, *(optical_flow(b, a)[np.newaxis] for a, b in pairs)])
    return MadeFilm(frames, backward, forward, np.isfinite(backward).all(axis=3), ())


def flicker(made: MadeFilm, pictures: Sequence[np.ndarray]) -> float:
    """The mean of |x_i − warp(x_{i−1})| over the pixels whose flow can be trusted, in 0..255."""
    differences = []
    for index in range(1, len(pictures)):
        if index not in made.cuts:
            trusted = flow_trust(made.forward[index], made.backward[index]) == 1
            moved = warp(pictures[index - 1], made.backward[index])
            differences.append(np.abs(pictures[index] - moved)[trusted].mean())
    return float(np.mean(differences))


def stylised(made: MadeFilm, recipe: Recipe) -> tuple[list[Rendered], float]:
    """The film by a recipe, with flow by the default method, and the seconds it took."""
    began = time.perf_counter()
    numbers = range(1, len(made.frames) + 1)
    job = FilmJob(numbers, (Style(np.float32(skimage.data.coffee())),), recipe, load_network())
    with tempfile.TemporaryDirectory() as path:
        folder = WorkFolder(path, {})
        for number, frame in zip(numbers, made.frames, strict=True):
            folder.keep_content(number, frame)
        with Flows(folder.content, folder.film) as flows:
            return list(run_film(job, folder, flows)), time.perf_counter() - began


def print_flicker(made: MadeFilm, first: int, others: int, name: str) -> None:
    """Print the table of flicker."""
    recipe = replace(
        RECIPES[name], scales=(), coarsest=None, scale_iterations=(), content_size=None, iterations=first
    )
    held = replace(RECIPES[name].motion or Motion(), iterations=others, tolerance=None)
    variants = {
        "one by one": Motion(0.0, start="content", iterations=first, tolerance=None),
        "warped start, no temporal loss": replace(held, weight=0.0),
        "film": held,
        "film, long-term (1 2 4)": replace(held, offsets=(1, 2, 4)),
        "film, 4 passes": replace(held, passes=4, pass_iterations=others, temporal_from_pass=2),
    }
    itself = flicker(made, made.frames)
    print(f"the film itself: {itself:.2f}; {first} iterations of the first frame, {others} of the others")
    print("| | flicker | of one by one | style loss | of one by one | total loss | iterations | s |")
    print("|---|---|---|---|---|---|---|---|")
    base = None
    for name, motion in variants.items():
        frames, seconds = stylised(made, replace(recipe, motion=motion))
        flickering = flicker(made, [frame.picture for frame in frames])
        # The first frame is the same in all.
        style = float(np.mean([frame.losses["style"] for frame in frames[1:]]))
        total = float(np.mean([frame.losses["total"] for frame in frames[1:]]))
        base = base or (flickering, style)
        count = sum(frame.evaluations for frame in frames)
        print(
            f"| {name} | {flickering:.2f} | {flickering / base[0]:.2f} | {style:.4g} | "
            f"{style / base[1]:.2f} | {total:.4g} | {count} | {seconds:.0f} |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=size, default=(240, 320), metavar="WxH")
    parser.add_argument("--frames", type=int, nargs="+", default=[4, 4], help="of each shot")
    parser.add_argument("--speed", type=float, default=20, help="pixels a frame")
    parser.add_argument("--flicker", action="store_true", help="measure flicker instead")
    parser.add_argument("--iterations", type=int, nargs=2, default=[60, 20], metavar=("FIRST", "OTHERS"))
    parser.add_argument("--recipe", default="painterly-film", help="default: %(default)s")
    parser.add_argument("--film", metavar="FILE", help="measure flicker on a part of this film")
    parser.add_argument(
        "--shot", default="1:8", metavar="A:B", help="which of its frames; default: %(default)s"
    )
    options = parser.parse_args()

    print(machine())
    height, width = options.size
    if options.film:
        made = read_film(options.film, options.shot, height, width)
    else:
        made = make_film(height, width, options.frames, options.speed)
    if options.flicker:
        print(f"{len(made.frames)} frames of {options.film or 'the film made here'}, {width}×{height}")
        print_flicker(made, *options.iterations, options.recipe)
        return
    print(
        f"{width}×{height}, {options.speed:g} pixels a frame; visible: {made.visible.mean():.2f} of the film"
    )
    print("| flow | error where visible | error where trusted | precision | recall | time | s |")
    print("|---|---|---|---|---|---|---|")
    rows = {name: measure(made, estimate) for name, estimate in estimates(made).items()}
    for name, row in rows.items():
        ratio = row["seconds"] / rows["dis"]["seconds"]
        print(
            f"| {name} | {row['error, visible']:.2f} | {row['error, trusted']:.2f} | "
            f"{row['precision']:.3f} | {row['recall']:.3f} | {ratio:.1f} | {row['seconds']:.3f} |"
        )


if __name__ == "__main__":
    main()

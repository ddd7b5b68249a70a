"""The loop over a film's frames: each starts from the one before it, moved to where its things are now.

Source: Ruder, Dosovitskiy & Brox, "Artistic style transfer for videos" (GCPR 2016), and their program,
artistic-videos.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import binary_opening

from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import TiledLoss, WholeLoss, open_loss
from neuralstyle.loss.terms import objective_of, temporal
from neuralstyle.loss.units import InUnits
from neuralstyle.motion import Motion
from neuralstyle.networks import Network
from neuralstyle.optimizers import Evaluation, minimize
from neuralstyle.pictures.colours import keep_colours, luminance, match_colours
from neuralstyle.preparation import Scene, Style, network_for, prepare, starting_picture
from neuralstyle.recipes import Recipe, stages
from neuralstyle.runs.history import Step
from neuralstyle.transfer import Job, run
from neuralstyle.video.cuts import is_cut
from neuralstyle.video.flow import blend, long_term_trust, warp
from neuralstyle.video.flows import FlowFiles, Flows
from neuralstyle.video.folder import Rendered, WorkFolder

#: Told of each iteration: the number of the frame, and the step, without a picture.
OnStep = Callable[[int, Step], None]


@dataclass(frozen=True)
class FilmJob:
    """Everything that decides the frames of a film, but for their content and its flow.

    Attributes
    ----------
    numbers : sequence of int
        Of the frames, one after the other.
    styles : tuple of Style
    recipe : Recipe
        Its motion says how frames follow each other.
    network : Network
    seed : int
        Of the noise, which is the same in every frame.
    machine : Machine
    find_cuts : bool
        Whether scene cuts are looked for; if not, the film is one shot.
    """

    numbers: Sequence[int]
    styles: tuple[Style, ...]
    recipe: Recipe
    network: Network
    seed: int = 0
    machine: Machine = field(default_factory=Machine)
    find_cuts: bool = True

    @property
    def motion(self) -> Motion:
        """How frames follow each other."""
        return self.recipe.with_listing().motion or Motion()


def run_film(
    job: FilmJob,
    folder: WorkFolder,
    flows: Flows | FlowFiles,
    on_step: OnStep | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Rendered]:
    """Render the frames of a film, one after the other.

    Those that the folder has are given as they are. The others are made from what is in the folder and
    nothing else, so that a film that was stopped at any moment goes on to the same frames, bit for bit.

    The first frame of a shot is made as a still: the film's first from where the recipe starts, others from
    their content. Each frame after it starts from the frame before it, warped, and is compared with earlier
    frames of its shot, warped, where they can be trusted. With several passes every frame is first made by
    itself; each pass then starts frames from a blend of themselves and their neighbour, warped.

    Parameters
    ----------
    job : FilmJob
    folder : WorkFolder
        Has the content frames, and keeps what is finished.
    flows : Flows or FlowFiles
    on_step : callable, optional
    stop : threading.Event, optional
        Once it is set, the frames end after the iteration that is being made, with the last whole one.

    Yields
    ------
    Rendered
        With the content's colours if the recipe keeps them.

    Raises
    ------
    InputError
        If the recipe does not go with the pictures or the network, or flow cannot be read.
    """
    recipe = job.recipe.with_listing()
    with ExitStack() as stack:
        frames = _Frames(job, folder, flows, stack, on_step, stop or threading.Event())
        passes = job.motion.passes
        for at in range(max(folder.passes(), default=1), passes):
            for _ in frames.go_through(at, at):
                """Only the last pass gives frames."""
            if frames.stop.is_set():
                return
            folder.forget_passes(at - 1)
        rendered = frames.go_through(passes, 0)
        if passes % 2 == 0:  # backwards
            for _ in rendered:
                """They are given in the film's order, once they are all there."""
            if frames.stop.is_set():
                return
            rendered = (folder.finished(number, 0) for number in job.numbers)
        for frame in rendered:
            if recipe.keep_colours:
                content = folder.content(frame.number)
                coloured = keep_colours(np.float32(frame.picture), content, recipe.keep_colours)
                frame = replace(frame, picture=_rounded(coloured))
            yield frame


class _Stopped(Exception):
    """Ends the optimiser between two steps."""


class _Rule:
    """Says when a frame is done, as artistic-videos' lbfgs.lua does it."""

    def __init__(self, motion: Motion) -> None:
        self._motion, self._past = motion, None

    def met(self, iteration: int, total: float) -> bool:
        """Whether the loss has hardly changed since it was looked at the last time."""
        motion = self._motion
        if motion.tolerance is None or iteration == 0 or iteration % motion.tolerance_every:
            return False
        past, self._past = self._past, total
        return past is not None and abs(total - past) < motion.tolerance * abs(past)


class _Frames:
    """Makes frames; what it holds beside the job is the loss that serves them all, once it is open."""

    def __init__(
        self,
        job: FilmJob,
        folder: WorkFolder,
        flows: Flows | FlowFiles,
        stack: ExitStack,
        on_step: OnStep | None,
        stop: threading.Event,
    ) -> None:
        self._job, self._folder, self._flows, self._stack = job, folder, flows, stack
        self._on_step, self.stop = on_step, stop
        self._motion = job.motion
        # Kept colours would be warped and compared with: they are put on in the end.
        self._recipe = replace(job.recipe.with_listing(), keep_colours=None)
        self._stage = stages(self._recipe)[-1]
        self._loss: WholeLoss | TiledLoss | None = None
        self._cuts: dict[int, bool] = {}

    def go_through(self, at: int, kept_at: int) -> Iterator[Rendered]:
        """Go through the film in one pass, and keep its frames."""
        numbers = list(self._job.numbers)
        step = 1 if at % 2 else -1
        for number in numbers[::step]:
            rendered = self._folder.finished(number, kept_at)
            if rendered is None:
                if self.stop.is_set():
                    return
                self._expect(number, step)
                rendered = self._make(number, at, step)
                if rendered is None:
                    return
                self._folder.keep(rendered, kept_at)
            self._cuts[number] = rendered.cut
            yield rendered

    def _expect(self, number: int, step: int) -> None:
        """Let flow be computed: that of a frame, and beside its rendering that of the one after it."""
        for later in (number, number + step):
            if later in self._job.numbers:
                for neighbour in self._neighbours(later, step):
                    self._flows.expect(later, neighbour)

    def _neighbours(self, number: int, step: int) -> list[int]:
        """The frames that a frame's flow is asked for."""
        offsets = {*self._motion.offsets, *((1,) if self._job.find_cuts and step > 0 else ())}
        return [number - step * offset for offset in offsets if number - step * offset in self._job.numbers]

    def _make(self, number: int, at: int, step: int) -> Rendered | None:
        """Make a frame in a pass; None if it was stopped."""
        motion = self._motion
        if at > 1:
            return self._improve(number, at, step)
        first = number == self._job.numbers[0]
        cut = not first and self._job.find_cuts and self._begins_shot(number)
        if motion.passes > 1:
            content = self._folder.content(number)
            scene = Scene(content, self._job.styles)
            start = self._seen(starting_picture(self._stage, self._job.network, scene, self._job.seed))
            return self._optimize(number, start, {}, motion.pass_iterations, cut)
        return self._begin(number, cut) if first or cut else self._follow(number)

    def _begins_shot(self, number: int) -> bool:
        frames = (self._folder.content(n) for n in (number - 1, number))
        return is_cut(*frames, *self._flows.between(number, number - 1))

    def _begin(self, number: int, cut: bool) -> Rendered | None:
        """Make a frame as a still."""
        job = self._job
        changed = {"start": "content", "noise_blend": 0.0} if cut else {}
        scene = Scene(self._folder.content(number), job.styles)
        if len(stages(self._recipe)) == 1:
            stage = replace(self._stage, **changed)
            start = self._seen(starting_picture(stage, job.network, scene, job.seed))
            return self._optimize(number, start, {}, stage.iterations, cut)
        still = Job(scene, replace(self._recipe, **changed), job.network, job.seed, job.machine)
        result = run(still, stop=self.stop, on_step=lambda step: self._tell(number, step))
        if result.interrupted:
            return None
        losses = {**result.step.losses, "temporal": 0.0}
        return Rendered(number, result.image, losses, result.history[-1].iteration, cut)

    def _follow(self, number: int) -> Rendered | None:
        """Make a frame from those before it."""
        motion = self._motion
        content = self._seen(self._folder.content(number))
        warped, beside = self._compared(number, 1, 0)
        if motion.start == "previous":
            start = np.float32(self._folder.finished(number - 1, 0).picture)
        elif motion.start == "content" or warped is None:
            start = content
        else:
            start = self._begun(number, content, warped, beside)
        iterations = motion.iterations or max(1, self._stage.iterations // 2)
        return self._optimize(number, start, beside, iterations, cut=False)

    def _begun(
        self, number: int, content: np.ndarray, warped: np.ndarray, beside: dict[str, np.ndarray]
    ) -> np.ndarray:
        """The warped frame before a frame, and where it shows nothing what the motion says."""
        revealed = np.isnan(warped)
        if self._motion.revealed == "recoloured":
            offset = self._motion.offsets[0]
            hidden = beside[f"trust {offset}"][..., 0] == 0
            # The rest of what cannot be trusted are edges and specks, where flow is hard to find.
            revealed |= binary_opening(hidden, iterations=2)[..., np.newaxis]
            painted = self._seen(np.float32(self._folder.finished(number - offset, 0).picture))
            content = match_colours(content, painted)
        return np.where(revealed, content, warped)

    def _improve(self, number: int, at: int, step: int) -> Rendered | None:
        """Make a frame anew from what it was in the last pass and its neighbour in this one."""
        motion = self._motion
        own = self._folder.finished(number, at - 1)
        self._cuts.setdefault(number, own.cut)
        start = np.float32(own.picture)
        neighbour, beside = self._compared(number, step, 0 if at == motion.passes else at)
        if neighbour is not None:
            _, trust = self._trusted(number, number - step * motion.offsets[0])
            mixed = blend(start, np.nan_to_num(neighbour), trust, motion.share)
            start = np.where(np.isnan(neighbour), start, mixed)
        if at < motion.temporal_from_pass:
            beside = {}
        return self._optimize(number, start, beside, motion.pass_iterations, own.cut)

    def _compared(self, number: int, step: int, at: int) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
        """The nearest frame, warped, NaN outside, and what the temporal loss compares a frame with.

        The first is None where there is no such frame in the shot.
        """
        offsets = [j for j in self._motion.offsets if self._in_one_shot(number, number - step * j)]
        if not offsets:
            return None, {}
        warped, trusts = [], []
        for offset in offsets:
            flow, trust = self._trusted(number, number - step * offset)
            earlier = self._folder.finished(number - step * offset, at).picture
            warped.append(warp(self._seen(np.float32(earlier)), flow, outside=np.float32(np.nan)))
            trusts.append(trust)
        beside = {}
        for offset, picture, trust in zip(offsets, warped, long_term_trust(trusts), strict=True):
            # Trust is 0 where the mean pixel is, as artistic-videos has it.
            beside[f"warped {offset}"] = np.where(np.isnan(picture), self._job.network.mean_pixel, picture)
            beside[f"trust {offset}"] = trust[..., np.newaxis]
        return warped[0], beside

    def _trusted(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        """The flow of frame i's pixels into frame j, and its trust, or by mistake that of the other flow."""
        flow, trust = self._flows.between(i, j)
        return flow, trust if self._motion.trust == "backward" else self._flows.between(j, i)[1]

    def _in_one_shot(self, i: int, j: int) -> bool:
        between = range(min(i, j) + 1, max(i, j) + 1)
        return j in self._job.numbers and not any(self._cuts.get(number, False) for number in between)

    def _optimize(
        self, number: int, start: np.ndarray, beside: dict[str, np.ndarray], iterations: int, cut: bool
    ) -> Rendered | None:
        """Improve a frame in the recipe's range by the loss that serves all frames."""
        loss, recipe = self._opened(), self._stage
        unit = np.float32(recipe.unit) * self._pace(beside)
        content = self._seen(self._folder.content(number))
        # The temporal loss asks for nothing if it weighs nothing.
        compared = {name: np.float32(beside.get(name, zeros)) for name, zeros in self._nothing.items()}
        loss.compare_with(content, compared)
        rule, began, last = _Rule(self._motion), Step(0, 0.0, {}), {}
        one_pass = self._motion.passes == 1

        def report(iteration: int, evaluation: Evaluation) -> None:
            losses = evaluation.losses
            if evaluation.kept:
                last["kept"] = evaluation
            last["iteration"] = iteration
            self._tell(number, replace(began, iteration=iteration, losses=losses))
            if self.stop.is_set() or (one_pass and rule.met(iteration, losses["total"])):
                raise _Stopped

        try:
            start = np.ascontiguousarray(np.float32(start) / unit)
            bounds = (0.0, 255.0 / unit) if recipe.clip else None
            minimize(recipe.optimizer, InUnits(loss, unit), start, iterations, report, bounds)
        except _Stopped:
            if self.stop.is_set():
                return None
        kept = last["kept"]
        return Rendered(number, _rounded(kept.picture * unit), kept.losses, last["iteration"], cut)

    def _pace(self, beside: dict[str, np.ndarray]) -> np.ndarray | np.float32:
        """How far each pixel moves where the optimiser moves by one: 1 / √(1 + κ c), H×W×1."""
        trusts = [array for name, array in beside.items() if name.startswith("trust")]
        if not (trusts and self._motion.holding):
            return np.float32(1)
        return np.float32(1 / np.sqrt(1 + self._motion.holding * np.clip(sum(trusts), 0, 1)))

    def _tell(self, number: int, step: Step) -> None:
        if self._on_step is not None:
            self._on_step(number, replace(step, picture=None))

    def _opened(self) -> WholeLoss | TiledLoss:
        """The loss, with the style targets as the film's first frame has them."""
        if self._loss is None:
            job, motion, recipe = self._job, self._motion, self._stage
            scene = Scene(self._folder.content(job.numbers[0]), job.styles)
            network = network_for(recipe, job.network, job.machine)
            prepared = prepare(replace(recipe, start="content", noise_blend=0.0), network, scene, 0)
            weight = motion.weight if motion.passes == 1 else motion.pass_weight
            objective = objective_of(recipe, len(job.styles))
            objective += weight * temporal(motion.offsets, motion.formula, recipe.unit)
            opened = open_loss(network, objective, prepared.scene, job.machine, recipe.optimizer)
            self._loss = self._stack.enter_context(opened)
            # Where there is nothing to compare with.
            self._nothing = {
                name: np.zeros((*scene.content.shape[:2], channels), np.float32)
                for name, channels in objective.beside.items()
            }
        return self._loss

    def _seen(self, picture: np.ndarray) -> np.ndarray:
        """A picture as the loss sees it: grey where the transfer is on luminance alone."""
        return luminance(picture) if self._recipe.match_colours == "luminance" else picture


def _rounded(picture: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)

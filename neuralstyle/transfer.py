"""The loop: pictures and a recipe in, a picture and its history out."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from neuralstyle.graphs import Machine
from neuralstyle.loss.losses import TiledLoss, WholeLoss, open_loss
from neuralstyle.loss.memory import check_optimizer_fits
from neuralstyle.loss.objectives import Objective
from neuralstyle.loss.terms import objective_of
from neuralstyle.loss.units import InUnits
from neuralstyle.networks import Network, load_network
from neuralstyle.optimizers import Evaluation, minimize
from neuralstyle.optimizers.averaging import averaged
from neuralstyle.optimizers.enlarging import enlarge_moments
from neuralstyle.pictures.colours import keep_colours
from neuralstyle.pictures.cut_outs import rounded
from neuralstyle.pictures.reading import AnyPicture
from neuralstyle.preparation import Scene, Style, content_size, network_for, prepare, scene_of
from neuralstyle.recipes import Recipe, find_recipe, stages
from neuralstyle.runs.history import Step
from neuralstyle.runs.state import State
from neuralstyle.runs.watching import Beginning, Watcher, Watchers


@dataclass(frozen=True)
class Job:
    """Everything that decides a picture, and where it is computed.

    Attributes
    ----------
    scene : Scene
        The pictures as they are given; the recipe says what sizes and colours they get.
    recipe : Recipe
    network : Network
        As `neuralstyle.load_network` gives it.
    seed : int
        Of the noise. The same seed gives the same picture on the same machine.
    machine : Machine
    objective : Objective, optional
        What is minimised in place of the recipe's own objective.
    """

    scene: Scene
    recipe: Recipe
    network: Network
    seed: int = 0
    machine: Machine = field(default_factory=Machine)
    objective: Objective | None = None


@dataclass(frozen=True)
class Result:
    """What a run gives back.

    Attributes
    ----------
    image : ndarray
        H×W×3, uint8, RGB; H×W×4 with the alpha of a content picture that is transparent.
    history : list of Step
        From iteration 0, the start, to the last.
    picture : ndarray
        The same picture before rounding, float32, 0..255.
    step : Step
        The step whose picture this is; the last one where the recipe averages.
    state : State
        What the run needs to go on from its last step.
    tile : int or None
        The size of the tiles that it was computed in at last; None for whole pictures.
    interrupted : bool
        Whether the run was stopped early.
    """

    image: np.ndarray
    history: list[Step]
    picture: np.ndarray
    step: Step
    state: State
    tile: int | None = None
    interrupted: bool = False


def stylize(
    content: AnyPicture,
    styles: AnyPicture | Style | Sequence[AnyPicture | Style],
    recipe: Recipe | str = "cookbook",
    network: Network | None = None,
    *,
    seed: int = 0,
    on_step: Callable[[Step], None] | None = None,
    tile: int | str | None = "auto",
    objective: Objective | None = None,
) -> Result:
    """Render a content picture in the style of other pictures.

    `run` does the same with more to choose: watchers, a state to go on from, an event that stops it.

    Parameters
    ----------
    content : ndarray or path
        H×W×3, or H×W×4 with alpha, uint8 or floating point, RGB, 0..255.
    styles : ndarray, path or Style, or a sequence of them
        Style pictures; a `neuralstyle.Style` has masks beside its picture.
    recipe : Recipe or str
        A published system's name, or a recipe of your own; ``dataclasses.replace`` varies one.
    network : Network, optional
        Default: `neuralstyle.load_network`'s.
    seed : int
        Of the noise. The same seed gives the same picture on the same machine.
    on_step : callable, optional
        Called with each `Step`, its picture as the optimiser has it. KeyboardInterrupt raised there ends
        the run after that step, with what there is so far.
    tile : int, "auto" or None
        The longest side of a tile in pixels; None takes pictures whole; "auto" takes them whole where
        they fit into the memory that is free, and in tiles otherwise. The result is the same.
    objective : Objective, optional
        Minimised in place of the recipe's own, which then says the rest: sizes, start, optimiser.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If a picture or the recipe cannot be used.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import numpy as np
    >>> import neuralstyle
    >>> photograph, painting = np.random.default_rng(0).uniform(0, 255, (2, 48, 64, 3))
    >>> recipe = replace(neuralstyle.RECIPES["neural-style"], iterations=2)
    >>> result = neuralstyle.stylize(photograph, painting, recipe, seed=1)
    >>> result.image.shape, [step.iteration for step in result.history]
    ((48, 64, 3), [0, 1, 2])
    """
    job = Job(
        scene_of(content, styles),
        find_recipe(recipe),
        network or load_network(),
        seed,
        Machine(tile=tile),
        objective,
    )
    return run(job, on_step=on_step)


def run(
    job: Job,
    watchers: Sequence[Watcher] = (),
    resume: State | None = None,
    stop: threading.Event | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Result:
    """Make the picture that a job describes.

    Parameters
    ----------
    job : Job
    watchers : sequence of Watcher
        Told of everything while the run goes on. One that fails is warned of and left out.
    resume : State, optional
        Go on from there instead of starting. The result is, bit for bit, that of the run that was never
        stopped; with SciPy's L-BFGS it goes on from its best picture, with nothing remembered. The arrays
        of what the optimiser remembered are taken over and change.
    stop : threading.Event, optional
        Once it is set, the run ends after the step that is being made, or between two sizes, with what
        there is so far.
    on_step : callable, optional
        As in `stylize`; what it raises ends the run.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If the recipe does not go with the pictures or the network, or the loss stops being a number.
    """
    recipe = job.recipe.with_listing()
    network = network_for(recipe, job.network, job.machine)
    height, width = job.scene.content.shape[:2]
    sizes = [content_size(stage, height, width) for stage in stages(recipe)]
    check_optimizer_fits(recipe.optimizer, *max(sizes))
    progress = _Progress(Watchers(watchers), on_step, stop or threading.Event(), resume)
    picture, interrupted = None, False
    for scale, stage in enumerate(stages(recipe)):
        if resume and scale < resume.scale:
            continue
        own_state = resume if resume and scale == resume.scale else None
        try:
            prepared = prepare(stage, network, job.scene, job.seed, picture)
            objective = job.objective or objective_of(stage, len(job.scene.styles))
            opened = open_loss(network, objective, prepared.scene, job.machine, stage.optimizer)
        except KeyboardInterrupt:
            if picture is None:
                raise
            interrupted = True  # the smaller picture is what there is
            break
        with opened as loss:
            if picture is not None and progress.stop.is_set():  # while the targets were measured
                interrupted = True
                break
            current = _Stage(progress, scale, stage, prepared.colours, own_state)
            start = own_state.picture.copy() if own_state else prepared.start / np.float32(stage.unit)
            if picture is not None and stage.carry_moments:
                moments = enlarge_moments(
                    progress.state.optimizer, progress.state.iteration, *start.shape[:2]
                )
            else:
                moments = own_state and own_state.optimizer
            size, take = start.shape[:2], [start].pop
            del prepared, start  # large pictures are not kept for nothing while the optimiser works
            interrupted = current.optimize(loss, size, take, moments)
            tile = loss.tile
            step, picture = current.result()
        if interrupted or (progress.stop.is_set() and scale + 1 < len(sizes)):
            interrupted = True
            break
    picture = current.finished(picture)
    image = rounded(picture, job.scene.alpha)
    return Result(image, progress.history, picture, step, progress.state, tile, interrupted)


class _Stopped(Exception):
    """Ends the optimiser between two steps, where everything fits together."""


class _Progress:
    """What a run keeps from its first step to its last: the history, the state, and who is told."""

    def __init__(
        self,
        watchers: Watchers,
        on_step: Callable[[Step], None] | None,
        stop: threading.Event,
        resume: State | None,
    ) -> None:
        self.watchers, self.on_step, self.stop = watchers, on_step, stop
        self.history = list(resume.history) if resume else []
        self.state = resume
        self._began = time.perf_counter() - (self.history[-1].seconds if self.history else 0)

    def seconds(self) -> float:
        """How long the run has taken, what it took before it was resumed included."""
        return time.perf_counter() - self._began


class _Stage:
    """A run at one of its sizes: its last picture, its best snapshot, the average of its pictures.

    Iterations go on counting from size to size; the best snapshot is looked for anew.
    """

    def __init__(
        self,
        progress: _Progress,
        scale: int,
        recipe: Recipe,
        colours: np.ndarray | None,
        resume: State | None,
    ) -> None:
        self._progress, self._scale, self._recipe, self._colours = progress, scale, recipe, colours
        self._unit = np.float32(recipe.unit)
        self._resume = resume
        history = progress.history
        self._first = history[-1].iteration if history else 0
        self._best: np.ndarray | None = None
        self._best_step: Step | None = None
        self._best_total = np.inf
        self._average = resume.average if resume else None
        if resume:
            if resume.iteration:
                # The history ends before the step that is about to be made again.
                self._first -= resume.iteration - 1
            self._best, self._best_total = resume.best, resume.best_total
            self._best_step = next((step for step in history[::-1] if step.total == self._best_total), None)

    def optimize(
        self,
        loss: WholeLoss | TiledLoss,
        size: tuple[int, int],
        start: Callable[[], np.ndarray],
        remembered: Mapping[str, np.ndarray] | None,
    ) -> bool:
        """Improve a picture in the recipe's range, step by step; whether the run was stopped."""
        self._progress.watchers.begin(Beginning(self._scale, *size, loss.tile, loss.graph))
        recipe, resume = self._recipe, self._resume
        try:
            minimize(
                recipe.optimizer,
                InUnits(loss, self._unit),
                start,
                recipe.iterations,
                self._report,
                (0.0, 255.0 / recipe.unit) if recipe.clip else None,
                remembered,
                resume.iteration if resume else 0,
            )
        except _Stopped:
            return True
        return False

    def _report(self, iteration: int, evaluation: Evaluation) -> None:
        """Take note of a picture in the recipe's range, and pass it on in pixel values."""
        progress, every = self._progress, self._recipe.checkpoint_every
        step = Step(self._first + iteration, progress.seconds(), evaluation.losses)
        if evaluation.kept:
            self._last, self._last_step = evaluation, step
        snapshot = bool(every) and iteration > 0 and iteration % every == 0
        progress.state = State(
            iteration,
            lambda: evaluation.picture,
            lambda: evaluation.state,
            progress.history[:],
            {},
            self._best,
            self._best_total,
            self._scale,
            self._average,
        )
        progress.watchers.state(progress.state)
        progress.history.append(step)
        if self._recipe.average_decay:
            self._average = averaged(self._average, self._last.picture, self._recipe.average_decay, iteration)
        if self._recipe.keep_best and snapshot and step.total < self._best_total:
            self._best, self._best_total, self._best_step = evaluation.picture.copy(), step.total, step
        try:
            self._tell(step, evaluation, snapshot)
        except KeyboardInterrupt:
            progress.stop.set()
        if progress.stop.is_set():
            raise _Stopped

    def _tell(self, step: Step, evaluation: Evaluation, snapshot: bool) -> None:
        """Pass a step on; whoever looks at its picture has it fetched."""
        average = self._average

        def shown() -> np.ndarray:
            return self._in_pixels(evaluation.picture)

        def looked_at() -> np.ndarray:
            picture = shown().view()
            picture.flags.writeable = False  # it may be the optimiser's own
            return picture

        def finished() -> np.ndarray:
            return self.finished(shown() if average is None else self._in_pixels(average))

        if self._progress.on_step is not None:
            self._progress.on_step(replace(step, picture=lambda: shown().copy()))
        self._progress.watchers.step(replace(step, picture=looked_at))
        if snapshot:
            self._progress.watchers.snapshot(replace(step, picture=finished))

    def result(self) -> tuple[Step, np.ndarray]:
        """What it comes to, in pixel values: the last picture, the average, or the best snapshot.

        The state is fetched as well, before the loss is closed.
        """
        self._progress.state = replace(self._progress.state)
        if self._average is not None:
            return self._last_step, self._in_pixels(self._average)
        if self._best is not None and self._best_total <= self._last_step.total:
            return self._best_step or self._last_step, self._in_pixels(self._best)
        return self._last_step, self._in_pixels(self._last.picture)

    def _in_pixels(self, picture: np.ndarray) -> np.ndarray:
        """A picture in the recipe's range in pixel values; a large one is not copied for nothing."""
        return picture if self._unit == 1 else picture * self._unit

    def finished(self, picture: np.ndarray) -> np.ndarray:
        """A picture as the user gets it: within 0..255, with the content's colours if wanted."""
        picture = np.clip(picture, 0, 255)
        if self._recipe.keep_colours:
            picture = keep_colours(picture, self._colours, self._recipe.keep_colours)
        return picture

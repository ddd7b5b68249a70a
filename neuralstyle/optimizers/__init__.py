"""One face for Adam, gradient descent, our own L-BFGS and SciPy's.

Each takes a function that gives the losses and the gradient of a picture, improves the picture step by
step, and reports every picture whose losses it knows. The reported losses come from the evaluation that
gave the gradient; nothing is computed twice.
"""

import numpy as np

from neuralstyle.optimizers import lbfgs, scipy_lbfgs
from neuralstyle.optimizers.evaluation import Evaluation, Fetched, Loss, Losses, Report, Start
from neuralstyle.optimizers.first_order import Adam, GradientDescent
from neuralstyle.optimizers.lbfgs import PreconditionedLBFGS
from neuralstyle.optimizers.scipy_lbfgs import LBFGS

Optimizer = Adam | GradientDescent | LBFGS | PreconditionedLBFGS

__all__ = [
    "LBFGS",
    "Adam",
    "Evaluation",
    "Fetched",
    "GradientDescent",
    "Loss",
    "Losses",
    "Optimizer",
    "PreconditionedLBFGS",
    "Report",
    "Start",
    "minimize",
]


def minimize(
    optimizer: Optimizer,
    loss: Loss,
    picture: Start,
    iterations: int,
    report: Report,
    bounds: tuple[float, float] | None = None,
    state: dict[str, np.ndarray] | None = None,
    first: int = 0,
) -> np.ndarray:
    """Improve a picture.

    Parameters
    ----------
    optimizer : Adam, GradientDescent, LBFGS or PreconditionedLBFGS
    loss : Loss
        What to minimise.
    picture : ndarray or callable
        The start, float32; it is not changed. Or a function without arguments that gives the start, an
        array that nobody else keeps: no copy is made of a large one then.
    iterations : int
        How many steps; with L-BFGS, how many evaluations.
    report : callable
        Called with each iteration from `first` to `iterations` and the `Evaluation` of the picture at that
        iteration (0 is the start): its losses, the picture, and the state of the optimiser.
    bounds : (float or ndarray, float or ndarray), optional
        Clip the picture to this range after each step.
    state : dict, optional
        A state that was reported, to go on from; `first` is the iteration it was reported with. Its arrays
        are taken over, not copied: for a large picture they may be most of the memory. The run
        then gives the picture of one that never stopped, bit for bit, except with SciPy's L-BFGS, which
        goes on from the best picture with nothing remembered.
    first : int

    Returns
    -------
    ndarray
        The picture after the last step; with L-BFGS, the best one.

    Raises
    ------
    InputError
        If the total loss stops being a finite number; with L-BFGS, if it is none at the start.
    """
    if isinstance(optimizer, LBFGS):
        start = picture if state is None else state["best"]
        return scipy_lbfgs.run(optimizer, loss, start, iterations, report, bounds, first)
    if isinstance(optimizer, PreconditionedLBFGS):
        run = lbfgs.run
    else:  # loads TensorFlow, which who only reads the settings does not need
        from neuralstyle.optimizers.descent import descend as run
    return run(optimizer, loss, picture, iterations, report, bounds, state, first)

"""Runs in processes of their own that are killed at a chosen moment."""

import multiprocessing
import os
import re
import signal
import sys

#: Forks for each run, once it has loaded what takes seconds to load, and has opened nothing.
_SERVER = "forkserver"


def run_and_kill(arguments, moment, count=1):
    """Run a command and kill it, as `kill -9` does.

    Parameters
    ----------
    arguments : list of str
    moment : str
        What it is about to do when it is killed: a pattern of "rename FILE", where that is the final name
        of a file that is whole now; "start PROGRAM"; or "iteration FRAME ITERATION" of a film by a recipe.
    count : int
        How often the pattern has to fit.
    """
    context = multiprocessing.get_context(_SERVER)
    context.set_forkserver_preload(
        ["killed", "tensorflow", "neuralstyle.video.loop", "neuralstyle.command.video"]
    )
    process = context.Process(target=_run, args=(list(map(str, arguments)), moment, count))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL, f"ended by itself, with {process.exitcode}"


def _run(arguments, moment, count):
    seen = 0

    def about_to(what):
        nonlocal seen
        if re.search(moment, what):
            seen += 1
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, details):
        if event == "os.rename":
            about_to(f"rename {os.fsdecode(details[1])}")
        elif event == "subprocess.Popen":
            about_to(f"start {' '.join(map(os.fsdecode, details[1]))}")

    from neuralstyle.command import main, progress

    step = progress.FilmProgress.step

    def telling(self, number, made):
        about_to(f"iteration {number} {made.iteration} ")
        step(self, number, made)

    progress.FilmProgress.step = telling
    sys.addaudithook(hook)
    sys.exit(main.main(arguments))

"""Whether memory grows with the pictures that one process makes: runs as the page starts them.

Everything goes through the page's queue, in the thread in which the page paints.

    python benchmarks/page.py --runs 100

What it costs to paint through the page, which takes pictures on the way and keeps losses for its plot: the
same command with nobody looking on and through the queue, turn by turn.

    python benchmarks/page.py --cost 4
"""

import argparse
import gc
import os
import tempfile
import threading
import time
from pathlib import Path

import measuring
import psutil

#: What is run, as it is typed.
KINDS = {
    "any style": ["--any-style", "--style", "style.png"],
    "fixed style": ["--fixed-style=7"],
    "transform": ["--transform"],
    "neural-style, 2 iterations": ["--style", "style.png", "--recipe", "neural-style", "--iterations", "2"],
}


def painted(painter, name: str, arguments: list[str]) -> None:
    """Put a run into the queue, and wait for its end."""
    from neuralstyle.web.painting import DONE

    run = painter.add(arguments, Path(name), None)
    while painter.queue():
        time.sleep(0.01)
    ended = painter.latest()
    assert (ended.number, ended.status) == (run.number, DONE), ended.message


def print_cost(painter, paint, rounds: int) -> None:
    """Time a painting of 512×384 pixels alone and through the page's queue, in turns."""
    line = ["--content", "content.png", "--style", "style.png", "--recipe", "neural-style", "--quiet"]
    line += ["--iterations", "40", "--output", "out.png", "--overwrite"]
    taken = measuring.interleaved(
        {
            "alone": lambda: paint(line, (), threading.Event()),
            "through the page": lambda: painted(painter, "out.png", line),
        },
        rounds,
    )
    print("| alone, s | through the page, s | ratio |\n|---|---|---|")
    alone, through = taken.values()
    print(f"| {alone:.2f} | {through:.2f} | {through / alone:.3f} |")


def megabytes() -> float:
    """What this process holds now."""
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def print_memory(painter, kinds: list[str], runs: int) -> None:
    """Print what this process holds after so many runs of each kind."""
    told = [number for number in (1, 10, 20, 50, 100, 200, 500) if number < runs] + [runs]
    print(f"| MB after | {' | '.join(f'{number} runs' for number in told)} |")
    print("|---" * (1 + len(told)) + "|")
    for kind in kinds:
        found = []
        for number in range(1, runs + 1):
            arguments = ["--content", "content.png", *KINDS[kind], "--output", "out.png", "--overwrite"]
            painted(painter, "out.png", arguments)
            if number in told:
                found.append(f"{megabytes():.0f}")
        print(f"| {kind} | {' | '.join(found)} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--cost", type=int, metavar="ROUNDS", help="time paintings instead")
    parser.add_argument("--side", type=int, default=64, help="of the pictures, in pixels")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="KIND")
    options = parser.parse_args()
    from neuralstyle.command.page import program
    from neuralstyle.pictures.writing import write_image
    from neuralstyle.web.painting import Painter

    print(measuring.machine())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        size = (384, 512) if options.cost else (options.side, options.side)
        for name, picture in zip(("content", "style"), measuring.pictures(*size), strict=True):
            write_image(f"{name}.png", picture)
        own = program()
        painter = Painter(own.paint, own.load)
        painter.start()
        if options.cost:
            print_cost(painter, own.paint, options.cost)
        else:
            print_memory(painter, options.kinds, options.runs)
        painter.close()


if __name__ == "__main__":
    main()

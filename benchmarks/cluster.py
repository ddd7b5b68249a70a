"""Two workers against one, what is sent, and many workers that only wait.

Workers are processes of this machine, of one thread each. *Share* is the part of the workers' time in which
they do not compute: messages, waiting for others, what the client does between the passes. *Sent* is what a
tile's orders and answers take in an iteration, pickled.

    python benchmarks/cluster.py --size 1024x1024 --tile 512

With ``--simulated`` nothing is computed: each worker waits as long as a pass of a tile is said to take, and
sends back as many numbers. The messages are the real ones, through the real scheduler; how fast a network
between machines is, is not simulated.

    python benchmarks/cluster.py --simulated 8 32 --tiles 100 --first 3.1 --second 6.2 --tile 512

With ``--client`` the command makes one iteration of a picture with two workers that compute nothing and
answer with zeros: the memory that it takes itself, with the real messages, in minutes where the passes take
hours.

    python benchmarks/cluster.py --client --size 10000x10000 --tile 1024

``--soak`` computes for so many seconds, with a worker killed every 20 of them, which Dask starts anew. It
says how many results differed, which is to be none, and how the memory of client and workers grew.

    python benchmarks/cluster.py --soak 240 --size 192x128 --tile 64
"""

import argparse
import os
import pickle
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable

import measuring
import numpy as np
import psutil
from PIL import Image

from neuralstyle import RECIPES, load_network
from neuralstyle.cluster import Cluster, ClusterRun, Kept, Piece, local_cluster
from neuralstyle.cluster.keeping import Done
from neuralstyle.loss import on_cluster
from neuralstyle.loss.passes import shapes_of_sums


class Meter:
    """Counts what a cluster sends, gets back, and computes."""

    def __init__(self, cluster: Cluster) -> None:
        self.bytes, self.seconds = 0, []
        self._send, self._answer = cluster.submit, cluster.answer
        cluster.submit, cluster.answer = self.submit, self.answer

    def submit(self, address: str, work: object, *arguments: object) -> object:
        """As `Cluster.submit`."""
        self.bytes += sum(len(one) for one in arguments if isinstance(one, bytes))
        return self._send(address, work, *arguments)

    def answer(self, future: object, address: str) -> object:
        """As `Cluster.answer`."""
        answer = self._answer(future, address)
        self.bytes += len(pickle.dumps(answer, protocol=5))
        if isinstance(answer, Done):
            self.seconds.append(answer.seconds)
        return answer


def opened(options: argparse.Namespace, cluster: Cluster | None) -> object:
    """The loss of neural-style in tiles, here or at workers."""
    from neuralstyle.graphs import Machine
    from neuralstyle.loss.losses import open_loss
    from neuralstyle.loss.terms import objective_of
    from neuralstyle.preparation import network_for, scene_of

    content, style = measuring.pictures(*options.size)
    recipe = RECIPES["neural-style"]
    scene = scene_of(content, np.ascontiguousarray(style[:512, :512]))
    machine = Machine(threads=1, tile=options.tile, cluster=cluster)
    return open_loss(network_for(recipe, load_network()), objective_of(recipe), scene, machine)


def real(options: argparse.Namespace) -> None:
    """An iteration with one worker and with two."""
    columns = ("workers", "size", "tile", "iteration, s", "of one's time", "sent a tile, MB", "share")
    print(f"| {' | '.join(columns)} | first, second pass, s |\n" + "|---" * 8 + "|")
    content, _ = measuring.pictures(*options.size)
    alone = None
    for count in options.workers:
        with local_cluster(count) as cluster:
            meter = Meter(cluster)
            with opened(options, cluster) as loss:
                loss.losses_and_gradient(content)  # graphs, features
                best, tiles = np.inf, len(loss._tiles)
                for _ in range(options.repeats):
                    meter.bytes, meter.seconds = 0, []
                    began = time.perf_counter()
                    loss.losses_and_gradient(content)
                    taken = time.perf_counter() - began
                    if taken < best:
                        best, sent, seconds = taken, meter.bytes / tiles, meter.seconds
        alone = alone or best
        passes = f"{np.mean(seconds[:tiles]):.2f}, {np.mean(seconds[tiles:]):.2f}"
        share = 1 - sum(seconds) / (count * best)
        height, width = options.size
        print(
            f"| {count} | {width}×{height} | {options.tile} | {best:.1f} | {best / alone:.2f} "
            f"| {sent / 1e6:.1f} | {share:.1%} | {passes} |",
            flush=True,
        )


def waiting(seconds: float, shape: tuple[int, ...], sums: int) -> Callable:
    """A piece of work that computes nothing; a function in a function goes to any worker."""

    def work(*kept: object) -> object:
        import time

        import numpy as np

        time.sleep(seconds)
        return np.zeros(shape, np.float32) if shape else {"sums": np.zeros(sums, np.float32)}

    return work


def simulated(options: argparse.Namespace, count: int) -> None:
    """An iteration of so many tiles with workers that wait."""
    side = options.tile + 160
    region = np.zeros((side, side, 3), np.float32)
    sums = sum(channels**2 for channels in (64, 128, 256, 512, 512))
    first, second = waiting(options.first, (), sums), waiting(options.second, region.shape, sums)

    def pieces(work: Callable, version: int, slopes: bool) -> list[Piece]:
        last = (Kept("slopes", version, lambda: np.zeros(sums, np.float32)),) if slopes else ()
        return [
            Piece(work, (Kept(f"region {index}", version, lambda: region, own=True), *last))
            for index in range(options.tiles)
        ]

    with local_cluster(count) as cluster:
        run = ClusterRun(cluster)
        list(run.map(pieces(waiting(0.2, (), sums), 0, False)))  # who has which tile
        total, gradient = np.zeros(sums), np.zeros_like(region)
        began = time.perf_counter()
        for _, found in run.map(pieces(first, 1, False)):
            total += found["sums"]
        for _, part in run.map(pieces(second, 1, True)):
            gradient += part
        taken = time.perf_counter() - began
    work = options.tiles * (options.first + options.second)
    rounds = -(-options.tiles // count) * (options.first + options.second)
    print(
        f"| {count} | {options.tiles} | {options.tile} | {taken:.1f} | {work / count / taken:.2f} | "
        f"{rounds / taken:.2f} |",
        flush=True,
    )


class Answering:
    """What a worker keeps in the place of graphs: it answers with zeros."""

    def __init__(self, blueprint: object) -> None:
        channels = {layer: blueprint.sizes[layer][2] for layer in blueprint.objective.style_layers}
        self.grams = {layer: (np.zeros(count), np.eye(count)) for layer, count in channels.items()}
        shapes = shapes_of_sums(blueprint.objective, blueprint.sizes, blueprint.masked)
        self.sums = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def client(options: argparse.Namespace) -> None:
    """The peak of the command's own memory in an iteration of a picture of a size."""
    from neuralstyle.command.main import main as command

    on_cluster._Graphs = Answering
    on_cluster._measured = lambda graphs, subject: None
    on_cluster._sums = lambda graphs, subject, region: graphs.sums
    on_cluster._gradient = lambda graphs, subject, region, slopes: np.zeros_like(region)
    on_cluster._style_sums = lambda graphs, piece: graphs.grams
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("content.jpg", "style.jpg", "result.png")]
        content, style = measuring.pictures(*options.size)
        for path, pixels in zip(paths, (content, style[:512, :512]), strict=False):
            Image.fromarray(pixels.astype(np.uint8)).save(path)
        del content, style, pixels
        recipe = ["--recipe", "neural-style", "--iterations", "1", "--tile", str(options.tile), "--quiet"]
        arguments = ["--content", paths[0], "--style", paths[1], "--output", paths[2], *recipe]
        began = time.perf_counter()
        status = command(["stylize", *arguments, "--workers", "2", "--free-memory", "1000"])
        taken = time.perf_counter() - began
    height, width = options.size
    peak = f"{measuring.peak_gigabytes():.2f} GB"
    print(f"{width}×{height} in tiles of {options.tile}: {peak} at the most, {taken:.0f} s, status {status}")


def soak(options: argparse.Namespace) -> None:
    """Evaluations, all compared, while workers are killed."""
    warnings.simplefilter("ignore")
    content, _ = measuring.pictures(*options.size)
    kills, done, different = 0, 0, 0
    over = threading.Event()

    def kill() -> None:
        nonlocal kills
        while not over.wait(20):
            workers = [child for child in psutil.Process().children(True) if child.memory_info().rss > 3e8]
            if workers:
                os.kill(workers[kills % len(workers)].pid, signal.SIGKILL)
                kills += 1

    with opened(options, None) as loss:
        expected = loss.losses_and_gradient(content)
    sizes = []
    with local_cluster(2) as cluster:
        killing = threading.Thread(target=kill)
        killing.start()
        end = time.monotonic() + options.soak
        with opened(options, cluster) as loss:
            tiles = len(loss._tiles)
            while time.monotonic() < end:
                losses, gradient = loss.losses_and_gradient(content)
                different += losses != expected[0] or not np.array_equal(gradient, expected[1])
                done += 1
                here = psutil.Process()
                largest = max((child.memory_info().rss for child in here.children(True)), default=0)
                sizes.append((here.memory_info().rss / 1e6, largest / 1e6))
        over.set()
        killing.join()
    half = len(sizes) // 2
    client, worker = (
        [max(size[part] for size in those) for those in (sizes[:half], sizes[half:])] for part in (0, 1)
    )
    print(
        f"{options.soak} s: {done} evaluations of {tiles} tiles, {kills} workers killed, {different} results "
        f"that differ; most memory in the first and second half, MB: client {client[0]:.0f} and "
        f"{client[1]:.0f}, largest worker {worker[0]:.0f} and {worker[1]:.0f}"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=measuring.size, default=(1024, 1024), help="such as 1024x768")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--simulated", type=int, nargs="+", help="so many workers that wait")
    parser.add_argument("--tiles", type=int, default=100, help="how many tiles they have")
    parser.add_argument("--first", type=float, default=3.0, help="seconds of a tile's first pass")
    parser.add_argument("--second", type=float, default=6.0, help="of its second")
    parser.add_argument("--client", action="store_true", help="this process's memory, with two that answer")
    parser.add_argument("--soak", type=int, help="kill workers for so many seconds")
    options = parser.parse_args()
    print(measuring.machine())
    if options.client:
        client(options)
    elif options.soak:
        soak(options)
    elif options.simulated:
        print("| workers (simulated) | tiles | tile | iteration, s | efficiency | of whole rounds |")
        print("|---|---|---|---|---|---|")
        for count in options.simulated:
            simulated(options, count)
    else:
        real(options)


if __name__ == "__main__":
    main()

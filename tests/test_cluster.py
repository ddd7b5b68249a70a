"""Several workers: Dask's own commands on the loopback, processes that can be killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import psutil
import pytest

pytest.importorskip("distributed")

from neuralstyle import RECIPES, transfer
from neuralstyle.cluster import ClusterLostError, ClusterRun, Kept, Piece, cluster_at, in_order
from neuralstyle.command import main as cli
from neuralstyle.files import InputError
from neuralstyle.graphs import Machine, thread_count
from neuralstyle.loss import on_cluster
from neuralstyle.loss.losses import TiledLoss, open_loss
from neuralstyle.loss.memory import optimizer_bytes
from neuralstyle.loss.on_cluster import ClusteredLoss
from neuralstyle.loss.terms import objective_of
from neuralstyle.preparation import Style, fit_masks, network_for, scene_of
from neuralstyle.runs.watching import Watcher

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")

#: That of every test before: TensorFlow's pool is the process's, and the workers must have as many.
THREADS = thread_count(Machine())

PACKAGE = Path(__file__).parents[1] / "neuralstyle"


class Dask:
    """A scheduler and workers, each a process of `dask`."""

    def __init__(self, folder, *options, environment=None):
        self.folder, self.file = folder, folder / "scheduler.json"
        self.environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **(environment or {})}
        self.options = options
        self.workers = []
        command = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", self.file]
        self.scheduler = self.start("scheduler", *command, *options)
        # Dask makes the file first and fills it then.
        while not (self.file.exists() and self.file.read_text().endswith("}")):
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]

    def start(self, what, *command):
        command = [sys.executable, "-m", "dask", what, *map(str, command)]
        # Elsewhere, for Python looks for modules in the current folder first.
        return subprocess.Popen(command, env=self.environment, cwd=self.folder, stderr=subprocess.DEVNULL)

    def add_worker(self, *options):
        plain = ["--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.workers.append(self.start("worker", self.address, *plain, *self.options, *options))
        return self.workers[-1]

    def stop(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


class Told(Watcher):
    """Takes note of the tiles of a run."""

    def __init__(self, tiles):
        self.tiles = tiles

    def begin(self, beginning):
        self.tiles.append(beginning.tile)


@pytest.fixture
def dask(tmp_path):
    """A scheduler without workers, of one test."""
    started = Dask(tmp_path)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A scheduler with workers that many tests use, which have loaded TensorFlow after the first of them."""
    started = Dask(tmp_path_factory.mktemp("dask"))
    yield started
    started.stop()


@pytest.fixture
def workers(shared):
    """A function that sees to it that so many workers are there, and connects."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def connect(count, **options):
            while len([process for process in shared.workers if process.poll() is None]) < count:
                shared.add_worker()
            cluster = stack.enter_context(cluster_at(shared.address, **options))
            cluster.wait_for(count)
            return cluster

        yield connect


@pytest.fixture(scope="module")
def pictures(photograph):
    """A generated picture, a content picture of its odd size, and two style pictures."""
    rng = np.random.default_rng(5)
    content = photograph[100:171, 100:191]
    image = np.clip(photograph[60:131, 120:211] + rng.normal(0, 20, content.shape), 0, 255)
    return image.astype(np.float32), content, [photograph[:55, 200:259], photograph[150:198, 20:80]]


def scene_and_recipe(pictures, kind):
    """What the tests of equality compute with."""
    _, content, styles = pictures
    if kind == "two styles with masks":
        mask = np.linspace(0, 1, content.shape[1], dtype=np.float32) * np.ones(
            (content.shape[0], 1), np.float32
        )
        own = np.ones(styles[1].shape[:2], np.float32)
        own[:20] = 0
        styles = [Style(styles[0], mask), Style(styles[1], 1 - mask, own)]
        recipe = replace(RECIPES["neural-style"], style_blend=(1.0, 2.0))
    else:
        recipe, styles = RECIPES[kind], styles[:1]
    return fit_masks(scene_of(content, styles)), recipe


def evaluated(network, pictures, kind, cluster=None):
    """Losses and gradient, in tiles of 32."""
    scene, recipe = scene_and_recipe(pictures, kind)
    network, objective = network_for(recipe, network), objective_of(recipe, len(scene.styles))
    machine = Machine(threads=THREADS, tile=32, cluster=cluster)
    with open_loss(network, objective, scene, machine) as loss:
        assert isinstance(loss, ClusteredLoss if cluster else TiledLoss)
        return loss.losses_and_gradient(pictures[0])


def assert_same_bits(one, other):
    (losses, gradient), (other_losses, other_gradient) = one, other
    assert losses == other_losses
    np.testing.assert_array_equal(gradient, other_gradient)


# --- the same bits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["two styles with masks", "style-transfer-pytorch"])
def test_one_two_and_three_workers_give_the_bits_of_this_process(workers, small_network, pictures, kind):
    expected = evaluated(small_network, pictures, kind)
    for count in (1, 2, 3):
        cluster = workers(count)
        for address in list(cluster.members)[count:]:
            cluster.leave_out(address, "is not asked")
        assert len(cluster.members) == count
        assert_same_bits(evaluated(small_network, pictures, kind, cluster), expected)


RUNS = {
    "Adam": replace(RECIPES["neural-style"], iterations=2),
    "L-BFGS": replace(RECIPES["gatys"], normalized_network=False, iterations=3),
    "coarse to fine": replace(
        RECIPES["painterly"],
        content_fit="longer side",
        coarsest=None,
        scales=(40, 91),
        content_size=91,
        scale_iterations=(2, 2),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_whole_run_gives_the_bits_of_this_process(workers, small_network, pictures, name):
    _, content, styles = pictures
    job = transfer.Job(scene_of(content, styles[0]), RUNS[name], small_network)

    def picture(cluster):
        return transfer.run(replace(job, machine=Machine(threads=THREADS, tile=48, cluster=cluster)))

    here, there = picture(None), picture(workers(2))
    assert [step.losses for step in here.history] == [step.losses for step in there.history]
    np.testing.assert_array_equal(here.picture, there.picture)


@pytest.mark.parametrize("moment", ["first pass", "second pass", "between two iterations"])
def test_a_killed_worker_changes_nothing(shared, workers, small_network, pictures, moment):
    scene, recipe = scene_and_recipe(pictures, "neural-style")
    expected = evaluated(small_network, pictures, "neural-style")
    cluster = workers(2)
    calls = []

    def kill():
        alive = [process for process in shared.workers if process.poll() is None]
        alive[-1].kill()
        alive[-1].wait()

    def on_progress(done, count, members):
        calls.append(done)
        if len(calls) == {"first pass": 2, "second pass": count + 2}.get(moment):
            kill()

    machine = Machine(threads=THREADS, tile=32, cluster=cluster)
    with open_loss(small_network, objective_of(recipe), scene, machine) as loss:
        assert_same_bits(loss.losses_and_gradient(pictures[0]), expected)
        cluster.on_progress = on_progress
        if moment == "between two iterations":
            kill()
        with pytest.warns(UserWarning, match="is lost"):
            assert_same_bits(loss.losses_and_gradient(pictures[0]), expected)


def test_a_region_that_its_worker_does_not_keep_is_sent_again(workers, small_network, pictures, monkeypatch):
    expected = evaluated(small_network, pictures, "neural-style")
    sent = []
    cluster = workers(2)
    send = cluster.send
    cluster.send = lambda address, order: sent.append(order) or send(address, order)
    monkeypatch.setattr(on_cluster, "_KEPT_REGIONS", 0)
    assert_same_bits(evaluated(small_network, pictures, "neural-style", cluster), expected)
    tiles = len(expected[1]) and -(-71 // 32) * -(-91 // 32)
    assert sum(key.startswith("region") for order in sent for key in order.given) == 2 * tiles


# --- pieces of work ---------------------------------------------------------------------------------


def doubled(number):
    """A piece of work; a function in a function goes to workers that cannot import this file."""

    def work(*arguments):
        return 2 * number

    return Piece(work)


def test_a_worker_that_hangs_is_left_out_and_its_work_done_by_another(shared, workers):
    cluster = workers(2, patience=2)
    alive = [process for process in shared.workers if process.poll() is None]
    run = ClusterRun(cluster)
    assert dict(run.map([doubled(number) for number in range(4)])) == {0: 0, 1: 2, 2: 4, 3: 6}
    os.kill(alive[-1].pid, signal.SIGSTOP)
    try:
        with pytest.warns(UserWarning, match="no sign of life"):
            found = dict(run.map([doubled(number) for number in range(8)]))
    finally:
        alive[-1].kill()
        alive[-1].wait()
    assert found == {number: 2 * number for number in range(8)}


def test_a_worker_keeps_what_it_was_sent_and_is_sent_it_again_where_it_is_gone(workers):
    cluster = workers(1)
    sent = []

    def value():
        sent.append(1)
        return 10

    def pieces(version):
        kept = Kept("number", version, value, lambda number: number + 1)
        return [Piece(lambda number, factor: number * factor, (kept,), lambda: (3,))]

    run = ClusterRun(cluster)
    for version in (0, 0, 1):
        assert list(run.map(pieces(version))) == [(0, 33)]
    assert len(sent) == 2
    run.close()  # the worker has let it go, and the client does not know
    assert list(run.map(pieces(1))) == [(0, 33)]
    assert len(sent) == 3


def test_pieces_are_taken_as_they_are_needed_and_give_their_outcomes_in_order(workers):
    cluster = workers(2)
    taken, done = [], []

    def pieces():
        for number in range(60):
            taken.append(number)
            assert len(taken) - len(done) <= 4 * len(cluster.members) + 1  # one has just been handed over
            yield doubled(number)

    for outcome in in_order(ClusterRun(cluster).map(pieces(), ahead=4)):
        done.append(outcome)
    assert done == [2 * number for number in range(60)]


def test_the_largest_of_the_next_two_pieces_for_each_worker_is_begun_first(workers):
    cluster = workers(2)
    for address in list(cluster.members)[1:]:
        with pytest.warns(UserWarning):
            cluster.leave_out(address, "is not asked")

    def work():
        return None

    pieces = [Piece(work, size=size) for size in (1, 2, 2, 3, 1)]
    assert [index for index, _ in ClusterRun(cluster).map(pieces)] == [1, 2, 3, 0, 4]


def test_what_was_sent_is_kept_neither_here_nor_by_the_scheduler(shared, workers):
    cluster = workers(2)

    def pieces(count):
        for number in range(count):
            pixels = np.full(230_000, number, np.float32)  # just less than a megabyte
            yield Piece(work, (), lambda pixels=pixels: (pixels,))

    def work(pixels):
        return pixels[0]

    def used():
        return [
            process.memory_info().rss for process in (psutil.Process(), psutil.Process(shared.scheduler.pid))
        ]

    list(ClusterRun(cluster).map(pieces(10), ahead=2))
    before = used()
    list(ClusterRun(cluster).map(pieces(120), ahead=2))
    growth = [now - then for now, then in zip(used(), before, strict=True)]
    assert max(growth) < 120 * 0.92e6 / 3, growth


def test_bad_input_that_work_raises_is_its_outcome(workers):
    def refuse():
        raise InputError("too small")

    def work():
        from neuralstyle.files import InputError

        raise InputError("too large")

    outcomes = dict(ClusterRun(workers(1)).map([Piece(work), doubled(1), Piece(work, (), refuse)]))
    assert outcomes[1] == 2
    assert [str(outcomes[index]) for index in (0, 2)] == ["too large", "too small"]


def test_a_worker_that_fails_is_left_out_and_a_piece_that_fails_everywhere_ends_the_run(workers):
    cluster = workers(2, patience=2)

    def work():
        raise MemoryError("no room")

    with pytest.warns(UserWarning, match="cannot go on .MemoryError: no room"):
        with pytest.raises(ClusterLostError, match="no worker is left: .*no room"):
            list(ClusterRun(cluster).map([Piece(work)]))


def test_a_worker_that_joins_late_takes_part(dask):
    dask.add_worker()
    with cluster_at(dask.address) as cluster:
        (first,) = cluster.members

        def work():
            import time

            from distributed import get_worker

            time.sleep(0.2)
            return get_worker().address

        outcomes = ClusterRun(cluster).map([Piece(work) for _ in range(100)])
        assert next(outcomes)[1] == first
        dask.add_worker()
        assert any(address != first for _, address in outcomes)


def test_a_worker_without_room_is_left_out(workers):
    cluster = workers(1)
    with (
        pytest.warns(UserWarning, match="GB free for itself, and a tile takes"),
        pytest.raises(InputError, match="no worker has room"),
    ):
        cluster.require(1e18)


def test_workers_of_one_machine_are_left_out_until_the_others_fit_beside_this_process(workers):
    cluster = workers(2)
    for member in cluster.members.values():
        member.room = replace(member.room, free=10e9, free_of_machine=10e9, used=0.5e9)
    assert cluster.shares() == [5.5e9, 5.5e9]
    assert cluster.shares(here=4e9) == [3.5e9, 3.5e9]
    cluster.require(3.4e9, here=4e9)
    assert len(cluster.members) == 2
    with pytest.warns(UserWarning, match="has 3.5 GB free for itself, and a tile takes 4.0"):
        cluster.require(4e9, here=4e9)
    assert cluster.shares(here=4e9) == [6.5e9]
    with (
        pytest.warns(UserWarning, match="has 6.5 GB free"),
        pytest.raises(InputError, match="give tile a smaller number"),
    ):
        cluster.require(7e9, here=4e9)


def test_a_worker_that_dask_would_end_is_left_out_with_what_to_start_it_with(dask, recwarn):
    dask.add_worker("--memory-limit", "1GB")
    with cluster_at(dask.address) as cluster:
        assert max(cluster.shares()) <= 0.8e9
        with pytest.raises(InputError, match=r"a tile takes 1.0 \(dask worker --memory-limit 0"):
            cluster.require(1e9)


def test_containers_of_one_machine_share_it_and_have_limits_of_their_own(workers):
    cluster = workers(2)
    for index, member in enumerate(cluster.members.values()):
        own = (8e9, 2e9)[index]
        member.room = replace(member.room, host=f"container {index}", free=own, free_of_machine=10e9, used=0)
    assert cluster.shares() == [5e9, 2e9]


def test_tiles_are_smaller_where_larger_ones_do_not_fit_beside_this_process(workers, small_network, pictures):
    cluster, (scene, recipe) = workers(2), scene_and_recipe(pictures, "neural-style")
    scene = replace(scene, content=np.broadcast_to(np.float32(9), (3000, 3000, 3)))
    objective, machine = objective_of(recipe), Machine(threads=THREADS, cluster=cluster)
    reserved = optimizer_bytes(recipe.optimizer, 3000, 3000)
    plan = on_cluster._planned(small_network, objective, scene, 512, cluster, reserved)
    assert plan.here > reserved
    free = plan.here + 2 * plan.there
    for member in cluster.members.values():
        member.room = replace(member.room, free=free, free_of_machine=free, used=0)
    with open_loss(small_network, objective, scene, machine, reserved) as loss:
        assert loss.tile == 512
        assert len(cluster.members) == 2


def test_masks_count_in_what_a_tile_takes(workers, small_network, pictures):
    cluster = workers(1)
    needed = []
    for kind in ("neural-style", "two styles with masks"):
        scene, recipe = scene_and_recipe(pictures, kind)
        machine = Machine(threads=THREADS, tile=32, cluster=cluster)
        with open_loss(small_network, objective_of(recipe, len(scene.styles)), scene, machine):
            needed.append(cluster._needed)
    # The largest of the regions is the whole picture, and each mask keeps an array of a style layer's size.
    sizes = small_network.sizes(*pictures[1].shape[:2], RECIPES["neural-style"].style_layers)
    assert needed[1] - needed[0] == 2 * 4 * sum(np.prod(size) for size in sizes.values())


# --- who may take part ------------------------------------------------------------------------------


def test_a_worker_with_another_version_is_refused_with_a_line(tmp_path, capsys):
    shutil.copytree(PACKAGE, tmp_path / "other" / "neuralstyle")
    with open(tmp_path / "other" / "neuralstyle" / "files.py", "a") as file:
        file.write("# another version\n")
    dask = Dask(tmp_path, environment={"PYTHONPATH": str(tmp_path / "other")})
    try:
        dask.add_worker()
        with pytest.raises(InputError, match="no worker can take part: has neuralstyle .* instead of"):
            with pytest.warns(UserWarning, match="install the same there"), cluster_at(dask.address):
                pass
    finally:
        dask.stop()


@pytest.fixture
def silent():
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def folder(tmp_path, photograph, monkeypatch):
    """The current folder, with two photographs in a folder and a style picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    iio.imwrite("photos/a.png", photograph[100:132, 120:160].astype(np.uint8))
    iio.imwrite("photos/b.png", photograph[60:92, 120:152].astype(np.uint8))
    iio.imwrite("painting.png", photograph[:32, 200:232].astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize("address", ["nobody", "silent", "tcp://no.such.host.invalid:8786", "monet"])
def test_an_address_that_does_not_answer_gets_one_line(folder, capsys, silent, address):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    address = {"nobody": closed, "silent": silent}.get(address, address)
    run = ["--content", "photos/a.png", "--style", "painting.png", "--cluster", address]
    assert cli.main(run) == 2
    printed = capsys.readouterr().err
    assert "no scheduler of Dask answers there" in printed and printed.count("\n") == 1


def certificates(folder):
    """A key and a certificate that stands for itself."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_certificates_of_dasks_configuration_are_used_and_nobody_else_gets_in(tmp_path):
    import dask as dask_

    certificate, key = certificates(tmp_path)
    files = ["--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]
    dask = Dask(tmp_path, "--protocol", "tls", *files)
    try:
        dask.add_worker()
        assert dask.address.startswith("tls://")
        tls = {
            "distributed.comm.tls.ca-file": str(certificate),
            "distributed.comm.tls.client.cert": str(certificate),
            "distributed.comm.tls.client.key": str(key),
        }
        with dask_.config.set(tls), cluster_at(dask.address) as cluster:
            assert list(ClusterRun(cluster).map([doubled(21)])) == [(0, 42)]
        with pytest.raises(InputError, match="no scheduler of Dask answers there"):
            with cluster_at(dask.address.replace("tls://", "tcp://")):
                pass
    finally:
        dask.stop()


def test_local_workers_listen_on_this_machine_only_and_make_a_folder_as_this_process_does(folder):
    run = ["--content", "photos", "--style", "painting.png", "--iterations", "2", "--quiet"]
    run += ["--threads", str(THREADS)]
    assert cli.main([*run, "--output", "here"]) == 0
    listening = set()

    def sockets():
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            with suppress(psutil.Error):
                yield from (
                    one.laddr for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN
                )

    def look():
        while not done.wait(1):
            listening.update(sockets())

    others = set(sockets())  # of the workers that the other tests use
    done = threading.Event()
    looking = threading.Thread(target=look)
    looking.start()
    try:
        assert cli.main([*run, "--output", "there", "--workers", "2"]) == 0
    finally:
        done.set()
        looking.join()
    assert {address.ip for address in listening - others} == {"127.0.0.1"}
    for name in ("a.png", "b.png"):
        np.testing.assert_array_equal(iio.imread(f"here/{name}"), iio.imread(f"there/{name}"))
    assert len((folder / "there" / "losses.csv").read_text().splitlines()) == 3


# --- networks that render in one pass ---------------------------------------------------------------


def test_a_folder_by_a_network_is_rendered_at_workers_as_in_this_process(folder, workers, capsys):
    cluster = workers(2)
    (folder / "photos" / "c.png").write_bytes(b"no picture")
    run = ["--content", "photos", "--transform", "--threads", str(THREADS), "--preserve-colors", "--output"]
    assert cli.main([*run, "here"]) == 0
    capsys.readouterr()
    assert cli.main([*run, "there", "--cluster", cluster.address]) == 0
    printed = capsys.readouterr().err
    assert "c.png" in printed and "2 workers" in printed
    assert cli.main([*run, "large", "--width", "60000", "--cluster", cluster.address]) == 2
    assert "a.png: 60000×48000 pixels would take" in capsys.readouterr().err
    assert sorted(os.listdir("there")) == ["a.png", "b.png"]
    for name in ("a.png", "b.png"):
        np.testing.assert_array_equal(iio.imread(f"here/{name}"), iio.imread(f"there/{name}"))


@pytest.mark.parametrize("kind", [["--transform"], ["--any-style", "--style", "painting.png"]])
def test_a_film_by_a_network_is_rendered_at_workers_as_in_this_process(folder, workers, photograph, kind):
    for number in range(12):
        iio.imwrite(f"frame_{number}.png", photograph[100:133, number : 45 + number].astype(np.uint8))
    run = ["video", "frame_%d.png", *kind, "--threads", str(THREADS), "--quiet", "--output"]
    assert cli.main([*run, "here_%d.png"]) == 0
    assert cli.main([*run, "there_%d.png", "--cluster", workers(2).address]) == 0
    for number in range(12):
        np.testing.assert_array_equal(iio.imread(f"here_{number}.png"), iio.imread(f"there_{number}.png"))


def test_a_worker_that_is_killed_during_a_film_changes_nothing(folder, shared, workers, photograph, capsys):
    for number in range(30):
        iio.imwrite(f"frame_{number:02}.png", photograph[100:164, number : 91 + number].astype(np.uint8))
    run = ["video", "frame_%02d.png", "--transform", "--threads", str(THREADS), "--output"]
    assert cli.main([*run, "here_%d.png"]) == 0
    address = workers(2).address
    alive = [process for process in shared.workers if process.poll() is None]

    def kill():
        while not (folder / "there_3.png").exists():
            time.sleep(0.005)
        alive[-1].kill()

    killing = threading.Thread(target=kill)
    killing.start()
    assert cli.main([*run, "there_%d.png", "--cluster", address, "--keep-frames", "kept"]) == 0
    killing.join()
    alive[-1].wait()
    assert "is lost; the others go on without it" in capsys.readouterr().err
    for number in range(30):
        np.testing.assert_array_equal(iio.imread(f"here_{number}.png"), iio.imread(f"there_{number}.png"))


# --- the command ------------------------------------------------------------------------------------


def test_a_run_whose_scheduler_is_lost_goes_on_without_a_cluster(folder, dask, capsys, monkeypatch):
    monkeypatch.setattr("neuralstyle.command.stylize._SECONDS_BETWEEN_SAVES", 0)
    monkeypatch.setattr("neuralstyle.runs.saving.PATIENCE", 0)
    run = ["--content", "photos/a.png", "--style", "painting.png", "--tile", "32", "--quiet"]
    run += ["--threads", str(THREADS), "--iterations", "12"]
    dask.add_worker()

    def kill():
        while not (folder / "out.png.unfinished").exists():
            time.sleep(0.01)
        dask.scheduler.kill()

    killing = threading.Thread(target=kill)
    killing.start()
    status = cli.main([*run, "--output", "out.png", "--cluster", dask.address])
    killing.join()
    assert status == 2
    assert "goes on with --resume, on another cluster or without one" in capsys.readouterr().err
    assert not (folder / "out.png").exists()
    assert cli.main([*run, "--output", "out.png", "--resume"]) == 0
    assert cli.main([*run, "--output", "whole.png"]) == 0
    np.testing.assert_array_equal(iio.imread("out.png"), iio.imread("whole.png"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--workers", "0"], "--workers is 0"),
        (
            ["--workers", "2", "--any-style"],
            "--workers goes with a folder of pictures",
        ),
        (["--workers", "1", "--tile", "none", "--width", "2000"], "--tile none takes the picture whole"),
    ],
)
def test_what_does_not_go_with_workers_gets_one_line(folder, capsys, options, expected):
    run = ["--content", "photos/a.png", "--style", "painting.png", "--quiet", "--threads", str(THREADS)]
    assert cli.main([*run, *options]) == 2
    printed = capsys.readouterr().err
    assert expected in printed and printed.count("\n") == 1


def test_the_page_paints_on_a_cluster_what_the_command_makes_here(workers, photograph, tmp_path):
    from neuralstyle.command.page import program
    from neuralstyle.web.folder import Folder
    from neuralstyle.web.form import Wish, arguments_of

    address = workers(2).address
    folder, output = Folder(tmp_path / "results"), tmp_path / "painted.png"
    folder.make()
    wide = np.tile(photograph[100:124, :208], (1, 5, 1)).astype(np.uint8)  # more than a tile of 1024
    for name, pixels in (("wide.png", wide), ("turned.png", wide[:, ::-1])):
        iio.imwrite(tmp_path / name, pixels)
    content, style = (folder.keep(tmp_path / name, name) for name in ("wide.png", "turned.png"))
    own = program(machine=["--cluster", address])
    shallow = {"iterations": "2", "content_layers": "relu2_1", "style_layers": "relu1_1"}
    wish = Wish(content, (style,), "neural-style", size=1040, settings=shallow)
    arguments = arguments_of(wish, folder, output, own)
    told = []
    assert own.paint(arguments, [Told(told)], threading.Event()) == 0
    assert told == [1024]  # of a whole picture it is told None
    painted = iio.imread(output)
    at = arguments.index("--cluster")
    here = [*arguments[:at], *arguments[at + 2 :], "--tile", "1024", "--overwrite"]
    assert cli.main([*here, "--quiet"]) == 0
    np.testing.assert_array_equal(iio.imread(output), painted)

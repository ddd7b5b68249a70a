#!/usr/bin/env python
"""Damage a small file of every kind that the program reads, and look at what comes of it.

Whatever is not a value or one line that names the file is a failure: another exception, a line without the
name, something printed, a process that dies, more than 2 s of computing or more than 1 GB of memory. The same
seed gives the same damage. ``python tests/fuzz.py --count 20000 --seed 7`` takes some minutes.
"""

import argparse
import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

SECONDS = 2
BYTES = 1 << 30
#: A process that answers nothing for so long is ended: it hangs in a library.
PATIENCE = 60


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A file's content after one to three mutations, each drawn from the generator."""
    for _ in range(int(rng.integers(1, 4))):
        content = MUTATIONS[int(rng.integers(len(MUTATIONS)))](content, rng)
    return content


def _position(content: bytes, rng: np.random.Generator) -> int:
    """Where to damage: every other time in the head, where a file says what it is and how large."""
    end = max(1, len(content))
    return int(rng.integers(min(end, 256) if rng.integers(2) else end))


def _flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        if changed:
            changed[_position(content, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: _position(content, rng)]


def _swap(content: bytes, rng: np.random.Generator) -> bytes:
    a, b = sorted((_position(content, rng), _position(content, rng)))
    size = min(int(rng.integers(1, 65)), b - a)
    return (
        content[:a]
        + content[b : b + size]
        + content[a + size : b]
        + content[a : a + size]
        + content[b + size :]
    )


def _set_length(content: bytes, rng: np.random.Generator) -> bytes:
    """Overwrite what may be a length or an offset with an extreme number, in either byte order."""
    at = _position(content, rng)
    width = int(rng.choice([1, 2, 4, 8]))
    value = int(rng.choice([0, 1, (1 << 8 * width - 1) - 1, (1 << 8 * width) - 1, len(content), at]))
    number = (value % (1 << 8 * width)).to_bytes(width, "little" if rng.integers(2) else "big")
    return content[:at] + number + content[at + width :]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    at = _position(content, rng)
    return content[:at] + rng.bytes(int(rng.integers(1, 33))) + content[at:]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    at = _position(content, rng)
    return content[:at] + content[at : at + int(rng.integers(1, 257))] + content[at:]


def _repair_png(content: bytes, rng: np.random.Generator) -> bytes:
    """Make the checksums of a PNG right again, so that damage gets past them."""
    if not content.startswith(b"\x89PNG"):
        return content
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if at + 12 + size > len(content):
            break
        chunk = content[at + 4 : at + 8 + size]
        parts.append(content[at : at + 4] + chunk + zlib.crc32(chunk).to_bytes(4, "big"))
        at += 12 + size
    return b"".join([*parts, content[at:]])


MUTATIONS = (_flip_bits, _cut, _swap, _set_length, _insert, _repeat, _repair_png)


def readers() -> dict[str, Callable[[Path], object]]:
    """What reads a file of each kind."""
    from fuzz_files import small_network

    from neuralstyle.feedforward.checkpoints import read_checkpoint
    from neuralstyle.networks import load_network
    from neuralstyle.networks.normalize import _read_means
    from neuralstyle.pictures.reading import read_image
    from neuralstyle.runs import state
    from neuralstyle.runs.records import read_record

    network = small_network()
    load_state = getattr(state, "load_state", None) or state.load_checkpoint
    return {
        "picture": read_image,
        "network": load_network,
        "transform": read_checkpoint,
        "record": read_record,
        "state": load_state,
        "means": lambda path: _read_means(path, network),
    }


def work(folder: Path, count: int, seed: int, first: int) -> None:
    """Damage and read one file after another, and print what came of each as a line of JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    warnings.simplefilter("ignore")
    read = readers()
    files = json.loads((folder / "files.json").read_text())
    # Everything slow is imported by reading each file as it is.
    for kind, _, named in files:
        read[kind](folder / "whole" / named)
    printed = tempfile.TemporaryFile()
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    limit = _memory("VmSize") + 4 * BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for number in range(first, count):
        kind, name, named = files[number % len(files)]
        target = folder / "damaged"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for file in (folder / "whole").glob(f"{Path(named).name}*"):
            shutil.copyfile(file, target / file.name)
        content = damaged((folder / "whole" / name).read_bytes(), np.random.default_rng([seed, number]))
        (target / name).write_bytes(content)
        answers.write(json.dumps([number, "begun"]) + "\n")
        answers.write(json.dumps([number, _outcome(read[kind], target / named, printed)]) + "\n")


def _outcome(read: Callable[[Path], object], path: Path, printed) -> str:
    """What came of reading a file: "value", "line", or a failure in words."""
    from neuralstyle.files import InputError

    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is the present use again
    before, start = _memory("VmRSS"), time.process_time()
    try:
        read(path)
        outcome = "value"
    except InputError as error:
        one_line = str(path) in str(error) and "\n" not in str(error)
        outcome = "line" if one_line else f"the message {str(error)!r}"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    seconds, size = time.process_time() - start, _memory("VmHWM") - before
    printed.seek(0)
    if words := printed.read().decode(errors="replace").strip():
        outcome = f"printed {words.splitlines()[0][:200]!r}"
    printed.seek(0)
    printed.truncate()
    if seconds > SECONDS:
        outcome = f"{seconds:.1f} s of computing"
    return f"{size >> 20} MB of memory" if size > BYTES else outcome


def _memory(field: str) -> int:
    """A figure of /proc/self/status in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) << 10


def fuzz(count: int, seed: int, first: int = 0) -> Iterator[tuple[str, str, int, str]]:
    """Damage the files up to number `count`, and tell each one's kind, name, number and what came of it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from fuzz_files import write_all

    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        (folder / "whole").mkdir()
        files = write_all(folder / "whole")
        (folder / "files.json").write_text(json.dumps(files))
        done = first
        while done < count:
            for number, outcome in _answers(folder, count, seed, done):
                yield *files[number % len(files)][:2], number, outcome
                done = number + 1


def _answers(folder: Path, count: int, seed: int, first: int) -> Iterator[tuple[int, str]]:
    """What one process tells until it is done or dies; its death is an answer, too."""
    command = [sys.executable, __file__, "--work", str(folder), str(first)]
    command += ["--count", str(count), "--seed", str(seed)]
    begun = None
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while True:
            patient = select.select([process.stdout], [], [], 5 * PATIENCE if begun is None else PATIENCE)[0]
            line = process.stdout.readline() if patient else process.kill()
            if not line:
                break
            number, outcome = json.loads(line)
            if outcome == "begun":
                begun = number
            else:
                yield number, outcome
        status = process.wait()
    if status and begun is None:
        raise RuntimeError(f"no process could begin (exit status {status})")
    if status:
        yield begun, f"the process ended with status {status}" if patient else "no answer"


def main() -> None:
    """Damage files and print the failures, with what is needed to see each again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="of the same ones, begin here; default: 0")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Path(options.work[0]), options.count, options.seed, int(options.work[1]))
        return
    tally: Counter[tuple[str, str]] = Counter()
    for kind, name, number, outcome in fuzz(options.count, options.seed, options.first):
        failed = outcome not in ("value", "line")
        tally[kind, "failure" if failed else outcome] += 1
        if failed:
            print(f"{number} {name}: {outcome}", flush=True)
    print(f"{'kind':10} {'value':>7} {'line':>7} {'failure':>7}")
    for kind in sorted({kind for kind, _ in tally}):
        print(f"{kind:10} " + " ".join(f"{tally[kind, word]:7}" for word in ("value", "line", "failure")))
    sys.exit(any(word == "failure" for _, word in tally))


if __name__ == "__main__":
    main()

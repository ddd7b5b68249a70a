"""What the benchmarks share: pictures, interleaved timing, peak memory, the machine's description."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np
import skimage.data

from neuralstyle.environment import set_for_tensorflow
from neuralstyle.pictures.sizes import resize

set_for_tensorflow()


def size(text: str) -> tuple[int, int]:
    """Read ``512x384``, width by height, as height and width."""
    width, height = text.split("x")
    return int(height), int(width)


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two photographs of scikit-image of one size: content and style, float32 H×W×3."""
    return tuple(
        resize(photograph().astype(np.float32), height, width)
        for photograph in (skimage.data.coffee, skimage.data.astronaut)
    )


def interleaved(work: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds that each piece of work takes: the least of many, one of each in turn.

    What disturbs the machine then disturbs them all. Everything runs once before it counts.
    """
    best = dict.fromkeys(work, float("inf"))
    for repeat in range(repeats + 1):
        for name, run in work.items():
            began = time.perf_counter()
            run()
            if repeat:
                best[name] = min(best[name], time.perf_counter() - began)
    return best


def peak_gigabytes() -> float:
    """The most memory that this process has held so far, in GB of 10⁹ bytes."""
    # Linux counts in units of 1024 bytes, macOS in bytes.
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    )


def machine() -> str:
    """One line: processor, cores, memory, and the versions that matter."""
    import tensorflow as tf

    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{name}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}"
    )

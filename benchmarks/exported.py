#!/usr/bin/env python
"""Measure what `neuralstyle export` writes: how large it is, how far off, and how fast its own runtime is.

Networks that are not in the folder yet are exported first, which takes some minutes. Errors are those against
this program's rendering of the bundled photograph, 480×320 pixels, in steps of 255. Times are the least of
several rounds in milliseconds; the machine should have nothing else to do.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnxruntime
import tensorflow as tf

from neuralstyle.command import main as command
from neuralstyle.feedforward import any_style, checkpoints, multi_style, transform
from neuralstyle.feedforward.kinds import FORMATS
from neuralstyle.files import example_pair
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.sizes import resize

NETWORKS = ("wheat-field.ckpt", "any-style", "fixed-styles")


def runner(path: Path, format_: str) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Have an exported network's own runtime run it."""
    if format_ == "savedmodel":
        model = tf.saved_model.load(str(path))
        function = model.signatures["serving_default"]
        # The model is held: its function alone does not keep it.
        return lambda given, _model=model: function(**{k: tf.constant(v) for k, v in given.items()})[
            "stylized_image"
        ].numpy()
    if format_ == "tflite":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = tf.lite.Interpreter(str(path), num_threads=os.cpu_count()).get_signature_runner()
        return lambda given: run(**given)["stylized_image"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda given: session.run(["stylized_image"], given)[0]


def timed(run: Callable[[], np.ndarray], rounds: int) -> tuple[np.ndarray, float]:
    """What a function gives, and the least of its times after a first one, in milliseconds."""
    result, times = run(), []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - began))
    return result, min(times)


def size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def measure(network: str, folder: Path, rounds: int) -> None:
    """Print the rows of one network."""
    content, style = (read_image(path) for path in example_pair())
    square = resize(any_style.centre_square(style), any_style.STYLE_SIZE, any_style.STYLE_SIZE)
    given = {"content_image": content[np.newaxis] / 255}
    if network == "any-style":
        given["style_image"], own = square[np.newaxis] / 255, any_style.renderer([square])
    elif network == "fixed-styles":
        blend = np.eye(26, dtype=np.float32)[7:8]
        given["style_weights"], own = blend, multi_style.renderer(blend[0])
    else:
        own = transform.renderer(checkpoints.read_checkpoint(network), margin=transform.MARGIN)
    with own as render:
        expected, milliseconds = timed(lambda: render(content), rounds)
    print(
        f"{network:18} {'neuralstyle':12} {'float32':9} {'':9} {'':8} {'':8} {milliseconds:7.0f}", flush=True
    )
    for format_, precisions in FORMATS.items():
        for precision in precisions:
            path = folder / f"{network}.{precision}.{format_}"
            run = runner(path, format_)
            found, milliseconds = timed(lambda run=run: run(given), rounds)
            error = np.abs(255 * found[0] - np.clip(expected, 0, 255))
            print(
                f"{network:18} {format_:12} {precision:9} {size(path) / 1e6:9.2f} {error.mean():8.3f} "
                f"{error.max():8.2f} {milliseconds:7.0f}",
                flush=True,
            )


def main() -> None:
    """Parse the command line, export what is missing, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="for what is exported")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    for network in NETWORKS:
        for format_, precisions in FORMATS.items():
            for precision in precisions:
                path = options.folder / f"{network}.{precision}.{format_}"
                if not path.exists():
                    line = [
                        "export",
                        network,
                        "--to",
                        format_,
                        "--precision",
                        precision,
                        "--output",
                        str(path),
                    ]
                    command.main(line)
    print("network            format       precision        MB     mean  largest      ms")
    for network in NETWORKS:
        measure(network, options.folder, options.rounds)


if __name__ == "__main__":
    main()

"""Make the normalised network of Gatys et al. from any VGG: every filter with a mean activation of 1.

Each filter's weights and bias are divided by its mean activation over pictures and positions, and the
next layer's weights multiplied with it: the network computes the same as before, up to a factor per
channel. Pooling takes the average, as in the paper (CVPR 2016, section 2). The recipe `gatys` does this by
itself with the same photographs; this command is for other pictures, and for other programs.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from neuralstyle.command.terminal import exit_status, quiet_import, tell
from neuralstyle.files import InputError, check_writable
from neuralstyle.pictures.folders import files_in


def main(arguments: Sequence[str] | None = None, program: str = "neuralstyle normalize") -> int:
    """Take the means and write the file; the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    program : str
        What messages begin with.
    """
    options = _parser(program).parse_args(arguments)
    return exit_status(lambda: normalize_weights(options, program), program)


def _parser(program: str) -> argparse.ArgumentParser:
    head, rest = __doc__.split("\n\n")
    parser = argparse.ArgumentParser(prog=program, description=head, epilog=rest, allow_abbrev=False)
    parser.add_argument(
        "--network",
        metavar="FILE",
        help="weights of VGG-19 or VGG-16, .mat or .h5; default: the shipped ones",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="folder of photographs, the more and the more colourful the better; larger ones are shrunk to "
        "384 pixels; default: photographs that come with scikit-image",
    )
    parser.add_argument("--output", type=Path, metavar="FILE.mat", required=True, help="file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return parser


def normalize_weights(options: argparse.Namespace, program: str) -> None:
    """Read a network, normalise it and write it, with a progress bar over the pictures."""
    folder, output = options.pictures, options.output
    check_writable(output)
    if output.exists() and not options.overwrite:
        raise InputError(f"{output}: exists already; --overwrite replaces it")
    files = files_in(folder) if folder else []

    from neuralstyle.networks import load_network
    from neuralstyle.networks.matconvnet import write_matconvnet

    network = load_network(options.network)
    if network.normalized:
        raise InputError(f"{network.path}: is normalised already")
    with quiet_import():
        from neuralstyle.networks.normalize import PHOTOGRAPHS, mean_activations, photographs, rescale

    from tqdm import tqdm

    if folder:
        bar = tqdm(readable(files, program), total=len(files), unit="picture")
    else:
        bar = tqdm(photographs(), total=3 * len(PHOTOGRAPHS), unit="picture")
    with bar:
        means = mean_activations(network, bar)
    silent = {name: int(hardly_fires(mean).sum()) for name, mean in means.items()}
    if any(silent.values()):
        layers = ", ".join(f"{count} of {name}" for name, count in silent.items() if count)
        tell(
            f"filters that hardly fire on these pictures: {layers}; "
            "on others they may drown the rest, so take more pictures, of all colours",
            program,
        )
    write_matconvnet(rescale(network, means), output)
    print(f"{output}: {output.stat().st_size} bytes")


def readable(files: list[Path], program: str) -> Iterator[np.ndarray]:
    """The pictures among files; each file that cannot be read is named."""
    from tqdm import tqdm

    from neuralstyle.networks.normalize import shrink

    for file in files:
        try:
            picture = shrink(file)
        except InputError as error:
            tqdm.write(f"{program}: left out: {error}", file=sys.stderr)
        else:
            yield picture


def hardly_fires(mean: np.ndarray) -> np.ndarray:
    """Which filters have less than 1/10,000 of their layer's median mean activation."""
    return mean < np.median(mean) / 10_000

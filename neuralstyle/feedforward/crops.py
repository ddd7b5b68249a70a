"""What a network is trained on: random squares of pictures in a folder, in an order that a seed decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from neuralstyle.files import InputError
from neuralstyle.pictures.folders import files_in
from neuralstyle.pictures.reading import read_image
from neuralstyle.pictures.sizes import resize

#: The folders of photographs and of their slow results, for training on pairs.
PAIR_FOLDERS = ("photographs", "results")

#: How many pictures are read at once.
READERS = 2


@dataclass(frozen=True)
class Example:
    """What crops are cut from.

    Attributes
    ----------
    photograph : pathlib.Path
    result : pathlib.Path or None
        What the network should make of the photograph, where that is known.
    """

    photograph: Path
    result: Path | None = None

    def read(self) -> np.ndarray:
        """Read the pictures: float32 H×W×3, or H×W×6 with the result beside the photograph.

        Raises
        ------
        InputError
            If one cannot be read.
        """
        photograph = read_image(self.photograph)
        if self.result is None:
            return photograph
        result = read_image(self.result)
        # A slow result is seldom larger than its photograph, and nothing of it should be lost.
        return np.concatenate([resize(photograph, *result.shape[:2]), result], axis=2)


def photographs(folder: str | Path) -> list[Example]:
    """The pictures of a folder and of those in it as examples, in the order of their names.

    Raises
    ------
    InputError
        If there is no such folder, or it is empty.
    """
    return [Example(path) for path in files_in(folder, nested=True)]


def pairs(folder: str | Path, report: Callable[[str], None] = print) -> list[Example]:
    """Photographs with their slow results, from two folders in a folder.

    Parameters
    ----------
    folder : path
        Holds the folders in `PAIR_FOLDERS`. The pictures of a pair have one name, whatever their suffixes,
        in folders of one name where there are folders in those.
    report : callable
        Called with a line for every photograph that has no result.

    Raises
    ------
    InputError
        If a folder is missing or empty, or no picture has a partner.
    """
    places = [Path(folder) / name for name in PAIR_FOLDERS]
    found, results = (
        {path.relative_to(place).with_suffix(""): path for path in files_in(place, nested=True)}
        for place in places
    )
    for name, path in found.items():
        if name not in results:
            report(f"{path}: has no partner in {PAIR_FOLDERS[1]}; skipped")
    examples = [Example(path, results[name]) for name, path in found.items() if name in results]
    if not examples:
        raise InputError(
            f"{folder}: no picture in {PAIR_FOLDERS[0]} has one of the same name in {PAIR_FOLDERS[1]}"
        )
    return examples


def split(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Divide examples at random into those to train on and those held out.

    Parameters
    ----------
    examples : sequence of Example
    share : float
        Of those held out, 0..1; more than 0 is at least one.
    seed : int

    Returns
    -------
    training, held_out : list of Example

    Raises
    ------
    InputError
        If the share is not within 0..1, or nothing is left to train on.
    """
    if not 0 <= share < 1:
        raise InputError(f"--held-out is {share}; it must be 0 or more and less than 1")
    count = max(1, round(share * len(examples))) if share else 0
    if count >= len(examples):
        raise InputError(
            f"--held-out {share:g} leaves none of {len(examples)} pictures to train on; "
            "give more pictures or --held-out 0"
        )
    order = np.random.default_rng([seed, 0]).permutation(len(examples))
    return [examples[i] for i in sorted(order[count:])], [examples[i] for i in sorted(order[:count])]


def random_square(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A square from anywhere in a picture, resized to size×size, in half of all cases mirrored.

    Its side is drawn evenly between the size and the shorter side of the picture, so that a network sees
    details as well as whole scenes; of smaller pictures it is the shorter side.
    """
    height, width = picture.shape[:2]
    shorter = min(height, width)
    side = rng.integers(min(size, shorter), shorter, endpoint=True)
    top, left = rng.integers(height - side, endpoint=True), rng.integers(width - side, endpoint=True)
    crop = picture[top : top + side, left : left + side]
    return resize(crop[:, ::-1] if rng.integers(2) else crop, size, size)


class Crops:
    """An endless row of random squares: every picture once an epoch, in an order of its own each time.

    The square at a position depends on the seed and the position alone, so that a run that goes on from
    any step sees what it would have seen.

    Parameters
    ----------
    examples : sequence of Example
        All of one kind.
    size : int
        Side of the squares in pixels.
    batch : int
        How many make a batch. The last batch of an epoch is filled up with the pictures that come first.
    seed : int
    report : callable
        Called with a line for a picture that cannot be read, the first time that it is asked for. The
        next picture of the epoch takes its place.

    Raises
    ------
    InputError
        If none of the pictures can be read.

    Attributes
    ----------
    size, batch : int
    channels : int
        3, or 6 for pairs.
    batches : int
        How many make an epoch.
    unreadable : set of pathlib.Path
        Photographs that could not be read so far.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        size: int,
        batch: int,
        seed: int,
        report: Callable[[str], None] = print,
    ) -> None:
        self._examples, self.size, self.batch, self._seed = list(examples), size, batch, seed
        self._report = report
        self.unreadable: set[Path] = set()
        self.channels = 3 if self._examples[0].result is None else 6
        self.batches = -(-len(self._examples) // batch)
        if not any(self.read(example) is not None for example in self._examples):
            folder = self._examples[0].photograph.parent
            raise InputError(f"{folder}: none of its files is a picture that can be read")

    def read(self, example: Example) -> np.ndarray | None:
        """Read an example; None, and a report, if that cannot be done."""
        try:
            return example.read()
        except InputError as error:
            if example.photograph not in self.unreadable:
                self.unreadable.add(example.photograph)
                self._report(f"{error}; skipped")
            return None

    def at(self, position: int) -> np.ndarray:
        """The square at a position, size×size×C, float32."""
        epoch, index = divmod(position, self.batches * self.batch)
        count = len(self._examples)
        order = np.random.default_rng([self._seed, 1, epoch]).permutation(count)
        for step in range(count):
            picture = self.read(self._examples[order[(index + step) % count]])
            if picture is not None:
                return random_square(picture, self.size, np.random.default_rng([self._seed, 2, epoch, index]))
        raise InputError("none of the pictures can be read any more")

    def dataset(self, start: tf.Tensor) -> tf.compat.v1.data.Dataset:
        """The batches from a step on, N×size×size×C, read ahead by threads of their own.

        Parameters
        ----------
        start : tf.Tensor
            int64: how many batches were seen before.
        """

        def crop(position: tf.Tensor) -> tf.Tensor:
            value = tf.numpy_function(self.at, [position], tf.float32)
            return tf.ensure_shape(value, (self.size, self.size, self.channels))

        options = tf.data.Options()
        # A session runs one operation at a time; reading must not wait for its turn.
        options.threading.private_threadpool_size = READERS + 1
        positions = tf.compat.v1.data.Dataset.range(start * self.batch, np.iinfo(np.int64).max)
        batches = positions.map(crop, num_parallel_calls=READERS).batch(self.batch, drop_remainder=True)
        return batches.prefetch(2).with_options(options)

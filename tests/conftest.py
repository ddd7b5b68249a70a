"""Networks and pictures that many tests use."""

import numpy as np
import pytest
import skimage.data

from neuralstyle.networks import SHIPPED, load_network, weights_folder
from neuralstyle.networks.network import BLOCKS, assemble
from neuralstyle.runs.history import Step


def step_of(iteration, seconds, total, content, style, tv):
    """A step with the usual losses."""
    return Step(iteration, seconds, {"total": total, "content": content, "style": style, "tv": tv})


def random_weights(channels, classes=0, seed=0):
    """Weights of a VGG-19 with few channels, scaled so that activations keep their size (He 2015)."""
    rng = np.random.default_rng(seed)
    weights = {}

    def add(name, size, inputs, outputs):
        scale = np.sqrt(2 / (size * size * inputs))
        kernel = rng.normal(0, scale, (size, size, inputs, outputs)).astype(np.float32)
        weights[name] = kernel, rng.normal(0, 0.1, outputs).astype(np.float32)

    inputs = 3
    for block, count in enumerate(BLOCKS["VGG-19"], start=1):
        for index in range(1, count + 1):
            add(f"conv{block}_{index}", 3, inputs, channels[block - 1])
            inputs = channels[block - 1]
    if classes:
        add("fc6", 7, inputs, 20)
        add("fc7", 1, 20, 20)
        add("fc8", 1, 20, classes)
    return weights


def trained_weights(width=1.0):
    """Weights of a transform network, with shifts and scales as training would leave them."""
    from neuralstyle.feedforward import transform  # loads TensorFlow, which not every test needs

    rng = np.random.default_rng(7)
    weights = transform.initial_weights(width)
    for name, value in weights.items():
        if name.endswith("shift"):
            weights[name] = rng.normal(0, 0.5, value.shape).astype(np.float32)
        elif name.endswith("scale"):
            weights[name] = rng.normal(1, 0.2, value.shape).astype(np.float32)
    return weights


@pytest.fixture(scope="session")
def shipped_network():
    # Named, because a full-precision file beside it would be preferred.
    return load_network(weights_folder() / SHIPPED)


@pytest.fixture(scope="session")
def small_network():
    return assemble(random_weights((4, 6, 8, 10, 12)))


@pytest.fixture(scope="session")
def small_network_with_classes():
    return assemble(random_weights((4, 6, 8, 10, 12), classes=7), labels=[f"class {n}" for n in range(7)])


@pytest.fixture(scope="module")
def photograph():
    """A photograph, 300×451×3, float32, 0..255."""
    return skimage.data.chelsea().astype(np.float32)

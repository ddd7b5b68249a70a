"""Each recipe's losses, against its published formulas written out in NumPy."""

from dataclasses import replace

import numpy as np
import pytest

import neuralstyle
from neuralstyle import RECIPES
from neuralstyle.loss import losses
from neuralstyle.loss.terms import objective_of
from neuralstyle.preparation import Style, network_for, scene_of

FIVE = [f"relu{block}_1" for block in range(1, 6)]
NAMES = list(RECIPES)


@pytest.fixture(scope="module")
def pictures(photograph):
    """A generated picture, a content picture of its odd size, and a style picture of another odd size."""
    rng = np.random.default_rng(11)
    content = photograph[100:151, 100:167]
    image = np.clip(photograph[60:111, 120:187] + rng.normal(0, 20, content.shape), 0, 255)
    style = photograph[:45, 200:239].transpose(1, 0, 2)[:, :, ::-1]
    return image.astype(np.float32), content, np.ascontiguousarray(style)


def for_tests(name):
    """The recipe on the shipped network as it is; normalised weights have a test of their own."""
    return replace(RECIPES[name], normalized_network=False)


def gram(features):
    flat = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return flat.T @ flat


def squares(x):
    return np.sum(np.square(x, dtype=np.float64))


class Formulas:
    """The formulas of the published programs, each written down again from its listing."""

    def __init__(self, network, image, content, style, pooling, padding, layers):
        self.image, self.unit = image, image / 255.0

        def features(picture):
            return neuralstyle.features(network, picture, [*FIVE, *layers], pooling, padding)

        self.F, self.P, self.A = features(image), features(content), features(style)
        self.pixels = image.shape[0] * image.shape[1]

    def content_mean(self, layer):
        return squares(self.F[layer] - self.P[layer]) / self.F[layer].size

    def style_neural_style(self, layer):
        F, A = self.F[layer], self.A[layer]
        return squares(gram(F) / F.size - gram(A) / A.size) / F.shape[-1] ** 2

    def style_gatys(self, layer):
        height, width, channels = self.F[layer].shape
        difference = squares(gram(self.F[layer]) - gram(self.A[layer]))
        return difference / (4 * channels**2 * (height * width) ** 2)

    def style_chollet(self, layer):
        return squares(gram(self.F[layer]) - gram(self.A[layer])) / (4.0 * 3**2 * self.pixels**2)

    def style_tutorial(self, layer):
        F, A = self.F[layer], self.A[layer]
        positions, style_positions = F.shape[0] * F.shape[1], A.shape[0] * A.shape[1]
        return np.mean((gram(F) / positions - gram(A) / style_positions) ** 2)

    def style(self, formula):
        return sum(formula(layer) for layer in FIVE) / 5

    def tv_means(self):
        x = self.image
        return np.mean((x[1:] - x[:-1]) ** 2) + np.mean((x[:, 1:] - x[:, :-1]) ** 2)

    def tv_power(self):
        x = self.image
        a = (x[:-1, :-1] - x[1:, :-1]) ** 2
        b = (x[:-1, :-1] - x[:-1, 1:]) ** 2
        return np.sum((a + b) ** 1.25)

    def tv_half_squares(self):
        # artistic_video_core.lua, TVLoss, adds the gradient of this and counts nothing.
        x = self.image
        return 0.5 * (squares(x[:-1, :-1] - x[:-1, 1:]) + squares(x[:-1, :-1] - x[1:, :-1]))

    def tv_absolute(self, x):
        return np.abs(x[1:] - x[:-1]).sum() + np.abs(x[:, 1:] - x[:, :-1]).sum()

    def cookbook(self):
        return {
            "content": 5 * (0.5 * self.content_mean("relu4_2") + 0.5 * self.content_mean("relu5_2")),
            "style": 500 * self.style(self.style_neural_style),
            "tv": 100 * self.tv_means(),
        }

    def neural_style(self):
        return {
            "content": 5 * self.content_mean("relu4_2"),
            "style": 500 * self.style(self.style_neural_style),
            "tv": 100 * self.tv_means(),
        }

    def gatys(self):
        return {
            "content": 1e-3 * 0.5 * squares(self.F["relu4_2"] - self.P["relu4_2"]),
            "style": self.style(self.style_gatys),
            "tv": 0,
        }

    def chollet(self):
        return {
            "content": 0.025 * squares(self.F["relu5_2"] - self.P["relu5_2"]),
            "style": self.style(self.style_chollet),
            "tv": 1e-4 * self.tv_power(),
        }

    def keras(self):
        return {
            "content": 2.5e-8 * squares(self.F["relu5_2"] - self.P["relu5_2"]),
            "style": 1e-6 * self.style(self.style_chollet),
            "tv": 1e-6 * self.tv_power(),
        }

    def tensorflow_tutorial(self):
        return {
            "content": 1e4 * np.mean((self.F["relu5_2"] - self.P["relu5_2"]) ** 2),
            "style": 1e-2 * self.style(self.style_tutorial),
            "tv": 30 * self.tv_absolute(self.unit),
        }

    def neural_style_tf(self):
        F, P = self.F["conv4_2"], self.P["conv4_2"]
        return {
            "content": 5 * squares(F - P) / (2 * np.sqrt(F.size)),
            "style": 1e4 * self.style(self.style_gatys) / 5,
            "tv": 1e-3 * self.tv_absolute(self.image),
        }

    def artistic_videos(self):
        return {
            "content": 5 * self.content_mean("relu4_2"),
            "style": 100 * 5 * self.style(self.style_neural_style),
            "tv": 1e-3 * self.tv_half_squares(),
        }


#: Pooling and padding of each program, and the content layers that the formulas above read.
PROGRAMS = {
    "cookbook": ("max", "SAME", ["relu4_2", "relu5_2"]),
    "neural-style": ("max", "SAME", ["relu4_2"]),
    "gatys": ("average", "SAME", ["relu4_2"]),
    "chollet": ("max", "VALID", ["relu5_2"]),
    "keras": ("max", "VALID", ["relu5_2"]),
    "tensorflow-tutorial": ("max", "VALID", ["relu5_2"]),
    "neural-style-tf": ("average", "SAME", ["conv4_2"]),
    "artistic-videos": ("max", "SAME", ["relu4_2"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_term_equals_the_published_formula(shipped_network, pictures, name):
    losses, _ = neuralstyle.loss_and_gradient(*pictures, for_tests(name), shipped_network)
    expected = getattr(Formulas(shipped_network, *pictures, *PROGRAMS[name]), name.replace("-", "_"))()
    for term, value in expected.items():
        assert losses[term] == pytest.approx(value, rel=1e-4), term
    assert losses["total"] == pytest.approx(sum(expected.values()), rel=1e-4)


def wasserstein(first, second):
    """StyleLossW2 of style_transfer.py, by eigenvalues in float64."""
    first, second = (
        features.reshape(-1, features.shape[-1]).astype(np.float64) for features in (first, second)
    )
    one, other = (np.cov(x.T, bias=True) + 1e-4 * np.eye(x.shape[1]) for x in (first, second))
    values, vectors = np.linalg.eigh(other)
    root = vectors * np.sqrt(values) @ vectors.T
    trace = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ one @ root), 0)).sum()
    means = np.mean((first.mean(0) - second.mean(0)) ** 2)
    return means + (np.trace(one) + np.trace(other) - 2 * trace) / len(one)


def nine_points(x):
    """TVLoss of style_transfer.py."""
    x = np.pad(x.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    middle, falling, rising = x[1:-1, 1:-1], x[1:, 1:] - x[:-1, :-1], x[1:, :-1] - x[:-1, 1:]
    straight = [x[1:-1, 2:] - middle, x[2:, 1:-1] - middle]
    return 2 * (sum(np.mean(d**2) / 3 for d in straight) + sum(np.mean(d**2) / 12 for d in (falling, rising)))


def test_each_term_of_style_transfer_pytorch_equals_its_formula(shipped_network, pictures):
    losses, _ = neuralstyle.loss_and_gradient(*pictures, "style-transfer-pytorch", shipped_network)
    network = replace(shipped_network, border="replicated")
    layers = [*FIVE, "relu4_2"]
    F, P, A = (
        {
            layer: features / 57.6
            for layer, features in neuralstyle.features(network, picture, layers, "max", "VALID").items()
        }
        for picture in pictures
    )
    expected = {
        "content": 0.015 * np.mean((F["relu4_2"] - P["relu4_2"]) ** 2, dtype=np.float64),
        "style": sum(
            weight / 341 * wasserstein(F[layer], A[layer])
            for layer, weight in zip(FIVE, (256, 64, 16, 4, 1), strict=True)
        ),
        "tv": 2 * nine_points(pictures[0] / 255),
    }
    for term, value in expected.items():
        assert losses[term] == pytest.approx(value, rel=1e-4), term


def dimmed(network):
    """The network that makes of a picture what the given one makes of the picture divided by 255."""
    first, *others = network.layers
    return replace(
        network,
        layers=(replace(first, kernel=first.kernel / 255), *others),
        mean_pixel=255 * network.mean_pixel,
    )


def test_the_cookbook_as_published_has_the_listings_mistakes(shipped_network, pictures):
    image, content, style = pictures
    recipe = replace(RECIPES["cookbook"], as_published=True)
    losses, _ = neuralstyle.loss_and_gradient(image, content, style, recipe, shipped_network)
    mirrored = shipped_network.transposed()
    formulas = Formulas(mirrored, image, content, style, *PROGRAMS["cookbook"])
    # The listing's style lies in 0..1, which `features` refuses as a picture.
    pooling, padding, layers = PROGRAMS["cookbook"]
    formulas.A = neuralstyle.features(dimmed(mirrored), style, [*FIVE, *layers], pooling, padding)
    expected = formulas.cookbook()
    height, width = image.shape[:2]
    dy, dx = np.diff(image, axis=0), np.diff(image, axis=1)
    swapped = squares(dy) / (height * (width - 1) * 3) + squares(dx) / ((height - 1) * width * 3)
    assert losses["content"] == pytest.approx(expected["content"], rel=1e-4)
    assert losses["style"] == pytest.approx(expected["style"], rel=1e-4)
    assert losses["tv"] == pytest.approx(100 * swapped, rel=1e-4)
    assert losses["tv"] != pytest.approx(expected["tv"], rel=2e-4)


def test_neural_style_as_published_mirrors_the_kernels(shipped_network, pictures):
    recipe = replace(RECIPES["neural-style"], as_published=True)
    losses, _ = neuralstyle.loss_and_gradient(*pictures, recipe, shipped_network)
    mirrored = shipped_network.transposed()
    expected = Formulas(mirrored, *pictures, *PROGRAMS["neural-style"]).neural_style()
    assert losses["total"] == pytest.approx(sum(expected.values()), rel=1e-4)


def open_loss(network, recipe, content, style):
    return losses.open_loss(network_for(recipe, network), objective_of(recipe), scene_of(content, style))


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_agrees_with_central_differences_at_random_pixels(small_network, pictures, name):
    image, content, style = pictures
    rng = np.random.default_rng(3)
    step = 0.4
    with open_loss(small_network, for_tests(name), content, style) as loss:
        _, gradient = loss.losses_and_gradient(image)
        for _ in range(6):
            where = tuple(rng.integers(size) for size in image.shape)
            nudge = np.zeros_like(image)
            nudge[where] = step
            slope = (loss.losses(image + nudge)["total"] - loss.losses(image - nudge)["total"]) / (2 * step)
            assert slope == pytest.approx(gradient[where], abs=0.02 * float(np.abs(gradient).max())), where


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_agrees_with_the_central_difference_along_it(shipped_network, pictures, name):
    image, content, style = pictures
    with open_loss(shipped_network, for_tests(name), content, style) as loss:
        _, gradient = loss.losses_and_gradient(image)
        length = float(np.linalg.norm(gradient))
        ahead, behind = (
            loss.losses(image + sign * gradient / np.float32(length))["total"] for sign in (1, -1)
        )
    assert (ahead - behind) / 2 == pytest.approx(length, rel=5e-3)


def test_several_styles_count_by_their_blend_weights(small_network, pictures):
    image, content, style = pictures
    other = style[::-1, ::-1, ::-1] * 0.5

    def style_loss(styles, blend=()):
        recipe = replace(RECIPES["cookbook"], style_blend=blend)
        return neuralstyle.loss_and_gradient(image, content, styles, recipe, small_network)[0]["style"]

    first, second = style_loss(style), style_loss(other)
    assert style_loss([style, other]) == pytest.approx((first + second) / 2, rel=1e-5)
    assert style_loss([style, other], (3.0, 1.0)) == pytest.approx(0.75 * first + 0.25 * second, rel=1e-5)


@pytest.mark.parametrize("formula", ["mean", "wasserstein"])
def test_several_styles_can_make_one_target(small_network, pictures, formula):
    image, content, style = pictures
    # The same picture twice is the target that it is alone; one target between two that differ is nearer.
    recipe = replace(RECIPES["style-transfer-pytorch"], style_formula=formula, style_blend=(1.0, 3.0))

    def style_loss(styles, **fields):
        asked = replace(recipe, **fields)
        return neuralstyle.loss_and_gradient(image, content, styles, asked, small_network)[0]["style"]

    alone = style_loss(style, style_blend=())
    assert style_loss([style, style]) == pytest.approx(alone, rel=1e-4)
    other = style[::-1, ::-1, ::-1] * 0.5
    assert style_loss([style, other]) < 0.99 * style_loss([style, other], style_blending="losses")


def test_one_target_of_several_styles_does_not_go_with_masks(small_network, pictures):
    image, content, style = pictures
    styles = [Style(style, np.ones(content.shape[:2], np.float32)), Style(style)]
    with pytest.raises(neuralstyle.InputError, match="style_blending makes one target"):
        neuralstyle.loss_and_gradient(image, content, styles, "style-transfer-pytorch", small_network)


def test_a_mask_leaves_the_rest_out_of_the_wasserstein_distance(small_network, pictures):
    image, content, style = pictures
    recipe = replace(RECIPES["style-transfer-pytorch"], style_layers={"relu1_1": 1.0}, border="zeros")
    mask = np.zeros(content.shape[:2], np.float32)
    mask[:, :20] = 1
    masked = neuralstyle.loss_and_gradient(image, content, Style(style, mask), recipe, small_network)[0]
    network = small_network.divided(57.6)
    F, A = (neuralstyle.features(network, picture, ["relu1_1"])["relu1_1"] for picture in (image, style))
    assert masked["style"] == pytest.approx(wasserstein(F[:, :20], A), rel=1e-4)


def test_a_picture_of_another_size_than_the_content_is_refused(small_network, pictures):
    image, content, style = pictures
    with pytest.raises(neuralstyle.InputError, match="they must have one size"):
        neuralstyle.loss_and_gradient(image[:-1], content, style, "cookbook", small_network)


def test_more_styles_than_weights_are_refused(small_network, pictures):
    image, content, style = pictures
    recipe = replace(RECIPES["cookbook"], style_blend=(1.0,))
    with pytest.raises(neuralstyle.InputError, match="1 weights for 2 style pictures"):
        neuralstyle.loss_and_gradient(image, content, [style, style], recipe, small_network)


def test_an_unknown_recipe_is_named(small_network, pictures):
    with pytest.raises(neuralstyle.InputError, match="unknown recipe 'monet'"):
        neuralstyle.loss_and_gradient(*pictures, "monet", small_network)


# --- normalised gradients -----------------------------------------------------------------------------


def single(layer, kind):
    """Only one layer of one kind, with a weight that shows."""
    none = {"content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}
    return replace(RECIPES["neural-style"], **{**none, f"{kind}_layers": {layer: 1.0}, f"{kind}_weight": 7.0})


@pytest.mark.parametrize(
    ("kind", "layer"), [("content", "relu3_2"), ("style", "relu1_1"), ("style", "relu4_1")]
)
def test_a_normalized_gradient_is_divided_by_the_l1_norm_at_its_layer(small_network, pictures, kind, layer):
    F, P, A = (
        neuralstyle.features(small_network, picture, [layer])[layer].astype(np.float64)
        for picture in pictures
    )
    if kind == "content":  # d/dF of mean (F−P)²
        at_layer = 2 * (F - P) / F.size
    else:  # d/dF of Σ(FᵀF/n − AᵀA/m)² / C²
        at_layer = 4 / F.size / F.shape[-1] ** 2 * F @ (gram(F) / F.size - gram(A) / A.size)
    recipe = single(layer, kind)
    losses, plain = neuralstyle.loss_and_gradient(*pictures, recipe, small_network)
    normalized = replace(recipe, normalize_gradients=True)
    same_losses, scaled = neuralstyle.loss_and_gradient(*pictures, normalized, small_network)
    assert same_losses == losses
    expected = plain / (np.abs(at_layer).sum() + 1e-8)
    np.testing.assert_allclose(scaled, expected, atol=1e-4 * np.abs(expected).max())


def test_normalized_gradients_of_layers_and_styles_add_up(small_network, pictures):
    image, content, style = pictures
    styles = [style, style[::-1] * 0.5]

    def gradient(**fields):
        recipe = replace(RECIPES["cookbook"], tv_weight=0.0, normalize_gradients=True, **fields)
        return neuralstyle.loss_and_gradient(image, content, styles, recipe, small_network)[1]

    # A term alone keeps its share: 1/2 a content layer, and 1/2 a style times 1/2 a layer.
    content_layers, style_layers = {"relu2_2": 0.5, "relu3_2": 0.5}, {"relu1_1": 0.5, "relu3_1": 0.5}
    together = gradient(content_layers=content_layers, style_layers=style_layers)
    alone = [gradient(content_layers={layer: 0.5}, style_weight=0.0) for layer in content_layers]
    alone += [
        gradient(content_weight=0.0, style_layers={layer: 0.5}, style_blend=(0.0, 1.0)[::order]) * 0.5
        for layer in style_layers
        for order in (1, -1)
    ]
    np.testing.assert_allclose(together, sum(alone), atol=1e-3 * np.abs(together).max())


def test_normalized_gradients_do_not_go_with_tiles(small_network, pictures):
    recipe = replace(RECIPES["cookbook"], normalize_gradients=True)
    with pytest.raises(neuralstyle.InputError, match="does not go with tiles.*tile none"):
        neuralstyle.loss_and_gradient(*pictures, recipe, small_network, tile=32)

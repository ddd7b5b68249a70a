"""What the command line's options come to, as a recipe."""

from dataclasses import replace

import pytest

from neuralstyle import RECIPES, InputError
from neuralstyle.command.options import parser, respelled
from neuralstyle.command.recipe import recipe_from
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent
from neuralstyle.recipes import FIVE, stages


def recipe(*arguments, own=None):
    options = parser().parse_args(arguments)
    options.recipe = own or options.recipe
    try:
        return recipe_from(options)
    except InputError as error:
        raise InputError(respelled(error)) from error  # as the command prints it


def test_without_options_the_recipe_is_the_cookbooks():
    assert recipe() == RECIPES["cookbook"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_without_further_options_is_left_as_it_is(name):
    assert recipe("--recipe", name) == RECIPES[name]


def test_every_option_of_neural_style_is_understood():
    line = (
        "--content c.jpg --styles a.jpg b.jpg --output o.jpg --iterations 500 --print-iterations 50 "
        "--checkpoint-output o_{:05}.jpg --checkpoint-iterations 100 --progress-write --progress-plot "
        "--width 600 --style-scales 1.0 1.5 --network vgg.mat --content-weight-blend 0.7 --content-weight 6 "
        "--style-weight 300 --style-layer-weight-exp 2 --style-blend-weights 1 3 --tv-weight 50 "
        "--learning-rate 5 --beta1 0.8 --beta2 0.99 --eps 1e-6 --initial i.jpg --initial-noiseblend 0.2 "
        "--preserve-colors --pooling avg --overwrite"
    )
    found = recipe(*line.split())
    assert found.iterations == 500
    assert found.checkpoint_every == 100
    assert (found.content_fit, found.content_size) == ("width", 600)
    assert found.style_scales == (1.0, 1.5)
    assert found.content_layers == pytest.approx({"relu4_2": 0.7, "relu5_2": 0.3})
    assert (found.content_weight, found.style_weight, found.tv_weight) == (6, 300, 50)
    # 1, 2, 4, 8, 16, divided by their sum (stylize.py, style_layers_weights)
    expected = {layer: 2**index / 31 for index, layer in enumerate(FIVE)}
    assert found.style_layers == pytest.approx(expected)
    assert found.style_blend == (1, 3)
    assert found.optimizer == Adam(5, 0.8, 0.99, 1e-6)
    assert (found.start, found.noise_blend) == ("i.jpg", 0.2)
    assert found.keep_colours == "yuv"
    assert found.pooling == "average"


#: neural-style's parser (neural_style.py, build_parser): each option, what may follow it, and what it means.
NEURAL_STYLE = [
    ("--content", "c.jpg", lambda options, recipe: options.content == "c.jpg"),
    ("--styles", "a.jpg b.jpg", lambda options, recipe: options.styles == ["a.jpg", "b.jpg"]),
    ("--output", "o.jpg", lambda options, recipe: options.output == "o.jpg"),
    ("--iterations", "7", lambda options, recipe: recipe.iterations == 7),
    ("--print-iterations", "7", lambda options, recipe: options.print_iterations == 7),
    ("--checkpoint-output", "o%s.jpg", lambda options, recipe: options.checkpoint_output == "o%s.jpg"),
    ("--checkpoint-iterations", "7", lambda options, recipe: recipe.checkpoint_every == 7),
    ("--progress-write", "", lambda options, recipe: options.progress_write),
    ("--progress-plot", "", lambda options, recipe: options.progress_plot),
    ("--width", "70", lambda options, recipe: (recipe.content_fit, recipe.content_size) == ("width", 70)),
    ("--style-scales", "1 0.5", lambda options, recipe: recipe.style_scales == (1, 0.5)),
    ("--network", "vgg.mat", lambda options, recipe: options.network == "vgg.mat"),
    ("--content-weight-blend", "1", lambda o, recipe: recipe.content_layers == {"relu4_2": 1, "relu5_2": 0}),
    ("--content-weight", "7", lambda options, recipe: recipe.content_weight == 7),
    ("--style-weight", "7", lambda options, recipe: recipe.style_weight == 7),
    ("--style-layer-weight-exp", "1", lambda o, recipe: recipe.style_layers == dict.fromkeys(FIVE, 0.2)),
    ("--style-blend-weights", "1 3", lambda options, recipe: recipe.style_blend == (1, 3)),
    ("--tv-weight", "7", lambda options, recipe: recipe.tv_weight == 7),
    ("--learning-rate", "7", lambda options, recipe: recipe.optimizer == Adam(learning_rate=7)),
    ("--beta1", "0.7", lambda options, recipe: recipe.optimizer == Adam(beta1=0.7)),
    ("--beta2", "0.7", lambda options, recipe: recipe.optimizer == Adam(beta2=0.7)),
    ("--eps", "0.7", lambda options, recipe: recipe.optimizer == Adam(epsilon=0.7)),
    ("--initial", "i.jpg", lambda o, recipe: (recipe.start, recipe.noise_blend) == ("i.jpg", 0)),
    ("--initial-noiseblend", "1", lambda o, recipe: (recipe.start, recipe.noise_blend) == ("content", 1)),
    ("--preserve-colors", "", lambda options, recipe: recipe.keep_colours == "yuv"),
    ("--pooling", "max", lambda options, recipe: recipe.pooling == "max"),
    ("--pooling", "avg", lambda options, recipe: recipe.pooling == "average"),
    ("--overwrite", "", lambda options, recipe: options.overwrite),
]


@pytest.mark.parametrize("option, values, means", NEURAL_STYLE)
def test_each_option_of_neural_style_means_what_it_means_there(option, values, means):
    line = ["--recipe", "neural-style", option, *values.split()]
    if option.startswith("--checkpoint-"):  # neural-style takes both or neither
        line += ["--checkpoint-iterations", "7", "--checkpoint-output", "o%s.jpg"]
    options = parser().parse_args(line)
    assert means(options, recipe_from(options))


def test_the_defaults_of_neural_style_are_the_recipe_of_its_name():
    line = (
        "--iterations 1000 --content-weight-blend 1 --content-weight 5e0 --style-weight 5e2 --tv-weight 1e2"
    )
    line += " --style-layer-weight-exp 1 --learning-rate 1e1 --beta1 0.9 --beta2 0.999 --eps 1e-08"
    line += " --pooling max --recipe neural-style"
    assert recipe(*line.split()) == RECIPES["neural-style"]


def test_lists_that_are_given_twice_have_what_both_say():
    options = parser().parse_args("--styles a --style b c --masks m --masks n o".split())
    assert (options.styles, options.masks) == (["a", "b", "c"], ["m", "n", "o"])
    options = parser().parse_args(["--styles", "d"])
    assert options.styles == ["d"]  # nothing is left of the lines before
    found = recipe(*"--style-layers relu1_1=1 --style-layers relu2_1=2 --style-blend-weights 1".split())
    assert found.style_layers == {"relu1_1": 1.0, "relu2_1": 2.0}


def test_a_share_of_noise_without_a_picture_means_the_content_picture():
    found = recipe("--initial-noiseblend", "0.3")
    assert (found.start, found.noise_blend) == ("content", 0.3)


def test_an_initial_picture_without_a_share_of_noise_has_none():
    found = recipe("--initial", "i.jpg")
    assert (found.start, found.noise_blend) == ("i.jpg", 0.0)


def test_layers_are_given_with_their_weights():
    found = recipe("--content-layers", "relu4_2=1", "relu5_2=0.5", "--style-layers", "relu1_1", "conv3_1=2")
    assert found.content_layers == {"relu4_2": 1.0, "relu5_2": 0.5}
    assert found.style_layers == {"relu1_1": 1.0, "conv3_1": 2.0}


def test_another_optimiser_has_its_own_figures():
    assert recipe("--optimizer", "lbfgs", "--memory", "5").optimizer == LBFGS(memory=5)
    descent = recipe("--optimizer", "gradient-descent", "--learning-rate", "3", "--decay-rate", "0.9")
    assert descent.optimizer == GradientDescent(3.0, 0.9)


def test_naming_the_recipes_own_optimiser_keeps_its_figures():
    assert recipe("--recipe", "chollet", "--optimizer", "lbfgs").optimizer == LBFGS(restart=20)


def test_scales_have_iterations_of_their_own():
    found = recipe("--scales", "128", "256", "--iterations", "40", "20")
    assert found.scales == (128, 256)
    assert found.scale_iterations == (40, 20)


NAMED = replace(
    RECIPES["painterly"], coarsest=None, scales=(128, 256, 512), scale_iterations=(80, 60, 40)
)  # as records of earlier versions have it


def test_a_width_scales_every_size_of_a_recipe_that_names_them():
    found = recipe("--width", "1024", own=NAMED)
    assert found.scales == (256, 512, 1024)
    assert found.scale_iterations == NAMED.scale_iterations


@pytest.mark.parametrize(
    "width, sizes",
    [
        (60, [60]),
        (256, [128, 256]),
        (300, [150, 300]),
        (384, [96, 192, 384]),
        (2048, [128, 256, 512, 1024, 2048]),
    ],
)
def test_painterly_begins_as_coarsely_whatever_the_size_of_the_result(width, sizes):
    found = stages(recipe("--recipe", "painterly", "--width", str(width)))
    assert [stage.content_size for stage in found] == sizes
    assert [stage.iterations for stage in found] == [80, 60, 40, 30, 20][: len(sizes)]


@pytest.mark.parametrize(
    "options, scales, iterations",
    [
        ([], (30, 60), (60, 40)),
        (["--iterations", "9", "8", "7"], (30, 60), (8, 7)),
        (["--iterations", "9"], (30, 60), ()),
    ],
)
def test_a_scale_that_a_small_width_would_make_too_small_is_left_out(options, scales, iterations):
    found = recipe("--width", "60", *options, own=NAMED)
    assert (found.scales, found.scale_iterations) == (scales, iterations)


def test_a_size_gives_a_ladder_another_end():
    found = recipe("--recipe", "style-transfer-pytorch", "--longer-side", "200")
    assert [stage.content_size for stage in stages(found)] == [141, 200]
    assert [stage.iterations for stage in stages(found)] == [1000, 500]
    found = recipe("--recipe", "style-transfer-pytorch", "--scales", "32", "64", "128", "--iterations", "5")
    assert [(stage.content_size, stage.iterations) for stage in stages(found)] == [(32, 5), (64, 5), (128, 5)]


def test_a_ladder_with_moments_can_be_asked_of_any_recipe():
    found = recipe("--width", "128", "--coarsest", "60", "--carry-moments")
    assert [stage.content_size for stage in stages(found)] == [64, 91, 128]
    assert found.carry_moments


def test_another_optimizer_than_adam_has_no_moments_to_go_on_with():
    found = recipe("--recipe", "style-transfer-pytorch", "--optimizer", "lbfgs")
    assert RECIPES["style-transfer-pytorch"].carry_moments and not found.carry_moments


def test_other_scales_than_the_recipes_have_the_same_iterations_each():
    assert recipe("--scales", "100", "200", "400", "800", own=NAMED).scale_iterations == ()


def test_scales_that_are_named_have_the_iterations_of_the_ladder_in_their_place():
    found = recipe("--recipe", "painterly", "--scales", "100", "200", "400")
    assert (found.scales, found.scale_iterations, found.coarsest) == ((100, 200, 400), (80, 60, 40), None)


@pytest.mark.parametrize("flag, field", [("clip", "clip"), ("keep-best", "keep_best")])
def test_a_switch_can_be_turned_on_and_off(flag, field):
    assert getattr(recipe(f"--{flag}"), field) is True
    assert getattr(recipe("--recipe", "tensorflow-tutorial", f"--no-{flag}"), field) is False


def test_luminance_only_keeps_the_contents_colours():
    found = recipe("--luminance-only")
    assert (found.match_colours, found.keep_colours) == ("luminance", "yuv")


def test_what_is_said_stands_above_the_mistakes_of_the_listing():
    found = recipe("--as-published", "--tv-formula", "absolute").with_listing()
    assert (found.tv_formula, found.style_range) == ("absolute", 1.0)


@pytest.mark.parametrize(
    "line, expected",
    [
        ("--learning-rate 1 --optimizer lbfgs", "--learning-rate does not go with --optimizer lbfgs"),
        ("--recipe neural-style-tf --beta1 0.5", "--beta1 does not go with --optimizer lbfgs"),
        ("--memory 3", "--memory does not go with --optimizer adam"),
        ("--content-weight-blend 0.5 --content-layers relu4_2", "does not go with --content-layers"),
        ("--content-weight-blend 1.5", "--content-weight-blend is 1.5"),
        ("--initial-noiseblend 2", "--initial-noiseblend is 2.0"),
        ("--content-layers relu4_2=much", "'much' is not a weight"),
        ("--scales 64 128 --iterations 5 6 7", "--iterations has 3 numbers for 2 --scales"),
        ("--coarsest 32 --scales 32 64", "--coarsest does not go with --scales"),
        ("--coarsest 32", "--coarsest begins a ladder of sizes"),
        ("--carry-moments", "--carry-moments: there is one size only"),
        ("--iterations 5 6", "--iterations has 2 numbers for 0 --scales"),
        ("--content-weight 0 --style-weight 0 --tv-weight 0", "one must count"),
        ("--style-blend-weights 0 0", "--style-blend-weights must add up"),
        ("--style-scales 0", "--style-scales must be greater than 0"),
        ("--checkpoint-iterations 0", "--checkpoint-iterations is 0"),
        ("--height 0", "--height is 0"),
        ("--threads 0", "--threads is 0"),
        ("--seed -1", "--seed is -1"),
        ("--noise -1", "--noise is -1"),
        ("--style-scales nan", "--style-scales must be greater than 0"),
        ("--style-layer-weight-exp -1", "--style-layer-weight-exp is -1"),
        ("--optimizer lbfgs --restart 0", "--restart is 0"),
        ("--luminance-only --match-colors", "--luminance-only does not go with --match-colors"),
        ("--print-iterations 0", "--print-iterations is 0"),
        ("--style-blend-weights 2 -1", "--style-blend-weights must be 0 or more"),
        ("--style-blend-weights nan 1", "--style-blend-weights must be 0 or more"),
        ("--content-weight nan", "--content-weight is nan"),
        ("--style-weight -1", "--style-weight is -1"),
        ("--style-layers relu4_2=-1", "--style-layers: relu4_2 has the weight -1"),
        ("--style-layers relu4_2=1 relu4_2=2", "relu4_2=2: the layer relu4_2 is given twice"),
        ("--initial noise --initial-noiseblend 0.5", "--initial-noiseblend mixes .* and --initial is noise"),
        ("--pooling avg --style-formula monet", "unknown style formula 'monet'"),
        ("--initial= ", "--initial is empty"),
    ],
)
def test_an_impossible_combination_is_named(line, expected):
    with pytest.raises(InputError, match=expected):
        recipe(*line.split())


@pytest.mark.parametrize(
    "line, refused",
    [
        ("--recipe gatys --keep-best", "--keep-best"),
        ("--recipe neural-style --keep-best", "--keep-best"),
        ("--recipe gatys --checkpoint-output o_{}.jpg", "--checkpoint-output"),
        ("--recipe gatys --timelapse film.gif", "--timelapse"),
        ("--checkpoint-iterations 5", "--checkpoint-iterations"),
        ("--recipe chollet --noise 3", "--noise"),
        ("--recipe chollet --as-published", "--as-published"),
        ("--content-weight 0 --content-formula sum", "--content-formula"),
        ("--content-weight 0 --content-layers relu4_2", "--content-layers"),
        ("--style-weight 0 --style-formula gatys", "--style-formula"),
        ("--style-weight 0 --style-layers relu4_2", "--style-layers"),
        ("--tv-weight 0 --tv-formula power", "--tv-formula"),
        ("--recipe gatys --tv-formula power", "--tv-formula"),
        ("--content-weight 0 --style-weight 0 --normalize-gradients", "--normalize-gradients"),
        ("--optimizer gradient-descent --decay-steps 5", "--decay-steps"),
        ("--quality 50", "--quality"),
        ("--quality 50 --output o.tif", "--quality"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(line, refused):
    with pytest.raises(InputError, match=f"^{refused}: "):
        recipe(*line.split())


@pytest.mark.parametrize(
    "line",
    [
        "--keep-best",  # the cookbook looks every 25 iterations
        "--recipe neural-style --checkpoint-iterations 5",  # it takes the best
        "--checkpoint-iterations 5 --logdir events",
        "--checkpoint-iterations 5 --checkpoint-output o_{}.png --quality 95",
        "--recipe chollet --noise 3 --initial-noiseblend 0.5",
        "--recipe chollet --initial noise --noise 3",
        "--as-published --no-transpose-kernels",
        "--recipe gatys --no-as-published --no-keep-best --no-normalize-gradients",
        "--optimizer gradient-descent --decay-steps 5 --decay-rate 0.5",
        "--recipe keras --decay-steps 5",
        "--quality 50 --output o.JPG",
        "--quality 50 --checkpoint-output o_{}.webp",
        # neural-style's own options, which its command lines may have beside a weight of 0
        "--recipe neural-style --content-weight 0 --content-weight-blend 0.5",
        "--recipe neural-style --style-weight 0 --style-layer-weight-exp 2 --style-blend-weights 1",
        "--recipe chollet --seed 3",  # what a seed promises holds without noise
    ],
)
def test_an_option_that_changes_something_is_taken(line):
    recipe(*line.split())


def test_the_parser_is_built_once():
    assert parser() is parser()

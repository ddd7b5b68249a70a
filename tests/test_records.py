import hashlib
import json
import os
from dataclasses import fields, replace

import numpy as np
import pytest
from conftest import step_of

from neuralstyle.files import InputError
from neuralstyle.optimizers import LBFGS, Adam, GradientDescent
from neuralstyle.pictures.writing import write_image
from neuralstyle.recipes import RECIPES, Recipe
from neuralstyle.runs.records import (
    add_result,
    make_record,
    read_record,
    recipe_from_record,
    text_chunk,
    to_json,
    write_record,
)
from neuralstyle.runs.repeating import check_network, difference, inputs_from_record

STEP = step_of(100, 12.5, 3.5, 1.5, 1.75, 0.25)


@pytest.fixture
def pictures(tmp_path):
    """Four files: a content, a style, a mask and a start."""
    rng = np.random.default_rng(0)
    paths = {}
    for name, (height, width) in {"content": (20, 30), "style": (40, 24), "mask": (20, 30)}.items():
        paths[name] = tmp_path / f"{name}.png"
        write_image(paths[name], rng.uniform(0, 255, (height, width, 3)))
    return paths


@pytest.fixture
def record(pictures, small_network):
    return make_record(RECIPES["cookbook"], pictures["content"], [pictures["style"]], small_network, 7)


def strictly(text):
    """JSON as its standard has it: no NaN, no name twice."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    def once(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


# Recipes


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_as_it_was(pictures, small_network, name):
    for recipe in (RECIPES[name], replace(RECIPES[name], as_published=True)):
        record = make_record(recipe, pictures["content"], [pictures["style"]], small_network, 0)
        back = recipe_from_record(strictly(to_json(record)))
        assert back == recipe
        # Layers are summed up in their order, so it decides the last bit of a loss.
        assert list(back.style_layers) == list(recipe.style_layers)


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": LBFGS(memory=7, restart=None)},
        {"optimizer": GradientDescent(3.0, 0.5, 10)},
        {"style_blend": (0.25, 0.75), "style_scales": (1.0, 0.5)},
        {"content_size": 300, "checkpoint_every": None},
        {"content_weight": 5, "noise": np.float32(0.1)},
        {"listing": {"optimizer": Adam(1.0), "style_scales": (2.0,), "content_layers": {"relu4_2": 1.0}}},
        {"source": "Grünewald — «a recipe» of our own"},
    ],
)
def test_fields_of_every_kind_come_back_as_they_were(small_network, changed):
    recipe = replace(RECIPES["cookbook"], **changed)
    record = make_record(recipe, np.zeros((16, 16, 3)), [], small_network, 0)
    assert recipe_from_record(strictly(to_json(record))) == recipe


def test_every_field_of_the_recipe_is_in_the_record(record):
    assert list(record["recipe"]) == [field.name for field in fields(Recipe)]
    assert record["recipe"]["optimizer"] == {
        "name": "Adam",
        "learning_rate": 10.0,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
    }


def test_a_field_that_an_older_version_did_not_have_gets_its_default(record):
    del record["recipe"]["keep_best"]
    assert recipe_from_record(record) == RECIPES["cookbook"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iterations", "many"),
        ("iterations", 1.5),
        ("clip", 1),
        ("style_layers", [1, 2]),
        ("style_blend", ["a"]),
        ("optimizer", {"name": "Newton"}),
        ("optimizer", {"name": "Adam", "momentum": 1.0}),
        ("listing", {"colour": 1}),
        ("colour", 1),
    ],
)
def test_a_value_that_does_not_fit_is_named_in_one_line(record, field, value):
    record["recipe"][field] = value
    with pytest.raises(InputError, match=f"^[^\n]*{field}[^\n]*$"):
        recipe_from_record(record)


def test_a_number_that_json_cannot_hold_is_refused(pictures, small_network):
    recipe, infinite = RECIPES["cookbook"], {"quality": float("inf")}
    with pytest.raises(InputError, match="finite"):
        make_record(recipe, pictures["content"], [pictures["style"]], small_network, 0, options=infinite)


# What else is in a record


def test_a_record_has_hashes_and_sizes_of_all_files(pictures, shipped_network):
    recipe = replace(RECIPES["cookbook"], start=str(pictures["style"]))
    record = make_record(
        recipe,
        str(pictures["content"]),
        [pictures["style"], pictures["content"]],
        shipped_network,
        3,
        masks=[pictures["mask"], None],
    )

    def described(name):
        content = pictures[name].read_bytes()
        sizes = {"content": (30, 20), "style": (24, 40), "mask": (30, 20)}
        width, height = sizes[name]
        return {
            "path": str(pictures[name]),
            "sha256": hashlib.sha256(content).hexdigest(),
            "width": width,
            "height": height,
        }

    assert record["content"] == described("content")
    assert record["styles"] == [described("style"), described("content")]
    assert record["masks"] == [described("mask"), None]
    assert record["start"] == described("style")
    assert record["seed"] == 3
    assert record["network"] == {
        "name": "vgg19-8bit.mat",
        "sha256": hashlib.sha256(shipped_network.path.read_bytes()).hexdigest(),
    }
    assert set(record["versions"]) >= {"neuralstyle", "tensorflow", "numpy", "python"}


def test_the_result_comes_last_with_its_losses_and_size(record):
    finished = add_result(record, STEP, 200, 300)
    assert "result" not in record
    assert list(finished) == [*record, "result"]
    assert finished["result"] == {
        "width": 300,
        "height": 200,
        "iteration": 100,
        "losses": {"total": 3.5, "content": 1.5, "style": 1.75, "tv": 0.25},
    }


def test_the_same_run_gives_the_same_record(pictures, small_network):
    texts = {
        to_json(
            add_result(
                make_record(
                    RECIPES["gatys"],
                    pictures["content"],
                    [pictures["style"]],
                    small_network,
                    7,
                    options={"a": 1},
                ),
                replace(STEP, seconds=seconds),
                20,
                30,
            )
        )
        for seconds in (1.0, 2.0)
    }
    assert len(texts) == 1


# Files


def test_a_record_comes_back_from_json_and_from_a_png(tmp_path, record):
    record = add_result(record, STEP, 200, 300)
    write_record(tmp_path / "run.json", record)
    write_image(tmp_path / "run.png", np.zeros((16, 16, 3)), text=text_chunk(record))
    assert strictly((tmp_path / "run.json").read_text("utf-8")) == record
    assert read_record(tmp_path / "run.json") == record
    assert read_record(tmp_path / "run.png") == record


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff\xfe\x00",
        b'{"program": "another"}',
        b'{"program": "neuralstyle", "format": NaN}',
        b"[" * 100_000,
        b'{"program": "neuralstyle", "format": 1}',
        b'{"program": "neuralstyle", "format": 2}',
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_a_file_without_a_record_is_named_in_one_line(tmp_path, content):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^[^\n]*run\.json: [^\n]+$"):
        read_record(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("content"),
        lambda record: record.update(styles=None),
        lambda record: record.update(seed="7"),
        lambda record: record["content"].pop("sha256"),
        lambda record: record["content"].update(path=3),
        lambda record: record.update(network=None),
        lambda record: record.update(options=[]),
        lambda record: record["recipe"].update(iterations=None),
    ],
)
def test_a_record_that_was_spoilt_by_hand_is_named_in_one_line(tmp_path, record, spoil):
    spoil(record)
    write_record(tmp_path / "run.json", record)
    with pytest.raises(InputError, match=r"^[^\n]*run\.json: [^\n]+$"):
        read_record(tmp_path / "run.json")


def test_a_png_without_a_record_is_named(pictures):
    with pytest.raises(InputError, match=r"content\.png.*no record"):
        read_record(pictures["content"])


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(InputError, match="cannot be read"):
        read_record(tmp_path / name)


# Making the picture again


def test_the_files_of_a_record_are_found_again(pictures, small_network):
    record = make_record(
        RECIPES["cookbook"],
        pictures["content"],
        [pictures["style"]],
        small_network,
        0,
        masks=[pictures["mask"]],
        style_masks=[None],
    )
    inputs = inputs_from_record(record)
    assert inputs.content == pictures["content"]
    assert inputs.styles == [pictures["style"]]
    assert inputs.masks == [pictures["mask"]]
    assert inputs.style_masks == [None]


@pytest.mark.parametrize("name", ["content", "style", "mask"])
def test_a_file_that_has_changed_is_named(pictures, small_network, name):
    record = make_record(
        RECIPES["cookbook"],
        pictures["content"],
        [pictures["style"]],
        small_network,
        0,
        masks=[pictures["mask"]],
    )
    write_image(pictures[name], np.full((20, 30, 3), 9.0))
    with pytest.raises(InputError, match=rf"{name}\.png: .*{name} picture has changed"):
        inputs_from_record(record)


def test_a_file_that_is_gone_is_named(record, pictures):
    pictures["style"].unlink()
    with pytest.raises(InputError, match=r"style\.png: .*style picture is gone"):
        inputs_from_record(record)


def test_the_picture_that_a_run_starts_from_is_checked_too(pictures, small_network):
    recipe = replace(RECIPES["cookbook"], start=str(pictures["mask"]))
    record = make_record(recipe, pictures["content"], [pictures["style"]], small_network, 0)
    pictures["mask"].unlink()
    with pytest.raises(InputError, match=r"mask\.png: .*starting picture is gone"):
        inputs_from_record(record)


def test_a_picture_that_was_an_array_cannot_be_found_again(pictures, small_network):
    array = np.zeros((20, 30, 3), np.uint8)
    record = make_record(RECIPES["cookbook"], array, [pictures["style"]], small_network, 0)
    assert record["content"]["path"] is None
    with pytest.raises(InputError, match="content picture was given as an array"):
        inputs_from_record(record)


def test_the_network_of_a_record_is_told_from_others(record, small_network, shipped_network):
    check_network(record, small_network)
    with pytest.raises(InputError, match=record["network"]["sha256"]):
        check_network(record, shipped_network)


# Telling runs apart


def test_the_same_run_under_other_paths_does_not_differ(tmp_path, record, pictures, small_network):
    copy = tmp_path / "copy.png"
    copy.write_bytes(pictures["content"].read_bytes())
    other = make_record(RECIPES["cookbook"], copy, [pictures["style"]], small_network, 7)
    assert difference(add_result(record, STEP, 20, 30), other) is None


@pytest.mark.parametrize(
    ("changed", "phrase"),
    [
        ({"style_weight": 300.0}, "style_weight 500.0 instead of 300.0"),
        ({"iterations": 99}, "iterations 100 instead of 99"),
        ({"pooling": "average"}, "pooling 'max' instead of 'average'"),
    ],
)
def test_a_field_that_differs_is_named_with_both_values(record, pictures, small_network, changed, phrase):
    recipe = replace(RECIPES["cookbook"], **changed)
    other = make_record(recipe, pictures["content"], [pictures["style"]], small_network, 7)
    assert difference(record, other) == phrase
    assert difference(record, other, ignoring=list(changed)) is None


def test_whatever_else_differs_is_named(record, pictures, small_network, shipped_network):
    content, style = pictures["content"], pictures["style"]
    recipe = RECIPES["cookbook"]

    def other(content=content, styles=(style,), network=small_network, seed=7, **more):
        return make_record(recipe, content, styles, network, seed, **more)

    assert difference(record, other()) is None
    assert difference(record, other(seed=8)) == "seed 7 instead of 8"
    assert difference(record, other(content=style)) == "another content picture"
    assert difference(record, other(styles=[content])) == "other style pictures"
    assert difference(record, other(masks=[content])) == "other masks"
    assert difference(record, other(network=shipped_network)) == "another weight file"
    assert difference(record, other(options={"tile": 512})) == "tile None instead of 512"


def test_a_name_that_is_no_utf8_comes_back_from_a_record(tmp_path):
    record = {"program": "neuralstyle", "format": 1, "content": {"path": os.fsdecode(b"caf\xe9.jpg")}}
    write_record(tmp_path / "a.json", record)
    assert json.loads((tmp_path / "a.json").read_bytes().decode()) == record
    assert json.loads(text_chunk(record)["neuralstyle"]) == record

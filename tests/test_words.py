"""What the READMEs name is there: files, options, subcommands, recipes, folders of the code."""

import re
from pathlib import Path

import pytest

from neuralstyle import RECIPES
from neuralstyle.command.main import COMMANDS

ROOT = Path(__file__).parents[1]
TEXTS = [
    path.relative_to(ROOT).as_posix()
    for folder in (".", "benchmarks", "examples", "weights")
    for path in sorted((ROOT / folder).glob("*.md"))
]

#: Options of other programs that the texts tell how to call.
OTHER_PROGRAMS = {"--help", "--check", "--max-size", "--style-image"}


def text_of(name):
    """A text without its comments."""
    return re.sub(r"<!--.*?-->", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def section(name, heading):
    """What stands below a heading, up to the next one."""
    return re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", text_of(name), re.DOTALL | re.MULTILINE)[1]


def options_there_are():
    """Every option that a program here defines."""
    folders = ("neuralstyle/command", "scripts", "benchmarks", "tests")
    sources = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {option for path in sources for option in re.findall(r'"(--[a-z0-9-]+)"', path.read_text("utf-8"))}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_to_files_that_exist(name):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(name))
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("name", TEXTS)
def test_options_that_are_named_exist(name):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text_of(name)))
    assert named - options_there_are() - OTHER_PROGRAMS == set()


@pytest.mark.parametrize("name", TEXTS)
def test_programs_that_are_called_exist(name):
    called = re.findall(r"\bpython ((?:scripts|benchmarks|tests)/[\w/]+\.py)", text_of(name))
    assert [path for path in called if not (ROOT / path).is_file()] == []


def test_the_readme_has_every_recipe_in_its_table():
    assert re.findall(r"^\| `([\w-]+)`", section("README.md", "Recipes"), re.MULTILINE) == list(RECIPES)


def test_the_readme_has_every_subcommand_in_its_table():
    rows = re.findall(r"^\| `neuralstyle \[?(\w+)", section("README.md", "Other commands"), re.MULTILINE)
    assert rows == list(COMMANDS)


def test_the_map_of_the_code_has_every_folder_and_module_at_the_top():
    package = ROOT / "neuralstyle"
    names = {path.name for path in package.glob("*.py") if not path.name.startswith("_")}
    names |= {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    named = set(re.findall(r"`(\w+(?:/|\.py))`", section("CONTRIBUTING.md", "Where is what")))
    assert names - named == set()

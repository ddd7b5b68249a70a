"""How the code is laid out: what may import what, what is loaded when, and how long things may get."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "neuralstyle"

#: The folders and modules at the top of the package. Each imports only what stands before it.
ORDER = (
    *(
        "files",
        "environment",
        "free_memory",
        "graphs",
        "pictures",
        "optimizers",
        "cluster",
        "networks",
        "motion",
        "validity",
        "recipe",
        "recipes",
    ),
    *("runs", "preparation", "loss", "feedforward", "transfer", "video", "web", "command"),
    *("__main__", "__init__"),
)

LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 60
ARGUMENTS = 8

#: What may be longer, or take more, and why.
EXCEPTIONS: dict[str, str] = {}


def modules():
    """The package's modules: name to file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(module):
    """The modules of this package that a module imports, in its functions, too; not those for type hints."""
    found = set()

    def look_at(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                look_at(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name; write it out"
            # What is imported from a package may be a module of it.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if name in MODULES}
            found.update(modules)
            if len(modules) < len(names):
                found.add(node.module)
        for child in ast.iter_child_nodes(node):
            look_at(child)

    look_at(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    return sorted(name for name in found if name in MODULES)


def place(module):
    """Where a module stands in the order."""
    parts = module.split(".")
    return ORDER.index(parts[1] if len(parts) > 1 else "__init__")


def test_every_module_has_its_place_in_the_order():
    tops = {module.split(".")[1] for module in MODULES if module != "neuralstyle"}
    assert tops - set(ORDER) == set()


def test_no_import_climbs():
    climbing = [
        f"{module} imports {imported}"
        for module in MODULES
        for imported in imports(module)
        if place(imported) > place(module)
    ]
    assert climbing == []


def test_no_modules_import_each_other_in_a_circle():
    done, circles = set(), []

    def follow(module, path):
        if module in path:
            circles.append(" → ".join([*path[path.index(module) :], module]))
        elif module not in done:
            for imported in imports(module):
                follow(imported, [*path, module])
            done.add(module)

    for module in MODULES:
        follow(module, [])
    assert circles == []


@pytest.mark.parametrize(
    "program",
    [
        "import neuralstyle",
        "import neuralstyle; neuralstyle.RECIPES, neuralstyle.Recipe, neuralstyle.InputError",
        "from neuralstyle.command.main import main; main(['--help'])",
        "from neuralstyle.command.main import main; main(['stylize', '--help'])",
        "from neuralstyle.command.main import main; main(['recipes'])",
        "from neuralstyle.command.main import main; main(['monet'])",
    ],
)
def test_what_needs_no_pictures_loads_neither_tensorflow_nor_pillow(program):
    program = f"""
try:
    {program}
except SystemExit:
    pass
import sys
print(sorted({{"tensorflow", "PIL", "scipy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def docstring_lines(function):
    """How many lines a function's docstring takes, which may be as long as it needs to be."""
    first = function.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
    return first.end_lineno - first.lineno + 1 if is_text else 0


def too_long_or_wide():
    """What exceeds the sizes: its name, and what it exceeds."""
    found = {}
    for module, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        if lines > LINES_OF_A_FILE:
            found[module] = f"{lines} lines"
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            own = node.args
            arguments = [argument.arg for argument in (*own.posonlyargs, *own.args, *own.kwonlyargs)]
            count = len([name for name in arguments if name not in ("self", "cls")])
            count += (own.vararg is not None) + (own.kwarg is not None)
            length = node.end_lineno - node.lineno + 1 - docstring_lines(node)
            if length > LINES_OF_A_FUNCTION:
                found[f"{module}:{node.name}"] = f"{length} lines"
            if count > ARGUMENTS:
                found[f"{module}:{node.name}"] = f"{count} arguments"
    return found


def test_files_functions_and_lists_of_arguments_are_short():
    assert {name: size for name, size in too_long_or_wide().items() if name not in EXCEPTIONS} == {}


def test_no_exception_is_left_that_nothing_needs():
    assert [name for name in EXCEPTIONS if name not in too_long_or_wide()] == []

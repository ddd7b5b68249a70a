"""What appears on the terminal, and what does when there is none."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neuralstyle import InputError
from neuralstyle.command.options import respelled

QUIET = "import os, sys; from neuralstyle.command.terminal import quiet_import, tell\n"


def run(program, closed=False):
    """Run a program, with standard error closed if wanted, as ``2>&-`` does it."""
    command = [sys.executable, "-c", QUIET + program]
    if closed:
        command = ["bash", "-c", 'exec "$@" 2>&-', "bash", *command]
    return subprocess.run(command, capture_output=True, text=True)


def test_what_is_printed_while_libraries_load_is_not_seen():
    done = run("with quiet_import(): os.write(2, b'noise')\nos.write(2, b'a word')")
    assert (done.returncode, done.stderr) == (0, "a word")


def test_an_import_that_fails_says_why_itself():
    done = run("with quiet_import():\n    os.write(2, b'noise')\n    import nothing_of_that_name")
    assert done.returncode == 1
    assert "No module named 'nothing_of_that_name'" in done.stderr and "noise" not in done.stderr


def test_a_library_that_dies_while_it_loads_leaves_its_reason():
    done = run("with quiet_import():\n    os.write(2, b'this processor has no AVX')\n    os.abort()")
    assert done.returncode == -signal.SIGABRT
    assert done.stderr == "this processor has no AVX"


def test_without_standard_error_nothing_is_said_and_nothing_fails():
    done = run("with quiet_import(): pass\ntell('a word'); print('done')", closed=True)
    assert (done.returncode, done.stdout) == (0, "done\n")
    done = run("sys.stderr = None\nwith quiet_import(): pass\ntell('a word'); print('done')")
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_without_standard_error_nothing_that_is_printed_gets_into_a_file(tmp_path):
    path = tmp_path / "picture.png"
    program = f"with quiet_import(): pass\nwith open({str(path)!r}, 'wb'): os.write(2, b'noise')"
    assert run(program, closed=True).returncode == 0
    assert path.read_bytes() == b""


def test_a_picture_is_made_without_standard_error(tmp_path):
    command = [sys.executable, "-m", "neuralstyle", "--width", "32", "--iterations", "1"]
    command += ["--print-iterations", "1", "--output", str(tmp_path / "out.png")]
    done = subprocess.run(["bash", "-c", 'exec "$@" 2>&-', "bash", *command], capture_output=True)
    assert done.returncode == 0
    assert Path(tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    "message, fields, expected",
    [
        ("beta1 is 2; it must be less than 1", ("beta1",), "--beta1 is 2; it must be less than 1"),
        ("style_scales, scales", ("scales",), "style_scales, --scales"),
        ("scales, style_scales", ("scales", "style_scales"), "--scales, --style-scales"),
        ("scale_iterations has 1", ("scale_iterations",), "--iterations has 1"),
        ("keep_colours is grey", ("keep_colours",), "--preserve-colors is grey"),
        ("unit is 0", ("unit",), "unit is 0"),
        ("start.png: has no start", (), "start.png: has no start"),
    ],
)
def test_the_fields_that_a_message_names_are_spelled_as_options(message, fields, expected):
    assert respelled(InputError(message, fields)) == expected

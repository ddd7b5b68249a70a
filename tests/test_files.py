"""Files are replaced in one step, whatever disk, name and process do; any message can be printed."""

import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuralstyle.files import (
    InputError,
    beside,
    check_writable,
    example_pair,
    printable,
    replacing,
    require,
    shipped_folder,
)


def run(code, *arguments, **options):
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


# What is said


def test_a_message_names_the_fields_that_it_mentions():
    with pytest.raises(InputError, match="^learning_rate is -1; it must be greater than 0$") as caught:
        require(False, "learning_rate", -1, "greater than 0")
    assert caught.value.fields == ("learning_rate",)
    assert InputError("a word").fields == ()


def test_an_error_goes_from_process_to_process():
    error = pickle.loads(pickle.dumps(InputError("steps is 0", fields=("steps",))))
    assert (str(error), error.fields) == ("steps is 0", ("steps",))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"caf\xe9.jpg", "caf\\xe9.jpg"),
        ("Tübingen – 東京.jpg".encode(), "Tübingen – 東京.jpg"),
        (b"two\nlines\x1b[31m\x85.jpg", "two\\nlines\\x1b[31m\\x85.jpg"),
    ],
)
def test_any_name_can_be_printed_on_one_line(name, expected):
    assert printable(Path(os.fsdecode(name))) == expected
    assert str(InputError(f"{os.fsdecode(name)}: no such file")) == f"{expected}: no such file"
    expected.encode()


# What is shipped


def test_shipped_folders_are_found():
    assert (shipped_folder("weights") / "README.md").is_file()
    assert all(path.is_file() and path.parent == shipped_folder("examples") for path in example_pair())


# Before the work


def test_a_file_that_can_be_written_is_not_made(tmp_path):
    check_writable(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 256, "missing/a", ".", "a/b", "nul\0l"])
def test_a_file_that_cannot_be_written_is_found_out(tmp_path, name):
    (tmp_path / "a").touch()
    with pytest.raises(InputError) as caught:
        check_writable(tmp_path / name)
    assert "\n" not in str(caught.value)


# Names beside other names


def test_what_belongs_to_a_file_stands_beside_it(tmp_path):
    assert beside(tmp_path / "out.png", ".unfinished") == tmp_path / "out.png.unfinished"


@pytest.mark.parametrize(
    "name", ["x" * 251 + ".png", "東" * 83 + ".png", os.fsdecode(b"\xe9" * 251 + b".png")]
)
def test_what_belongs_to_a_long_name_fits_beside_it(tmp_path, name):
    path = beside(tmp_path / name, ".unfinished")
    path.touch()
    assert path.name.endswith(".unfinished")
    assert path == beside(tmp_path / name, ".unfinished")
    assert path != beside(tmp_path / (name[:-5] + "y.png"), ".unfinished")


# Replaced in one step


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent and temporary.suffix == ".txt"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_block_that_raises(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", ["x" * 255, "x" * 251 + ".txt", "a." + "x" * 253, os.fsdecode(b"\xe9.txt")])
def test_any_name_that_the_system_takes_is_written(tmp_path, name):
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == [name]


def test_a_full_disk_gets_one_line_and_the_old_file_stays(tmp_path):
    (tmp_path / "a.bin").write_text("old")
    code = """
import resource, sys
from neuralstyle.files import InputError, replacing
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the system refuses longer files
try:
    with replacing(sys.argv[1]) as temporary:
        temporary.write_bytes(bytes(5000))
except InputError as error:
    print(error)
"""
    done = run(code, tmp_path / "a.bin")
    assert done.stdout == f"{tmp_path / 'a.bin'}: cannot be written (File too large)\n", done.stderr
    assert (tmp_path / "a.bin").read_text() == "old" and os.listdir(tmp_path) == ["a.bin"]


def test_a_folder_that_is_gone_gets_one_line(tmp_path):
    with pytest.raises(InputError, match="a.txt: cannot be written"), replacing(tmp_path / "b" / "a.txt"):
        pass


def test_an_error_that_is_not_the_disks_passes_through(tmp_path):
    with pytest.raises(OSError, match="the server hung up"), replacing(tmp_path / "a.txt"):
        raise OSError("the server hung up")


@pytest.mark.parametrize(("mask", "mode"), [("022", 0o644), ("077", 0o600), ("007", 0o660)])
def test_a_file_gets_the_mode_that_the_umask_says(tmp_path, mask, mode):
    code = "import sys; from neuralstyle.files import replacing\nwith replacing(sys.argv[1]): pass"
    subprocess.run(
        ["sh", "-c", f'umask {mask}; exec "$@"', "sh", sys.executable, "-c", code, tmp_path / "a"], check=True
    )
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_file_that_a_writer_made_for_its_owner_only_is_opened_to_others(tmp_path):
    with replacing(tmp_path / "a") as temporary:
        expected = temporary.stat().st_mode
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT, 0o600))
    assert (tmp_path / "a").stat().st_mode == expected


# What a killed run leaves

KILLED = """
import sys, time
from neuralstyle.files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print(temporary.name, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is writing, and the name of its temporary file."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "a.png"], stdout=subprocess.PIPE, text=True
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path, writer):
    process, name = writer
    process.kill()
    process.wait()
    assert os.listdir(tmp_path) == [name]
    with replacing(tmp_path / "b.txt"):
        pass
    assert os.listdir(tmp_path) == ["b.txt"]


def test_what_another_run_is_writing_stays(tmp_path, writer):
    with replacing(tmp_path / "b.txt"):
        pass
    assert sorted(os.listdir(tmp_path)) == sorted([writer[1], "b.txt"])


def test_a_number_that_another_process_has_now_does_not_save_a_file(tmp_path, writer):
    """The process with the number in the name began after the file was last changed."""
    os.utime(tmp_path / writer[1], (1, 1))
    with replacing(tmp_path / "b.txt"):
        pass
    assert os.listdir(tmp_path) == ["b.txt"]


@pytest.mark.parametrize(("hours", "left"), [(1, True), (25, False)])
def test_a_file_of_another_machine_is_removed_after_a_day_without_change(tmp_path, writer, hours, left):
    process, name = writer
    process.kill()
    process.wait()
    foreign = tmp_path / re.sub(r"-[0-9a-f]{8}-", "-00000000-", name, count=1)
    (tmp_path / name).rename(foreign)
    changed = time.time() - hours * 3600
    os.utime(foreign, (changed, changed))
    with replacing(tmp_path / "b.txt"):
        pass
    assert foreign.exists() == left


@pytest.mark.parametrize(
    "name", [".neuralstyle-notes.txt", ".a-12345678.png", "neuralstyle-00000000-1-00000000"]
)
def test_no_other_file_is_touched(tmp_path, name):
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (1, 1))
    with replacing(tmp_path / "b.txt"):
        pass
    assert (tmp_path / name).exists()

import struct

import numpy as np
import pytest
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.video.flow import flow_trust, warp
from neuralstyle.video.flow_files import (
    check_flow_files,
    name_of,
    read_flow,
    read_trust,
    write_flow,
    write_trust,
)

# Two rows of three pixels: u and v of each.
STEPS = [[1.5, -2.0], [0.0, 0.25], [3.0, 4.0], [-1.0, 1.0], [0.5, 0.5], [10.0, -10.0]]
FLO = b"PIEH" + struct.pack("<ii", 3, 2) + b"".join(struct.pack("<ff", *step) for step in STEPS)


@pytest.fixture
def write(tmp_path):
    """Write bytes to a file of a name; gives its path."""

    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


# Flow


def test_a_flo_file_written_by_hand_is_read(write):
    flow = read_flow(write("a.flo", FLO))
    assert flow.dtype == np.float32 and flow.flags.writeable
    np.testing.assert_array_equal(flow, np.array(STEPS).reshape(2, 3, 2))


def test_a_flow_is_written_as_the_bytes_that_were_read(write, tmp_path):
    write_flow(tmp_path / "b.flo", read_flow(write("a.flo", FLO)))
    assert (tmp_path / "b.flo").read_bytes() == FLO


def test_the_first_bytes_are_the_float_that_middlebury_names(tmp_path):
    write_flow(tmp_path / "a.flo", np.zeros((2, 3, 2)))
    assert struct.unpack("<f", (tmp_path / "a.flo").read_bytes()[:4]) == (202021.25,)


@pytest.mark.parametrize("unknown", [1e10, -2e9, np.nan, np.inf])
def test_unknown_flow_survives_a_file_and_is_not_trusted(tmp_path, unknown):
    flow = np.zeros((20, 30, 2), np.float32)
    flow[3, 4, 0] = unknown
    write_flow(tmp_path / "a.flo", flow)
    again = read_flow(tmp_path / "a.flo")
    assert np.abs(again[3, 4]).max() > 1e9 and not again[10:].any()
    trust = flow_trust(np.zeros_like(flow), again)
    assert trust[3, 4] == 0 and trust[10:].all()
    assert np.isfinite(warp(np.ones((20, 30, 3)), again)).all()


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "first four bytes must be PIEH"),
        (b"P5\n3 2\n255\n", "first four bytes must be PIEH"),
        (FLO[:9], "is cut short; it ends before its size"),
        (FLO[:-1], "is cut short; 3×2 pixels take 60 bytes, it has 59"),
        (FLO + b"x", "is too long; 3×2 pixels take 60 bytes, it has 61"),
        (b"PIEH" + struct.pack("<ii", 0, 2), "damaged; it says that it has 0×2 pixels"),
        (b"PIEH" + struct.pack("<ii", 2, -2), "damaged; it says that it has 2×-2 pixels"),
        (b"PIEH" + struct.pack(">ii", 3, 2), "damaged; it says"),
        (FLO[:-4] + struct.pack("<f", np.nan), "holds NaN; write 1e10"),
    ],
)
def test_a_damaged_flo_file_is_named_in_one_line(write, data, message):
    path = write("flow_2_1.flo", data)
    with pytest.raises(InputError, match=message) as caught:
        read_flow(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("read, name", [(read_flow, "a.flo"), (read_trust, "a.pgm"), (read_trust, "a.txt")])
def test_a_missing_file_and_a_folder_are_named_in_one_line(tmp_path, read, name):
    with pytest.raises(InputError, match=f"{name}: no such file"):
        read(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"{name}: cannot be read"):
        read(tmp_path / name)


def test_flow_and_trust_of_another_size_are_refused(write):
    with pytest.raises(InputError, match=r"a\.flo: is for frames of 3×2 pixels; these have 4×2"):
        read_flow(write("a.flo", FLO), (2, 4))
    with pytest.raises(InputError, match=r"a\.txt: is for frames of 2×1 pixels; these have 4×2"):
        read_trust(write("a.txt", b"2 1\n0 255\n"), (2, 4))


# Trust


def test_a_pgm_as_artistic_videos_writes_it_is_read(write):
    trust = read_trust(write("a.pgm", b"P5\n3 2\n255\n" + bytes([0, 255, 51, 102, 255, 0])))
    assert trust.dtype == np.float32
    np.testing.assert_allclose(trust, [[0, 1, 0.2], [0.4, 1, 0]])


def test_a_pgm_in_plain_text_with_a_comment_and_one_of_16_bits_are_read(write):
    plain = write("a.pgm", b"P2\n# a comment\n3 1\n255\n0 255 51\n")
    np.testing.assert_allclose(read_trust(plain), [[0, 1, 0.2]])
    deep = write("b.pgm", b"P5\n2 1\n65535\n" + struct.pack(">HH", 65535, 13107))
    np.testing.assert_allclose(read_trust(deep), [[1, 0.2]])


def test_in_a_txt_only_255_is_trusted_as_in_neural_style_tf(write):
    trust = read_trust(write("a.txt", b"3 2\n255 254.9 0\n128 255 255\n"))
    np.testing.assert_array_equal(trust, [[1, 0, 0], [0, 1, 1]])


@pytest.mark.parametrize("suffix", [".pgm", ".txt"])
def test_trust_that_is_written_is_read_again(tmp_path, suffix):
    trust = np.array([[0, 1, 1], [1, 0, 1]], np.float32)
    write_trust(tmp_path / f"a{suffix}", trust)
    np.testing.assert_array_equal(read_trust(tmp_path / f"a{suffix}"), trust)


def test_a_written_pgm_is_one_for_others(tmp_path):
    write_trust(tmp_path / "a.pgm", np.array([[0, 1], [0.5, 2]]))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.pgm")), [[0, 255], [128, 255]])


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("a.pgm", b"P5\n3 2\n255\n" + bytes(5), "cannot be read as a .pgm file"),
        ("a.pgm", b"PIEH", "cannot be read as a .pgm file"),
        ("a.pgm", b"", "cannot be read as a .pgm file"),
        ("a.pgm", b"P6\n1 1\n255\n" + bytes(3), "is a colour picture"),
        ("a.txt", b"", "is no trust file"),
        ("a.txt", b"\xff\xfe", "is no trust file"),
        ("a.txt", b"3 2\n0 0 x\n0 0 0\n", "is no trust file"),
        ("a.txt", b"3 2\n0 0 0\n0 0\n", "has 5 numbers; 3×2 pixels need 6"),
        ("a.txt", b"-1 -1\n0\n", "has 1 numbers"),
        ("a.txt", b"2 1\n0 256\n", "number that is not from 0 to 255"),
        ("a.txt", b"2 1\n0 nan\n", "number that is not from 0 to 255"),
        ("a.png", b"", r"from \.pgm and \.txt files only"),
    ],
)
def test_a_damaged_trust_file_is_named_in_one_line(write, name, data, message):
    path = write(name, data)
    with pytest.raises(InputError, match=message) as caught:
        read_trust(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_trust_is_written_to_known_kinds_only(tmp_path):
    with pytest.raises(InputError, match=r"a\.png: trust is written to \.pgm and \.txt"):
        write_trust(tmp_path / "a.png", np.zeros((2, 2)))
    with pytest.raises(InputError, match="does not exist"):
        write_trust(tmp_path / "gone" / "a.pgm", np.zeros((2, 2)))


# Names


@pytest.mark.parametrize(
    "pattern, name",
    [
        ("backward_{i}_{j}.flo", "backward_12_11.flo"),
        ("flow/forward_{j}_{i}.flo", "flow/forward_11_12.flo"),
        ("{i:04}-{j:04d}.flo", "0012-0011.flo"),
    ],
)
def test_a_pattern_names_the_file_of_a_pair(pattern, name):
    assert name_of(pattern, 12, 11).as_posix() == name


@pytest.mark.parametrize(
    "pattern",
    ["backward.flo", "backward_{i}.flo", "b_{i}_{k}.flo", "b_{}_{}.flo", "b_{i_{j}.flo", "{i.x}{j}"],
)
def test_a_pattern_that_does_not_tell_pairs_apart_is_refused(pattern):
    with pytest.raises(InputError, match=r"write \{i\} and \{j\} in it"):
        name_of(pattern, 2, 1)


def test_a_films_files_are_looked_for_before_any_work(tmp_path):
    pattern = str(tmp_path / "backward_{i}_{j}.flo")
    for i in (2, 3):
        write_flow(tmp_path / f"backward_{i}_{i - 1}.flo", np.zeros((2, 3, 2)))
    check_flow_files(pattern, [(2, 1), (3, 2)], 2, 3)
    with pytest.raises(InputError, match=r"backward_4_3\.flo: no such file; frames 3 and 4 need it"):
        check_flow_files(pattern, [(2, 1), (3, 2), (4, 3)], 2, 3)
    with pytest.raises(InputError, match=r"backward_2_1\.flo: is for frames of 3×2 pixels; these have 3×4"):
        check_flow_files(pattern, [(2, 1), (3, 2)], 4, 3)
    write_trust(tmp_path / "reliable_2_1.txt", np.zeros((2, 3)))
    check_flow_files(str(tmp_path / "reliable_{i}_{j}.txt"), [(2, 1)], 2, 3)

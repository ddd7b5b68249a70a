"""How much memory is free: by the system, by control groups of both versions, by the process's own limit."""

import subprocess
import sys

import psutil
import pytest

from neuralstyle.free_memory import free_bytes, group_bytes, system_bytes

GB = 10**9
NO_LIMIT = 9223372036854771712  # what version 1 says where there is none


def machine(root, membership, groups):
    """A folder that looks like the root of a Linux system, as far as control groups go."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for folder, files in groups.items():
        place = root / "sys/fs/cgroup" / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (place / name).write_text(f"{content}\n")


def second(limit, used, files=0, high="max"):
    """A group of version 2."""
    stat = f"anon 1\ninactive_file {files}\nactive_file 0"
    return {"memory.max": limit, "memory.high": high, "memory.current": used, "memory.stat": stat}


def first(limit, used, files=0):
    """A group of version 1; what its memory.stat says of the group alone does not count."""
    stat = f"inactive_file 7\nactive_file 7\ntotal_inactive_file 0\ntotal_active_file {files}"
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat}


def test_it_is_less_than_the_machine_has():
    assert 0 < system_bytes() < psutil.virtual_memory().total
    assert 0 < free_bytes() < psutil.virtual_memory().total


def test_a_group_of_version_2_has_what_its_limit_leaves_and_the_files_that_it_caches(tmp_path):
    machine(tmp_path, "0::/job\n", {"job": second(8 * GB, 5 * GB, files=1 * GB)})
    assert group_bytes(tmp_path) == [4 * GB]


def test_every_group_on_the_way_up_counts(tmp_path):
    groups = {
        "": {},
        "slice": second(6 * GB, 5 * GB),
        "slice/user": second("max", 3 * GB, high=4 * GB),
        "slice/user/job": second(8 * GB, 1 * GB),
        "slice/other": second(0, 0),
    }
    machine(tmp_path, "0::/slice/user/job\n", groups)
    assert group_bytes(tmp_path) == [1 * GB, 1 * GB, 7 * GB]


def test_a_container_that_sees_its_group_as_the_root_has_that_groups_limit(tmp_path):
    machine(tmp_path, "0::/\n", {"": second(2 * GB, 1 * GB)})
    assert group_bytes(tmp_path) == [1 * GB]


def test_a_group_that_is_named_from_outside_is_looked_for_at_the_root(tmp_path):
    machine(tmp_path, "4:memory:/docker/0123abc\n0::/docker/0123abc\n", {"memory": first(2 * GB, 1 * GB)})
    assert group_bytes(tmp_path) == [1 * GB]


@pytest.mark.parametrize("group", ["/..", "/../../job"])
def test_a_group_outside_of_what_the_container_sees_leads_nowhere_else(tmp_path, group):
    machine(tmp_path, f"0::{group}\n", {"": second(2 * GB, 1 * GB)})
    assert group_bytes(tmp_path) == [1 * GB]


def test_version_1_counts_a_group_with_all_below_it(tmp_path):
    groups = {"memory": first(NO_LIMIT, 9 * GB), "memory/slurm/job": first(8 * GB, 5 * GB, files=2 * GB)}
    machine(tmp_path, "9:cpu,memory:/slurm/job\n8:pids:/elsewhere\n", groups)
    assert min(group_bytes(tmp_path)) == 5 * GB


def test_both_versions_at_once_both_count(tmp_path):
    groups = {"memory/a": first(3 * GB, 1 * GB), "b": second(9 * GB, 2 * GB)}
    machine(tmp_path, "4:memory:/a\n1:name=systemd:/a\n0::/b\n", groups)
    assert sorted(group_bytes(tmp_path)) == [2 * GB, 7 * GB]


@pytest.mark.parametrize("membership", ["", "no group\n", "0::/job", "4:memory\n"])
def test_without_limits_there_are_none(tmp_path, membership):
    machine(tmp_path, membership, {"job": {"memory.max": "max"}})
    assert group_bytes(tmp_path) == []


def test_a_system_without_control_groups_has_none(tmp_path):
    assert group_bytes(tmp_path) == []


def test_an_old_system_says_what_is_free_without_the_line_for_what_is_available(tmp_path, monkeypatch):
    lines = ["MemTotal: 8000000 kB", "MemFree: 3000000 kB", "Buffers: 1000 kB", "Cached: 500000 kB"]
    lines += ["Active: 1 kB", "Inactive: 1 kB", "Shmem: 1 kB"]
    (tmp_path / "meminfo").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert 3_000_000 * 1024 <= system_bytes() <= 3_501_000 * 1024


def test_a_system_that_says_nothing_counts_as_having_4_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert system_bytes() == 4 * 2**30


def test_a_limit_on_the_address_space_counts():
    code = "from neuralstyle.free_memory import free_bytes; print(free_bytes())"
    command = f'ulimit -v 1000000; exec "{sys.executable}" -c "{code}"'
    free = int(subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout)
    assert 0 < free < 1_000_000 * 1024


def test_what_tensorflow_keeps_for_the_next_picture_counts_as_free():
    # The system's figure changes while the test runs; a limit on the address space is this process's alone.
    program = """
from neuralstyle.environment import set_for_tensorflow
set_for_tensorflow()
import resource, psutil
import numpy as np, tensorflow as tf
from neuralstyle.free_memory import address_space_bytes, free_bytes
from neuralstyle.graphs import Machine, new_graph, open_session
machine = Machine(threads=1)
with new_graph(machine) as graph:
    side = tf.compat.v1.placeholder(tf.int32, ())
    result = tf.reduce_sum(tf.exp(tf.zeros([side, 1000, 1000])))
with open_session(graph, machine) as session:
    limit = psutil.Process().memory_info().vms + 3 * 10**9
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    session.run(result, {side: 1})
    before = free_bytes()
    session.run(result, {side: 100})
print(before, free_bytes(), *address_space_bytes())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after, taken = map(int, done.stdout.split())
    assert taken < before - 390_000_000
    # The allocator takes its memory in large parts, and tells only what of it was ever in use.
    assert before - after < (before - taken) / 2

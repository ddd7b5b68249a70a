import numpy as np
import pytest
from fuzz import MUTATIONS, damaged, fuzz


def test_500_damaged_files_give_a_value_or_a_line_that_names_the_file():
    results = list(fuzz(500, seed=0))
    assert len(results) == 500
    assert {kind for kind, *_ in results} >= {"picture", "network", "transform", "record", "state", "means"}
    # Damage is found as well as passed over: otherwise the fuzzer would be looking at nothing.
    assert {"value", "line"} <= {outcome for *_, outcome in results}
    assert [result for result in results if result[-1] not in ("value", "line")] == []


def test_the_same_seed_gives_the_same_damage():
    content = bytes(range(256)) * 9
    first, second = (damaged(content, np.random.default_rng([7, number])) for number in (1, 2))
    assert damaged(content, np.random.default_rng([7, 1])) == first != second


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
@pytest.mark.parametrize("content", [b"", b"x", b"\x89PNG\r\n\x1a\n" + bytes(40)], ids=len)
def test_a_mutation_takes_whatever_is_left_of_a_file(mutate, content):
    for seed in range(20):
        assert isinstance(mutate(content, np.random.default_rng(seed)), bytes)

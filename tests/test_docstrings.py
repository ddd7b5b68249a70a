"""The examples in the docstrings of public functions run, and give what they say."""

import doctest

import pytest

import neuralstyle


@pytest.mark.parametrize("name", ["stylize", "features", "loss_and_gradient"])
def test_the_example_of_a_public_function_gives_what_it_says(name):
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(neuralstyle, name), name, globs={})
    assert example.examples
    differences = []
    outcome = doctest.DocTestRunner().run(example, out=differences.append)
    assert outcome.failed == 0, "".join(differences)

"""The examples in the docstrings of public functions run, and give what they say."""

import doctest

import pytest

import neuralstyle


@pytest.mark.parametrize(
    "name", ["stylize", "features", "loss_and_gradient", "optical_flow", "stylize_frames"]
)
def test_the_example_of_a_public_function_gives_what_it_says(name):
    function = getattr(neuralstyle, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={name: function})
    assert example.examples
    differences = []
    outcome = doctest.DocTestRunner().run(example, out=differences.append)
    assert outcome.failed == 0, "".join(differences)

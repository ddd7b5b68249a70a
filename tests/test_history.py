import csv
import subprocess
import sys
import textwrap
import xml.etree.ElementTree

import numpy as np
import pytest
from conftest import step_of
from PIL import Image

from neuralstyle.files import InputError
from neuralstyle.runs.history import check_plot, plot_history, write_history

STEPS = [
    step_of(0, 0.0, 1000.25, 0.0, 1000.25, 0.0),
    step_of(1, 0.5, 300.1, 100.1, 200.0, 0.0),
    step_of(2, 1.0, 30.0, 10.0, 20.0, 0.0),
]


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


# The table


def test_the_table_has_one_line_a_step_and_loses_no_digit(tmp_path):
    path = tmp_path / "losses.csv"
    steps = [step_of(7, 0.1 + 0.2, 1e7 / 3, 1 / 3, 2e-9 / 7, 0.0)]
    write_history(path, steps)
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == ["iteration", "seconds", "total", "content", "style", "tv"]
    assert step_of(int(row.pop("iteration")), **{name: float(text) for name, text in row.items()}) == steps[0]


def test_a_table_in_a_missing_folder_is_named_in_one_line(tmp_path):
    with pytest.raises(InputError, match="gone"):
        write_history(tmp_path / "gone" / "losses.csv", STEPS)


# The plot


def svg(path):
    return xml.etree.ElementTree.parse(path).getroot()


def test_a_plot_has_one_line_a_term_and_leaves_out_those_that_are_zero(tmp_path):
    import matplotlib

    path = tmp_path / "losses.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        plot_history(path, STEPS)
    words = {element.text.strip() for element in svg(path).iter() if element.tag.endswith("text")}
    assert {"total", "content", "style", "iteration"} <= words
    assert "total variation" not in words


def test_the_losses_of_a_plot_are_on_a_logarithmic_scale(tmp_path):
    # Losses that fall by the same factor from step to step are a straight line.
    path = tmp_path / "losses.png"
    steps = [step_of(n, n, 10.0**-n, 0, 10.0**-n, 0) for n in range(9)]
    plot_history(path, [step_of(s.iteration, s.seconds, s.total, 0, 0, 0) for s in steps])
    image = np.asarray(Image.open(path).convert("L"))
    height, width = image.shape
    # Black pixels well inside the axes, away from the legend in the upper right.
    inside = image[: int(0.88 * height), int(0.2 * width) : int(0.6 * width)] < 60
    inside[: int(0.1 * height)] = False
    y, x = np.nonzero(inside)
    line = np.polynomial.Polynomial.fit(x, y, 1)
    assert len(x) > 100
    assert np.abs(line(x) - y).max() < 0.02 * height


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg", ".jpg", ".PNG"])
def test_a_plot_is_of_the_kind_that_its_suffix_names(tmp_path, suffix):
    path = tmp_path / f"losses{suffix}"
    plot_history(path, STEPS)
    start = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml", ".jpg": b"\xff\xd8"}[suffix.lower()]
    assert path.read_bytes().startswith(start)
    assert left_in(tmp_path) == [path.name]


def test_plotting_does_not_touch_pyplot(tmp_path):
    script = f"""
        import sys
        from neuralstyle.runs.history import Step, plot_history
        plot_history({str(tmp_path / "losses.png")!r}, [Step(0, 0, {{"total": 1, "content": 1}})])
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


def test_an_unknown_kind_of_plot_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(InputError, match=r"losses\.doc.*\.png.*\.svg"):
        check_plot(tmp_path / "losses.doc")
    assert left_in(tmp_path) == []

"""The notebook of the examples runs from its first cell to its last."""

import json
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

TOUR = Path(__file__).parents[1] / "examples" / "tour.ipynb"


def test_the_notebook_runs_at_a_small_size(monkeypatch, tmp_path):
    monkeypatch.setenv("NEURALSTYLE_TOUR_SIZE", "64")
    notebook = nbformat.read(TOUR, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises where a cell does
    pictures = [
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        for kind in output.get("data", ())
        if kind.startswith("image/")
    ]
    assert pictures.count("image/jpeg") >= 8 and "image/gif" in pictures


def test_the_notebook_is_kept_with_its_pictures_and_is_small():
    assert TOUR.stat().st_size < 2_000_000
    cells = [cell for cell in json.loads(TOUR.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]

"""The notebook runs on what the wheel installs, away from the checkout, and is stored without outputs."""

import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from datasets.shapes import PARTS, Shapes
from datasets.shapes_render import render
from tests.conftest import CHECKOUT

EXAMPLES = CHECKOUT / "examples"
NOTEBOOK = "ship_in_a_notebook.ipynb"
CLIP = "datasets/assets/shapes_clip.pt"


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(EXAMPLES / NOTEBOOK, as_version=4)


@pytest.fixture
def executed(notebook, site, tmp_path) -> nbformat.NotebookNode:
    """Run in a copy of its folder, beside the small CLIP and nothing else of the checkout."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    (tmp_path / CLIP).parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / CLIP, tmp_path / CLIP)
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"IPYTHONDIR": str(tmp_path / "ipython"), "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path / "examples")}})
    return client.execute(env=environment)


def test_it_runs_and_says_what_each_method_knows(executed):
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    printed = [output for cell in cells for output in cell.outputs if output.output_type == "stream"]
    said = "".join(output.text for output in printed if output.name == "stdout")
    assert "40 pictures of anchor, arrow, banana, basket, bicycle to learn from" in said
    shares = dict(
        re.findall(r"^(.+?) +(?:\d+%) of the classes with pictures, +(\d+)% of the new$", said, re.MULTILINE)
    )
    assert shares.keys() == {"zero-shot CLIP", "Tip-Adapter-F", "SHIP on it"}
    assert int(shares["Tip-Adapter-F"]) == 0
    assert int(shares["SHIP on it"]) > 0
    assert {output.name for output in printed} == {"stdout"}
    assert any("image/png" in output.get("data", {}) for output in cells[-1].outputs)


def test_it_needs_no_path_and_is_stored_without_outputs():
    stored = nbformat.read(EXAMPLES / NOTEBOOK, as_version=4)
    nbformat.validate(stored)
    for cell in stored.cells:
        assert not re.search(r"sys\.path|compat|trainers", cell.source)
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_its_pictures_are_those_of_shapes():
    pictures = sorted((EXAMPLES / "pictures").glob("*/*/*.png"))
    assert len(pictures) == 82
    for path in pictures:
        part, name, number = path.parts[-3], path.parts[-2], int(path.stem)
        pixels, _ = render(name, Shapes.domain, PARTS[part][0], number)
        assert np.array_equal(np.asarray(Image.open(path)), pixels), path

"""Figures by which an embedded dataset is designed."""

import re

import numpy as np
import probe_shapes
import pytest

from datasets.shapes import ShapesSharedDev


def test_accuracy_is_the_share_nearest_to_their_own_text_feature():
    features = np.array([[1.0, 0.1], [0.2, 1.0], [0.9, 0.0], [0.0, 1.0]])
    pictures = probe_shapes.Pictures(features, np.array([5, 6, 6, 6]), np.array([""] * 4))
    assert probe_shapes.accuracy(pictures, np.eye(2), first=5) == 75.0
    assert probe_shapes.accuracy(pictures.of(np.array([True, False, False, True])), np.eye(2), first=5) == 100.0


def test_figures_of_a_dataset_are_printed_and_nothing_is_written(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(ShapesSharedDev, "names", ShapesSharedDev.names[:6])
    monkeypatch.chdir(tmp_path)
    probe_shapes.main(["shapes_shared_dev", "shapes_other", "--shots", "4", "--test-pictures", "5"])
    shared, other = capsys.readouterr().out.splitlines()
    number = r"(\d+\.\d)"
    found = rf"zero-shot {number} \(base {number}, new {number}\), linear {number}"
    figures = re.fullmatch(rf"shapes_shared_dev: {found}, look {number}", shared)
    assert figures and all(0 < float(figure) <= 100 for figure in figures.groups())
    assert re.fullmatch(rf"shapes_other: {found}", other)
    assert list(tmp_path.iterdir()) == []


def test_other_datasets_are_refused(capsys):
    with pytest.raises(SystemExit):
        probe_shapes.main(["oxford_pets"])
    assert "shapes_shared_dev" in capsys.readouterr().err

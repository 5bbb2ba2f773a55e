"""The benchmark's dataset is one that the loader takes, and its slow disk is slow for what is measured."""

import os

from bench.commands.loading import make_dataset, slow_disk

from datasets.caltech101 import Caltech101
from datasets.splits import missing_images
from tests.datasets.trees import config


def test_dataset_has_its_images_in_all_classes_and_parts(tmp_path):
    make_dataset(tmp_path, images=60, classes=3)
    parts = Caltech101.listed(config(tmp_path))
    items = [item for part in parts for item in part]
    assert (len(items), {item.label for item in parts[0]}) == (60, {0, 1, 2})
    assert missing_images(items) == [] and all(parts)
    assert Caltech101(config(tmp_path)).num_classes == 3


def test_slow_disk_waits_at_every_call_and_only_for_a_while(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    with slow_disk(0.5):
        os.listdir(tmp_path)
        os.path.isfile(tmp_path / "a")
    os.listdir(tmp_path)
    assert waits == [0.5, 0.5]

"""The embedded data sets: rendered once, whole or not at all, and never mixed."""

import json
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest
from dassl.data.datasets import DATASET_REGISTRY
from PIL import Image

from datasets import DatasetError, shapes
from datasets.shapes import RenderedDataset, Shapes, ShapesDev, ShapesStyle
from datasets.shapes_classes import DEV_CLASSES, REPORT_CLASSES
from datasets.shapes_scene import DOMAINS
from tests.conftest import CHECKOUT

TINY = {"train": (1, 3), "val": (2, 1), "test": (3, 2)}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(shapes, "PARTS", TINY)
    for loader in RenderedDataset.__subclasses__():
        monkeypatch.setattr(loader, "names", loader.names[:4])


def config(root, shots=0, subset="all"):
    dataset = SimpleNamespace(ROOT=str(root), NUM_SHOTS=shots, SUBSAMPLE_CLASSES=subset)
    return SimpleNamespace(DATASET=dataset, SEED=1)


def picture_bytes(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


@pytest.mark.parametrize("loader", RenderedDataset.__subclasses__())
def test_loaders_are_registered_and_have_a_configuration(loader):
    assert DATASET_REGISTRY.get(loader.__name__) is loader
    path = CHECKOUT / f"configs/datasets/{loader.config_name}.yaml"
    assert f'NAME: "{loader.__name__}"' in path.read_text(encoding="utf-8")


def test_every_loader_shows_pictures_of_its_own():
    """The source of xd and dg, its targets and the data for choosing share no picture."""
    domains = {loader: (DOMAINS[loader.domain].number, loader.names) for loader in RenderedDataset.__subclasses__()}
    assert len(set(domains.values())) == len(domains)
    assert not set(REPORT_CLASSES) & set(DEV_CLASSES)


def test_first_use_writes_pictures_and_a_split_in_coops_form(tmp_path):
    dataset = Shapes(config(tmp_path))
    assert (len(dataset.train_x), len(dataset.val), len(dataset.test)) == (12, 4, 8)
    assert dataset.classnames == list(Shapes.names)
    split = json.loads((tmp_path / "shapes/split_zhou_Shapes.json").read_text())
    path, label, name = split["test"][0]
    picture = Image.open(tmp_path / "shapes/images" / path)
    assert (picture.size, picture.mode, label, name) == ((64, 64), "RGB", 0, Shapes.names[0])
    assert [entry.name for entry in tmp_path.iterdir()] == ["shapes"]


def test_base_and_new_are_halves_and_shots_are_sampled(tmp_path):
    base, new = (Shapes(config(tmp_path, 2, subset)) for subset in ("base", "new"))
    assert base.classnames + new.classnames == list(Shapes.names)
    assert len(base.train_x) == 4


def test_a_second_use_renders_nothing(tmp_path, monkeypatch):
    Shapes(config(tmp_path))
    monkeypatch.setattr(shapes, "render", None)
    Shapes(config(tmp_path))


def test_rendering_is_deterministic(tmp_path):
    Shapes(config(tmp_path / "a"))
    Shapes(config(tmp_path / "b"))
    assert picture_bytes(tmp_path / "a") == picture_bytes(tmp_path / "b")


def test_no_picture_is_in_two_parts_or_data_sets(tmp_path):
    Shapes(config(tmp_path))
    ShapesDev(config(tmp_path))
    ShapesStyle(config(tmp_path))
    pictures = list(picture_bytes(tmp_path).values())
    assert len(pictures) == len(set(pictures)) == 72


def test_an_interrupted_render_leaves_nothing_in_use(tmp_path, monkeypatch):
    real, calls = shapes.render, []

    def failing(*args):
        calls.append(args)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shapes, "render", failing)
        Shapes(config(tmp_path))
    assert not (tmp_path / "shapes").exists()
    assert len(Shapes(config(tmp_path)).test) == 8


def test_what_a_killed_run_left_is_removed_once_old(tmp_path):
    for name, age in ((".shapes-old", 2 * shapes.STALE), (".shapes-young", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    Shapes(config(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".shapes-young", "shapes"]


def test_another_version_of_the_renderer_renders_again_and_drops_old_samples(tmp_path, monkeypatch):
    Shapes(config(tmp_path, shots=1))
    marker = tmp_path / "shapes/images/left over.png"
    marker.touch()
    monkeypatch.setattr(shapes, "VERSION", "next")
    Shapes(config(tmp_path))
    assert not marker.exists() and not (tmp_path / "shapes/split_fewshot").exists()


def test_a_run_that_ends_second_keeps_the_first_ones_folder(tmp_path, monkeypatch):
    real = Shapes.put_in_place

    def late(self, made, old):
        monkeypatch.setattr(Shapes, "put_in_place", real)
        Shapes(config(tmp_path))
        (tmp_path / "shapes/first").touch()
        real(self, made, old)

    monkeypatch.setattr(Shapes, "put_in_place", late)
    assert len(Shapes(config(tmp_path)).test) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shapes"]
    assert (tmp_path / "shapes/first").exists()


def test_a_folder_of_someone_else_is_never_replaced(tmp_path):
    (tmp_path / "shapes").mkdir()
    with pytest.raises(DatasetError, match="was not made by this loader"):
        Shapes(config(tmp_path))
    assert list((tmp_path / "shapes").iterdir()) == []


def test_a_root_that_cannot_be_written_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot write to"):
        Shapes(config(tmp_path / "file"))


def test_pictures_load_as_written(tmp_path):
    item = ShapesDev(config(tmp_path)).test[0]
    pixels, _ = shapes.render(item.classname, "rare", TINY["test"][0], 0)
    assert np.array_equal(np.asarray(Image.open(item.impath)), pixels)

"""ImageNet on a miniature tree in the real layout."""

import random
import shutil
from functools import partial

import pytest

from datasets import DatasetError
from tests.datasets import trees
from tests.datasets.trees import files

load = partial(trees.load, "ImageNet")

NAMES = {"n01440764": "tench", "n01443537": "goldfish", "n01484850": "great white shark"}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "imagenet"
    for part, count in (("train", 3), ("val", 2)):
        for name in NAMES:
            (folder / "images" / part / name).mkdir(parents=True)
            (folder / "images" / part / name / ".hidden").touch()
            for index in range(count):
                (folder / "images" / part / name / f"{name}_{index}.JPEG").touch()
    # in an order of its own, as the file has it; labels follow the folders
    (folder / "classnames.txt").write_text("".join(f"{key} {name}\n" for key, name in reversed(NAMES.items())))
    return tmp_path


def test_labels_follow_the_sorted_folders(root):
    dataset = load(root)
    assert dataset.classnames == list(NAMES.values())
    assert (len(dataset.train_x), len(dataset.test)) == (9, 6)
    assert files(dataset.train_x)[0] == "n01440764_0.JPEG"


def test_validation_images_are_validation_and_test_set_and_stay_whole(root):
    for _ in ("drawn", "read from the cache"):
        dataset = load(root, shots=1)
        assert len(dataset.train_x) == 3
        assert files(dataset.val) == files(dataset.test)
        assert len(dataset.test) == 6


def test_sampling_draws_training_images_only(root):
    """As upstream: the sample is the first thing drawn from the seed, class by class."""
    random.seed(1)
    expected = [random.sample([f"{name}_{index}.JPEG" for index in range(3)], 2) for name in NAMES]
    assert files(load(root, shots=2).train_x) == [name for names in expected for name in names]


def test_halves_relabel(root):
    assert load(root, subset="base").classnames == ["tench", "goldfish"]
    new = load(root, subset="new")
    assert {(item.label, item.classname) for item in new.test} == {(0, "great white shark")}


def test_class_folders_that_are_missing_are_counted_in_a_line_for_each_part(root, capsys):
    load(root)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Note")]
    images = root / "imagenet/images"
    assert notes == [f"Note: class folders in {images / part}: 3 of 1,000" for part in ("train", "val")]


def flatten(part) -> None:
    """As the official archive of validation images unpacks."""
    for index, path in enumerate(sorted(part.glob("*/n*"))):
        path.rename(part / f"ILSVRC2012_val_{index + 1:08}.JPEG")
    for folder in part.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)


def test_flat_validation_images_are_counted_and_the_remedy_named(root):
    part = root / "imagenet/images/val"
    flatten(part)
    with pytest.raises(DatasetError) as raised:
        load(root)
    first, *rest = str(raised.value).splitlines()
    assert f"{part} holds 6 files that are in no class folder" in first and "0 of 1,000" in first
    assert f"python scripts/download.py imagenet --data {root}" in rest[-1]
    assert any("downloaded by hand" in line for line in rest)


def test_packed_training_classes_are_counted_and_the_remedy_named(root):
    part = root / "imagenet/images/train"
    for name in ("n01440764.tar", "n01443537.tar"):
        (part / name).touch()
    with pytest.raises(DatasetError, match=r"(?s)holds 2 files that are in no class folder.*3 of 1,000.*tar -xf"):
        load(root)


def test_a_part_without_class_folders_is_named(root):
    shutil.rmtree(root / "imagenet/images/val")
    (root / "imagenet/images/val").mkdir()
    with pytest.raises(DatasetError, match="images/val has no class folders"):
        load(root)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "classnames.txt").unlink(), r"classnames\.txt cannot be read"),
        (
            lambda folder: (folder / "classnames.txt").write_text("n01440764 tench"),
            r"classnames\.txt has no name for 2 of the 3 class folders",
        ),
        (lambda folder: (folder / "images/val").rename(folder / "elsewhere"), r"images/val cannot be read"),
        (lambda folder: folder.rename(folder.with_name("ilsvrc")), "imagenet not found"),
        (
            lambda folder: shutil.rmtree(folder / "images/train/n01443537"),
            r"without a training image: 1 \(goldfish\)",
        ),
        (lambda folder: [path.unlink() for path in (folder / "images/val/n01443537").glob("n*")], "has no images"),
    ],
    ids=["no names", "names missing", "no val", "no folder", "class not trained", "class empty"],
)
def test_what_is_missing_is_named(root, spoil, message):
    spoil(root / "imagenet")
    with pytest.raises(DatasetError, match=message):
        load(root)

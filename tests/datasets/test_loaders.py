"""Every loader on a miniature tree in the real layout: items, labels, class names, halves, samples, template."""

import random
from pathlib import Path

import pytest
import yaml
from dassl.data.datasets import DATASET_REGISTRY

from datasets import DatasetError
from tests.conftest import CHECKOUT
from tests.datasets.trees import COUNTS, TREES, Tree, load, rows_of, write_lines
from trainers.blocks.clip.prompts import template_of

UPSTREAM = {  # name in the registry: config, folder and template, as CoOp has them
    "Caltech101": ("caltech101", "caltech-101", "a photo of a {}."),
    "OxfordPets": ("oxford_pets", "oxford_pets", "a photo of a {}, a type of pet."),
    "StanfordCars": ("stanford_cars", "stanford_cars", "a photo of a {}."),
    "OxfordFlowers": ("oxford_flowers", "oxford_flowers", "a photo of a {}, a type of flower."),
    "Food101": ("food101", "food-101", "a photo of {}, a type of food."),
    "FGVCAircraft": ("fgvc_aircraft", "fgvc_aircraft", "a photo of a {}, a type of aircraft."),
    "SUN397": ("sun397", "sun397", "a photo of a {}."),
    "DescribableTextures": ("dtd", "dtd", "{} texture."),
    "EuroSAT": ("eurosat", "eurosat", "a centered satellite photo of {}."),
    "UCF101": ("ucf101", "ucf101", "a photo of a person doing {}."),
    "ImageNet": ("imagenet", "imagenet", "a photo of a {}."),
    "ImageNetV2": ("imagenetv2", "imagenetv2", "a photo of a {}."),
    "ImageNetSketch": ("imagenet_sketch", "imagenet-sketch", "a photo of a {}."),
    "ImageNetA": ("imagenet_a", "imagenet-adversarial", "a photo of a {}."),
    "ImageNetR": ("imagenet_r", "imagenet-rendition", "a photo of a {}."),
    "CUB": ("cub", "CUB_200_2011", "a photo of a {}."),
    "ImageFolder": ("imagefolder", "", "a photo of a {}."),
}
WITHOUT_LISTS = ["Caltech101", "Food101", "DescribableTextures", "EuroSAT"]  # their distributions have folders alone
each_tree = pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)


@pytest.mark.parametrize("name", UPSTREAM)
def test_names_folders_and_templates_are_upstreams(name):
    config, folder, template = UPSTREAM[name]
    loader = DATASET_REGISTRY.get(name)
    assert (loader.config_name, loader.folder, template_of(name)) == (config, folder, template)
    settings = yaml.safe_load((CHECKOUT / f"configs/datasets/{config}.yaml").read_text())
    assert settings == {"DATASET": {"NAME": name}}


@each_tree
def test_items_labels_and_names_are_the_splits(tree: Tree, tmp_path):
    tree.make(tmp_path)
    dataset = load(tree.name, tmp_path)
    for part, items in zip(COUNTS, (dataset.train_x, dataset.val, dataset.test), strict=True):
        assert rows_of(dataset, items) == tree.rows[part]
    assert dataset.classnames == list(tree.classes.values())


@each_tree
def test_first_two_of_three_classes_are_base(tree: Tree, tmp_path):
    tree.make(tmp_path)
    names = list(tree.classes.values())
    base, new = (load(tree.name, tmp_path, subset=subset) for subset in ("base", "new"))
    assert (base.classnames, new.classnames) == (names[:2], names[2:])
    assert rows_of(new, new.test) == [(path, 0, name) for path, label, name in tree.rows["test"] if label == 2]


@each_tree
def test_few_shot_sample_is_upstreams(tree: Tree, tmp_path):
    """Class by class from the run's seed, training first; a class with fewer images is not drawn from."""
    tree.make(tmp_path)
    for seed in (1, 2):
        random.seed(seed)
        drawn = [random.sample([row for row in tree.rows["train"] if row[1] == label], 3) for label in range(3)]
        for _ in ("drawn", "read from the cache"):
            dataset = load(tree.name, tmp_path, shots=3, seed=seed)
            assert rows_of(dataset, dataset.train_x) == [row for rows in drawn for row in rows]
            assert rows_of(dataset, dataset.val) == tree.rows["val"]
            assert len(dataset.test) == 9


@each_tree
def test_without_the_published_split_labels_and_names_are_the_same(tree: Tree, tmp_path, capsys):
    folder = tree.make(tmp_path, published=False)
    dataset = load(tree.name, tmp_path)
    everything = [*dataset.train_x, *dataset.val, *dataset.test]
    assert sorted(rows_of(dataset, everything)) == sorted(row for rows in tree.rows.values() for row in rows)
    assert {item.label for item in dataset.test} == {0, 1, 2}
    if tree.loader.split:
        again = load(tree.name, tmp_path, seed=2)
        assert [item.impath for item in again.val] == [item.impath for item in dataset.val]
        assert f"{tree.loader.split}. To get it: python scripts/download.py {tree.loader.config_name}" in (
            capsys.readouterr().out
        )
        assert (folder / "split_drawn.json").is_file() and not (folder / tree.loader.split).exists()


@pytest.mark.parametrize("name", [*WITHOUT_LISTS, "OxfordFlowers"])
def test_what_has_no_split_at_all_is_cut_as_upstream_does(name, tmp_path):
    """Half of each class, shuffled in turn, for training, a fifth for validation."""
    tree = next(tree for tree in TREES if tree.name == name)
    tree.make(tmp_path, published=False)
    dataset = load(name, tmp_path)
    rows = sorted(row for rows in tree.rows.values() for row in rows)
    random.seed(1)
    cut = {"train": [], "val": [], "test": []}
    for label in range(3):
        images = [row for row in rows if row[1] == label]
        random.shuffle(images)
        for part, start, end in (("train", 0, 5), ("val", 5, 7), ("test", 7, 10)):
            cut[part] += images[start:end]
    for part, items in zip(COUNTS, (dataset.train_x, dataset.val, dataset.test), strict=True):
        assert rows_of(dataset, items) == cut[part]


def test_caltechs_folders_that_are_no_class_are_left_out(tmp_path):
    tree = TREES[0]
    folder = tree.make(tmp_path, published=False)
    for name in ("BACKGROUND_Google", "Faces_easy"):
        (folder / "101_ObjectCategories" / name).mkdir()
    assert load("Caltech101", tmp_path).classnames == ["face", "accordion", "airplane"]


@each_tree
def test_missing_folder_split_or_images_are_named_with_the_way_out(tree: Tree, tmp_path):
    way_out = f"(?s)%s.*should hold.*python scripts/download.py {tree.loader.config_name} --data {tmp_path}"
    with pytest.raises(DatasetError, match=way_out % f"{tree.loader.folder} not found"):
        load(tree.name, tmp_path)
    folder = tree.make(tmp_path)
    for path, _, _ in tree.rows["test"]:
        (folder / tree.loader.images / path).unlink()
    first = Path(tree.rows["test"][0][0]).name
    with pytest.raises(DatasetError, match=way_out % f"images missing: 9 of the 30 to be used .*{first}"):
        load(tree.name, tmp_path)


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("StanfordCars", "devkit/cars_meta.mat"),
        ("StanfordCars", "cars_test_annos_withlabels.mat"),
        ("OxfordFlowers", "imagelabels.mat"),
        ("OxfordFlowers", "cat_to_name.json"),
        ("FGVCAircraft", "variants.txt"),
        ("FGVCAircraft", "images_variant_val.txt"),
        ("SUN397", "ClassName.txt"),
        ("SUN397", "Testing_01.txt"),
        ("UCF101", "ucfTrainTestlist/classInd.txt"),
        ("UCF101", "ucfTrainTestlist/testlist01.txt"),
        ("OxfordPets", "annotations/trainval.txt"),
    ],
)
@pytest.mark.parametrize("content", [None, "what is this\n"], ids=["missing", "malformed"])
def test_lists_that_cannot_be_read_are_named(name, spoilt, content, tmp_path):
    tree = next(tree for tree in TREES if tree.name == name)
    path = tree.make(tmp_path, published=False) / spoilt
    path.unlink() if content is None else write_lines(path, [content])
    with pytest.raises(DatasetError, match=r"(?s)cannot be read.*scripts/download\.py") as caught:
        load(name, tmp_path)
    if content is None:
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", WITHOUT_LISTS)
def test_without_split_and_images_both_are_asked_for(name, tmp_path):
    loader = DATASET_REGISTRY.get(name)
    (tmp_path / loader.folder).mkdir()
    with pytest.raises(DatasetError, match=f"{loader.images} cannot be read .* there is no .*{loader.split}"):
        load(name, tmp_path)

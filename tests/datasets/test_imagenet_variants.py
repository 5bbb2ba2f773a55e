"""ImageNet's variants on miniature trees in the real layout: test images only."""

import pytest

from datasets import DatasetError
from datasets.imagenet_a import ImageNetA
from tests.datasets.trees import config, files, load, touch, write_lines

NAMES = {"n01440764": "tench", "n01443537": "goldfish", "n01484850": "great white shark", "n01491361": "tiger shark"}
SUBSET = {key: NAMES[key] for key in ("n01443537", "n01491361")}  # as of A and R, which have 200 of the classes
VARIANTS = {  # name in the registry: folder of images, class folder ─▶ class name
    "ImageNetV2": (
        "imagenetv2/imagenetv2-matched-frequency-format-val",
        {str(i): n for i, n in enumerate(NAMES.values())},
    ),
    "ImageNetSketch": ("imagenet-sketch/images", NAMES),
    "ImageNetA": ("imagenet-adversarial/imagenet-a", SUBSET),
    "ImageNetR": ("imagenet-rendition/imagenet-r", SUBSET),
}
each_variant = pytest.mark.parametrize("name", VARIANTS)


@pytest.fixture
def root(tmp_path):
    for folder, classes in VARIANTS.values():
        for key in classes:
            for index in range(2):
                touch(tmp_path / folder / key / f"{key}_{index}.jpg")
        touch(tmp_path / folder / "README.txt")
    write_lines(tmp_path / "imagenet/classnames.txt", (f"{key} {name}" for key, name in NAMES.items()))
    return tmp_path


@each_variant
def test_labels_index_the_variants_own_classes(name, root):
    dataset = load(name, root)
    classes = VARIANTS[name][1]
    expected = [(f"{key}_{i}.jpg", label) for label, key in enumerate(classes) for i in range(2)]
    assert list(zip(files(dataset.test), (item.label for item in dataset.test), strict=True)) == expected
    assert dataset.classnames == list(classes.values())
    assert not dataset.val


@each_variant
def test_class_names_come_from_the_training_part_which_is_neither_sampled_nor_halved(name, root):
    dataset = load(name, root, shots=1, subset="base")
    assert files(dataset.train_x) == files(dataset.test)
    assert len(dataset.test) == 2 * len(VARIANTS[name][1])


@each_variant
def test_ids_of_classes_are_their_folders_in_imagenet(name, root):
    dataset = load(name, root)
    folders = {classname: folder for folder, classname in NAMES.items()}
    assert dataset.class_ids == [folders[classname] for classname in dataset.classnames]
    assert dataset.class_list == "ImageNet"


@each_variant
def test_a_classnames_file_of_its_own_comes_first(name, root):
    folder = root / VARIANTS[name][0].split("/")[0]
    write_lines(folder / "classnames.txt", (f"{key} my {name}" for key, name in NAMES.items()))
    assert all(name.startswith("my ") for name in load(name, root).classnames)


@each_variant
def test_missing_class_names_are_asked_for(name, root):
    (root / "imagenet/classnames.txt").unlink()
    with pytest.raises(DatasetError, match=r"(?s)classnames\.txt cannot be read.*scripts/download\.py imagenet"):
        load(name, root)


def test_v2_with_a_class_folder_missing_names_it(root):
    folder = root / VARIANTS["ImageNetV2"][0]
    (folder / "2").rename(folder / "5")
    with pytest.raises(DatasetError, match="format-val/2 cannot be read"):
        load("ImageNetV2", root)


def test_tools_list_test_images_once(root):
    _, val, test = ImageNetA.listed(config(root))
    assert (len(val), len(test)) == (0, 4)

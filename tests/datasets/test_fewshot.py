"""Split files, few-shot samples and base/new halves, against upstream's."""

import json
import random
from functools import partial
from pathlib import Path

import pytest
from dassl.data.datasets import Datum

from datasets import DatasetError, check_trainable
from datasets.oxford_pets import OxfordPets
from datasets.parts import check_subset, keep_classes, labels_of, split_trainval, without_held_out
from datasets.shapes import ShapesDev
from datasets.splits import missing_images
from tests.datasets import trees
from tests.datasets.trees import config, files

load = partial(trees.load, "OxfordPets")
SPLIT = "oxford_pets/split_zhou_OxfordPets.json"


def change_split(root: Path, change) -> None:
    """Lets `change` alter {part: rows} of the split file."""
    parts = json.loads((root / SPLIT).read_text())
    change(parts)
    (root / SPLIT).write_text(json.dumps(parts))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("shots", [1, 4, 16])
def test_few_shot_samples_equal_upstreams(shots, seed, pets, golden):
    expected = golden["facts"][f"fewshot/shots{shots}/seed{seed}"]
    for _ in ("drawn", "read from the cache"):
        dataset = load(pets, shots, seed)
        assert {"train": files(dataset.train_x), "val": files(dataset.val)} == expected


@pytest.mark.parametrize(("shots", "validated"), [(1, 1), (4, 4), (5, 4), (16, 4), (-1, 6)])
def test_few_shot_runs_validate_on_at_most_four_images_a_class(shots, validated, pets):
    """Where there are more: here six, the training images of the split, which has two."""
    change_split(pets, lambda parts: parts.update(val=parts["train"], train=parts["val"]))
    labels = [item.label for item in load(pets, shots).val]
    assert labels == [label for label in range(6) for _ in range(validated)]


@pytest.mark.parametrize("draw", [0, 3])
def test_base_classes_that_are_held_out_are_left_out_like_new_ones(draw, pets):
    whole = load(pets, 2, subset="base", CLASS_DRAW=draw)
    held = load(pets, 2, subset="base", CLASS_DRAW=draw, HELD_OUT=1)
    (name,) = set(whole.classnames) - set(held.classnames)
    assert len(held.classnames) == 2
    assert [left for left, _ in held.left_out if left != name] == [left for left, _ in whole.left_out]
    for part in ("train_x", "val", "test"):
        assert files(getattr(held, part)) == [
            path
            for path, item in zip(files(getattr(whole, part)), getattr(whole, part), strict=True)
            if item.classname != name
        ]
    assert [item.classname for item in held.train_x] == [held.classnames[item.label] for item in held.train_x]
    assert load(pets, 2, seed=2, subset="base", CLASS_DRAW=draw, HELD_OUT=1).classnames == held.classnames
    for subset in ("new", "all"):
        assert load(pets, 2, subset=subset, HELD_OUT=1).classnames == load(pets, 2, subset=subset).classnames


def test_which_classes_are_held_out_depends_on_the_class_split():
    labels = list(range(20))
    chosen = {tuple(without_held_out(labels, 5, split)) for split in range(6)}
    assert len(chosen) == 6 and all(len(kept) == 15 for kept in chosen)
    assert without_held_out(labels, 0, 3) == labels


def test_all_base_classes_cannot_be_held_out(pets):
    with pytest.raises(DatasetError, match=r"HELD_OUT is 3, and there are 3 base classes"):
        load(pets, 2, subset="base", HELD_OUT=3)


@pytest.mark.parametrize(("subset", "other"), [("base", "new"), ("new", "base")])
@pytest.mark.parametrize("draw", [0, 3])
def test_dataset_of_one_half_knows_the_names_of_the_other(subset, other, draw, pets):
    dataset = load(pets, 2, subset=subset, CLASS_DRAW=draw)
    names = load(pets, 2, subset=other, CLASS_DRAW=draw).classnames
    assert [name for name, _ in dataset.left_out] == names
    assert list(load(pets, 2, CLASS_DRAW=draw).left_out) == []


@pytest.mark.parametrize("subset", ["base", "new"])
def test_halves_equal_upstreams(subset, pets, golden):
    dataset = load(pets, subset=subset)
    expected = golden["facts"][f"subsample/{subset}"]
    assert dataset.classnames == expected["classnames"]
    for part in (dataset.train_x, dataset.val, dataset.test):
        assert sorted({item.label for item in part}) == expected["labels"]
        assert {dataset.lab2cname[item.label] == item.classname for item in part} == {True}


def test_odd_number_of_classes_gives_base_the_larger_half():
    items = [Datum(impath="x", label=label, classname=str(label)) for label in range(5)]
    base, new = (keep_classes(items, labels=labels_of(items, subset))[0] for subset in ("base", "new"))
    assert ([item.classname for item in base], [item.classname for item in new]) == (["0", "1", "2"], ["3", "4"])
    assert [item.label for item in new] == [0, 1]


def test_ids_of_classes_are_their_labels_in_the_whole_dataset_in_every_part(pets):
    found = {subset: load(pets, subset=subset) for subset in ("all", "base", "new")}
    assert found["all"].class_ids == found["base"].class_ids + found["new"].class_ids == list("012345")
    drawn = load(pets, subset="base", CLASS_DRAW=1)
    names = found["all"].classnames
    assert [names[int(label)] for label in drawn.class_ids] == drawn.classnames
    assert {dataset.class_list for dataset in found.values()} == {"OxfordPets"}


def test_draws_of_the_base_classes_differ_and_do_not_depend_on_the_seed(pets):
    def base(draw: int, seed: int) -> tuple[str, ...]:
        return tuple(load(pets, 2, seed, "base", CLASS_DRAW=draw).classnames)

    whole = set(load(pets).classnames)
    assert base(0, 1) == tuple(load(pets, subset="base").classnames)
    assert len({base(draw, 1) for draw in range(5)}) > 2
    for draw in (1, 2, 3):
        assert base(draw, 1) == base(draw, 2)
        assert set(base(draw, 1)) | set(load(pets, subset="new", CLASS_DRAW=draw).classnames) == whole
        assert len(base(draw, 1)) == 3


def test_few_shot_sampling_comes_before_the_halves(pets):
    """So base and new are samples of the same draw, whichever is asked for."""
    whole = files(load(pets, 4).train_x)
    for cache in (pets / "oxford_pets/split_fewshot").iterdir():
        cache.unlink()
    assert files(load(pets, 4, subset="new").train_x) == whole[12:]


def test_split_of_training_images_equals_upstreams(golden):
    items = [Datum(impath=str(index), label=index % 3, classname=str(index % 3)) for index in range(30)]
    random.seed(1)
    train, val = split_trainval(items)
    expected = golden["facts"]["split_trainval/seed1"]
    assert [int(item.impath) for item in train] == expected["train"]
    assert [int(item.impath) for item in val] == expected["val"]


def test_few_shot_cache_of_another_split_is_drawn_again_and_replaced(pets, capsys):
    load(pets, 1)
    change_split(pets, lambda parts: parts["train"].remove(["abyssinian_1.jpg", 0, "abyssinian"]))
    for note in ("is of another split, and not used", "Loading preprocessed few-shot data"):
        assert "abyssinian_1.jpg" not in files(load(pets, 1).train_x)
        assert note in capsys.readouterr().out


def make_read_only(root: Path) -> None:
    """As far as few-shot samples go; permissions would not stop root."""
    (root / "oxford_pets/split_fewshot").touch()


def test_sample_beside_read_only_data_is_kept_in_the_users_cache(pets, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    make_read_only(pets)
    first = files(load(pets, 1).train_x)
    (kept,) = (tmp_path / "caches/ship-dassl").glob("oxford_pets-*/split_fewshot/shot_1-seed_1.json")
    capsys.readouterr()
    assert files(load(pets, 1).train_x) == first
    assert f"Loading preprocessed few-shot data from {kept}" in capsys.readouterr().out


def test_sample_that_can_be_kept_nowhere_is_used_all_the_same(pets, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    make_read_only(pets)
    assert files(load(pets, 1).train_x) == files(load(pets, 1).train_x)
    assert str(tmp_path / "file/ship-dassl") in capsys.readouterr().out


def test_failed_write_leaves_no_half_file(pets, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr("os.link", refuse)
    monkeypatch.setattr("os.replace", refuse)
    load(pets, 1)
    assert not list(tmp_path.rglob("*shot_1*"))


def test_samples_are_kept_where_there_are_no_hard_links(pets, monkeypatch):
    monkeypatch.setattr("os.link", lambda *args: (_ for _ in ()).throw(OSError("not supported")))
    load(pets, 1)
    assert [path.name for path in (pets / "oxford_pets/split_fewshot").iterdir()] == ["shot_1-seed_1.json"]


def test_of_runs_that_start_together_the_first_to_write_settles_the_split(pets, monkeypatch):
    """So a run never trains on images that another one, of another seed, tests on."""
    (pets / SPLIT).unlink()
    draw, others = OxfordPets.draw_splits, []

    def late(self):
        if not others:
            others.append(None)
            others[0] = load(pets, seed=2)
        return draw(self)

    monkeypatch.setattr(OxfordPets, "draw_splits", late)
    mine = load(pets, seed=1)
    assert files(mine.val) == files(others[0].val)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"train": 3, "val": [], "test": []}', '{"train": [["a"]]}', "[]", '{"train": [[1, 2, 3]]}']
)
def test_malformed_split_file_is_named(content, pets):
    (pets / "oxford_pets/split_zhou_OxfordPets.json").write_text(content)
    with pytest.raises(DatasetError, match=r"split_zhou_OxfordPets\.json is not a readable split file"):
        load(pets)


def test_missing_folder_says_what_is_expected_where(tmp_path):
    with pytest.raises(
        DatasetError, match=r"(?s)oxford_pets not found.*images/.*--data .*--data or DATA, for train.py with --root"
    ):
        load(tmp_path)


@pytest.mark.parametrize(("subset", "hint"), [("bsae", "base"), ("New", "new"), ("al", "all")])
def test_misspelt_subset_gets_the_nearest(subset, hint):
    with pytest.raises(DatasetError, match=f"Did you mean {hint}"):
        check_subset(subset)


@pytest.mark.parametrize("subset", ["base", "new"])
def test_halves_of_one_class_are_refused(subset):
    with pytest.raises(DatasetError, match="need at least two, and there is 1"):
        labels_of([Datum(impath="x", label=0, classname="only")], subset)


def test_class_without_a_training_image_is_named(pets):
    change_split(pets, lambda parts: parts.update(train=[row for row in parts["train"] if row[1] != 2]))
    with pytest.raises(DatasetError, match=r"classes without a training image: 1 \(birman\)"):
        load(pets)


def test_labels_with_a_gap_are_refused(pets):
    def leave_out(parts):
        for part, rows in parts.items():
            parts[part] = [row for row in rows if row[1] != 2]

    change_split(pets, leave_out)
    with pytest.raises(DatasetError, match="no item has label 2"):
        load(pets)


def test_empty_split_is_refused(pets):
    change_split(pets, lambda parts: parts.update(train=[], val=[], test=[]))
    with pytest.raises(DatasetError, match="without a training image"):
        load(pets)


def test_missing_images_are_counted_and_the_first_few_named(pets):
    for number in range(6, 12):
        (pets / f"oxford_pets/images/beagle_{number}.jpg").unlink()
    with pytest.raises(DatasetError, match=r"images missing: 6 of the 72 to be used \(.*beagle_6.jpg, .*, …\)"):
        load(pets)


def test_only_images_that_are_used_need_be_there(pets):
    for path in pets.glob("oxford_pets/images/b*.jpg"):
        if not path.name.startswith(("bengal", "birman")):
            path.unlink()
    load(pets, subset="base")
    with pytest.raises(DatasetError, match="images missing"):
        load(pets, subset="new")


def test_missing_images_are_found_folder_by_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/there.jpg").touch()
    paths = [f"{tmp_path}/{name}" for name in ("a/there.jpg", "b/gone.jpg", "a/gone.jpg", "b/gone.jpg")]
    items = [Datum(impath=path, label=0, classname="x") for path in paths]
    assert missing_images(items) == [paths[2], paths[1]]


def test_pictures_lost_from_a_rendered_set_can_be_rendered_again():
    message = ShapesDev.located(config("somewhere")).remedy()
    assert "rendered again, delete" in message and "download" not in message


def test_tools_get_all_items_and_write_nothing(pets, capsys):
    (pets / SPLIT).unlink()
    before = sorted(pets.rglob("*"))
    train, val, test = OxfordPets.listed(config(pets, shots=1, subset="new"))
    assert len({item.impath for part in (train, val, test) for item in part}) == 72
    assert sorted(pets.rglob("*")) == before
    assert capsys.readouterr().out == ""


def test_tools_find_the_samples_that_are_kept(pets):
    load(pets, 1)
    (pets / "oxford_pets/split_fewshot/shot_2-seed_1.pkl").touch()
    names = [path.name for path in OxfordPets.located(config(pets)).few_shot_files()]
    assert names == ["shot_1-seed_1.json", "shot_2-seed_1.pkl"]


def test_datasets_with_test_images_only_are_not_trained_on():
    check_trainable("OxfordPets")
    with pytest.raises(DatasetError, match="(?s)ImageNetV2 has test images only.*--eval-only"):
        check_trainable("ImageNetV2")

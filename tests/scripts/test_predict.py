"""Predictions of a run's model on pictures: the test's own figures, other names, files of results, bad input."""

import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import predict
import pytest
import torch
from PIL import Image

import datasets.shapes
import train
from tests.conftest import CHECKOUT, starter
from tests.golden import make_inputs
from tests.record_opens import recorded
from trainers.blocks.training.predicting import temperature_of

BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "boxer"]
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1)
SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.FEATURES.VIEWS", 1)
RUNS = {  # by name: trainer, and what differs from its recipe
    "coop": ("CoOp", SHORT),
    "tip": ("TipAdapter", SHORT),
    "cache": ("SHIP", ("TRAINER.SHIP.CLASSIFIER", "TipAdapterF", *SMALL, *SHORT)),
    "held_out": ("CoOp", (*SHORT, "TRAINER.GZSL.CALIBRATION", "held_out")),
    "cost": ("CoOp", (*SHORT, "TRAINER.GZSL.CALIBRATION_COST", 50.0)),
}


class World(NamedTuple):
    """A DATA folder, and the folders of runs on it, each trained once for all tests here."""

    data: Path
    runs: Path

    @property
    def images(self) -> Path:
        return self.data / "oxford_pets/images"


@pytest.fixture(scope="module")
def world(tiny_clip, tmp_path_factory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("world")
    make_inputs.make_pets(place / "data")
    start = starter(tiny_clip, place / "data", place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHIP_CACHE", str(place / "cache"))
        for name, (trainer, pairs) in RUNS.items():
            done = start(trainer, name, *pairs)
            assert done.status == 0, done.stderr
        for name in ("held_out", "cost"):
            flags = ("--eval-only", "--model-dir", place / name)
            start("CoOp", f"{name}_all", *RUNS[name][1], flags=flags, classes="all")
    yield World(place / "data", place)


@pytest.fixture
def run(capsys):
    """Calls predict.py; gives exit status, output and errors."""

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            predict.main([str(word) for word in words])
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.fixture
def images(world) -> Path:
    return world.images


@pytest.fixture
def coop(world) -> Path:
    return world.runs / "coop"


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def accuracy_of(rows: Sequence[dict[str, str]], name_of: Callable[[Path], str]) -> dict[str, float]:
    """By class, as results.json has it."""
    right = defaultdict(list)
    for row in rows:
        name = name_of(Path(row["picture"]))
        right[name].append(row["class_1"] == name)
    return {name: round(100 * sum(found) / len(found), 4) for name, found in right.items()}


def test_pictures_of_shapes_are_classified_as_in_the_test(run, tmp_path, monkeypatch):
    """Base classes, new ones by their half, and new ones as names given on the spot; few pictures of each."""
    monkeypatch.setattr(datasets.shapes, "PARTS", {"train": (1, 2), "val": (2, 1), "test": (3, 4)})
    data, names = tmp_path / "data", {}
    for part, flags in (("base", ()), ("new", ("--eval-only", "--model-dir", tmp_path / "base"))):
        words = [
            *("--root", data, "--seed", 1, "--trainer", "SHIP", "--output-dir", tmp_path / part, *flags),
            *("--dataset-config-file", CHECKOUT / "configs/datasets/shapes.yaml"),
            *("--config-file", CHECKOUT / "configs/trainers/SHIP/shapes.yaml", *SHORT, *SMALL),
            *("DATASET.NUM_SHOTS", 1, "DATASET.SUBSAMPLE_CLASSES", part),
        ]
        train.main([str(word) for word in words])
        names[part] = json.loads((tmp_path / part / "results.json").read_text())
    given = ",".join(names["new"]["classnames"])
    for part, classes in (("base", "base"), ("new", "new"), ("new", given)):
        record, file = names[part], tmp_path / "found.csv"
        tests = [
            path for name in record["classnames"] for path in sorted((data / "shapes/images" / name).glob("test*"))
        ]
        status, *_ = run(tmp_path / "base", *tests, "--classes", classes, "--csv", file)
        assert status == 0
        assert accuracy_of(read(file), lambda path: path.parent.name) == record["per_class_accuracy"]
        assert len(set(record["per_class_accuracy"].values())) > 2


@pytest.mark.parametrize("calibration", ["held_out", "cost"])
def test_where_all_classes_compete_the_runs_penalty_is_applied(calibration, world, run, tmp_path):
    """With it pictures are classified as in the run's test; and a large one leaves nothing to seen classes."""
    folder, file = world.runs / f"{calibration}_all", tmp_path / "found.csv"
    record = json.loads((folder / "results.json").read_text())
    split = json.loads((world.data / "oxford_pets/split_zhou_OxfordPets.json").read_text())
    tests = [world.images / name for name, *_ in split["test"]]
    status, out, _ = run(folder, *tests, "--csv", file)
    assert (status, "Subtracted from the logits of 3 seen classes" in out) == (0, True)
    assert accuracy_of(read(file), lambda path: path.stem.split("_")[0]) == record["per_class_accuracy"]
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "results.json").write_text(json.dumps(record | {"penalty": 1e3}))
    run(other, *tests, "--csv", file)
    assert {row["class_1"] for row in read(file)} <= set(NEW)
    assert "Subtracted" not in run(folder, *tests, "--classes", "bengal, birman")[1]


def test_a_penalty_that_the_run_has_chosen_before_training_goes_with_its_model(world, run):
    picture = sorted(world.images.iterdir())[0]
    assert (
        "Subtracted from the logits of 3 seen classes" in run(world.runs / "held_out", picture, "--classes", "all")[1]
    )


def test_a_penalty_that_is_not_known_is_said_to_be_left_out(world, run):
    picture = sorted(world.images.iterdir())[0]
    assert "Note: nothing is subtracted" in run(world.runs / "cost", picture, "--classes", "all")[1]
    assert "Note" not in run(world.runs / "cost", picture)[1]
    assert "Note" not in run(world.runs / "coop", picture, "--classes", "all")[1]


def test_files_have_the_likeliest_classes_with_probabilities(coop, images, run, tmp_path):
    pictures = sorted(images.glob("abyssinian*"))[:3]
    status, out, _ = run(coop, *pictures, "--csv", tmp_path / "p.csv", "--top", 2)
    assert (status, "Written" in out, f"{pictures[0]}: " in out) == (0, True, True)
    rows = read(tmp_path / "p.csv")
    assert [row["picture"] for row in rows] == [str(path) for path in pictures]
    assert float(rows[0]["probability_1"]) >= float(rows[0]["probability_2"])
    run(coop, *pictures, "--json", tmp_path / "p.json")
    found = json.loads((tmp_path / "p.json").read_text())
    assert [len(one["classes"]) for one in found] == [3, 3, 3]
    assert sum(one["probability"] for one in found[0]["classes"]) == pytest.approx(1)
    assert {one["name"] for one in found[0]["classes"]} == set(BASE)


def test_a_folder_stands_for_the_pictures_in_it_of_any_size(coop, images, run, tmp_path):
    folder = tmp_path / "mine/deeper"
    folder.mkdir(parents=True)
    for number, size in enumerate(((8, 8), (300, 40), (40, 500))):
        Image.new("RGB", size).save(folder / f"{number}.png")
    (folder / "notes.txt").touch()
    (folder / ".hidden.png").touch()
    status, out, _ = run(coop, tmp_path / "mine")
    assert (status, out.count("%, ")) == (0, 6)


def test_unreadable_pictures_are_listed_and_skipped(coop, images, run, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    good = sorted(images.iterdir())[0]
    status, out, err = run(coop, broken, good, "--json", tmp_path / "p.json")
    assert status == 1
    assert "skipped: Cannot read the image" in err
    assert str(broken) in err
    assert [one["picture"] for one in json.loads((tmp_path / "p.json").read_text())] == [str(good)]
    assert run(coop, broken)[0] == 1


def test_halves_and_names_are_chosen_by_the_run(coop, images, run, tmp_path):
    picture, file = sorted(images.iterdir())[0], tmp_path / "p.json"

    def names(classes: str) -> set[str]:
        run(coop, picture, "--classes", classes, "--json", file, "--top", 9)
        return {one["name"] for one in json.loads(file.read_text())[0]["classes"]}

    assert (names("base"), names("new"), names("all")) == (set(BASE), set(NEW), {*BASE, *NEW})
    assert names("Birman, red fox") == {"birman", "red fox"}


def test_ship_synthesizes_keys_for_names_that_its_cache_has_none_of(world, images, run, tmp_path):
    folder = world.runs / "cache"
    picture, file = sorted(images.iterdir())[0], tmp_path / "p.json"
    status, out, err = run(folder, picture, "--classes", "birman, red fox, wolf", "--json", file)
    assert status == 0, err
    assert "Synthesized 4 features for each of 2 classes: red fox, wolf" in out
    first = file.read_text()
    run(folder, picture, "--classes", "birman, red fox, wolf", "--json", file)
    assert file.read_text() == first


def test_without_ship_the_cache_says_what_it_lacks(world, images, run):
    status, _, err = run(world.runs / "tip", images, "--classes", "birman, wolf")
    assert (status, "no images of 1 classes: wolf" in err) == (2, True)


def test_no_image_of_the_runs_dataset_is_needed(coop, world, images, run, tmp_path):
    picture = shutil.copy(sorted(images.iterdir())[0], tmp_path / "picture.jpg")
    with recorded() as opened:
        assert run(coop, picture)[0] == 0
    assert str(picture) in opened
    assert not [file for file in opened if file.startswith(str(world.data))]


def test_calibrated_probabilities_have_the_temperature_of_the_validation_pictures(coop, images, run, tmp_path):
    picture = sorted(images.iterdir())[0]
    for name, flags in (("plain", ()), ("calibrated", ("--calibrate",))):
        status, out, _ = run(coop, picture, "--json", tmp_path / f"{name}.json", *flags)
        assert status == 0
    value = float(out.partition("Temperature ")[2].partition(",")[0])
    found = [json.loads((tmp_path / f"{name}.json").read_text())[0]["classes"] for name in ("plain", "calibrated")]
    logits, calibrated = (torch.tensor([one["probability"] for one in some]).log() for some in found)
    torch.testing.assert_close((logits / value).softmax(0), calibrated.softmax(0), atol=1e-3, rtol=1e-3)


def test_a_temperature_makes_probabilities_those_of_the_labels():
    torch.manual_seed(0)
    logits = torch.randn(4000, 5)
    labels = torch.distributions.Categorical(logits=logits).sample()
    assert temperature_of(10 * logits, labels) == pytest.approx(10, rel=0.1)


BAD = [  # what is moved away of the run, what is asked for, what is said
    ("", ("--classes", "<|endoftext|>, dog"), "no text that CLIP could read"),
    ("", ("--classes", "dog"), "one class only, dog"),
    ("", ("--classes", "dog, Dog"), "names a class twice"),
    ("", ("--classes", "nowhere.txt"), "--classes: nowhere.txt cannot be read"),
    ("", ("--csv", "no/such/folder/p.csv"), "its folder is not there"),
    ("", ("--json", "docs"), "it is a folder"),
    ("", ("--csv", 300 * "x"), "cannot be read or written: File name too long"),
    ("", ("--backbone", "nowhere.pt"), "no backbone 'nowhere.pt'"),
    ("", ("--backbone", "datasets/assets/shapes_clip.pt"), "INPUT.SIZE"),
    ("", ("--backbone", "ViT-B/61"), "Did you mean ViT-B/16?"),
    ("results.json", (), "incomplete run, without results.json"),
    ("prompt_learner", (), "there is no checkpoint in"),
    ("", ("--run", "elsewhere"), "There is no folder"),
]


def test_bad_input_ends_in_a_line(coop, images, run, tmp_path):
    for spoil, words, said in BAD:
        path = coop / spoil
        if spoil:
            path.rename(tmp_path / "moved")
        place, words = (tmp_path / "elsewhere", ()) if words[:1] == ("--run",) else (coop, words)
        status, _, err = run(place, images, *words)
        if spoil:
            (tmp_path / "moved").rename(path)
        assert (status, said in err, err.startswith("error: "), err.count("Traceback")) == (2, True, True, 0), err


def test_a_run_of_another_backbone_is_refused(coop, images, run, tiny_clip, tmp_path):
    state = torch.load(tiny_clip, weights_only=True)
    other = tmp_path / "other.pt"
    torch.save({name: -value if name == "text_projection" else value for name, value in state.items()}, other)
    status, _, err = run(coop, images, "--backbone", other)
    assert (status, "It was made with the backbone" in err) == (2, True)


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_pictures_that_are_not_there_are_named(what, run, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = run(tmp_path, tmp_path / what)
    assert (status, what in err) == (2, True)

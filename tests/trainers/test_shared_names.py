"""A base class and a new one have one name: they stay two, told apart by their labels."""

import json

import pytest
import torch

from trainers.blocks.errors import InputError

COOP = ("TRAINER.NAME", "CoOp", "TRAINER.COOP.PREC", "fp32", "OPTIM.MAX_EPOCH", 1)
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8, "OPTIM.MAX_EPOCH", 1)
BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "bengal"]


@pytest.fixture(autouse=True)
def two_bengals(pets):
    split = pets / "oxford_pets/split_zhou_OxfordPets.json"
    split.write_text(split.read_text().replace('"boxer"', '"bengal"'))


@pytest.fixture
def record(tmp_path):
    return lambda name: json.loads((tmp_path / name / "results.json").read_text())


def evaluated(ship, tmp_path, *pairs, classes="all"):
    """A trainer of these classes, with what the one before it has learned."""
    trainer = ship(*pairs, classes=classes, folder="evaluated")
    trainer.load_model(str(tmp_path / "run"))
    return trainer


def forget_ids(folder) -> None:
    """Makes a run's results.json one of an older version."""
    path = folder / "results.json"
    stored = json.loads(path.read_text())
    path.write_text(
        json.dumps({key: value for key, value in stored.items() if key not in ("class_ids", "class_list")})
    )


@pytest.mark.parametrize("older", [False, True])
def test_the_unseen_class_is_not_counted_as_seen(older, ship, tmp_path, record):
    ship(*COOP).train()
    if older:  # the first of that name
        forget_ids(tmp_path / "run")
    trainer = evaluated(ship, tmp_path, *COOP)
    assert trainer.seen_classes().tolist() == [True] * 3 + [False] * 3
    trainer.test()
    by_class = record("evaluated")["per_class_accuracy"]
    assert list(by_class) == ["abyssinian", "bengal (1)", "birman", "bombay", "beagle", "bengal (5)"]
    unseen = sum(by_class[name] for name in ("bombay", "beagle", "bengal (5)")) / 3
    assert record("evaluated")["metrics"]["unseen"] == pytest.approx(unseen, abs=1e-3)


def test_records_say_which_class_is_meant(ship, tmp_path, record):
    ship(*COOP).train()
    found = record("run")
    assert (found["classnames"], found["class_ids"], found["class_list"]) == (BASE, ["0", "1", "2"], "OxfordPets")
    evaluated(ship, tmp_path, *COOP, classes="new").test()
    assert (record("evaluated")["classnames"], record("evaluated")["class_ids"]) == (NEW, ["3", "4", "5"])


def test_ship_synthesizes_features_for_both(ship):
    trainer = ship(*SMALL)
    trainer.choose_classes()
    assert trainer.synthesizer.classnames == NEW
    assert trainer.classifier.classnames == BASE + NEW


def test_a_cache_keeps_the_keys_of_each(ship, tmp_path):
    ship(*SMALL, "TRAINER.SHIP.SYNTHESIS", "text", "TRAINER.SHIP.CLASSIFIER", "TipAdapterF").train()
    pairs = (*SMALL, "TRAINER.SHIP.SYNTHESIS", "text", "TRAINER.SHIP.CLASSIFIER", "TipAdapterF")
    for classes, labels in (("all", [0, 1, 2, 3, 4, 5]), ("base", [0, 1, 2]), ("new", [3, 4, 5])):
        trainer = evaluated(ship, tmp_path, *pairs, classes=classes)
        with trainer.among_own_classes():
            values = trainer.classifier.learned.values(trainer.classifier.classes)
        expected = torch.eye(6)[:, labels].repeat_interleave(4, dim=0)
        assert torch.equal(values, expected)


def test_a_cache_has_no_keys_of_the_other_class_of_the_name(ship, tmp_path):
    pairs = ("TRAINER.NAME", "TipAdapterF", "TRAINER.TIPADAPTER.PREC", "fp32", "OPTIM.MAX_EPOCH", 1)
    ship(*pairs).train()
    with pytest.raises(InputError, match="no images of 3 classes: bombay, beagle, bengal"):
        evaluated(ship, tmp_path, *pairs, classes="new").test()


def test_a_context_per_class_is_not_that_of_the_other_class_of_the_name(ship, tmp_path):
    pairs = (*COOP, "TRAINER.COOP.CSC", True, "TRAINER.COOP.CTX_INIT", "")
    ship(*pairs).train()
    evaluated(ship, tmp_path, *pairs, classes="base").test()
    with pytest.raises(InputError, match="knows nothing of 3 classes: bombay, beagle, bengal"):
        evaluated(ship, tmp_path, *pairs, classes="new").test()

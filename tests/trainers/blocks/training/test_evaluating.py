"""Evaluation: the penalty on seen classes, what may be chosen by validation, and what is counted."""

import json

import pytest
import torch

from trainers.blocks.run.results import run_record
from trainers.blocks.training import gzsl

BASE = ["abyssinian", "bengal", "birman"]
SPLIT = "oxford_pets/split_zhou_OxfordPets.json"
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8)
COOP = ("TRAINER.NAME", "CoOp", "TRAINER.COOP.PREC", "fp32")
TIP = ("TRAINER.NAME", "TipAdapterF", "TRAINER.TIPADAPTER.PREC", "fp32")


@pytest.fixture
def everything(ship):
    """Builds CoOp among all six classes, of which its model has seen the three base classes."""

    def build(*pairs: object, **options: object):
        trainer = ship(*COOP, *pairs, classes="all", **options)
        trainer.model_record = {"dataset": "OxfordPets", "classnames": BASE}
        return trainer

    return build


def validate_on(pets, images: str) -> None:
    """Gives the dataset some of the images of another part for its validation set."""
    parts = json.loads((pets / SPLIT).read_text())
    parts["val"] = {"test": parts["test"], "one of test": [*parts["val"], parts["test"][0]], "none": []}[images]
    (pets / SPLIT).write_text(json.dumps(parts))


def test_penalty_is_taken_off_the_logits_of_seen_classes(everything, monkeypatch, tmp_path):
    """Each image's own class leads by 2 if that is seen, and lags by 2 if it is not."""
    trainer = everything("TRAINER.GZSL.CALIBRATION_COST", 5.0)
    _, labels = trainer.evaluation_features("test")
    logits = torch.zeros(len(labels), 6)
    logits[range(len(labels)), labels] = torch.where(labels < 3, 2.0, 1.0)
    logits[labels >= 3, 0] = 3.0
    monkeypatch.setattr(trainer.classifier, "predict", lambda features: logits)
    for penalty, seen, unseen in ((0.0, 100.0, 0.0), (1.0, 100.0, 0.0), (2.5, 0.0, 100.0)):
        monkeypatch.setattr(gzsl, "penalty", lambda *args, penalty=penalty: torch.tensor(penalty))
        trainer.test()
        metrics = json.loads((tmp_path / "run/results.json").read_text())["metrics"]
        assert (metrics["seen"], metrics["unseen"]) == (seen, unseen)


def test_penalty_is_chosen_by_validation_images_of_seen_classes_alone(everything, monkeypatch):
    trainer, given = everything("TRAINER.GZSL.CALIBRATION_COST", 5.0), []
    monkeypatch.setattr(gzsl, "penalty", lambda *args: given.append(args) or 7.0)
    with trainer.among_own_classes():
        assert trainer.penalties().tolist() == [7, 7, 7, 0, 0, 0]
        features, labels = trainer.evaluation_features("val")
        expected = trainer.classifier.predict(features[labels < 3])
    ((logits, used, seen, cost),) = given
    assert used.tolist() == [0, 0, 1, 1, 2, 2]
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert (seen.tolist(), cost) == ([True] * 3 + [False] * 3, 5.0)


@pytest.mark.parametrize(("pairs", "known"), [((), BASE), (("TRAINER.GZSL.CALIBRATION_COST", 5.0), BASE + ["other"])])
def test_nothing_is_taken_off_without_a_cost_or_where_seen_classes_are_not_known(pairs, known, everything):
    trainer = everything(*pairs)
    trainer.model_record["classnames"] = known
    assert not trainer.penalties().any()


@pytest.mark.parametrize("images", ["test", "one of test", "none"])
def test_nothing_is_chosen_by_validation_images_that_are_tested_on(images, everything, pets, monkeypatch, capsys):
    validate_on(pets, images)
    trainer = everything("TRAINER.GZSL.CALIBRATION_COST", 50.0, "DATASET.NUM_SHOTS", -1)
    monkeypatch.setattr(gzsl, "penalty", lambda *args: pytest.fail("was chosen"))
    assert not trainer.has_own_validation_images()
    assert not trainer.penalties().any()
    assert ("validation images are its test images" in capsys.readouterr().out) == (images != "none")


@pytest.mark.parametrize(("images", "chosen"), [("own", True), ("test", False), ("one of test", False)])
def test_a_caches_numbers_are_searched_on_validation_images_only_if_these_are_its_own(images, chosen, ship, pets):
    if images != "own":
        validate_on(pets, images)
    trainer = ship(*TIP, "DATASET.NUM_SHOTS", -1, "OPTIM.MAX_EPOCH", 1)
    asked = []
    trainer.classifier.tune = lambda features, labels: asked.append(labels.tolist())
    trainer.train()
    assert asked == ([[0, 0, 1, 1, 2, 2]] if chosen else [])


def test_evaluation_is_among_the_datasets_classes_and_training_goes_on_among_its_own(ship):
    trainer = ship(*SMALL, "TRAINER.SHIP.SYNTHESIS", "text")
    trainer.choose_classes()
    shapes = []
    trainer.evaluator.process = lambda logits, labels: shapes.append(tuple(logits.shape))
    trainer.evaluator.evaluate = lambda: {"accuracy": 0.0}
    assert len(trainer.classifier.classnames) == 6
    trainer.test("val")
    assert len(trainer.classifier.classnames) == 6
    trainer.test("test")
    assert shapes == [(6, 3), (12, 3)]


def test_record_counts_the_images_that_are_right(ship):
    cfg = ship(*COOP).cfg
    predicted, labels = torch.tensor([0, 1, 1, 2, 0, 0]), torch.tensor([0, 0, 1, 0, 1, 0])
    record = run_record(cfg, {"accuracy": 50}, ["cat", "dog", "cow"], predicted, labels)
    assert (record["total"], record["correct"]) == (6, 3)
    assert record["per_class_accuracy"] == {"cat": 50.0, "dog": 50.0}  # there is no image of a cow
    assert record["classnames"] == ["cat", "dog", "cow"]


def test_a_long_tails_figures_are_averages_over_the_classes_of_each_group(train_py):
    short = ("OPTIM.MAX_EPOCH", 1, "TRAINER.FEATURES.VIEWS", 1)
    record = train_py("CoOp", "run", *short, "DATASET.LONGTAIL", 0.3, classes="all").results
    assert {name: len(labels) for name, labels in record["groups"].items()} == {"many": 0, "few": 4, "none": 2}
    per_class = [record["per_class_accuracy"][name] for name in record["classnames"]]
    for name, part in (("few", per_class[:4]), ("none", per_class[4:])):
        assert record["metrics"][name] == pytest.approx(sum(part) / len(part), abs=1e-3)
    assert "many" not in record["metrics"]


def test_a_method_that_needs_images_of_all_classes_says_so_of_a_long_tail(train_py):
    done = train_py("TipAdapter", "run", "DATASET.LONGTAIL", 0.3, classes="all")
    assert done.status == 2
    assert "knows nothing of classes without images, and there are 2" in done.stderr


def test_accuracies_of_many_classes_are_those_of_each_by_itself(ship):
    generator = torch.Generator().manual_seed(0)
    predicted, labels = (torch.randint(50, (3000,), generator=generator) for _ in range(2))
    predicted[::3], names = labels[::3], [f"class {n}" for n in range(60)]
    record = run_record(ship(*COOP).cfg, {"accuracy": 50}, names, predicted, labels)
    right = predicted == labels
    alone = {name: round(100 * right[labels == n].float().mean().item(), 4) for n, name in enumerate(names[:50])}
    assert record["per_class_accuracy"] == alone

"""Methods that are fitted without steps, as runs: stored, evaluated on any classes, alone and under SHIP."""

import functools
import json

import pytest

from trainers.blocks.errors import InputError

BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "boxer"]
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8)


@pytest.fixture
def ship(ship):
    return functools.partial(ship, *SMALL)


@pytest.mark.parametrize("method", ["GDA", "LPplusplus", "LinearProbe", "APE", "TipAdapter"])
def test_ship_on_a_method_without_steps_learns_all_classes_and_evaluates_each_part(method, ship, tmp_path):
    pairs = ("TRAINER.SHIP.CLASSIFIER", method, "TRAINER.SHIP.SYNTHESIS", "text", "TRAINER.FEATURES.VIEWS", 1)
    trainer = ship(*pairs)
    trainer.train()
    assert (tmp_path / "run/ship/model.pth.tar-1").is_file()
    assert "SHIP" not in trainer.trained  # no step was taken
    for classes, names in (("base", BASE), ("new", NEW), ("all", BASE + NEW)):
        evaluated = ship(*pairs, classes=classes, folder=classes)
        evaluated.load_model(str(tmp_path / "run"))
        assert 0 <= evaluated.test() <= 100
        assert evaluated.classifier.learned.owners.names == (*BASE, *NEW)
        assert evaluated.classifier.classnames == names


@pytest.mark.parametrize(("method", "knows_new"), [("GDA", True), ("LPplusplus", True), ("LinearProbe", False)])
def test_a_method_without_steps_is_trained_stored_and_evaluated_like_all_others(method, knows_new, ship, tmp_path):
    pairs = ("TRAINER.NAME", method, f"TRAINER.{method.upper()}.PREC", "fp32", "TRAINER.FEATURES.VIEWS", 1)
    ship(*pairs).train()
    first = (tmp_path / "run/results.json").read_text()
    evaluated = ship(*pairs, folder="again")
    evaluated.load_model(str(tmp_path / "run"))
    evaluated.test()
    again = json.loads((tmp_path / "again/results.json").read_text())
    assert again["metrics"] == json.loads(first)["metrics"]
    new = ship(*pairs, classes="new", folder="new")
    new.load_model(str(tmp_path / "run"))
    if knows_new:
        new.test()
    else:
        with pytest.raises(InputError, match="no images of 3 classes"):
            new.test()

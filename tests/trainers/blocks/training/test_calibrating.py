"""The penalty on seen classes, chosen on base classes that a run of its own holds out."""

import json
from pathlib import Path

import pytest
import torch
from dassl.utils import set_random_seed

from tests.conftest import CHECKOUT
from trainers.blocks.errors import InputError
from trainers.blocks.training import calibrating, gzsl

BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "boxer"]
HELD = ("TRAINER.GZSL.CALIBRATION", "held_out")
SHORT = ("OPTIM.MAX_EPOCH", 2, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 2, "DATALOADER.TRAIN_X.BATCH_SIZE", 4)


def trained(trainer):
    set_random_seed(1)
    trainer.train()
    return trainer


@pytest.mark.parametrize("pairs", [(), ("TRAINER.SHIP.CLASSIFIER", "TipAdapterF", "TRAINER.SHIP.LOSS", "split")])
def test_penalty_is_chosen_trained_with_and_subtracted_where_all_classes_compete(pairs, ship, tmp_path, capsys):
    trained(ship(*HELD, *pairs))
    record = json.loads((tmp_path / "run/results.json").read_text())["held_out"]
    (held,) = record["classes"]
    assert held in BASE and record["images"] == 3 * 2 + 4  # validation, and the held class's four shots
    everything = ship(*HELD, *pairs, classes="all", folder="all")
    everything.load_model(str(tmp_path / "run"))
    with everything.among_own_classes():
        taken = everything.penalties().tolist()
    assert taken == pytest.approx([record["penalty"]] * 3 + [0.0] * 3)
    everything.test()
    metrics = json.loads((tmp_path / "all/results.json").read_text())["metrics"]
    assert {"seen", "unseen"} <= metrics.keys()


def test_training_is_the_one_without_it_number_by_number(ship):
    plain, calibrated = trained(ship()), trained(ship(*HELD, folder="calibrated"))
    assert calibrated.trained == plain.trained
    for name, value in plain.learned()[1].named_parameters():
        assert torch.equal(value, dict(calibrated.learned()[1].named_parameters())[name]), name


def test_its_own_run_sees_no_image_of_the_classes_held_out_and_synthesizes_for_them(ship, encoded):
    trainer = ship(*HELD)
    own = calibrating.own_run(trainer)
    (held,) = set(BASE) - set(own.classes)
    seen = {Path(path).name.rsplit("_", 1)[0].lower() for path in encoded}
    assert seen == set(BASE) - {held}
    assert own.synthesizer.classnames == [name for name in BASE + NEW if name not in own.classes.names]
    assert own.trained["SHIP"] and own.trained["PromptVAE"]


def test_its_own_run_looks_at_no_test_image(ship, monkeypatch):
    trainer = ship(*HELD)
    monkeypatch.setattr(type(trainer), "test", lambda self, split=None: pytest.fail("it was tested"))
    assert calibrating.own_run(trainer).trained["SHIP"]


def test_training_opens_no_image_of_a_new_class(train_py, tmp_path):
    recorder, opened = CHECKOUT / "tests/record_opens.py", tmp_path / "opened.txt"
    run = train_py("SHIP", "run", *SHORT, *HELD, before=(recorder, opened))
    assert run.status == 0, run.stderr
    images = {Path(line).name for line in opened.read_text().splitlines() if "oxford_pets/images/" in line}
    assert {name.split("_")[0] for name in images} == set(BASE)
    assert run.results["held_out"]["penalty"] == pytest.approx(
        json.loads((run.folder / "held_out/chosen.json").read_text())["penalty"]
    )


def test_penalty_is_the_best_for_images_of_base_classes_among_all(ship, monkeypatch):
    trainer, given = ship(*HELD), []
    monkeypatch.setattr(gzsl, "best_penalty", lambda *args: given.append(args) or 4.5)
    assert calibrating.chosen_penalty(trainer)["penalty"] == 4.5
    ((logits, labels, seen),) = given
    assert logits.shape == (3 * 2 + 4, 6)
    assert seen.sum() == 2 and not seen[3:].any()
    held = seen.tolist().index(False)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, *[held] * 4]


def test_complete_choice_is_not_made_again_and_one_of_other_settings_is_refused(ship, monkeypatch):
    first = calibrating.chosen_penalty(ship(*HELD))
    monkeypatch.setattr(calibrating, "own_run", lambda trainer: pytest.fail("ran again"))
    assert calibrating.chosen_penalty(ship(*HELD)) == first
    with pytest.raises(InputError, match="other settings.*--force"):
        calibrating.chosen_penalty(ship(*HELD, "OPTIM.MAX_EPOCH", 1))


def test_choice_that_was_stopped_is_made_to_its_end(ship, monkeypatch):
    whole = calibrating.chosen_penalty(ship(*HELD, folder="whole"))
    with monkeypatch.context() as patch:
        patch.setattr(calibrating, "choose", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            calibrating.chosen_penalty(ship(*HELD, folder="stopped"))
    again = calibrating.chosen_penalty(ship(*HELD, folder="stopped"))
    assert again["penalty"] == pytest.approx(whole["penalty"])


def test_model_that_was_trained_without_has_no_penalty(ship, tmp_path):
    trained(ship())
    everything = ship(*HELD, classes="all", folder="all")
    everything.load_model(str(tmp_path / "run"))
    with pytest.raises(InputError, match="trained without TRAINER.GZSL.CALIBRATION held_out"):
        everything.test()


def test_force_starts_its_own_run_over(train_py):
    run = train_py("SHIP", "run", *SHORT, *HELD)
    chosen = run.folder / "held_out/chosen.json"
    chosen.write_text(json.dumps({**json.loads(chosen.read_text()), "penalty": 123.0}))
    again = train_py("SHIP", "run", *SHORT, *HELD, flags=("--force",))
    assert again.status == 0, again.stderr
    assert again.results["held_out"] == run.results["held_out"]


def test_what_cannot_be_held_out_is_refused_with_what_to_do(ship, monkeypatch):
    with pytest.raises(InputError, match="SUBSAMPLE_CLASSES base"):
        ship(*HELD, classes="all").train()
    with pytest.raises(InputError, match="leave out TRAINER.GZSL.CALIBRATION_COST"):
        ship(*HELD, "TRAINER.GZSL.CALIBRATION_COST", 1.0)
    trainer = ship(*HELD)
    monkeypatch.setattr(trainer, "has_own_validation_images", lambda: False)
    with pytest.raises(InputError, match="validation images.*CALIBRATION cost"):
        trainer.train()

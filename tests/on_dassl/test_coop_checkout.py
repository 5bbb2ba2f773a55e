"""SHIP in a real checkout of CoOp, on real Dassl, beside CoOp's own trainers."""

import json
import re
import sys

import pytest

from tests.conftest import CHECKOUT

COOP = (
    *("TRAINER.COOP.PREC", "fp32", "OPTIM.MAX_EPOCH", 3, "DATALOADER.TRAIN_X.BATCH_SIZE", 4, "TRAIN.PRINT_FREQ", 1),
    *("OPTIM.LR", 0.2, "TRAINER.COOP.N_CTX", 4),
)
SHORT = ("OPTIM.MAX_EPOCH", 2, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 2, "DATALOADER.NUM_WORKERS", 0)
SHIP = (*SHORT, "DATALOADER.TRAIN_X.BATCH_SIZE", 4, "TRAIN.PRINT_FREQ", 1)


def printed(stdout: str, what: str) -> list[float]:
    return [float(value) for value in re.findall(rf" {what} (\S+) ", stdout)]


def correct(stdout: str) -> int:
    return int(re.search(r"\* correct: ([\d,]+)", stdout)[1].replace(",", ""))


def finished(process):
    assert process.returncode == 0, process.stderr[-3000:]
    return process


@pytest.fixture(scope="module")
def coop(house):
    return finished(house.train("CoOp", "coop", *COOP))


@pytest.fixture(scope="module")
def ship(house):
    return finished(house.train("SHIP", "ship", *SHIP, backbone=house.backbone))


def test_dassl_is_the_clone_that_was_given(house):
    where = finished(house.start(sys.executable, "-c", "import dassl; print(dassl.__file__)"))
    assert where.stdout.startswith(str(house.dassl))


def test_coops_own_trainer_trains_with_warm_up_as_was_measured(coop, golden):
    expected = golden["runs"]["CoOp/random_ctx/seed1/base"]
    assert printed(coop.stdout, "loss") == pytest.approx([step["loss"] for step in expected["steps"]], abs=2e-4)
    assert printed(coop.stdout, "lr") == [step["lr"] for step in expected["steps"]]
    assert correct(coop.stdout) == expected["correct"]


def test_coops_own_trainer_evaluates_what_it_wrote(coop, house, golden):
    flags = ("--eval-only", "--model-dir", house.output("coop"), "--load-epoch", 3)
    new = finished(house.train("CoOp", "coop_new", *COOP, flags=flags, classes="new"))
    assert correct(new.stdout) == golden["runs"]["CoOp/random_ctx/seed1/new"]["correct"]


def test_ship_has_the_losses_there_that_it_has_here(ship, house):
    here = finished(house.train("SHIP", "here", *SHIP, backbone=house.backbone, checkout=CHECKOUT))
    losses = printed(ship.stdout, "loss")
    assert len(losses) == 8  # two epochs of each stage, of one step and of three
    assert losses == printed(here.stdout, "loss")
    records = [json.loads((house.output(name) / "results.json").read_text()) for name in ("ship", "here")]
    for what in ("metrics", "per_class_accuracy", "training"):
        assert records[0][what] == records[1][what]


def test_ship_evaluates_new_classes_there(ship, house):
    flags = ("--eval-only", "--model-dir", house.output("ship"))
    new = finished(house.train("SHIP", "ship_new", *SHIP, flags=flags, classes="new", backbone=house.backbone))
    record = json.loads((house.output("ship_new") / "results.json").read_text())
    assert correct(new.stdout) == record["correct"]


def test_ship_starts_from_what_coop_wrote(coop, house):
    weights = house.output("coop") / "prompt_learner/model.pth.tar-3"
    started = house.train("SHIP", "init", *SHIP, "MODEL.INIT_WEIGHTS", weights, backbone=house.backbone)
    assert f"Starting from the weights in {weights}" in finished(started).stdout


def test_protocol_script_runs_there_and_prints_its_table(house):
    given = ("--data", house.data, "--output", house.output("protocol"), "--shots", 4, "--quiet")
    pairs = ("MODEL.BACKBONE.NAME", house.backbone, *SHORT)
    done = finished(house.start("bash", "scripts/ship/base2new.sh", "oxford_pets", 1, *given, *pairs))
    assert re.search(r"^SHIP +tiny_vit_b16 ", done.stdout, re.MULTILINE)


def test_baselines_there_are_left_to_coops_scripts(house):
    done = house.start("bash", "scripts/ship/base2new.sh", "oxford_pets", 1, "--with-baselines", "--quiet")
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*ZeroshotCLIP/vit_b16\.yaml.*\n", done.stderr)
    assert done.stdout == ""

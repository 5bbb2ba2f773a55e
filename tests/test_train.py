"""train.py as a user starts it: golden figures, order of configuration, repeatability, errors."""

import re

import pytest

from tests.conftest import CHECKOUT

COOP = (
    *("TRAINER.COOP.PREC", "fp32", "OPTIM.MAX_EPOCH", 3, "DATALOADER.TRAIN_X.BATCH_SIZE", 4, "TRAIN.PRINT_FREQ", 1),
    *("OPTIM.LR", 0.2, "TRAINER.COOP.N_CTX", 4),
)
FORMS = {
    "ctx_init": ("TRAINER.COOP.CTX_INIT", "a photo of a"),
    "random_ctx": (),
    "csc_middle": ("TRAINER.COOP.CSC", True, "TRAINER.COOP.CLASS_TOKEN_POSITION", "middle"),
}


def printed(stdout: str, what: str) -> list[float]:
    return [float(value) for value in re.findall(rf" {what} (\S+) ", stdout)]


def correct(stdout: str) -> int:
    return int(re.search(r"\* correct: ([\d,]+)", stdout)[1].replace(",", ""))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_coop_trains_and_evaluates_as_upstream(form, seed, train_py, golden):
    expected = golden["runs"][f"CoOp/{form}/seed{seed}/base"]
    run = train_py("CoOp", "base", *COOP, *FORMS[form], seed=seed)
    assert run.status == 0, run.stderr
    assert printed(run.stdout, "loss") == pytest.approx([step["loss"] for step in expected["steps"]], abs=2e-4)
    assert printed(run.stdout, "acc") == pytest.approx([step["acc"] for step in expected["steps"]])
    assert printed(run.stdout, "lr") == [step["lr"] for step in expected["steps"]]
    assert correct(run.stdout) == expected["correct"] == run.results["correct"]

    flags = ("--eval-only", "--model-dir", run.folder, "--load-epoch", 3)
    new = train_py("CoOp", "new", *COOP, *FORMS[form], flags=flags, seed=seed, classes="new")
    if form == "csc_middle":
        assert (new.status, new.results) == (2, None)
        assert "bombay, beagle, boxer" in new.stderr
    else:
        assert correct(new.stdout) == golden["runs"][f"CoOp/{form}/seed{seed}/new"]["correct"]


def test_cocoop_trains_and_evaluates_as_upstream(train_py, golden):
    options = {"recipe": "vit_b16_c4_ep10_batch1_ctxv1", "seed": 1}
    pairs = ("TRAINER.COCOOP.PREC", "fp32", "OPTIM.MAX_EPOCH", 2, "TRAIN.PRINT_FREQ", 1, "OPTIM.LR", 0.02)
    expected = golden["runs"]["CoCoOp/seed1/base"]
    run = train_py("CoCoOp", "base", *pairs, **options)
    assert run.status == 0, run.stderr
    assert printed(run.stdout, "loss") == pytest.approx([step["loss"] for step in expected["steps"]], abs=2e-4)
    assert printed(run.stdout, "lr") == [step["lr"] for step in expected["steps"]]
    assert correct(run.stdout) == expected["correct"]
    for made in (run.folder, CHECKOUT / "tests/golden/checkpoints/cocoop_seed1"):
        flags = ("--eval-only", "--model-dir", made, "--load-epoch", 2)
        new = train_py("CoCoOp", f"new_{made.name}", *pairs, flags=flags, classes="new", **options)
        assert correct(new.stdout) == golden["runs"]["CoCoOp/seed1/new"]["correct"] == 4


def test_checkpoint_that_upstream_wrote_evaluates_to_upstreams_figure(train_py, golden):
    made_there = CHECKOUT / "tests/golden/checkpoints/coop_random_ctx_seed2"
    flags = ("--eval-only", "--model-dir", made_there, "--load-epoch", 3)
    new = train_py("CoOp", "new", *COOP, flags=flags, seed=2, classes="new")
    assert correct(new.stdout) == golden["runs"]["CoOp/random_ctx/seed2/new"]["correct"] == 7


@pytest.mark.parametrize("classes", ["base", "new", "all"])
def test_zeroshot_clip_evaluates_as_upstream(classes, train_py, golden):
    run = train_py("ZeroshotCLIP", "zs", flags=("--eval-only",), classes=classes)
    expected = golden["runs"][f"ZeroshotCLIP/{classes}"]
    assert (correct(run.stdout), run.results["total"]) == (expected["correct"], expected["total"])
    assert run.results["metrics"]["macro_f1"] == pytest.approx(expected["macro_f1"], abs=0.05)


@pytest.mark.parametrize("trainer", ["CoOp", "SHIP"])
def test_same_command_and_seed_give_the_same_metrics(trainer, train_py):
    pairs = ("OPTIM.MAX_EPOCH", 2, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 2)
    first, second = (train_py(trainer, name, *pairs) for name in ("first", "second"))
    assert first.results["metrics"] == second.results["metrics"]
    assert first.results["per_class_accuracy"] == second.results["per_class_accuracy"]
    assert printed(first.stdout, "loss") == printed(second.stdout, "loss")


def test_results_say_what_ran(train_py):
    results = train_py("ZeroshotCLIP2", "zs", flags=("--eval-only",)).results
    assert results["classnames"] == ["abyssinian", "bengal", "birman"] == list(results["per_class_accuracy"])
    assert (results["trainer"], results["classes"], results["seed"]) == ("ZeroshotCLIP2", "base", 1)
    assert results["config"]["DATASET"]["NUM_SHOTS"] == 4
    assert {"python", "torch", "dassl", "clip-anytorch"} <= results["versions"].keys()
    assert results["seconds"]["test"] > 0

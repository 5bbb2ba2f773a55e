"""The base-to-new scripts, called as a user calls them, from another directory."""

import os
import subprocess

import pytest
from base2new import METHODS, differing

from tests.conftest import CHECKOUT

SHORT = ["DATALOADER.NUM_WORKERS", "0", "OPTIM.MAX_EPOCH", "1", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "1"]


@pytest.fixture
def base2new(pets, tiny_clip, tmp_path):
    def run(method: str, *args: str, dataset: str = "oxford_pets") -> subprocess.CompletedProcess:
        command = ["bash", str(CHECKOUT / f"scripts/{method}/base2new.sh"), dataset, *args]
        environment = {**os.environ, "DATA": str(pets)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def options(tiny_clip, tmp_path):
    return ["--shots", "4", "--output", str(tmp_path / "out"), "MODEL.BACKBONE.NAME", str(tiny_clip), *SHORT]


def test_runs_what_is_missing_and_prints_the_table(base2new, options, tmp_path):
    done = base2new("ship", "1", "--with-baselines", *options)
    assert done.returncode == 0, done.stderr
    assert "epoch [1/1] batch" in done.stdout
    rows = [row.split()[:2] for row in done.stdout.splitlines() if "±" in row and "seeds" not in row]
    assert rows == [["ZeroshotCLIP", "vit_b16"], ["CoOp", "vit_b16_ctxv1"], ["SHIP", "vit_b16"]]
    folder = tmp_path / "out/base2new/test_new/oxford_pets/shots_4/SHIP/vit_b16/seed1"
    assert (folder / "results.json").is_file()
    assert (folder / "log.txt").is_file()

    again = base2new("ship", "1", "--with-baselines", *options)
    assert again.stdout.count(": complete") == 6
    assert "epoch [" not in again.stdout

    train = tmp_path / "out/base2new/train_base/oxford_pets/shots_4/CoOp/vit_b16_ctxv1/seed1"
    (train / "results.json").unlink()  # as after a crash
    (train / "prompt_learner/checkpoint").unlink()
    repeated = base2new("coop", "1", *options)
    assert "epoch [1/1] batch" in repeated.stdout
    assert ": complete" not in repeated.stdout  # the test on new classes was of the run that is gone

    changed = base2new("coop", "1", *options, "OPTIM.LR", "0.5")
    assert changed.returncode == 2
    assert "OPTIM.LR 0.5 (there: 0.002)" in changed.stderr


@pytest.mark.parametrize(
    ("pairs", "count"),
    [
        (["INPUT.SIZE", "(64, 64)", "OPTIM.LR", "2e-3", "INPUT.NO_TRANSFORM", "False", "MODEL.HEAD.NAME", "mlp"], 0),
        (["INPUT.SIZE", "(32, 32)", "OPTIM.LR", "0.002"], 1),
        (["NO.SUCH", "1", "INPUT.NO_TRANSFORM", "True"], 2),
    ],
)
def test_values_are_compared_as_the_configuration_reads_them(pairs, count):
    inputs = {"SIZE": [64, 64], "NO_TRANSFORM": False}
    record = {"config": {"INPUT": inputs, "OPTIM": {"LR": 0.002}, "MODEL": {"HEAD": {"NAME": "mlp"}}}}
    assert len(differing(record, pairs)) == count


def test_quiet_run_prints_a_line_a_run(base2new, options):
    done = base2new("zsclip", "2", "--quiet", *options)
    assert done.returncode == 0, done.stderr
    assert "Config" not in done.stdout
    assert done.stdout.count("accuracy") == 2


def test_failing_run_ends_the_script_with_its_status_and_message(base2new, options, tmp_path):
    done = base2new("coop", "1", *options, "DATASET.ROOT", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "nowhere/oxford_pets not found" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "dataset", "message"),
    [
        (["1"], "oxford_pet", "Did you mean oxford_pets?"),
        (["1", "OPTIM.LR"], "oxford_pets", "do not pair up"),
        (["--sots", "4"], "oxford_pets", "--sots"),
    ],
)
def test_bad_arguments_are_named(args, dataset, message, base2new):
    done = base2new("ship", *args, dataset=dataset)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    "script", [*(f"{method}/base2new.sh" for method in METHODS), "quickstart.sh", "test.sh", "install_dassl.sh"]
)
def test_scripts_explain_themselves(script, tmp_path):
    command = ["bash", str(CHECKOUT / "scripts" / script), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "usage:" in done.stdout

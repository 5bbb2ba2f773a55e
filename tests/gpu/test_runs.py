"""Whole runs on a device: accuracy as on the CPU; the same bits after a kill, of two at once, and of one alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.agreement import check_accuracy

from tests.conftest import CHECKOUT, in_this_process
from tests.gpu.conftest import QUICK

CASES = {  # trainer, and the precision of the device's run
    "CoOp fp16": ("CoOp", "fp16"),
    "CoOp amp": ("CoOp", "amp"),
    "SHIP fp32": ("SHIP", "fp32"),
    "SHIP amp": ("SHIP", "amp"),
    "SHIP bf16": ("SHIP", "bf16"),
    "SHIP mixed": ("SHIP", "mixed"),
    "TipAdapterF fp32": ("TipAdapterF", "fp32"),
    "CLIPAdapter amp": ("CLIPAdapter", "amp"),
}
NODES = {"TipAdapterF": "TIPADAPTER"}  # of keys, where it is not the name
ON_CPU: dict[str, dict] = {}  # results by trainer: on the CPU in fp32, run once


def results(words: list[str]) -> dict:
    status, out, error = in_this_process(words)
    assert status == 0, f"{out[-2000:]}\n{error[-2000:]}"
    return json.loads(Path(words[words.index("--output-dir") + 1], "results.json").read_text(encoding="utf-8"))


def key_of(trainer: str) -> str:
    return f"TRAINER.{NODES.get(trainer, trainer.upper())}.PREC"


@pytest.mark.parametrize("case", list(CASES)[: 3 if QUICK else None])
def test_accuracy_is_the_cpus_within_noise(case, words, device):
    trainer, precision = CASES[case]
    if trainer not in ON_CPU:
        ON_CPU[trainer] = results(words(trainer, "cpu", "USE_CUDA", False, key_of(trainer), "fp32"))
    found = results(words(trainer, "device", key_of(trainer), precision))
    check_accuracy(found["metrics"]["accuracy"], ON_CPU[trainer]["metrics"]["accuracy"], found["total"])
    if device.type == "cuda":
        assert found["numerics"]["precision"] == precision and found["numerics"]["device"] != "cpu"


def test_images_that_are_encoded_in_every_epoch_with_workers(words):
    """Views that are augmented anew, by workers, from pinned memory."""
    pairs = ("TRAINER.FEATURES.VIEWS", 0, "DATALOADER.NUM_WORKERS", 2, "OPTIM.MAX_EPOCH", 2)
    one, other = (results(words("CoOp", name, key_of("CoOp"), "fp32", *pairs)) for name in ("one", "other"))
    assert one["numerics"] == other["numerics"]
    check_accuracy(one["metrics"]["accuracy"], other["metrics"]["accuracy"], one["total"])


def test_deterministic_runs_are_equal_bit_for_bit_two_at_once_and_after_a_kill(words, tmp_path):
    """Two processes share the device, and a third one is killed and goes on."""
    command = [sys.executable, CHECKOUT / "tests/gpu/same_bits.py", "--output", tmp_path / "same"]
    given = words("SHIP", "unused", "TRAINER.SHIP.PREC", "fp32")
    at = given.index("--output-dir")
    done = subprocess.run(
        [*map(str, command), "--deterministic", *given[:at], *given[at + 2 :]],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=CHECKOUT,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "equal bit for bit" in done.stdout

"""A run that is a fork of the warm process comes to the bits of a process of its own, with every method."""

import json
from pathlib import Path

import compare
from common.warm import WAYS
from protocols.methods import METHODS
from protocols.planner import plan
from protocols.runs import Runner, run_all

SHORT = ("DATALOADER.NUM_WORKERS", "0", "OPTIM.MAX_EPOCH", "1", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "1")
DECIDED = ("metrics", "per_class_accuracy", "correct", "checkpoint", "training", "config_hash", "versions")


def test_forks_come_to_the_bits_of_processes(pets, tiny_clip, tmp_path, monkeypatch, capfd):
    records = {}
    for way in WAYS:
        monkeypatch.setenv("SHIP_START", way)
        monkeypatch.setenv("SHIP_CACHE", str(tmp_path / f"cache of {way}"))
        words = ["oxford_pets", "1", "--protocol", "fewshot", "--shots", "4", "--methods", *METHODS]
        words += ["--data", str(pets), "--output", str(tmp_path / way), "--quiet"]
        _, request = compare.parse_args([*words, *SHORT, "MODEL.BACKBONE.NAME", str(tiny_clip)])
        with Runner(quiet=True) as runner:
            assert run_all(plan(request), runner) == []
            assert (runner.warm.process is not None) == (way == "fork")
        written = (tmp_path / way).rglob("results.json")
        records[way] = {path.relative_to(tmp_path / way): decided(path) for path in written}
    assert len(records["process"]) == len(METHODS)
    assert records["fork"] == records["process"]


def decided(path: Path) -> dict:
    """What a record says that neither time nor place decide; `checkpoint` has a checksum of what was learned."""
    record = json.loads(path.read_text(encoding="utf-8"))
    return {key: record[key] for key in DECIDED}

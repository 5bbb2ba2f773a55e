"""A run that is a fork of the warm process comes to the bits of a process of its own, with every method.

Every second method is in a file of its own, so that two workers of pytest-xdist share them.
"""

import json
from pathlib import Path

import compare
import pytest
from common.warm import WAYS
from protocols.methods import METHODS
from protocols.planner import plan
from protocols.runs import Runner, run_all

SHORT = ("DATALOADER.NUM_WORKERS", "0", "OPTIM.MAX_EPOCH", "1", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "1")
DECIDED = ("metrics", "per_class_accuracy", "correct", "checkpoint", "training", "config_hash", "versions")


@pytest.fixture
def of_both_ways(pets, tiny_clip, tmp_path, monkeypatch, capfd):
    """What runs of methods come to by each way, by their folders."""
    return lambda methods: {way: records(way, methods, pets, tiny_clip, tmp_path, monkeypatch) for way in WAYS}


def test_forks_come_to_the_bits_of_processes(of_both_ways):
    half = list(METHODS)[::2]
    found = of_both_ways(half)
    assert len(found["process"]) == len(half)
    assert found["fork"] == found["process"]


def records(way: str, methods: list[str], pets: Path, tiny_clip: Path, tmp_path: Path, monkeypatch) -> dict:
    monkeypatch.setenv("SHIP_START", way)
    monkeypatch.setenv("SHIP_CACHE", str(tmp_path / f"cache of {way}"))
    words = ["oxford_pets", "1", "--protocol", "fewshot", "--shots", "4", "--methods", *methods]
    words += ["--data", str(pets), "--output", str(tmp_path / way), "--quiet"]
    _, request = compare.parse_args([*words, *SHORT, "MODEL.BACKBONE.NAME", str(tiny_clip)])
    with Runner(quiet=True) as runner:
        assert run_all(plan(request), runner) == []
        assert (runner.warm.process is not None) == (way == "fork")
    written = (tmp_path / way).rglob("results.json")
    return {path.relative_to(tmp_path / way): decided(path) for path in written}


def decided(path: Path) -> dict:
    """What a record says that neither time nor place decide; `checkpoint` has a checksum of what was learned."""
    record = json.loads(path.read_text(encoding="utf-8"))
    return {key: record[key] for key in DECIDED}

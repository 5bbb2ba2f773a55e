"""Runs that start at once on the same DATA and cache folders do not disturb each other.

tests/ten_at_once.py, run by hand, starts ten, on data that the first of them has to render.
"""

import json
import sys

import train
from tests.ten_at_once import command, run_at_once


def test_runs_at_once_find_what_they_would_find_alone(pets, tiny_clip, tmp_path, monkeypatch):
    """None of the few-shot samples is there, and two of the runs draw the same one."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # the logger replaces it
    pairs = ("DATALOADER.NUM_WORKERS", 0, "OPTIM.MAX_EPOCH", 1, "MODEL.BACKBONE.NAME", tiny_clip)
    first, second, other = run_at_once(tmp_path, pets, [1, 1, 2], "oxford_pets", "vit_b16_ctxv1", *pairs)
    kept = sorted(path.name for path in (pets / "oxford_pets/split_fewshot").iterdir())
    assert kept == ["shot_4-seed_1.json", "shot_4-seed_2.json"]
    train.main(command(pets, tmp_path / "alone", 1, "oxford_pets", "vit_b16_ctxv1", pairs)[2:])
    alone = json.loads((tmp_path / "alone/results.json").read_text())["metrics"]
    assert first == second == alone
    assert other.keys() == alone.keys()

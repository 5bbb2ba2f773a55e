"""The benchmark of prompts in bf16, on a tiny text tower."""

import json

import pytest
import torch
from bench.commands import texts

TINY = ("--backbone", "tiny", "--repeats", "1", "--classes", "40")


@pytest.fixture
def able(monkeypatch):
    """A machine that says it computes in bf16."""
    monkeypatch.setattr(texts, "encodes_in_bf16", lambda key, value, device: True)


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
    monkeypatch.setattr(texts.machine, "peak_flops", lambda dtype=torch.float32: 1e12)


def test_both_precisions_are_measured_and_near_each_other(able, monkeypatch, capsys):
    monkeypatch.setattr(texts, "CHUNK", 8)
    texts.main([*TINY, "--json"])
    record = json.loads(capsys.readouterr().out)
    before, exact, rounded = record["ways"]
    assert len(before["losses"]) == 2 and before["losses"] == pytest.approx(exact["losses"], abs=1e-4)
    assert rounded["losses"] != exact["losses"] and rounded["losses"] == pytest.approx(exact["losses"], abs=0.05)
    assert 0.99 < record["cosines"]["least"] <= record["cosines"]["mean"] < 1


def test_the_report_has_a_line_for_each_way_and_one_for_each_method_on_shapes(able, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(texts, "accuracies", lambda words: asked.append(words) or {"base": 60.0, "new": 50.0})
    monkeypatch.setattr(texts, "compiled", lambda *_: dict.fromkeys(("plain", "compiled"), {"first": 9, "others": 1}))
    texts.main([*TINY, "--shapes", "--compile", "--seeds", "1", "2"])
    printed = capsys.readouterr().out
    for start in (
        "fp32, PyTorch's products, all run again ",
        "fp32  ",
        "bf16  ",
        "cosine ",
        "loss by step",
        "torch.compile",
        "coop ",
        "ship ",
    ):
        assert f"\n{start}" in printed
    assert [words[:5] for words in asked[:2]] == [("coop", "base2new", "shapes", "1", "2")] * 2
    assert [words[-1] == "bf16" for words in asked] == [False, True] * 2


def test_a_machine_without_bf16_says_so(monkeypatch, capsys):
    for part in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{part}_supported", lambda: False, raising=False)
    monkeypatch.setattr(texts.machine, "device", lambda: torch.device("cpu"))
    with pytest.raises(SystemExit) as ended:
        texts.main(TINY)
    assert ended.value.code == 1 and "does not compute in bf16" in capsys.readouterr().out

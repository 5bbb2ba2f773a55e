"""The benchmark of a GPU, on the CPU with a tiny CLIP."""

import json
import subprocess
import sys

import pytest
import torch
from bench import machine
from bench.commands import gpu
from bench.measure import Disagreement

TINY = ("--backbones", "tiny", "--classes", "4", "--images", "2", "--repeats", "1", "--compiled", "0")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(machine, "peak_flops", lambda shapes, dtype: 1e11)
    monkeypatch.setattr(gpu, "PROMPTS", 4)
    monkeypatch.setattr(gpu, "FEATURES", 4)


def rows(capsys, *words: str) -> tuple[dict, list[dict]]:
    gpu.main([*TINY, "--json", *words])
    about, *found = map(json.loads, capsys.readouterr().out.splitlines())
    return about, found


def test_every_part_is_measured_in_every_way_a_line_each(capsys):
    about, found = rows(capsys)
    assert set(about["peak_flops"]) == {"fp32", "fp16", "bf16"} and "versions" in about["machine"]
    titles = list(dict.fromkeys(row["title"] for row in found))
    assert titles == ["2 images", "stage 1, 4 prompts", "stage 2, 4 classes"]
    assert [row["way"] for row in found] == ["plain", "fp32", "fp16", "bf16"] * 3
    for row in found:
        assert row["a_second"] == pytest.approx((2 if "images" in row["title"] else 1) / row["seconds"])
        assert row["share_of_peak"] > 0 and row["ratio"] > 0


def test_where_memory_is_out_that_is_said_and_the_others_are_measured(capsys, monkeypatch):
    counted = gpu.counted

    def full(action, model):
        if isinstance(action, gpu.StageTwo) and action.backbone.text.__class__.__name__ == "PlainTextEncoder":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return counted(action, model)

    monkeypatch.setattr(gpu, "counted", full)
    _, found = rows(capsys)
    assert [row["note"] for row in found] == [""] * 8 + ["out of memory"] + [""] * 3
    assert found[8]["seconds"] is None and found[9]["seconds"] > 0 and found[9]["ratio"] is None
    gpu.main(TINY)
    assert "out of memory" in capsys.readouterr().out


def test_losses_in_fp32_that_are_not_the_plain_ones_end_it(capsys, monkeypatch):
    def disagree(*values) -> None:
        raise Disagreement("tiny, stage 1: losses of the two ways differ")

    monkeypatch.setattr(gpu, "check_same", disagree)
    with pytest.raises(SystemExit, match="losses of the two ways differ"):
        gpu.main(TINY)


COMPILED = {"title": "CoOp, 4 classes, fp16", "way": "both", "seconds": 0.5, "ratio": 2.0, "start": 9.0, "note": ""}
FAILED = COMPILED | {"way": "CUDA graph", "seconds": None, "ratio": None, "start": None, "note": "no capture"}
SAY = "".join(f"print({json.dumps(row)!r}, flush=True); " for row in (COMPILED, FAILED))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (SAY, ["", "no capture"]),
        (SAY + "import time; time.sleep(60)", ["", "no capture", "not done in 2 s"]),
        ("import os; os.abort()", ["it ended with status -6"]),
    ],
)
def test_graphs_and_compilers_cannot_break_the_others(code, told, capsys, monkeypatch):
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **how: run([sys.executable, "-c", code], **how))
    monkeypatch.setattr(gpu, "parts", lambda args: [])
    _, found = rows(capsys, "--compiled", "2")
    assert [row["note"] for row in found] == told
    if len(told) > 1:
        assert (found[0]["way"], found[0]["a_second"], found[0]["ratio"]) == ("both, after 9.00 s", 2.0, 2.0)
    gpu.main([*TINY, "--compiled", "2"])
    assert told[-1] in capsys.readouterr().out


def test_quick_has_neither_graphs_nor_compilers():
    assert gpu.parse_args(["--quick"]).compiled == 0 < gpu.parse_args([]).compiled <= 45


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--backbones", "ViT-B16"], "Did you mean ViT-B/16?"), (["--classes", "1"], "--classes at least 2")],
)
def test_bad_arguments_get_a_message(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        gpu.main(words)
    assert ended.value.code == 2 and message in capsys.readouterr().err

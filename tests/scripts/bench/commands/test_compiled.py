"""A step of one shape in several ways, on the CPU with a tiny CLIP; torch.compile needs no compiler here."""

import json

import pytest
import torch
from bench.architectures import random_clip
from bench.commands import compiled

TINY = ("--backbone", "tiny", "--classes", "3", "5", "--precision", "fp32", "--repeats", "1")
PLAIN = ("plain", "TEXT_GRAPHS", "CUDA graph") * 2
WAYS = [*PLAIN, *("torch.compile", "both") * 2]


@pytest.fixture(autouse=True)
def few_features(monkeypatch):
    monkeypatch.setattr(compiled, "FEATURES", 4)


def rows(capsys, *words: str) -> list[dict]:
    compiled.main([*TINY, "--json", *words])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_way_has_a_row_and_one_that_fails_says_why(capsys):
    found = rows(capsys, "--backend", "eager")
    assert [row["way"] for row in found] == WAYS
    titles = ["CoOp, 3 classes, fp32", "CoOp, 5 classes, fp32"]
    assert [row["title"] for row in found if row["way"] in ("plain", "torch.compile")] == titles * 2
    for row in found:
        if row["way"] in ("plain", "torch.compile"):
            assert row["seconds"] > 0 and row["ratio"] > 0 and row["start"] > 0 and row["note"] == ""
        else:
            assert row["seconds"] is None and row["note"] == "there is no GPU"


def test_a_compiler_that_is_not_there_fails_in_its_rows_alone(capsys, monkeypatch):
    def missing(*inputs) -> None:
        raise RuntimeError("Failed to find C compiler.\nPlease specify one.")

    monkeypatch.setattr(torch, "compile", lambda function, **options: missing)
    found = rows(capsys)
    notes = [row["note"] for row in found if row["way"] in ("plain", "torch.compile")]
    assert notes == ["", "", *["Failed to find C compiler. Please specify one."] * 2]


def test_the_tower_is_compiled_whole():
    """In one graph for each of its two passes."""
    backbone, sizes = random_clip("tiny", images=False), []

    def backend(graph: torch.fx.GraphModule, inputs: list) -> torch.nn.Module:
        sizes.append(len(graph.graph.nodes))
        return graph

    step = compiled.Step(backbone, 3, "fp32", repeats=1)
    step.row("plain", lambda: step.take)
    with compiled.compiled(backbone.text, backend):
        assert step.row("torch.compile", lambda: step.take).note == ""
    assert len(sizes) == 2 and min(sizes) > 50
    assert backbone.text.run_tokens.__func__ is type(backbone.text).run_tokens


def test_a_way_with_other_values_is_told():
    backbone = random_clip("tiny", images=False)
    step = compiled.Step(backbone, 3, "fp32", repeats=1)
    step.row("plain", lambda: step.take)
    assert step.row("twice", lambda: lambda: 2 * step.take()).note.startswith("loss or gradient is another: 1 apart")


def test_a_table_has_all_of_them(capsys):
    compiled.main([*TINY, "--backend", "eager"])
    printed = capsys.readouterr().out
    assert "tiny, random weights in fp32" in printed and "there is no GPU" in printed
    assert printed.count("torch.compile") == 2

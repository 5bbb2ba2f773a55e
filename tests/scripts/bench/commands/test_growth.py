"""The benchmark of a step's growth, on a tiny text tower."""

import json
import re
import sys

import pytest
from bench.architectures import random_clip
from bench.commands import growth
from bench.growth import Setting, point, prompts_at_once

from trainers.blocks.clip.chunks import Chunks

SMALL = (
    *("--backbone", "tiny", "--repeats", "1", "--classes", "4", "40"),
    *("--contexts", "2", "4", "--words", "1", "3"),
)


def test_passes_of_tokens_grow_with_what_is_varied(capsys):
    growth.main([*SMALL, "--json"])
    series = json.loads(capsys.readouterr().out)["series"]
    assert [one["varied"] for one in series] == ["classes", "context tokens", "tokens a class name"]
    for one in series:
        few, many = one["points"]
        assert few["passes"] < many["passes"]
        assert not many["recomputed"]


def test_the_tables_and_the_plot_show_it(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    growth.main([*SMALL, "--plot", str(tmp_path / "plots")])
    found = re.findall(r"^(\d+) +[\d.]+ ", capsys.readouterr().out, re.MULTILINE)
    assert found == ["4", "40", "2", "4", "1", "3"]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["growth.pdf", "growth.png"]


def test_prompts_in_parts_are_recomputed_which_is_another_pass():
    backbone, setting = random_clip("tiny"), Setting(classes=40, name_tokens=2)
    whole = point(40, setting, backbone, repeats=1)
    backbone.text.chunks = Chunks(size=32)
    parts = point(40, setting, backbone, repeats=1)
    assert (whole.at_once, whole.recomputed, parts.at_once, parts.recomputed) == (40, 0, 32, 40)
    assert parts.passes == whole.passes + 40 * 4  # two tokens of the name, full stop, EOT


def test_without_matplotlib_it_says_what_to_install(monkeypatch, capsys):
    for name in ("matplotlib", "report.figures", "bench.drawing"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit) as error:
        growth.main([*SMALL, "--plot", "plots"])
    assert error.value.code == 2
    assert "pip install matplotlib" in capsys.readouterr().err


def test_the_memory_budget_decides_how_many_prompts_are_kept():
    backbone = random_clip("tiny")
    backbone.text.chunks = Chunks(size=-1, budget=2**24)
    limit = prompts_at_once(backbone)
    assert not point(limit, Setting(limit - 20), backbone, repeats=1).recomputed
    assert 0 < point(limit, Setting(2 * limit), backbone, repeats=1).recomputed < 1.25 * limit

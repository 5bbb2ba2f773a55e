"""The benchmark of starts: both ways on the same runs, whose figures have to be the same."""

import json
import sys
from dataclasses import dataclass
from functools import partial

import pytest
from bench.commands import starts
from common.warm import WarmProcess
from protocols import runs as protocol_runs
from protocols.methods import METHODS, Recipe
from protocols.runs import Run
from sweeping import local

ACCURACY = {"the same": "50", "another": "os.getppid()"}


@dataclass(frozen=True)
class ScriptRun(Run):
    """Writes its record, and who started it."""

    accuracy: str = ""

    def command(self, force: bool = False) -> list[str]:
        script = self.data / "script.py"
        script.write_text(
            "import json, os, sys; os.makedirs(sys.argv[1]);"
            f"record = {{'config': {{}}, 'metrics': {{'accuracy': {self.accuracy}}}}};"
            "print(open(f'/proc/{os.getppid()}/cmdline').read());"
            "open(sys.argv[1] + '/results.json', 'w').write(json.dumps(record))"
        )
        return [sys.executable, str(script), str(self.folder)]


@pytest.fixture
def accuracy(request, monkeypatch, tmp_path):
    def plan(asked):
        kind = {"data": tmp_path, "accuracy": ACCURACY[request.param]}
        for seed in asked.seeds:
            folder = asked.output / str(seed)
            yield ScriptRun(METHODS["zsclip"], Recipe("x", ()), "shapes", "new", 0, seed, folder, **kind)

    monkeypatch.setattr(starts, "plan", lambda asked: list(plan(asked)))
    for starting in (protocol_runs, local):
        monkeypatch.setattr(starting, "WarmProcess", partial(WarmProcess, modules=()))


@pytest.mark.parametrize("accuracy", ["the same"], indirect=True)
def test_both_ways_are_measured(accuracy, capsys, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    starts.main(["--repeats", "2", "--quickstart", "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["runs"] for row in rows.values()] == [2, 3]
    assert all(row["process"] > 0 and row["fork"] > 0 for row in rows.values())


@pytest.mark.parametrize("accuracy", ["the same"], indirect=True)
def test_the_table_has_the_ratio(accuracy, capsys):
    starts.main(["--repeats", "1"])
    line = capsys.readouterr().out.splitlines()[-1].rsplit(maxsplit=4)
    assert line[0] == "one evaluation, median"
    assert float(line[4]) == pytest.approx(float(line[2]) / float(line[3]), abs=0.2)


@pytest.mark.parametrize("accuracy", ["another"], indirect=True)
def test_figures_that_differ_end_it(accuracy):
    with pytest.raises(SystemExit) as ended:
        starts.main(["--repeats", "1"])
    assert "as a process" in str(ended.value)

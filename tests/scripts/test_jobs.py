"""--jobs of the scripts that make one run after the other by themselves: several at a time, then their tables."""

from collections.abc import Callable
from functools import partial

import compare
import pytest
import run
from common.warm import WarmProcess
from sweeping import local

from tests.conftest import CHECKOUT
from tests.scripts.stub_runs import stands_for_train

SCRIPTS = {
    "run.sh": (run.main, ["coop", "base2new", "shapes"]),
    "compare.sh": (compare.main, ["shapes", "--methods", "coop"]),
}


@pytest.fixture(params=SCRIPTS)
def script(request, tmp_path, monkeypatch) -> Callable[..., int]:
    """Ends with its exit status."""
    monkeypatch.setattr(local, "WarmProcess", partial(WarmProcess, modules=()))  # the stub needs none
    main, words = SCRIPTS[request.param]

    def called(*options: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--seeds", "1", "2", "--output", str(tmp_path), *options])
        return ended.value.code

    return called


def test_runs_are_made_so_many_at_a_time_and_complete_ones_are_not_repeated(script, monkeypatch, capsys):
    stands_for_train(monkeypatch)
    assert script("--jobs", "2") == 0
    printed = capsys.readouterr().out
    assert "4 of 4 runs on this machine, 2 at a time" in printed
    assert "base-to-new, seeds 1 2" in printed
    assert script("--jobs", "2") == 0
    assert "runs on this machine" not in capsys.readouterr().out


def test_what_fails_is_listed_after_the_table(script, monkeypatch, capsys):
    stands_for_train(monkeypatch, "--fail", 9)
    assert script("--jobs", "2") == 1
    said = capsys.readouterr()
    assert said.err.count("failed with status 3") == 2 and said.err.count("its training failed") == 2
    assert "base-to-new, seeds 1 2" in said.out


def test_a_number_that_is_none_is_refused(script, capsys):
    assert script("--jobs", "0") == 2
    assert "0 is not above 0" in capsys.readouterr().err


def test_the_quickstart_uses_the_cores():
    assert "--jobs $((cores < 4 ? cores : 4))" in (CHECKOUT / "scripts/quickstart.sh").read_text(encoding="utf-8")

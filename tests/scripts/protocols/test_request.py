"""One vocabulary: the same words ask for the same, whatever the command."""

import subprocess
import sys

import ablate
import compare
import pytest
import run
import sweep
from protocols.request import Request

from tests.conftest import CHECKOUT


def request(command, *words: str) -> Request:
    return command.parse_args([*words, "--data", "DATA", "--output", "OUT"])[1]


WORDS = [
    ("shapes", "1", "2", "OPTIM.LR", "0.1"),
    ("shapes", "--seeds", "1", "2", "OPTIM.LR", "0.1"),
    ("--datasets", "shapes", "--seeds", "1,2", "OPTIM.LR", "0.1"),
    ("--datasets", "shapes", "1", "2", "OPTIM.LR", "0.1"),
    ("--seeds", "1", "2", "--datasets", "shapes", "--set", "OPTIM.LR", "0.1"),
    ("OPTIM.LR", "0.1", "--datasets", "shapes", "--seeds", "1", "2"),
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("command", [compare, sweep])
def test_comparisons_take_datasets_seeds_and_pairs_in_every_way(command, words):
    expected = request(run, "coop", "base2new", *WORDS[0])
    assert request(command, *words, "--methods", "coop") == expected


@pytest.mark.parametrize("words", WORDS)
def test_so_do_the_commands_whose_first_words_say_what_to_run(words):
    for command, first in ((run, ("ship", "base2new")), (ablate, ("bias",))):
        found = request(command, *first, *words)
        assert (found.datasets, found.seeds, found.pairs) == (("shapes",), (1, 2), ("OPTIM.LR", "0.1"))


def test_baselines_come_first_each_once_and_with_their_own_recipes():
    found = request(compare, "dtd", "--methods", "coop", "ship", "--with-baselines", "--recipe", "vit_b16")
    names = [(method.name, method.recipe("base2new", "dtd", 16).name) for method in found.methods]
    assert names == [("zsclip", "vit_b16"), ("coop", "vit_b16"), ("ship", "vit_b16")]
    (zsclip, coop, ship) = request(run, "ship", "base2new", "dtd", "--with-baselines").methods
    assert [method.name for method in (zsclip, coop, ship)] == ["zsclip", "coop", "ship"]
    assert coop.recipe("base2new", "dtd", 16).name == "vit_b16_ctxv1"


def test_several_datasets_are_taken_and_of_protocols_with_targets_one(capsys):
    assert request(run, "coop", "base2new", "dtd", "eurosat", "1").datasets == ("dtd", "eurosat")
    with pytest.raises(SystemExit):
        request(run, "coop", "xd", "imagenet", "dtd")
    assert "xd has one source: give one DATASET" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("run", "ship", "base2new"), ("compare",), ("ablate", "bias"), ("sweep",)])
def test_a_dry_run_says_what_would_run_and_writes_nothing(words, tmp_path, capsys):
    name, *first = words
    command = {"run": run, "compare": compare, "ablate": ablate, "sweep": sweep}[name]
    methods = ["--methods", "ship"] if name in ("compare", "sweep") else []
    command.main([*first, "shapes", "--seeds", "1", *methods, "--output", str(tmp_path / "out"), "--dry-run"])
    assert "to run" in capsys.readouterr().out.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_planning_needs_no_pytorch(tmp_path):
    words = ["ship", "base2new", "shapes", "--dry-run", "--output", str(tmp_path / "out")]
    lines = f"import sys; sys.modules['torch'] = None; sys.path.insert(0, 'scripts'); import run; run.main({words})"
    done = subprocess.run([sys.executable, "-c", lines], cwd=CHECKOUT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("6 runs: 0 complete, 6 to run\n")

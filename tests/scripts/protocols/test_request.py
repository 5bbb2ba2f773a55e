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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shots", "0"], "--shots 0 leaves coop nothing to train on; -1 stands for all images"),
        (["--shots", "-2"], "-2 is no number of images; -1 stands for all that there are"),
        (["--shots", "few"], "argument --shots: few is no number of images"),
        (["--seeds", "4294967296"], "seed 4294967296 is too large: the largest is 4294967295"),
        (["--seeds", "²"], "invalid int value: '²'"),
        (["DATASET.NUM_SHOTS", "0"], "DATASET.NUM_SHOTS is part of the runs' folders: give it as --shots"),
        (["SEED", "3"], "SEED is part of the runs' folders: give it as --seeds"),
    ],
)
def test_numbers_that_the_runs_would_take_otherwise_are_refused(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        request(run, "coop", "base2new", "dtd", *words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_no_shots_are_refused_wherever_a_method_trains_and_taken_where_none_does(capsys):
    assert request(run, "zsclip", "fewshot", "dtd", "--shots", "0").shots == (0,)
    for command, words in ((compare, ("dtd",)), (ablate, ("bias", "dtd")), (sweep, ("dtd", "--methods", "ship"))):
        with pytest.raises(SystemExit):
            request(command, *words, "--shots", "0")
        assert "nothing to train on" in capsys.readouterr().err


def test_longtail_falls_from_a_number_of_shots(capsys):
    assert request(run, "coop", "longtail", "dtd").shots == (16,)
    with pytest.raises(SystemExit):
        request(run, "coop", "longtail", "dtd", "--shots", "-1")
    assert "images of the first class, at least 1" in capsys.readouterr().err


def test_a_comma_too_many_is_passed_over():
    assert request(run, "coop", "base2new", "dtd", "1,,2").seeds == (1, 2)


def test_a_source_without_shifted_variants_is_refused_unless_targets_are_given(capsys):
    with pytest.raises(SystemExit) as ended:
        request(run, "coop", "dg", "oxford_pets")
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "no shifted variants of oxford_pets" in error and "imagenet and shapes" in error
    assert request(run, "coop", "dg", "oxford_pets", "--targets", "dtd").targets == ("dtd",)

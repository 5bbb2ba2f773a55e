"""Which runs tables and plots are made of."""

import json
from pathlib import Path

import pytest
from common.arguments import command_parser
from protocols.layout import train_folder
from report.choice import add_choice, chosen_runs, read_choice

RUNS = [("ZeroshotCLIP", "r", 0), ("CoOp", "r", 16), ("CoOp", "r", 4), ("SHIP", "r", 16), ("SHIP", "r_cocoop", 16)]


@pytest.fixture
def found(tmp_path):
    """Trainer, recipe and shots of the runs that words choose."""
    for trainer, recipe, shots in RUNS:
        folder = train_folder(tmp_path, "fewshot", "dtd", shots, trainer, recipe, 1)
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps({"metrics": {"accuracy": 50}}))

    def found(*words: str) -> list[tuple[str, str, int]]:
        parser = command_parser("tables.py", "")
        add_choice(parser)
        args = read_choice(parser, [*words, str(tmp_path)])
        args.protocol = "fewshot"
        return sorted((run.id.trainer, run.id.recipe, run.id.shots) for run in chosen_runs(args))

    return found


def test_all_are_taken_unless_some_are_named(found):
    assert found() == sorted(RUNS)


def test_methods_are_chosen_by_their_names(found):
    assert found("--methods", "coop", "--output") == [("CoOp", "r", 4), ("CoOp", "r", 16)]
    assert found("--methods", "ship_coop", "--output") == [("SHIP", "r", 16)]
    assert found("--methods", "ship_cocoop", "--output") == [("SHIP", "r_cocoop", 16)]


def test_shots_are_chosen_with_what_needs_none(found):
    assert found("--shots", "4") == [("CoOp", "r", 4), ("ZeroshotCLIP", "r", 0)]


def test_folders_may_stand_behind_seeds(found, tmp_path):
    parser = command_parser("tables.py", "")
    add_choice(parser)
    assert read_choice(parser, ["--seeds", "1", "2", "here"]).outputs == [Path("here")]


def test_an_unknown_method_is_bad_input(found, capsys):
    with pytest.raises(SystemExit) as ended:
        found("--methods", "shipp", "--output")
    assert ended.value.code == 2
    assert "Did you mean ship?" in capsys.readouterr().err

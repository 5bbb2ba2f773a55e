"""Which runs make one row."""

from dataclasses import replace
from pathlib import Path

import pytest
from protocols.layout import RunId
from report.results import Outcome, RunResult
from report.rows import in_order, methods_of


def run(recipe: str, dataset: str = "dtd", trainer: str = "CoOp", shots: int = 16, seed: int = 1, output: str = "a"):
    return RunResult(
        RunId(dataset, "base", shots, trainer, recipe, seed, Path(output)), Outcome("complete"), Path(output)
    )


def test_recipes_that_differ_by_epochs_or_dataset_make_one_row():
    runs = [run("r_ctxv1"), run("r_ctxv1", "eurosat"), run("r_ep50_ctxv1", "imagenet")]
    runs += [run("v_a", trainer="SHIP"), run("v_a_imagenet", "imagenet", "SHIP")]
    assert [(row.trainer, row.recipe) for row in methods_of(runs)] == [("CoOp", "r_ctxv1"), ("SHIP", "v_a")]
    assert methods_of(runs)[0].label("imagenet") == "r_ep50_ctxv1"


def test_few_shot_recipes_that_differ_by_epochs_make_one_row():
    runs = [run("rn50_ep50", shots=1), run("rn50_ep100", shots=2), run("rn50", shots=8), run("rn50", shots=16)]
    assert [row.recipe for row in methods_of(runs)] == ["rn50"]


def test_recipes_that_meet_in_a_dataset_make_a_row_each():
    runs = [run("r"), run("r_ep50"), run("r", "eurosat")]
    assert [row.recipe for row in methods_of(runs)] == ["r", "r_ep50"]


def test_the_same_run_in_two_folders_makes_two_rows_that_name_them():
    assert [row.label() for row in methods_of([run("r", output="a"), run("r", output="b")])] == ["r (a)", "r (b)"]
    assert [row.label() for row in methods_of([run("r"), run("r", seed=2, output="b")])] == ["r"]


def test_runs_of_another_calibration_are_a_row_of_their_own_whatever_dataset_they_are_of():
    held_out = replace(run("r", "eurosat"), outcome=Outcome("complete", calibration="held_out"))
    assert [row.label("eurosat") for row in methods_of([held_out, run("r", "dtd")])] == ["r", "r, held_out"]


def test_methods_stand_in_the_usual_order():
    runs = [run("r", trainer=name) for name in ("SHIP", "Another", "CoOp", "ZeroshotCLIP")]
    assert [row.trainer for row in methods_of(runs)] == ["ZeroshotCLIP", "CoOp", "SHIP", "Another"]


@pytest.mark.parametrize("names", [["zoo", "ucf101", "imagenet", "shapes"]])
def test_datasets_stand_in_coops_order(names):
    assert in_order(names) == ["imagenet", "ucf101", "shapes", "zoo"]

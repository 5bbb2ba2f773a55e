"""Tables of ablations: rows, differences and their errors, what is missing."""

import statistics

from ablating.tables import paired_row, plain_row
from report.series import Series

from .conftest import FIGURES, asked_for, competing


def test_row_has_means_over_seeds_and_class_splits_and_the_kl(finished):
    variant = finished({})
    label, base, new, h, difference, kl, count = plain_row(variant, reference=variant)
    assert (label, base, new, kl, count) == ("as published", "64.00 ± 4.32", "44.00 ± 4.32", "0.6000 ± 0.0816", "3")
    assert h.startswith("52.15 ")  # of the means: 2 · 64 · 44 / 108
    assert difference == "–"


def test_difference_is_taken_between_runs_of_the_same_class_split_and_seed(finished):
    reference, higher = finished({}), finished({"KL_WEIGHT": 0.1}, higher=10.0)
    own = [
        2 * base * (new + 10) / (base + new + 10) - 2 * base * new / (base + new) for base, new, _ in FIGURES.values()
    ]
    mean, deviation = statistics.fmean(own), statistics.pstdev(own)
    assert plain_row(higher, reference)[4] == f"+{mean:.2f} ± {deviation:.2f}"


def test_control_without_stage_one_has_no_kl(variant_of):
    control = variant_of({"SYNTHESIS": "text"})
    assert control.figures[2] == Series()
    assert plain_row(control, control)[5] == "–"


def test_paired_rows_have_both_protocols_and_differences_with_clustered_errors(tmp_path):
    published, split = competing(["loss"], tmp_path, {"LOSS split": 2.0}).variants[:2]
    row = paired_row(split, published)
    assert [row[place] for place in (0, 1, 2, 5, 6, 7, 9)] == [
        "LOSS split",
        *("53.50", "63.50", "73.50", "73.50", "73.50", "0.50"),
    ]
    assert row[8] == "+3.00 ± 1.00"  # 2 in split 0 and 4 in split 1, alike for all seeds
    assert row[3].startswith("58.0") and row[4].startswith("+3.0")
    assert paired_row(published, published)[4::4] == ["–", "–"]


def test_paired_row_says_how_many_runs_there_are_where_some_are_missing(tmp_path):
    published, split = competing(["loss"], tmp_path, {}).variants[:2]
    next(iter(split.runs.values()))[1].folder.joinpath("results.json").unlink()
    row = paired_row(split, published)
    assert row[0].replace("\n", " ") == "LOSS split (3 of 4 runs)"
    assert row[2] == "60.67"


def test_paired_table_fits_a_terminal_and_names_its_reference(tmp_path):
    competing(["residual"], tmp_path, {})
    [ablation] = asked_for(["residual", "shapes", "--reference", "LOSS split"], tmp_path)
    text = ablation.table()
    assert max(map(len, text.splitlines())) <= 100
    assert "Δ: to LOSS split of the same class split and seed" in text


def test_table_of_a_method_without_keys_for_new_classes_says_what_that_is(tmp_path):
    on_tip = competing(["compared", "--on", "tip_adapter_f"], tmp_path, {}).table()
    assert "SYNTHESIS none: tip_adapter_f without SHIP, as zero-shot CLIP" in on_tip
    assert "Δ: to SYNTHESIS none of" in on_tip
    on_coop = competing(["compared"], tmp_path, {}).table()
    assert "without SHIP" not in on_coop and "Δ: to CoOp of" in on_coop
    assert max(len(line) for line in (on_tip + "\n" + on_coop).splitlines()) <= 100

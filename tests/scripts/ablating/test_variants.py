"""Rows of ablations: their runs, which of them are shared, and their figures."""

import statistics

import ablate
import pytest
from ablating.options import all_runs
from ablating.variants import paired_difference
from report.series import clustered_error

from .conftest import FIGURES, asked_for


def test_variant_changes_its_setting_alone_in_a_folder_of_its_own(variant_of, tmp_path):
    trained, tested = variant_of({"KL_WEIGHT": 0.1}).runs[1, 2]
    pairs = ("TRAINER.SHIP.KL_WEIGHT", "0.1", "DATASET.CLASS_DRAW", "1")
    assert trained.pairs == tested.pairs == pairs
    assert trained.seed == 2
    assert tmp_path / "ablations/KL_WEIGHT_0_1/draw1/base2new/train_base" in trained.folder.parents


def test_cost_of_calibration_changes_one_test_of_the_model_that_is_trained_without_it(tmp_path):
    [ablation] = asked_for(["calibration", "shapes"], tmp_path)
    variants = {variant.label: variant for variant in ablation.variants}
    published = variants["as published"].runs[0, 1]
    *shared, test = variants["GZSL.CALIBRATION_COST 1.0"].runs[0, 1]
    assert shared == published[:2]
    assert (test.classes, test.trains, test.model) == ("all", False, published[0])
    assert test.pairs[:2] == ("TRAINER.GZSL.CALIBRATION_COST", "1.0")
    assert tmp_path / "ablations/GZSL_CALIBRATION_COST_1_0" in test.folder.parents
    held_out, *_ = variants["GZSL.CALIBRATION held_out"].runs[0, 1]
    assert held_out.trains and held_out.folder != published[0].folder


def test_runs_that_rows_and_ablations_share_are_made_once(tmp_path):
    ablations = [one for kind in ("loss", "compared") for one in asked_for([kind, "shapes"], tmp_path)]
    loss, compared = ({run.folder for run in all_runs([ablation])} for ablation in ablations)
    runs = all_runs(ablations)
    assert len(runs) == len({run.folder for run in runs}) == len(loss | compared)
    assert {folder.parts[-2:] for folder in compared - loss} == {("shapes", "seed1"), ("shapes", "seed2")}
    assert {folder.parts[-3] for folder in compared - loss} == {"CoOp", "KgCoOp"}


def test_baselines_that_an_ablation_has_anyway_are_one_row(tmp_path):
    [ablation] = asked_for(["compared", "shapes", "--with-baselines"], tmp_path)
    assert [variant.label for variant in ablation.variants][:4] == ["ZeroshotCLIP", "CoOp", "KgCoOp", "as published"]
    assert ablation.reference.label == "CoOp"


def test_figures_are_read_by_class_split_and_seed(finished):
    base, new, kl = finished({}).figures
    assert base.values == {key: figures[0] for key, figures in FIGURES.items()}
    assert new.values[0, 2] == 42.0
    assert kl.values[1, 1] == 0.6


def test_paired_difference_is_that_of_runs_with_the_same_split_and_seed(finished):
    reference, higher = finished({}), finished({"KL_WEIGHT": 0.1}, higher=10.0)
    own = {
        key: 2 * base * (new + 10) / (base + new + 10) - 2 * base * new / (base + new)
        for key, (base, new, _) in FIGURES.items()
    }
    mean, error = paired_difference(higher.figures[:2], reference.figures[:2])
    assert (mean, error) == pytest.approx((statistics.fmean(own.values()), clustered_error(own)))


def test_an_ablation_may_be_under_another_backbone_which_folders_and_table_name(tmp_path, capsys):
    words = ["kl_weight", "dtd", "--seeds", "1", "--class-splits", "0", "--output", str(tmp_path)]
    [ablation] = ablate.parse_args([*words, "--backbone", "datacomp_b16"])[2]
    assert {run.folder.parts[-2] for one in ablation.variants for run in one.runs[0, 1]} == {"datacomp_b16"}
    assert ablation.table().startswith("dtd, 16 shots, DataComp B/16, base-to-new, kl_weight")
    with pytest.raises(SystemExit):
        ablate.parse_args([*words, "--backbones", "RN50", "datacomp_b16"])
    assert "--backbone: an ablation is under one" in capsys.readouterr().err

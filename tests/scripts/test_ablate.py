"""The ablations: what each changes, and their table."""

import json

import ablate
import pytest

from tests.conftest import CHECKOUT


@pytest.fixture
def args(tmp_path):
    return ablate.parse_args(
        ["kl_weight", "shapes", "--seeds", "1", "2", "--draws", "0", "1", "--output", str(tmp_path)]
    )


@pytest.mark.parametrize("name", ablate.ABLATIONS)
def test_every_ablation_has_a_script_and_the_published_setting(name):
    assert (CHECKOUT / f"scripts/ablations/{name}.sh").is_file()
    assert ablate.PUBLISHED in ablate.ABLATIONS[name]


def test_variant_changes_its_setting_alone_in_a_folder_of_its_own(args, tmp_path):
    trained, tested = ablate.Variant(args, "ship", {"KL_WEIGHT": 0.1}).runs[1, 2]
    pairs = ("TRAINER.SHIP.KL_WEIGHT", "0.1", "DATASET.CLASS_DRAW", "1")
    assert trained.pairs == tested.pairs == pairs
    assert trained.seed == 2
    assert tmp_path / "ablations/KL_WEIGHT_0_1/draw1/base2new/train_base" in trained.folder.parents


def test_row_has_means_over_seeds_and_draws_and_the_kl(args):
    variant = ablate.Variant(args, "ship", {})
    figures = {(0, 1): (60.0, 40.0, 0.5), (0, 2): (62.0, 42.0, 0.7), (1, 1): (70.0, 50.0, 0.6)}
    for key, (base, new, kl) in figures.items():
        for run, accuracy in zip(variant.runs[key], (base, new), strict=True):
            stages = {"PromptVAE": {"kl": kl}, "SHIP": {"loss": 1.0}} if run.trains else {}
            run.folder.mkdir(parents=True)
            record = {"metrics": {"accuracy": accuracy}, "training": stages}
            (run.folder / "results.json").write_text(json.dumps(record))
    label, base, new, h, kl, count = variant.row()
    assert (label, base, new, kl, count) == ("as published", "64.00 ± 4.32", "44.00 ± 4.32", "0.6000 ± 0.0816", "3")
    assert h.startswith("52.15 ")  # of the means: 2 · 64 · 44 / 108


def test_control_without_stage_one_has_no_kl(args):
    assert ablate.Variant(args, "ship", {"SYNTHESIS": "text"}).row()[4] == "–"

"""The ablations: what each changes, and their table."""

import json
import statistics

import ablate
import pytest
from protocols.methods import METHODS

from tests.conftest import CHECKOUT


@pytest.fixture
def variant_of(tmp_path):
    """What makes variants: the request, class splits, method and dataset are the same in all tests."""
    words = ["kl_weight", "shapes", "--seeds", "1", "2", "--class-splits", "0", "1", "--output", str(tmp_path)]
    args, request = ablate.parse_args(words)
    return lambda changed: ablate.Variant(request, args.class_splits, METHODS["ship"], changed, "shapes")


@pytest.mark.parametrize("name", ablate.ABLATIONS)
def test_every_ablation_has_a_script_and_the_published_setting(name):
    assert (CHECKOUT / f"scripts/ablations/{name}.sh").is_file()
    assert ablate.PUBLISHED in ablate.ABLATIONS[name]


def test_variant_changes_its_setting_alone_in_a_folder_of_its_own(variant_of, tmp_path):
    trained, tested = variant_of({"KL_WEIGHT": 0.1}).runs[1, 2]
    pairs = ("TRAINER.SHIP.KL_WEIGHT", "0.1", "DATASET.CLASS_DRAW", "1")
    assert trained.pairs == tested.pairs == pairs
    assert trained.seed == 2
    assert tmp_path / "ablations/KL_WEIGHT_0_1/draw1/base2new/train_base" in trained.folder.parents


FIGURES = {(0, 1): (60.0, 40.0, 0.5), (0, 2): (62.0, 42.0, 0.7), (1, 1): (70.0, 50.0, 0.6)}


@pytest.fixture
def finished(variant_of):
    """Makes a variant's runs look complete, with accuracies on new classes that are so much higher than FIGURES."""

    def make(changed: dict, higher: float = 0.0) -> ablate.Variant:
        variant = variant_of(changed)
        for key, (base, new, kl) in FIGURES.items():
            for run, accuracy in zip(variant.runs[key], (base, new + higher), strict=True):
                stages = {"PromptVAE": {"kl": kl}, "SHIP": {"loss": 1.0}} if run.trains else {}
                run.folder.mkdir(parents=True)
                record = {"metrics": {"accuracy": accuracy}, "training": stages}
                (run.folder / "results.json").write_text(json.dumps(record))
        return variant

    return make


def test_row_has_means_over_seeds_and_class_splits_and_the_kl(finished):
    variant = finished({})
    label, base, new, h, difference, kl, count = variant.row(reference=variant)
    assert (label, base, new, kl, count) == ("as published", "64.00 ± 4.32", "44.00 ± 4.32", "0.6000 ± 0.0816", "3")
    assert h.startswith("52.15 ")  # of the means: 2 · 64 · 44 / 108
    assert difference == "–"


def test_difference_is_taken_between_runs_of_the_same_class_split_and_seed(finished):
    reference, higher = finished({}), finished({"KL_WEIGHT": 0.1}, higher=10.0)
    own = [
        2 * base * (new + 10) / (base + new + 10) - 2 * base * new / (base + new) for base, new, _ in FIGURES.values()
    ]
    mean, deviation = statistics.fmean(own), statistics.pstdev(own)
    assert higher.row(reference)[4] == f"+{mean:.2f} ± {deviation:.2f}"


def test_control_without_stage_one_has_no_kl(variant_of):
    control = variant_of({"SYNTHESIS": "text"})
    assert control.row(control)[5] == "–"

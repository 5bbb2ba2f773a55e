"""The ablations: what each changes, and their table."""

import json
import statistics
import sys

import ablate
import pytest
from protocols.methods import METHODS
from report.series import clustered_error

from configuration import default_cfg, merge_pairs
from tests.conftest import CHECKOUT
from trainers.blocks.training.keys import check_values


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


@pytest.mark.parametrize("name", ablate.PAIRED)
def test_every_paired_ablation_has_a_script_the_published_setting_and_each_variant_once(name):
    assert (CHECKOUT / f"scripts/ablations/{name}.sh").is_file()
    variants = ablate.PAIRED[name]
    assert ablate.PUBLISHED in variants
    assert len({json.dumps(changed, sort_keys=True) for changed in variants}) == len(variants)


@pytest.mark.parametrize("name", ablate.KINDS)
def test_every_variant_changes_keys_that_there_are_to_values_that_they_can_have(name, tmp_path):
    for changed in ablate.KINDS[name]:
        cfg = default_cfg()
        merge_pairs(cfg, [word for key, value in changed.items() for word in (ablate.full_key(key), str(value))])
        check_values(cfg)


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


def test_clustered_error_is_that_of_the_means_of_the_class_splits_where_all_have_as_many_seeds():
    values = {(split, seed): [1.0, 2.0, 6.0][split] + 0.1 * seed for split in range(3) for seed in range(4)}
    expected = statistics.stdev([1.15, 2.15, 6.15]) / 3**0.5
    assert clustered_error(values) == pytest.approx(expected)
    assert clustered_error(values) > 1.9 * statistics.stdev(values.values()) / 12**0.5  # as if all were independent


def test_clustered_error_of_splits_with_unlike_numbers_of_seeds_by_hand():
    values = {(0, 1): 1.0, (0, 2): 3.0, (1, 1): 8.0}  # mean 4: sums −4 and 4
    assert clustered_error(values) == pytest.approx((2 / 1 * (16 + 16)) ** 0.5 / 3)
    assert clustered_error({(0, 1): 1.0, (0, 2): 3.0}) is None


def competing(words: list[str], tmp_path, higher: dict[str, float]) -> list[ablate.Variant]:
    """The rows of a paired ablation whose runs look complete; some labels have so much higher figures."""
    words = [*words, "shapes", "--seeds", "1", "2", "--class-splits", "0", "1", "--output", str(tmp_path)]
    args, request = ablate.parse_args(words)
    variants = ablate.variants_of(request, args.ablation, args.class_splits, "shapes")
    for variant in variants:
        for (split, _), runs in variant.runs.items():
            for number, run in enumerate(runs):
                accuracy = 50.0 + 10 * number + split + higher.get(variant.label, 0.0) * (1 + split)
                metrics = {"accuracy": accuracy, **({"seen": accuracy, "unseen": accuracy} if number == 2 else {})}
                run.folder.mkdir(parents=True, exist_ok=True)
                record = {"metrics": metrics, "training": {"PromptVAE": {"kl": 0.5}}}
                (run.folder / "results.json").write_text(json.dumps(record))
    return variants


def test_paired_rows_have_both_protocols_and_differences_with_clustered_errors(tmp_path):
    variants = competing(["loss"], tmp_path, {"LOSS split": 2.0})
    published, split = variants[:2]
    label, base, new, h, difference, seen, unseen, g, competing_difference, kl = split.paired_row(published)
    assert (label, base, new, seen, unseen, g, kl) == (
        "LOSS split",
        "53.50",
        "63.50",
        "73.50",
        "73.50",
        "73.50",
        "0.50",
    )
    assert competing_difference == "+3.00 ± 1.00"  # 2 in split 0 and 4 in split 1, alike for all seeds
    assert h.startswith("58.0") and difference.startswith("+3.0")
    assert published.paired_row(published)[4::4] == ["–", "–"]


def test_paired_row_says_how_many_runs_there_are_where_some_are_missing(tmp_path):
    variants = competing(["calibration"], tmp_path, {})
    next(iter(variants[1].runs.values()))[1].folder.joinpath("results.json").unlink()
    row = variants[1].paired_row(variants[0])
    assert row[0].replace("\n", " ") == "GZSL.CALIBRATION_COST 1.0 (3 of 4 runs)"
    assert row[2] == "60.67"


def test_paired_table_fits_a_terminal_and_names_its_reference(tmp_path):
    competing(["residual"], tmp_path, {})
    words = ["residual", "shapes", "1", "2", "--class-splits", "0", "1", "--output", str(tmp_path)]
    args, request = ablate.parse_args([*words, "--reference", "LOSS split"])
    text = ablate.table_of(args, request, ablate.variants_of(request, "residual", args.class_splits, "shapes"))
    assert max(map(len, text.splitlines())) <= 100
    assert "Δ: to LOSS split of the same class split and seed" in text


def test_reference_that_is_no_row_ends_in_a_line_before_anything_runs(tmp_path, capsys):
    with pytest.raises(SystemExit):
        ablate.main(["loss", "shapes", "--output", str(tmp_path), "--reference", "nothing", "--dry-run"])
    assert "no row is called so; there are as published, LOSS split" in capsys.readouterr().err


def test_pull_is_left_out_on_methods_without_text_features_to_hold(tmp_path):
    labels = {}
    for method in ("coop", "tip_adapter_f"):
        words = ["controls", "shapes", "--on", method, "--output", str(tmp_path), "--seeds", "1"]
        args, request = ablate.parse_args(words)
        labels[method] = {variant.label for variant in ablate.variants_of(request, "controls", [0], "shapes")}
    assert labels["tip_adapter_f"] == {label for label in labels["coop"] if "PULL" not in label} < labels["coop"]
    assert "SYNTHESIS none PULL 2.0" in labels["coop"]


def test_an_ablation_may_be_under_another_backbone_which_folders_and_table_name(tmp_path, capsys):
    words = ["kl_weight", "dtd", "--seeds", "1", "--class-splits", "0", "--output", str(tmp_path)]
    args, request = ablate.parse_args([*words, "--backbone", "datacomp_b16"])
    variants = ablate.variants_of(request, "kl_weight", args.class_splits, "dtd")
    assert {run.folder.parts[-2] for one in variants for run in one.runs[0, 1]} == {"datacomp_b16"}
    assert ablate.table_of(args, request, variants).startswith("dtd, 16 shots, DataComp B/16, base-to-new, kl_weight")
    with pytest.raises(SystemExit):
        ablate.parse_args([*words, "--backbones", "RN50", "datacomp_b16"])
    assert "--backbone: an ablation is under one" in capsys.readouterr().err


def drawn(words: list[str], tmp_path, variants: list[ablate.Variant], reference: str = "as published"):
    pytest.importorskip("matplotlib")
    words = [*words, "shapes", "--output", str(tmp_path), "--reference", reference]
    return ablate.figure_of(ablate.parse_args(words)[0], variants)


def points(axes) -> list[float]:
    """The values that a panel shows, from the top."""
    markers = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    return [float(line.get_xdata()[0]) for line in sorted(markers, key=lambda line: line.get_ydata()[0])]


def test_a_plot_of_a_paired_ablation_has_h_of_both_protocols_and_clustered_errors(tmp_path):
    variants = competing(["loss"], tmp_path, {"LOSS split": 2.0})
    h, change, g, competing_change = drawn(["loss"], tmp_path, variants).axes
    assert [axes.get_title() for axes in (h, change, g, competing_change)] == ["H", "Δ H", "G", "Δ G"]
    labels = [label.get_text().replace("\n", " ") for label in h.get_yticklabels()]
    assert labels == [variant.label for variant in variants]
    assert points(g)[:2] == pytest.approx([70.5, 73.5])
    assert len(points(g)) == len(variants) == len(points(competing_change)) + 1  # there is none to itself
    assert points(competing_change)[0] == pytest.approx(3)
    (lines,) = competing_change.containers[0].lines[2]
    assert lines.get_segments()[0][:, 0] == pytest.approx([2, 4])  # 3 ± 1
    assert {"–", "+3.00"} <= {text.get_text() for text in competing_change.texts}


def test_a_plot_of_another_ablation_has_base_to_new_alone(finished, tmp_path):
    figure = drawn(["kl_weight"], tmp_path, [finished({}), finished({"KL_WEIGHT": 0.1}, higher=10.0)])
    assert [axes.get_title() for axes in figure.axes] == ["H", "Δ H"]
    assert figure.get_figwidth() <= 3.3
    assert "pale: not all runs" in figure.get_supxlabel()  # three of four


def test_plots_are_written_beside_the_table(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    competing(["calibration"], tmp_path, {})
    words = ["calibration", "shapes", "1", "2", "--class-splits", "0", "1", "--output", str(tmp_path)]
    args, request = ablate.parse_args([*words, "--plot", str(tmp_path / "plots")])
    ablate.plot(args, request, [ablate.variants_of(request, args.ablation, args.class_splits, "shapes")])
    files = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert files == ["calibration_shapes_16shots.pdf", "calibration_shapes_16shots.png"]
    assert files[1] in capsys.readouterr().out


def test_without_matplotlib_a_plot_ends_in_what_to_install(finished, tmp_path, monkeypatch, capsys):
    for name in ("report.looks", "report.figures", "report.variant_figure"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = ["kl_weight", "shapes", "--output", str(tmp_path), "--plot", str(tmp_path / "plots")]
    with pytest.raises(SystemExit) as ended:
        ablate.plot(*ablate.parse_args(words), [[finished({})]])
    assert ended.value.code == 2
    assert "pip install matplotlib" in capsys.readouterr().err

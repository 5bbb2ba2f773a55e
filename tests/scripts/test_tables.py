"""Tables of runs, by protocol and format."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import tables
from protocols.layout import BENCHMARK, train_folder
from protocols.layout import test_folder as evaluation_folder
from report.blocks import NoRuns
from report.published import PUBLISHED
from report.table import table as table_of

from tests.conftest import CHECKOUT


@pytest.fixture
def write(tmp_path):
    """Writes results.json files: part (as layout names it, or train), dataset, accuracies by seed."""

    def write(
        part: str, dataset: str, accuracies, trainer="CoOp", recipe="r", shots=16, protocol="base2new", **metrics
    ):
        for seed, accuracy in enumerate(accuracies, start=1):
            args = (dataset, shots, trainer, recipe, seed)
            folder = (
                train_folder(tmp_path, protocol, *args)
                if part == "train"
                else evaluation_folder(tmp_path, part, *args)
            )
            folder.mkdir(parents=True)
            (folder / "results.json").write_text(json.dumps({"metrics": {"accuracy": accuracy, **metrics}}))
        return folder

    return write


def row(table: str, start: str) -> list[str]:
    """The fields of the first row that begins so."""
    line = next(line for line in table.splitlines() if line.startswith(start))
    return re.split(r"\s{2,}", line.strip())


def below(table: str, start: str, count: int = 1) -> list[str]:
    """The fields of the line below the first row that begins so."""
    lines = table.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(start))
    return re.split(r"\s{2,}", lines[first + count].strip())


def test_base_to_new_with_h_of_the_means_and_differences(write, tmp_path):
    write("train", "dtd", [70, 80, 81])
    write("new", "dtd", [60, 50, 43])
    write("train", "dtd", [78, 78, 78], trainer="SHIP")
    write("new", "dtd", [52, 52, 52], trainer="SHIP")
    table = table_of([tmp_path], "base2new")
    assert row(table, "CoOp ") == ["CoOp", "r", "77.00 ± 4.97", "51.00 ± 6.98", "61.36 ± 3.49"]
    assert row(table, "SHIP ")[2:] == ["78.00 ± 0.00", "52.00 ± 0.00", "62.40 ± 0.00"]
    assert below(table, "SHIP ") == ["+1.00", "+1.00", "+1.04"]
    assert "as in the papers" in table


def test_h_of_the_averages_not_the_average_of_h(write, tmp_path):
    for dataset, base, new in (("dtd", 90, 30), ("eurosat", 50, 70)):
        write("train", dataset, [base])
        write("new", dataset, [new])
    table = table_of([tmp_path], "base2new").split("average over 2 datasets")[1]
    assert row(table, "CoOp ")[2:5] == ["70.00", "50.00", "58.33"]  # the average of H is 51.67
    assert "the average of the datasets' H is another figure" in " ".join(table.split())


def test_missing_parts_are_shown_and_counted(write, tmp_path):
    write("train", "dtd", [50, 50])
    write("new", "dtd", [50])
    write("train", "dtd", [40, 60], trainer="SHIP")
    table = table_of([tmp_path], "base2new")
    assert row(table, "CoOp ")[2:] == ["50.00 ± 0.00", "50.00", "50.00"]
    assert below(table, "CoOp ") == ["(1 of 2)"] * 2
    assert row(table, "SHIP ")[2:] == ["50.00 ± 10.00", "–", "–"]
    assert "(n of N)" in table


def test_a_dataset_that_a_method_lacks_is_not_averaged_over(write, tmp_path):
    for dataset in ("dtd", "eurosat"):
        write("train", dataset, [50])
    write("train", "dtd", [60], trainer="SHIP")
    table = table_of([tmp_path], "base2new").split("average over 2 datasets")[1]
    assert row(table, "SHIP ")[2:4] == ["1 of 2 datasets", "–"]


def test_seeds_are_chosen_and_expected(write, tmp_path):
    write("train", "dtd", [10, 20, 60])
    assert "15.00 ± 5.00 " in table_of([tmp_path], "base2new", seeds=[1, 2])
    table = table_of([tmp_path], "base2new", seeds=[1, 2, 3, 4])
    assert (row(table, "CoOp ")[2], below(table, "CoOp ")) == ("30.00 ± 21.60", ["(3 of 4)"])


def test_a_failed_run_is_named_in_its_cell_and_below(write, tmp_path):
    folder = write("train", "dtd", [50, 60])
    (folder / "results.json").unlink()
    (folder / "failed.txt").write_text("CUDA out of memory\n")
    table = table_of([tmp_path], "base2new")
    assert (row(table, "CoOp ")[2], below(table, "CoOp ")) == ("50.00", ["(1 of 2, failed)"])
    assert "failed: CoOp r, dtd, base, seed 2: CUDA out of memory" in table


def test_gzsl_shows_seen_unseen_h_and_accuracy(write, tmp_path):
    write("all", "cub", [50], seen=60, unseen=40)
    assert row(table_of([tmp_path], "gzsl"), "CoOp ")[2:6] == [f"{v}.00" for v in (60, 40, 48, 50)]


def test_longtail_shows_groups_and_accuracy(write, tmp_path):
    write("train", "dtd", [50, 60], protocol="longtail", many=80, few=60, none=20)
    write("train", "dtd", [54, 66], trainer="SHIP", protocol="longtail", many=80, few=58, none=32)
    table = table_of([tmp_path], "longtail")
    assert table.startswith("dtd, 16 shots and fewer, long-tailed, seeds 1 2\n")
    assert row(table, "method")[2:] == ["many", "few", "none", "accuracy"]
    assert row(table, "CoOp ")[2:] == ["80.00 ± 0.00", "60.00 ± 0.00", "20.00 ± 0.00", "55.00 ± 5.00"]
    assert below(table, "SHIP ") == ["+0.00", "−2.00", "+12.00", "+5.00"]
    (first, *_) = csv.DictReader(table_of([tmp_path], "longtail", format="csv").splitlines())
    assert (first["none"], first["accuracy_std"]) == ("20.0000", "5.0000")


def test_gzsl_has_a_row_for_each_calibration_and_differences_are_to_coop_without(tmp_path):
    calibrations = {
        "a": {},
        "b": {"CALIBRATION_COST": 1.0},
        "c": {"CALIBRATION": "held_out"},
    }
    for index, (output, keys) in enumerate(calibrations.items()):
        for trainer in ("CoOp", "SHIP"):
            folder = evaluation_folder(tmp_path / output, "all", "cub", 16, trainer, "r", 1)
            folder.mkdir(parents=True)
            metrics = {"accuracy": 50, "seen": 60 - index, "unseen": 60 - index}
            config = {"TRAINER": {"GZSL": {"CALIBRATION": "cost", **keys}}}
            (folder / "results.json").write_text(json.dumps({"metrics": metrics, "config": config}))
    table = table_of([tmp_path / name for name in "abc"], "gzsl")
    lines = [re.split(r"\s{2,}", line.strip()) for line in table.splitlines() if line.startswith(("CoOp", "SHIP"))]
    labels = ["r", "r, cost 1", "r, held_out"]
    assert [line[:2] for line in lines] == [[name, label] for name in ("CoOp", "SHIP") for label in labels]
    assert [line[4] for line in lines] == ["60.00", "59.00", "58.00"] * 2
    assert "difference to CoOp (r), in points" in table
    assert "cost 1, held_out: TRAINER.GZSL.CALIBRATION" in table


def test_xd_shows_source_targets_and_their_mean(write, tmp_path):
    for trainer, accuracy in (("CoOp", 60), ("SHIP", 64)):
        write("train", "imagenet", [70, 72], trainer=trainer, protocol="xd")
        write("target", "dtd", [40, 50], trainer=trainer)
        write("target", "oxford_pets", [accuracy, 90], trainer=trainer)
    write("target", "imagenet_a", [1])
    table = table_of([tmp_path], "xd")
    assert row(table, "method")[2:6] == ["imagenet", "oxford_pets", "dtd", "mean"]
    assert row(table, "CoOp ")[2:6] == ["71.00 ± 1.00", "75.00 ± 15.00", "45.00 ± 5.00", "60.00 ± 10.00"]
    assert row(table, "SHIP ")[5] == "61.00 ± 9.00"
    assert table_of([tmp_path], "xd", ["imagenet"]) == table
    only = table_of([tmp_path], "xd", ["dtd"])
    assert row(only, "method")[2:5] == ["imagenet", "dtd", "mean"]


def test_dg_takes_the_shifted_datasets_and_the_papers_rows(write, tmp_path):
    write("train", "imagenet", [70], protocol="dg")
    for name in ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"):
        write("target", name, [50])
    table = table_of([tmp_path], "dg", published=[PUBLISHED])
    assert row(table, "CoOp [")[1:] == ["published", "71.51", "64.20", "47.99", "49.71", "75.21", "59.28"]


def test_a_source_of_ones_own_is_read_from_the_record(write, tmp_path):
    trained = write("train", "food101", [70], protocol="xd")
    folder = write("target", "dtd", [40])
    (folder / "results.json").write_text(json.dumps({"metrics": {"accuracy": 41}, "model": str(trained)}))
    table = table_of([tmp_path], "xd")
    assert row(table, "method")[2:] == ["food101", "dtd", "mean"]
    assert row(table, "CoOp ")[2:4] == ["70.00", "41.00"]


def test_few_shot_has_shots_in_columns_and_zero_shot_among_them(write, tmp_path):
    write("train", "dtd", [45], trainer="ZeroshotCLIP", shots=0, protocol="fewshot")
    for trainer, gain in (("CoOp", 0), ("SHIP", 2)):
        for shots, accuracy in ((1, 40), (2, 44), (4, 48), (16, 60)):
            recipe = "r_ep50" if shots == 1 else "r"
            write("train", "dtd", [accuracy + gain], trainer, recipe, shots, "fewshot")
    table = table_of([tmp_path], "fewshot")
    assert row(table, "method")[2:] == ["0 shots", "1 shot", "2 shots", "4 shots", "16 shots"]
    assert row(table, "CoOp ")[2:] == ["–", *(f"{v}.00" for v in (40, 44, 48, 60))]
    assert below(table, "SHIP ") == ["+2.00"] * 4
    assert "CoOp r stands for the recipes r, r_ep50." in table


def test_upstreams_zero_shot_folders_stand_beside_trained_methods(write, tmp_path):
    write("train", "imagenet", [70, 72], protocol="xd")
    write("target", "dtd", [40, 50])
    for dataset, figure in (("imagenet", "66.7"), ("dtd", "44.0")):
        folder = tmp_path / "ZeroshotCLIP2/vit_b16" / dataset
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text(f"Evaluate on the *test* set\n=> result\n* accuracy: {figure}%\n")
    figures = row(table_of([tmp_path], "xd"), "ZeroshotCLIP2")[2:]
    assert figures == ["66.70‡", "44.00‡", "44.00‡"]


@pytest.mark.parametrize(("trainer", "bold"), [("CoOp", True), ("SHIP", False), ("CoCoOp", False)])
def test_markdown_sets_the_best_complete_cell_in_bold(write, tmp_path, trainer, bold):
    for name, accuracies in (("CoOp", [60, 60]), ("SHIP", [50, 50]), ("CoCoOp", [99])):
        write("train", "dtd", accuracies, trainer=name)
    table = table_of([tmp_path], "base2new", format="markdown")
    line = next(line for line in table.splitlines() if line.startswith(f"| {trainer} "))
    assert ("**" in line) == bold
    assert "**60.00 ± 0.00**" in table


def test_latex_escapes_names_and_signs(write, tmp_path):
    write("train", "oxford_pets", [60], recipe="vit_b16")
    write("train", "oxford_pets", [50], trainer="SHIP", recipe="vit_b16")
    table = table_of([tmp_path], "base2new", format="latex")
    assert r"\caption{oxford\_pets, 16 shots, base-to-new, seeds 1}" in table
    assert r"\textbf{60.00}" in table
    assert "$-$10.00" in table
    assert table.count(r"\toprule") == table.count(r"\bottomrule") == table.count(r"\end{table*}") == 1
    assert not re.search(r"(?<!\\)[_%]|[^\x00-\x7f]", table.split("\n", 1)[1])


def test_csv_has_plain_numbers_a_row_per_method_and_dataset(write, tmp_path):
    for dataset in ("dtd", "eurosat"):
        write("train", dataset, [60, 62])
        write("new", dataset, [50])
    rows = list(csv.DictReader(table_of([tmp_path], "base2new", format="csv").splitlines()))
    assert [line["dataset"] for line in rows] == ["dtd", "eurosat", "average"]
    assert (rows[0]["base"], rows[0]["base_std"], rows[0]["base_seeds"]) == ("61.0000", "1.0000", "2")
    assert (rows[0]["new_note"], rows[0]["seeds_expected"], rows[0]["source"]) == ("1 of 2", "2", "results.json")


def test_csv_of_few_shot_has_a_row_per_shots(write, tmp_path):
    for shots in (1, 16):
        write("train", "dtd", [shots], shots=shots, protocol="fewshot")
    rows = csv.DictReader(table_of([tmp_path], "fewshot", format="csv").splitlines())
    assert [(line["dataset"], line["shots"], line["accuracy"]) for line in rows] == [
        ("dtd", "1", "1.0000"),
        ("dtd", "16", "16.0000"),
    ]


def test_published_rows_name_their_source_where_shots_agree(write, tmp_path):
    write("train", "imagenet", [40])
    write("train", "imagenet", [40], shots=4)
    table = table_of([tmp_path], "base2new", published=[PUBLISHED])
    assert table.count("\nCoOp [CoCoOp ") == 1
    assert below(table, "CoOp [") == ["(CVPR 2022),"]
    assert below(table, "CoOp [", 2) == ["Table 1]"]
    assert row(table, "CoOp [")[2:5] == ["76.47", "67.88", "71.92"]
    assert "published" not in table_of([tmp_path], "base2new")


def test_unchecked_figures_are_marked(write, tmp_path):
    for dataset in BENCHMARK:
        write("train", dataset, [40])
    table = table_of([tmp_path], "base2new", published=[PUBLISHED])
    assert row(table, "CoOp + SHIP")[2] == "80.03*"
    assert "* not re-checked against the paper" in table


def test_a_users_file_is_added(write, tmp_path, capsys):
    write("train", "dtd", [40])
    mine = tmp_path / "mine.yaml"
    mine.write_text("base2new: {Mine: {source: a report, checked: true, dtd: [80, 60]}}")
    with pytest.raises(SystemExit) as caught:
        tables.main([str(tmp_path), "--published", str(mine)])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert row(out, "Mine [a")[2:5] == ["80.00", "60.00", "68.57"]


def arrange_golden_logs(output: Path, recipe: str) -> Path:
    """Copies of upstream's four logs, in upstream's folders."""
    for seed in (1, 2):
        for part, end in (("train", ""), ("new", "_new")):
            args = ("oxford_pets", 4, "CoOp", recipe, seed)
            folder = (
                train_folder(output, "base2new", *args) if part == "train" else evaluation_folder(output, part, *args)
            )
            folder.mkdir(parents=True)
            shutil.copy(CHECKOUT / f"tests/golden/logs/coop_ctx_init_{seed}{end}/log.txt", folder)
    return output


def test_upstreams_logs_give_the_means_of_our_records(tmp_path, golden):
    logs, records = (arrange_golden_logs(tmp_path / name, "ctx_init") for name in ("logs", "records"))
    for log in list(records.rglob("log.txt")):
        seed, part = log.parent.name, "base" if "train_base" in log.parts else "new"
        run = golden["runs"][f"CoOp/ctx_init/{seed}/{part}"]
        log.with_name("results.json").write_text(
            json.dumps({"metrics": {"accuracy": 100 * run["correct"] / run["total"]}})
        )
        log.unlink()
    theirs, ours = (table_of([folder], "base2new") for folder in (logs, records))
    assert row(theirs, "CoOp ")[2:5] == [f"{cell}†" for cell in row(ours, "CoOp ")[2:5]] == ["33.33 ± 0.00†"] * 3
    assert "† from log.txt" in theirs
    assert "†" not in ours
    fields = [
        next(csv.DictReader(table_of([folder], "base2new", format="csv").splitlines())) for folder in (logs, records)
    ]
    assert [line.pop("source") for line in fields] == ["log.txt (counts)", "results.json"]
    assert fields[0] == fields[1]


def test_an_unreadable_record_is_named_and_counts_as_missing(write, tmp_path, capsys):
    (write("train", "dtd", [40, 50]) / "results.json").write_text("{")
    with pytest.raises(SystemExit) as caught:
        tables.main([str(tmp_path)])
    printed = capsys.readouterr()
    assert caught.value.code == 1
    assert "seed2" in printed.err
    assert (row(printed.out, "CoOp ")[2], below(printed.out, "CoOp ")) == ("40.00", ["(1 of 2, unreadable)"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no base2new runs under"),
        (["--dataset", "dtd"], "bash scripts/ship/base2new.sh dtd"),
        (["--protocol", "xd"], "bash scripts/ship/xd.sh"),
    ],
)
def test_nothing_to_show_says_where_and_how_to_make_it(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as caught:
        tables.main([str(tmp_path), *options])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert str(tmp_path) in error


def test_a_dataset_without_runs_is_named(write, tmp_path):
    write("train", "dtd", [40])
    with pytest.raises(NoRuns, match="base2new runs of eurosat"):
        table_of([tmp_path], "base2new", ["dtd", "eurosat"])


def test_published_figures_at_fault_end_with_a_message(write, tmp_path, capsys):
    write("train", "dtd", [40])
    with pytest.raises(SystemExit) as caught:
        tables.main([str(tmp_path), "--published", str(tmp_path / "absent.yaml")])
    assert caught.value.code == 2
    assert "absent.yaml" in capsys.readouterr().err

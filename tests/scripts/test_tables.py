"""Tables from results.json files."""

import json
import statistics

import pytest
import tables


@pytest.fixture
def write(tmp_path):
    def write(part: str, trainer: str, seed: int, accuracy: float, dataset: str = "imagenet", recipe: str = "r"):
        folder = tmp_path / "base2new" / part / dataset / "shots_16" / trainer / recipe / f"seed{seed}"
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps({"metrics": {"accuracy": accuracy}}))
        return folder / "results.json"

    return write


def line(table: str, start: str) -> list[str]:
    return next(row for row in table.splitlines() if row.startswith(start)).split()


def test_mean_and_deviation_over_seeds_and_h_of_the_means(write, tmp_path):
    base, new = [70.0, 80.0, 81.0], [60.0, 50.0, 43.0]
    for seed, (b, n) in enumerate(zip(base, new, strict=True), start=1):
        write("train_base", "CoOp", seed, b)
        write("test_new", "CoOp", seed, n)
    h = 2 * 77 * 51 / (77 + 51)
    spread = statistics.pstdev([2 * b * n / (b + n) for b, n in zip(base, new, strict=True)])
    expected = [f"77.00 ± {statistics.pstdev(base):.2f}", f"51.00 ± {statistics.pstdev(new):.2f}"]
    row = line(tables.base2new_table(tmp_path, "imagenet"), "CoOp ")
    assert " ".join(row[2:]) == " ".join([*expected, f"{h:.2f} ± {spread:.2f}", "3"])


def test_missing_parts_are_shown_and_counted(write, tmp_path):
    for seed in (1, 2):
        write("train_base", "SHIP", seed, 50.0)
    write("test_new", "SHIP", 1, 50.0)
    write("train_base", "CoOp", 1, 40.0)
    table = tables.base2new_table(tmp_path, "imagenet")
    assert line(table, "SHIP")[-3:] == ["1", "of", "2"]
    assert line(table, "CoOp ")[5:] == ["–", "–", "0", "of", "1"]


def test_published_rows_name_their_source(write, tmp_path):
    write("train_base", "CoOp", 1, 40.0)
    table = tables.base2new_table(tmp_path, "imagenet")
    assert "CoCoOp (CVPR 2022), Table 1" in table
    assert "76.47" in table
    assert "67.88" in table


def test_figures_not_re_checked_are_marked(write, tmp_path, monkeypatch):
    source = tmp_path / "published.yaml"
    source.write_text("base2new: {Mine: {source: memory, checked: false, imagenet: [80, 60]}}")
    monkeypatch.setattr(tables, "PUBLISHED", source)
    write("train_base", "CoOp", 1, 40.0)
    table = tables.base2new_table(tmp_path, "imagenet")
    assert "80.00*" in table
    assert "not re-checked against the paper" in table


def test_embedded_dataset_has_no_published_row(write, tmp_path):
    write("train_base", "CoOp", 1, 40.0, dataset="shapes")
    assert "published" not in tables.base2new_table(tmp_path, "shapes")


def test_unreadable_result_is_left_out_and_named(write, tmp_path, capsys):
    write("train_base", "CoOp", 1, 40.0)
    write("train_base", "CoOp", 2, 50.0).write_text("{")
    assert "40.00 ± 0.00" in tables.base2new_table(tmp_path, "imagenet")
    assert "seed2" in capsys.readouterr().err


def test_methods_stand_in_the_usual_order(write, tmp_path):
    for trainer in ("SHIP", "Another", "CoOp", "ZeroshotCLIP"):
        write("train_base", trainer, 1, 40.0, dataset="shapes")
    rows = tables.base2new_table(tmp_path, "shapes").splitlines()[3:7]
    assert [row.split()[0] for row in rows] == ["ZeroshotCLIP", "CoOp", "SHIP", "Another"]


def test_nothing_to_show_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        tables.main([str(tmp_path)])
    assert caught.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_published_figures_reproduce_their_published_averages():
    entries = tables.yaml.safe_load(tables.PUBLISHED.read_text(encoding="utf-8"))["base2new"]
    for method in ("CLIP", "CoOp", "CoCoOp"):
        rows = [v for k, v in entries[method].items() if k not in ("source", "checked", "average")]
        assert len(rows) == 11
        means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
        assert means == pytest.approx(entries[method]["average"], abs=0.015)

"""The command of ablations: what it refuses, the tables that it makes, several runs at a time."""

from functools import partial

import ablate
import pytest
from ablating.options import CLASS_SPLITS, SEEDS
from common.warm import WarmProcess
from sweeping import local

from tests.scripts.stub_runs import stands_for_train


def test_reference_that_is_no_row_ends_in_a_line_before_anything_runs(tmp_path, capsys):
    with pytest.raises(SystemExit):
        ablate.main(["loss", "shapes", "--output", str(tmp_path), "--reference", "nothing", "--dry-run"])
    assert "no row is called so; there are as published, LOSS split" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        ablate.main(["bias", "shapes", "--output", str(tmp_path), "--reference", "CoOp", "--dry-run"])
    assert "--reference is of the ablations loss, residual" in capsys.readouterr().err


def test_there_is_a_table_for_each_dataset_and_each_method_that_ship_is_on(tmp_path):
    words = ["compared", "shapes", "shapes_dev", "--on", "coop,tip_adapter_f", "--output", str(tmp_path)]
    tables = ablate.parse_args(words)[2]
    found = {(table.variants[-1].dataset, table.variants[-1].method.classifier) for table in tables}
    assert found == {(data, on) for data in ("shapes", "shapes_dev") for on in ("coop", "tip_adapter_f")}
    assert list(tables[0].reference.runs) == [(split, seed) for split in CLASS_SPLITS for seed in SEEDS]


def test_several_runs_at_a_time_make_the_table_and_complete_runs_are_not_repeated(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(local, "WarmProcess", partial(WarmProcess, modules=()))  # the stub needs none
    stands_for_train(monkeypatch)
    words = ["bias", "shapes", "--seeds", "1", "--class-splits", "1", "--output", str(tmp_path), "--jobs", "2"]
    for waiting in ("4 of 4 runs on this machine, 2 at a time", ""):
        with pytest.raises(SystemExit) as ended:
            ablate.main(words)
        assert ended.value.code == 0
        printed = capsys.readouterr().out
        assert waiting in printed and "BIAS_PER_TOKEN" in printed
        assert bool(waiting) == ("runs on this machine" in printed)
    assert printed.count("50.00") == 6


def test_what_fails_at_a_time_is_listed_and_its_row_counts_without_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(local, "WarmProcess", partial(WarmProcess, modules=()))
    stands_for_train(monkeypatch, "--fail", 9)
    with pytest.raises(SystemExit) as ended:
        ablate.main(["lr", "shapes", "1", "--class-splits", "0", "--output", str(tmp_path), "--jobs", "2"])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.err.count("failed with status 3") == 2 and said.err.count("its training failed") == 2
    assert "as published" in said.out

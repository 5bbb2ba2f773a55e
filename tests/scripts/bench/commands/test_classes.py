"""The benchmark of many classes: its steps are commands that users have, and each is measured."""

import json
import sys

import pytest
from bench.commands import classes
from bench.commands.classes import Step, steps
from bench.made_up import things, write_pictures


@pytest.fixture
def planned(tmp_path):
    args = classes.parse_args(["--count", "4", "--epochs", "2"])
    write_pictures(tmp_path / "data" / classes.FOLDER, things(4), args.shots, classes.TEST, (8, 8))
    return list(steps(tmp_path, args))


def test_steps_are_training_the_tests_of_both_protocols_a_prediction_tables_plots_and_a_page(planned, tmp_path):
    scripts = [step.command[1].rsplit("/", 1)[1] for step in planned]
    reports = ("tables.py", "tables.py", "plots.py", "inspect_run.py")
    assert scripts == ["train.py", "train.py", "train.py", "predict.py", *reports]
    train, new, every, *_ = (" ".join(step.command) for step in planned)
    assert "SUBSAMPLE_CLASSES base" in train and "OPTIM.MAX_EPOCH 2" in train and "--eval-only" not in train
    assert "SUBSAMPLE_CLASSES new" in new and "SUBSAMPLE_CLASSES all" in every
    assert all(f"--model-dir {planned[0].folder}" in command for command in (new, every))


@pytest.fixture
def shortened(monkeypatch, tmp_path):
    """Steps that take no time in the place of the benchmark's."""

    def chosen(*lines: str):
        made = [Step(line, [sys.executable, "-c", line], tmp_path / "made") for line in lines]
        monkeypatch.setattr(classes, "steps", lambda root, args: made)

    return chosen


def test_each_step_has_its_time_memory_and_what_it_left(shortened, tmp_path, capsys):
    file = tmp_path / "made" / "file"
    shortened(f"open({str(file)!r}, 'w').write('x' * 500_000); print('one'); print('two')")
    classes.main(["--count", "4", "--folder", str(tmp_path), "--json"])
    report = json.loads(capsys.readouterr().out)
    (step,) = report["steps"]
    assert report["classes"] == 4
    assert (step["megabytes on disk"], step["lines logged"]) == (0.5, 2)
    assert step["wall seconds"] > 0 and step["processor seconds"] > 0 and 0 < step["gigabytes"] < 0.2
    classes.main(["--count", "4", "--folder", str(tmp_path)])
    assert "4 classes, half of them new, 2 shots, 1 + 1 epochs" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["made"]  # what was made for a while is gone


def test_a_step_that_fails_ends_it_with_the_end_of_what_it_said(shortened, tmp_path):
    shortened("import sys; print('no disk'); sys.exit(4)")
    with pytest.raises(SystemExit) as ended:
        classes.main(["--count", "4", "--folder", str(tmp_path)])
    assert "failed with status 4:\nno disk" in str(ended.value)


@pytest.mark.parametrize("count", ["3", "1000000"])
def test_the_number_of_classes_has_bounds(count, capsys):
    with pytest.raises(SystemExit) as ended:
        classes.main(["--count", count])
    assert ended.value.code == 2
    assert "--count is from 4 to 10," in capsys.readouterr().err

"""Registries, meters, the log file and small helpers."""

import random
import sys

import numpy as np
import pytest
import torch
from dassl import missing
from dassl.utils import (
    AverageMeter,
    Logger,
    MetricMeter,
    Registry,
    UnavailableError,
    check_availability,
    check_isfile,
    collect_env_info,
    listdir_nohidden,
    read_json,
    set_random_seed,
    setup_logger,
    tolist_if_not,
    write_json,
)


def test_registry_keeps_classes_by_name():
    registry = Registry("THING")

    @registry.register()
    class One:
        pass

    class Two:
        pass

    assert registry.register(Two) is Two
    assert (registry.get("One"), registry.get("Two")) == (One, Two)
    assert registry.registered_names() == ["One", "Two"]


def test_second_class_of_a_name_is_an_error_unless_forced():
    registry = Registry("THING")
    first, second = type("One", (), {}), type("One", (), {})
    registry.register(first)
    with pytest.raises(ValueError, match="'One' is registered already"):
        registry.register(second)
    registry.register(second, force=True)
    assert registry.get("One") is second


def test_unknown_name_is_an_error_with_the_nearest_and_all():
    with pytest.raises(UnavailableError, match=r"'coop' .* Did you mean 'CoOp'\? Available: CoOp, SHIP"):
        check_availability("coop", ["SHIP", "CoOp"])
    with pytest.raises(UnavailableError, match=r"^THING: 'x' is not available\. Available: \(none\)$"):
        Registry("THING").get("x")


def test_name_that_only_dassl_has_is_told_apart():
    with pytest.raises(missing.MissingPartError, match="trainer DANN .* bash scripts.install_dassl.sh"):
        Registry("TRAINER").get("DANN")


@pytest.mark.parametrize("code", ["import dassl.modeling", "from dassl.engine import TrainerXU"])
def test_part_left_out_is_an_import_error_that_says_how_to_get_it(code):
    with pytest.raises(ImportError, match="install_dassl.sh"):
        exec(code)


def test_average_meter_weighs_by_count():
    meter = AverageMeter()
    meter.update(1.0)
    meter.update(torch.tensor(4.0), n=2)
    assert (meter.val, meter.avg, meter.count) == (4.0, 3.0, 3)
    ema = AverageMeter(ema=True)
    ema.update(1.0)
    ema.update(1.0)
    assert ema.avg == pytest.approx(0.19)


def test_metric_meter_prints_value_and_average():
    meter = MetricMeter()
    meter.update({"loss": 1.3655, "acc": 30.0})
    meter.update({"loss": torch.tensor(1.2345), "acc": 50.0})
    meter.update(None)
    assert str(meter) == "loss 1.2345 (1.3000) acc 50.0000 (40.0000)"
    with pytest.raises(TypeError, match="mapping"):
        meter.update(1.0)


@pytest.fixture
def restored_stdout(capsys):
    """Undo setup_logger after the test."""
    yield
    if isinstance(sys.stdout, Logger):
        sys.stdout.close()
        sys.stdout = sys.stdout.console


def test_log_gets_each_line_at_once(tmp_path, capsys, restored_stdout):
    console = sys.stdout
    setup_logger(None)
    assert sys.stdout is console
    setup_logger(tmp_path / "run")
    print("first")
    assert (tmp_path / "run" / "log.txt").read_text() == "first\n"
    assert sys.stdout.isatty() is False
    assert sys.stdout.encoding == console.encoding
    assert capsys.readouterr().out == "first\n"


def test_existing_log_is_kept(tmp_path, restored_stdout):
    (tmp_path / "log.txt").write_text("old")
    setup_logger(str(tmp_path))
    print("new")
    assert (tmp_path / "log.txt").read_text() == "old"
    (other,) = tmp_path.glob("log.txt-*")
    assert other.read_text() == "new\n"


def test_second_call_moves_the_log(tmp_path, restored_stdout):
    setup_logger(tmp_path / "a.txt")
    setup_logger(tmp_path / "b.log")
    print("late")
    assert (tmp_path / "a.txt").read_text() == ""
    assert (tmp_path / "b.log").read_text() == "late\n"


def test_seed_repeats_all_random_numbers():
    def draw():
        set_random_seed(3)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draw() == draw()


def test_json_makes_its_folder(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_json({"a": [1, "ä"]}, path)
    assert read_json(path) == {"a": [1, "ä"]}
    assert path.read_text().startswith('{\n    "a"')


def test_hidden_files_are_left_out(tmp_path):
    for name in ("b", ".hidden", "a"):
        (tmp_path / name).touch()
    assert listdir_nohidden(tmp_path, sort=True) == ["a", "b"]
    assert set(listdir_nohidden(tmp_path)) == {"a", "b"}


def test_missing_file_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="no file"):
        assert not check_isfile(tmp_path / "none")


def test_lists_stay_as_they_are():
    assert (tolist_if_not(["a"]), tolist_if_not("a")) == (["a"], ["a"])


def test_environment_names_versions():
    assert f"torch: {torch.__version__.split('+')[0]}" in collect_env_info()

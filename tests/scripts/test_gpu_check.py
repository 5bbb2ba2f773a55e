"""The check of a GPU, here without one: its comparisons, its parts and their report, and its tests on the CPU."""

import json
import os
import subprocess
import sys

import gpu_check
import pytest
from bench import agreement, machine
from gpu import lacking, parts
from gpu.parts import FAILED, LATE, PASSED, Part

from tests.conftest import CHECKOUT

SAY = "import json, os; file = open(os.environ['SHIP_TEST_REPORT'], 'a'); "
LINE = "{'test': 'test_x.py::test_y', 'outcome': %r, 'seconds': 0.1, 'said': %r}"
TEST = SAY + f"file.write(json.dumps({LINE}) + '\\n')"
PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/gpu"]
ABOUT = {"machine": machine.described(), "peak_flops": {"fp32": 1e12}}
ROW = {"backbone": "tiny", "title": "8 images", "way": "fp32", "each": "images", "seconds": 0.5, "a_second": 16.0}
ROW |= {"share_of_peak": 0.7, "ratio": 2.0}
LACKING = {"backbone": "tiny", "title": "8 images", "way": "plain", "each": "images", "note": "out of memory"}


def python(name: str, code: str, limit: int = 60, **options) -> Part:
    return Part(name, "", [sys.executable, "-c", code], limit, **options)


def speed(code: str = "") -> Part:
    lines = "".join(f"print({json.dumps(line)!r}); " for line in (ABOUT, LACKING, ROW))
    return python("speed", lines + code, on_output=True)


@pytest.fixture
def checked(monkeypatch, tmp_path, capsys):
    """What the command prints, its status and its record, with these parts, as if there were a GPU."""

    def check(*planned: Part) -> tuple[int, str, dict]:
        monkeypatch.setattr(machine, "device", lambda: parts_device())
        monkeypatch.setattr(machine, "described", lambda: ABOUT["machine"])
        monkeypatch.setattr(parts, "planned", lambda quick, seconds: planned)
        with pytest.raises(SystemExit) as ended:
            gpu_check.main(["--output", str(tmp_path)])
        text, record = ((tmp_path / f"report.{form}").read_text() for form in ("txt", "json"))
        assert text in capsys.readouterr().out
        return ended.value.code, text, json.loads(record)

    return check


def parts_device():
    import torch

    return torch.device("cuda")


def test_without_a_gpu_the_command_says_so_and_tests_its_comparisons(tmp_path):
    command = ["bash", CHECKOUT / "scripts/gpu_check.sh", "--quick", "--output", tmp_path / "report"]
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert "There is no GPU here" in done.stdout and "notices what is not" in done.stdout
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("blind", ["check_features", "check_loss", "check_tensors", "check_accuracy"])
def test_a_comparison_that_notices_nothing_is_found(blind, monkeypatch, capsys):
    monkeypatch.setattr(agreement, blind, lambda *values: None)
    assert agreement.self_test()
    with pytest.raises(SystemExit) as ended:
        gpu_check.main([])
    assert ended.value.code == 1 and "do not notice faults" in capsys.readouterr().out


def test_a_comparison_that_lets_nothing_pass_is_found(monkeypatch):
    monkeypatch.setattr(agreement, "TOLERANCES", {"fp32": agreement.Tolerance(0.0, 0.0, 0.0)})
    monkeypatch.setattr(agreement, "check", lambda what, apart, allowed: (_ for _ in ()).throw(agreement.Apart))
    assert "fp32: equal features" in agreement.self_test()


def test_all_that_passes_is_in_the_report(checked):
    status, text, record = checked(python("tests", TEST % ("passed", "")), speed())
    assert status == 0 and "1 passed" in text
    assert "8 images" in text and "out of memory" in text and "70%" in text
    assert [part["state"] for part in record["parts"]] == [PASSED, PASSED]
    assert record["parts"][1]["lines"][2] == ROW


@pytest.mark.parametrize(
    ("code", "state", "told"),
    [
        (TEST % ("failed", "assert 1 == 2") + "; raise SystemExit(1)", FAILED, "test_y: assert 1 == 2"),
        (TEST % ("passed", "") + "; file.close(); import time; time.sleep(60)", LATE, "1 passed"),
        ("raise SystemExit('cannot be imported')", FAILED, "none was run"),
        ("pass", FAILED, "it reported nothing"),
    ],
)
def test_a_part_that_fails_or_takes_too_long_does_not_end_the_others(code, state, told, checked):
    status, text, record = checked(python("tests", code, limit=3), speed())
    assert status == 1 and told in text
    assert [part["state"] for part in record["parts"]] == [state, PASSED]


def test_rows_that_were_measured_before_a_failure_are_kept(checked):
    status, text, record = checked(speed("raise SystemExit('a fault')"))
    assert status == 1 and "| a fault" in text and "8 images" in text
    assert len(record["parts"][0]["lines"]) == 3


@pytest.mark.parametrize("quick", [False, True])
def test_all_parts_together_stay_below_the_time_that_is_stated(quick):
    planned = parts.planned(quick, gpu_check.LIMITS[quick])
    assert sum(part.limit for part in planned) < (170 if quick else 470)
    files = [word for part in planned for word in part.command if word.startswith(("tests/", "scripts/"))]
    assert len(files) == 2 and all((CHECKOUT / file).exists() for file in files)


def test_packages_that_are_lacking_are_named(monkeypatch):
    assert lacking.lacking() == []
    monkeypatch.setattr(lacking, "is_installed", lambda name: False)
    assert {"torch", "clip-anytorch", "scikit-learn", "pytest"} <= set(lacking.lacking())


@pytest.mark.parametrize(("words", "message"), [(["--quik"], "--quik"), (["--wheels", "nowhere"], "takes a folder")])
def test_bad_options_get_a_message(words, message):
    done = subprocess.run(["bash", CHECKOUT / "scripts/gpu_check.sh", *words], capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr


def test_wheels_come_from_the_folder_alone(tmp_path):
    """Asked for by an interpreter that lacks a package: pip gets it from the folder, without an index."""
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\ncase "$*" in *lacking.py) echo tqdm;; *) echo "$@";; esac\n')
    interpreter.chmod(0o755)
    command = ["bash", CHECKOUT / "scripts/gpu_check.sh"]
    environment = {**os.environ, "PYTHON": str(interpreter)}
    refused = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert refused.returncode == 2 and "lacks tqdm" in refused.stderr
    done = subprocess.run([*command, "--wheels", tmp_path], capture_output=True, text=True, env=environment)
    assert done.returncode == 0
    assert f"--no-index --only-binary :all: --find-links {tmp_path} tqdm" in done.stdout


def test_the_tests_of_the_gpu_pass_on_the_cpu(tmp_path):
    """Some of them, with a line of the report for each."""
    asked = {"SHIP_TEST_DEVICE": "cpu", "SHIP_TEST_QUICK": "1", "SHIP_TEST_REPORT": str(tmp_path / "lines")}
    command = [*PYTEST, "-k", "amp or memory or workers or deterministic"]
    environment = {**os.environ, **asked}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment, cwd=CHECKOUT)
    assert done.returncode == 0, done.stdout[-3000:]
    lines = parts.read_lines(tmp_path / "lines")
    assert len(lines) > 15 and {line["outcome"] for line in lines} == {"passed"}


@pytest.mark.parametrize("asked", [{}, {"SHIP_TEST_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": ""}])
def test_unless_they_are_asked_for_and_can_be_run_they_are_skipped_in_one_line(asked):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHIP_TEST_")} | asked
    command = [*PYTEST, "-rs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=CHECKOUT)
    assert done.returncode == 0
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("SKIPPED"))
    assert ("there is no GPU" if asked else "SHIP_TEST_DEVICE=cuda runs the tests on a GPU") in line

"""The parts of the check of a GPU: each a process that reports line by line, so that what is done is never lost."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from common.arguments import CHECKOUT

PASSED, FAILED, LATE = "passed", "failed", "not done in time"
PROCESSES = 4  # that test on one GPU at once


@dataclass
class Part:
    """What is run, for how long at most; what came of it."""

    name: str
    about: str
    command: list[str]
    limit: int  # seconds
    environment: dict[str, str] = field(default_factory=dict)
    on_output: bool = False  # whether lines of JSON come on standard output, and not in a file
    state: str = ""
    seconds: float = 0.0
    lines: list[dict] = field(default_factory=list)  # what it reported
    said: str = ""  # the end of what a part said that failed


def planned(quick: bool, seconds: Sequence[int]) -> list[Part]:
    """The tests on the GPU and the benchmark; `seconds` are the limits of both."""
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *at_once(), "tests/gpu"]
    asked = {"SHIP_TEST_DEVICE": "cuda", **({"SHIP_TEST_QUICK": "1"} if quick else {})}
    speed = [sys.executable, "scripts/benchmark.py", "gpu", "--json", *(["--quick"] if quick else [])]
    return [
        Part("tests", "against the CPU: tests/gpu", tests, seconds[0], asked),
        Part("speed", "with CLIPs of random weights", speed, seconds[1], on_output=True),
    ]


def at_once() -> list[str]:
    """pytest's words for tests in several processes, where pytest-xdist is installed and there are cores for them."""
    count = min(PROCESSES, (os.cpu_count() or 1) // 2)
    return ["-n", str(count), "--dist", "worksteal"] if count > 1 and find_spec("xdist") else []


def run(part: Part) -> None:
    """Runs it and fills in what came of it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        report, output, said = (Path(folder, name) for name in ("report", "output", "said"))
        environment = {**os.environ, **part.environment, "SHIP_TEST_REPORT": str(report)}
        with output.open("wb") as out, said.open("wb") as error:
            own_group = {"start_new_session": True}  # so that what it has started ends with it
            process = subprocess.Popen(
                part.command, cwd=CHECKOUT, env=environment, stdout=out, stderr=error, **own_group
            )
            try:
                status = process.wait(part.limit)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        part.lines = read_lines(output if part.on_output else report)
        part.said = "" if status == 0 else end_of(said if part.on_output else output)
    part.seconds = round(time.monotonic() - began, 1)
    part.state = LATE if status is None else FAILED if status else PASSED
    if not part.lines and part.state == PASSED:
        part.state, part.said = FAILED, "it reported nothing"


def read_lines(path: Path) -> list[dict]:
    """The lines that are whole."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def end_of(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:])


def outcomes(part: Part) -> Counter:
    """How many tests passed, failed and were skipped."""
    return Counter(line["outcome"] for line in part.lines)

"""Runs of train.py: their commands, whether they are complete, and running what is not."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import fail
from common.stopping import Stopped, run_to_end
from common.warm import WarmProcess, start

from protocols.layout import FAILURE, RECORD, logs_of
from protocols.methods import CONFIGS, Method, Recipe

CHECKOUT = CONFIGS.parent
SOURCE = "TRAINER.SHIP.SOURCE"


class RunError(Exception):
    """A run that failed, or whose folder holds another; `status` is the exit status that says so."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Run:
    """One call of train.py: a method trained and tested, or tested only."""

    method: Method
    recipe: Recipe
    dataset: str  # a name from configs/datasets
    classes: str  # all, base or new
    shots: int
    seed: int
    folder: Path
    data: Path
    trains: bool = True
    model: "Run | None" = None  # whose checkpoint is tested, or (SHIP's `source`) trained on
    pairs: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        action = "train and test" if self.trains and self.method.trains else "test"
        what = f"{self.dataset}, {self.classes} classes, {self.shots} shots"
        return f"{self.method.trainer} {self.recipe.name} seed {self.seed}: {action} on {what}"

    def command(self, force: bool = False) -> list[str]:
        """The call of train.py; by `force` it starts over where the folder holds a complete run."""
        command = [
            *(sys.executable, str(CHECKOUT / "train.py"), "--root", str(self.data), "--seed", str(self.seed)),
            *("--trainer", self.method.trainer, "--output-dir", str(self.folder)),
            *("--dataset-config-file", str(CONFIGS / "datasets" / f"{self.dataset}.yaml")),
            *(word for file in self.recipe.files for word in ("--config-file", str(file))),
        ]
        if not (self.trains and self.method.trains):
            command.append("--eval-only")
            if self.model:
                command += ["--model-dir", str(self.model.folder)]
        if force:
            command.append("--force")
        shots = str(self.shots or -1)  # 0 is zero-shot CLIP's, for which nothing is sampled
        command += ["DATASET.NUM_SHOTS", shots, "DATASET.SUBSAMPLE_CLASSES", self.classes]
        return [*command, *self.recipe.pairs, *self.pairs]

    @property
    def record_path(self) -> Path:
        return self.folder / RECORD

    def record(self) -> dict | None:
        """What results.json says, if the run is complete."""
        path = self.record_path
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def conflicts(self, record: dict) -> list[str]:
        """What a complete run in this run's folder was made without."""
        path, there, here = self.models(record)
        if not path or not self.model:
            return differing(record, self.pairs)
        same = there["config_hash"] == here["config_hash"] if there and here else same_end(path, self.model.folder)
        same = same or Path(path).absolute() == self.model.folder.absolute()  # it may be outdated, and is run again
        other = [] if same else [f"the model in {self.model.folder} (there: {path})"]
        own = (SOURCE, str(self.model.folder))
        return other + differing(record, self.pairs[2:] if self.pairs[:2] == own else self.pairs)

    def outdated(self, record: dict) -> bool:
        """Whether the model that a complete run used has been trained again since."""
        _, there, here = self.models(record)
        return there["sha256"] != here["sha256"] if there and here else False

    def models(self, record: dict) -> tuple[str, dict, dict]:
        """Where a complete run's model lay; what that was, and what the one to be used is, by their own records.

        Both are empty unless both are known.
        """
        path, there = source_in(record) if self.trains else (record.get("model"), record.get("checkpoint"))
        mine = (self.model.record() if self.model else None) or {}
        here = {**(mine.get("checkpoint") or {}), "config_hash": mine.get("config_hash")}
        known = all(what.get(key) for what in (there or {}, here) for key in ("config_hash", "sha256"))
        return path or "", *((there, here) if known else ({}, {}))


def source_in(record: dict) -> tuple[str, dict | None]:
    """The folder whose PromptVAE a complete run of SHIP took, and what that was."""
    ship = record["config"].get("TRAINER", {}).get("SHIP", {})
    return ship.get("SOURCE", ""), record.get("sources", {}).get(SOURCE)


def same_end(folder: str | Path, other: str | Path) -> bool:
    """Whether two paths end alike, for records that do not say what a model was."""
    return Path(folder).parts[-4:] == Path(other).parts[-4:]


def differing(record: dict, pairs: Sequence[str]) -> list[str]:
    """Pairs that a complete run was made without."""
    different = []
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        node = record["config"]
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node != decode(value):
            different.append(f"{key} {value} (there: {node})")
    return different


def decode(value: str) -> object:
    """A KEY VALUE pair's value as results.json has it: read as Python, else taken as text, as yacs does."""
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return list(literal) if isinstance(literal, tuple) else literal


class Runner:
    """Runs what is not complete, in order, and remembers what ran: a test is out of date when its model is new.

    Leaving it ends the process that starts runs.
    """

    def __init__(self, quiet: bool, say: Callable[[str], None] = print, bars: bool = True) -> None:
        self.quiet, self.say = quiet, say
        self.environment = {**os.environ, **({} if bars else {"TQDM_DISABLE": "1"})}
        self.warm = WarmProcess(self.environment)
        self.ran: set[Path] = set()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *exception: object) -> None:
        self.warm.close()

    def execute(self, run: Run, number: str) -> None:
        """Runs unless complete. Raises RunError where that fails, or the folder holds a run of other settings."""
        record = finished(run, outdated=run.model is not None and run.model.folder in self.ran)
        if record is not None:
            self.say(f"{number} {run.title}: complete, {accuracy(record)}")
            return
        self.start(run, number)

    def start(self, run: Run, number: str) -> None:
        """Runs it. Raises RunError where that fails; Stopped, when train.py has ended, if a signal came meanwhile."""
        self.say(f"{number} {run.title} -> {run.folder}")
        forget_failure(run)
        began = time.monotonic()
        output = subprocess.DEVNULL if self.quiet else None
        outdated = run.record() is not None
        command, address = run.command(force=outdated), self.warm.address
        status, stopped_by = run_to_end(lambda stopped: start(command, address, self.environment, stopped, output))
        self.ran.add(run.folder)
        record = run.record()
        complete = status == 0 and record is not None
        if complete:
            self.say(f"{number} {accuracy(record)}, {time.monotonic() - began:.0f} s")
        if stopped_by is not None:
            raise Stopped(stopped_by, told=not self.quiet and status == 128 + stopped_by)  # by train.py itself
        if not complete:
            raise RunError(failure(run, how_it_ended(status)), status or 1)


def how_it_ended(status: int) -> str:
    """Of a run without results, by its exit status."""
    if status > 128 and (status - 128) in list(signal.Signals):
        return f"was ended by {signal.Signals(status - 128).name}"
    return f"failed with status {status}" if status else f"left no {RECORD}"


def finished(run: Run, outdated: bool = False) -> dict | None:
    """The record of the folder's complete run; none where the model that it tested is `outdated`, or is new.

    Raises RunError where the folder holds a run of other settings.
    """
    record = None if outdated else run.record()
    different = run.conflicts(record) if record is not None else []
    if different:
        raise RunError(
            f"{run.folder} holds a run made without {', '.join(different)}; "
            "choose another --output, or delete that folder.",
            2,
        )
    return None if record is not None and run.outdated(record) else record


def accuracy(record: dict) -> str:
    return f"accuracy {record['metrics']['accuracy']:.1f}"


def failure(run: Run, how: str, *logs: Path) -> str:
    """What is said of a run that failed; its own newest log is named first."""
    named = " and ".join(map(str, (*logs_of(run.folder)[:1], *logs)))
    return f"{run.title} {how}" + (f"; see {named}" if named else "")


def training_failed(run: Run) -> str:
    return f"{run.title}: its training failed"


def note_failure(run: Run, message: object) -> None:
    """Leaves word for the table, unless the folder holds a complete run of other settings, or cannot be written."""
    if run.record() is None:
        with suppress(OSError):
            run.folder.mkdir(parents=True, exist_ok=True)
            (run.folder / FAILURE).write_text(f"{message}\n", encoding="utf-8")


def forget_failure(run: Run) -> None:
    (run.folder / FAILURE).unlink(missing_ok=True)


def run_all(runs: Sequence[Run], runner: Runner) -> list[RunError]:
    """Runs them in order, but for those whose training failed; gives what failed, with a note in its folder."""
    failures, without = [], set()
    for index, run in enumerate(runs, start=1):
        number = f"[{index}/{len(runs)}]"
        try:
            if run.model is not None and run.model.folder in without:
                raise RunError(training_failed(run), 1)
            runner.execute(run, number)
        except RunError as error:
            runner.say(f"{number} failed: {error}")
            note_failure(run, error)
            failures.append(error)
            without.add(run.folder)
    return failures


def report_failures(failures: Sequence[RunError]) -> int:
    """Lists on stderr what failed; gives the first one's status, 0 without any."""
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return failures[0].status if failures else 0


def print_recipes(runs: Sequence[Run]) -> None:
    """Says which recipes are taken, each once; ends the program where one is not there."""
    taken = dict.fromkeys((run.method.trainer, run.recipe) for run in runs)
    missing = [str(file) for _, recipe in taken for file in recipe.files if not file.is_file()]
    if missing:
        fail(f"no recipe {', '.join(missing)}; in a checkout of CoOp, its own scripts run its methods: see README.md")
    for trainer, recipe in taken:
        files = " and ".join(str(file.relative_to(CHECKOUT)) for file in recipe.files)
        filed = "" if recipe.name == recipe.files[0].stem else f", filed as {recipe.name}"
        print(f"{trainer}: recipe {files}{filed}")

"""What a run's folder says: results.json, else failed.txt, else the log.txt of a run of Dassl made elsewhere."""

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protocols.layout import FAILURE, RECORD, RunId, find_runs, logs_of, source_named_in

EXACT_LOG, ROUNDED_LOG, VALIDATION = "†", "‡", "§"
COST, HELD_OUT = "cost", "held_out"  # values of TRAINER.GZSL.CALIBRATION
MARKS = {
    EXACT_LOG: "from log.txt, by its counts of images",
    ROUNDED_LOG: "from log.txt, which gives one decimal",
    VALIDATION: "on the validation split",
}
EVALUATING = re.compile(r"[Ee]valuat\w* on (?:the )?\*?(\w+)\*? set")
FIGURE = re.compile(r"\* (total|correct|accuracy): ([\d.,]+)")


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `status`: complete, incomplete, failed or unreadable; `reason` says why for the last two."""

    status: str
    metrics: dict[str, float] = field(default_factory=dict)  # in %
    marks: str = ""  # of MARKS
    reason: str = ""
    source: str = ""  # the dataset that the model of an xd or dg test was trained on, where the record says
    calibration: str = ""  # of seen classes against unseen ones, where both compete


@dataclass(frozen=True)
class RunResult:
    """A run, how it ended, and which of the OUTPUT folders it was found under."""

    id: RunId
    outcome: Outcome
    output: Path


def load(outputs: Iterable[Path], protocol: str, seeds: Sequence[int] | None = None) -> list[RunResult]:
    """A protocol's runs under several folders, each once; `seeds` leaves out those of other seeds."""
    runs: dict[Path, RunResult] = {}
    for output in outputs:
        for run in find_runs(output, protocol):
            if not seeds or run.seed in (None, *seeds):
                runs.setdefault(run.folder.resolve(), RunResult(run, read(run.folder), output))
    return list(runs.values())


def read(folder: Path) -> Outcome:
    """How the run in this folder ended. An unreadable results.json is not made up for by a log."""
    if (folder / RECORD).is_file():
        return read_record(folder / RECORD)
    if (folder / FAILURE).is_file():
        reason = (folder / FAILURE).read_text(encoding="utf-8", errors="replace").split()
        return Outcome("failed", reason=" ".join(reason))
    outcomes = list(map(read_log, logs_of(folder)))
    newest = outcomes[0] if outcomes else Outcome("incomplete")
    return next((outcome for outcome in outcomes if outcome.status == "complete"), newest)


def read_record(path: Path) -> Outcome:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        metrics = {name: float(value) for name, value in record["metrics"].items()}
        if not math.isfinite(metrics["accuracy"]):
            raise ValueError(f"accuracy is {metrics['accuracy']}")
        marks = VALIDATION if record.get("split") == "val" else ""
        source, calibration = source_named_in(_model(record)), _calibration(record) if "seen" in metrics else ""
        return Outcome("complete", metrics, marks, source=source, calibration=calibration)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return Outcome("unreadable", reason=f"{path} cannot be read ({type(error).__name__}: {error})")


def _model(record: dict) -> str:
    """The folder of the training that an xd or dg test rests on."""
    trainers = (record.get("config") or {}).get("TRAINER") or {}
    return str(record.get("model") or (trainers.get("SHIP") or {}).get("SOURCE") or "")


def _calibration(record: dict) -> str:
    """How the penalty on seen classes was chosen, as a table says it; empty without one."""
    keys = ((record.get("config") or {}).get("TRAINER") or {}).get("GZSL") or {}
    if keys.get("CALIBRATION") == HELD_OUT:
        return HELD_OUT
    return f"{COST} {cost:g}" if (cost := keys.get("CALIBRATION_COST")) else ""


def read_log(path: Path) -> Outcome:
    """The last test that a log holds, unless training goes on after it; else the error that train.py ended with."""
    split, figures = None, {}
    text = path.read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        evaluating = EVALUATING.match(line)
        figure = FIGURE.match(line)
        if evaluating:
            split = evaluating[1]
        elif line.startswith(("=> result", "epoch [")):
            figures = {}
        elif figure and split != "val":
            figures[figure[1]] = float(figure[2].replace(",", ""))
    if figures.get("total") and "correct" in figures:
        return Outcome("complete", {"accuracy": 100 * figures["correct"] / figures["total"]}, EXACT_LOG)
    if "accuracy" in figures:
        return Outcome("complete", {"accuracy": figures["accuracy"]}, ROUNDED_LOG)
    _, failed, message = text.rpartition("\nerror: ")
    return Outcome("failed", reason=" ".join(message.split())) if failed else Outcome("incomplete")


def report_unreadable(runs: Iterable[RunResult]) -> bool:
    """Says on stderr which results.json cannot be read; whether there is one."""
    reasons = [run.outcome.reason for run in runs if run.outcome.status == "unreadable"]
    for reason in reasons:
        print(f"left out: {reason}", file=sys.stderr)
    return bool(reasons)

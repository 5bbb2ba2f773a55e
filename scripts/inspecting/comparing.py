"""Runs side by side: their figures, and differences by class to the first run."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from own.saved_run import SavedRun

from trainers.blocks.errors import InputError

from . import facts
from .numbers import FORMAT, predictions_of
from .opened import OpenedRun
from .synthesis import Inspected, ship_numbers


def summary(opened: OpenedRun) -> dict[str, Any]:
    """One run's figures, and its accuracy by class; what cannot be had is None."""
    about, predictions = facts.facts_of(opened.run), predictions_of(opened)
    by_class = {row["class"]: row["accuracy"] for row in (predictions or {}).get("by_class", ())}
    return {
        "title": facts.title_of(about),
        "folder": about["folder"],
        "accuracy": (predictions or about["metrics"]).get("accuracy"),
        "mean_precision": predictions and predictions["mean_precision"],
        "mean_f1": predictions and predictions["mean_f1"],
        "ece": predictions and predictions["calibration"]["ece"],
        "by_class": by_class or opened.run.record.get("per_class_accuracy") or {},
        "left_out": opened.left_out,
        **ship_summary(opened),
    }


def ship_summary(opened: OpenedRun) -> dict[str, float | None]:
    """SHIP's figures, of new classes where there are some; None for other methods."""
    found = {}
    if opened.run.record.get("trainer") == "SHIP" and opened.trained:
        found = ship_numbers(Inspected(opened))
    latent, near, rec = (found.get(name) or {} for name in ("latent", "nearest_mean", "reconstruction"))
    part = "new" if "new" in near else "base"
    return {
        "kl_sum": latent.get("kl_sum"),
        "active": latent.get("active"),
        "reconstruction": (rec.get("means") or {}).get(part, {}).get("reconstruction"),
        "nearest_mean": near.get(part, {}).get("synthesized"),
    }


def compared(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All that the page shows; raises InputError where a run has no class in common with the first."""
    first, *others = runs
    left_out = [f"{run['title']}: {reason}" for run in runs for reason in run["left_out"]]
    for run in others:
        shared = first["by_class"].keys() & run["by_class"].keys()
        if not shared:
            raise InputError(f"{run['folder']} and {first['folder']} were tested on no class in common.")
        if apart := first["by_class"].keys() ^ run["by_class"].keys():
            left_out.append(f"{run['title']}: {len(apart)} classes that not both runs were tested on.")
    return {
        "format": FORMAT,
        "title": f"{first['title']}, beside {len(others)} other run{'s' if len(others) > 1 else ''}",
        "runs": runs,
        "differences": [{"run": run["title"], **paired(first["by_class"], run["by_class"])} for run in others],
        "left_out": left_out,
    }


def paired(first: dict[str, float], other: dict[str, float]) -> dict[str, Any]:
    """Differences in points by class, other less first, with their mean and its standard error over classes."""
    rows = [
        {"class": name, "first": value, "other": other[name], "difference": other[name] - value}
        for name, value in first.items()
        if name in other
    ]
    values = [row["difference"] for row in rows]
    return {
        "by_class": rows,
        "mean": statistics.fmean(values),
        "error": statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
        "better": sum(value > 0 for value in values),
        "worse": sum(value < 0 for value in values),
    }


def check_different(runs: Sequence[SavedRun]) -> None:
    """Raises InputError where a run is named twice."""
    folders = [run.folder.resolve() for run in runs]
    if twice := [run.folder for run in runs if folders.count(run.folder.resolve()) > 1]:
        raise InputError(f"{twice[0]} is named twice: there is nothing to compare it with.")

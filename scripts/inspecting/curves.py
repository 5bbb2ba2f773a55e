"""What training left of its way: curves by stage, from the events that it wrote for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = "tensorboard"
MAIN, TESTS = "train", ("val", "test")  # parts of tags: what the classifier's training writes, and evaluations
POINTS = 300  # of a curve


def read_curves(folder: Path, main_stage: str) -> list[dict[str, Any]]:
    """Each stage with its curves: {"stage", "curves": [{"name", "steps", "values"}]}; none where there are no events.

    `main_stage` is the name of the classifier's training. Long curves are thinned to POINTS points.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # which takes a second

    if not (folder / FOLDER).is_dir():
        return []
    events = EventAccumulator(str(folder / FOLDER), size_guidance={"scalars": 0}).Reload()
    stages: dict[str, list[dict[str, Any]]] = {}
    for tag in events.Tags()["scalars"]:
        part, _, name = tag.partition("/")
        if part not in TESTS:
            points = events.Scalars(tag)
            some = np.linspace(0, len(points) - 1, min(POINTS, len(points))).round().astype(int)
            curve = {"steps": [points[at].step + 1 for at in some], "values": [points[at].value for at in some]}
            stages.setdefault(main_stage if part == MAIN else part, []).append({"name": name, **curve})
    return [{"stage": stage, "curves": curves} for stage, curves in stages.items()]


def last_values(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the last epoch of each stage came to, by results.json, and which run trained it, if it was another."""
    taken = record.get("taken", {})
    return [
        {"stage": stage, "values": values, "taken": taken.get(stage)}
        for stage, values in (record.get("training") or {}).items()
    ]

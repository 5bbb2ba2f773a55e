"""results.json: what a run found, with all that is needed to find it again."""

import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import dassl
import torch
from torch import Tensor

FILE_NAME = "results.json"
FORMAT = 1


def run_record(cfg, metrics: dict, classnames: Sequence[str], predicted: Tensor, labels: Tensor) -> dict:
    """The record of one evaluation; predicted and true labels (N,) index the class names."""
    right = predicted == labels
    per_class = {
        name: round(100.0 * right[labels == label].float().mean().item(), 4)
        for label, name in enumerate(classnames)
        if (labels == label).any()
    }
    return {
        "format": FORMAT,
        "trainer": cfg.TRAINER.NAME,
        "dataset": cfg.DATASET.NAME,
        "classes": cfg.DATASET.SUBSAMPLE_CLASSES,
        "shots": cfg.DATASET.NUM_SHOTS,
        "seed": cfg.SEED,
        "metrics": {name: float(value) for name, value in metrics.items()},
        "total": len(labels),
        "correct": int(right.sum()),
        "per_class_accuracy": per_class,
        "classnames": list(classnames),
        "config": plain(cfg),
        "versions": versions(),
    }


def plain(node) -> object:
    """A configuration as plain dictionaries, lists and values."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [plain(value) for value in node]
    return node


def versions() -> dict[str, str]:
    """Versions of what the figures depend on; dassl's names the built-in engine where that runs."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "dassl": dassl.__version__}
    for distribution in ("torchvision", "numpy", "clip-anytorch", "clip"):
        try:
            found[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads"}


def write_record(record: dict, folder: str | Path) -> Path:
    """Writes results.json whole or not at all: its presence says that the run is complete."""
    path = Path(folder, FILE_NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        unfinished.write_text(json.dumps(record, indent=1), encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def read_record(folder: str | Path) -> dict:
    """What the results.json of a run says, with its folder; without a readable one, the folder alone."""
    path = Path(folder, FILE_NAME)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {}
    return {**(record if isinstance(record, dict) else {}), "folder": str(Path(folder).absolute())}

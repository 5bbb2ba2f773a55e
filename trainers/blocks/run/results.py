"""results.json: what a run found, with all that is needed to find it again; and config.yaml, its configuration."""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import dassl
import torch
from torch import Tensor

from .classes import Classes
from .files import replace_file
from .identity import config_hash, to_plain

FILE_NAME, CONFIG_NAME = "results.json", "config.yaml"
FORMAT = 1
TRAINING, EVALUATION = "training", "evaluation"  # the mode of a run: what it trained is what it tested, or not


def run_record(
    cfg,
    metrics: dict,
    classnames: Sequence[str],
    predicted: Tensor,
    labels: Tensor,
    sources: Mapping[str, Mapping] | None = None,
) -> dict:
    """The record of one evaluation; predicted and true labels (N,) index the class names."""
    classes, right = Classes.of(classnames), predicted == labels
    count = torch.bincount(labels.cpu(), minlength=len(classes))
    shares = torch.bincount(labels[right].cpu(), minlength=len(classes)).float() / count.float()
    figures = zip(classes.distinct(), shares.tolist(), count.tolist(), strict=True)
    per_class = {name: round(100.0 * share, 4) for name, share, images in figures if images}
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
        **classes.as_plain(),
        "config": to_plain(cfg),
        "config_hash": config_hash(cfg, sources),
        "sources": dict(sources or {}),
        "engine": "built-in" if dassl.__version__.endswith("+builtin") else "Dassl",
        "versions": versions(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
    }


def versions() -> dict[str, str]:
    """Versions of what the figures depend on; dassl's names the built-in engine where that runs."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "dassl": dassl.__version__}
    for distribution in ("torchvision", "pillow", "numpy", "clip-anytorch", "clip"):
        try:
            found[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads"}


def write_record(record: dict, folder: str | Path) -> Path:
    """Writes results.json whole or not at all: its presence says that the run is complete."""
    path = Path(folder, FILE_NAME)
    replace_file(path, json.dumps(record, indent=1).encode())
    return path


def write_config(cfg, folder: str | Path) -> None:
    """Writes the whole configuration, as --config-file takes it, whole or not at all."""
    replace_file(Path(folder, CONFIG_NAME), cfg.dump(sort_keys=False, allow_unicode=True).encode())


def read_record(folder: str | Path) -> dict:
    """What the results.json of a run says, with its folder; without a readable one, the folder alone."""
    path = Path(folder, FILE_NAME)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {}
    return {**(record if isinstance(record, dict) else {}), "folder": str(Path(folder).absolute())}

"""What a run came to, for comparison with another run of the same command, bit for bit."""

import json
from pathlib import Path

import torch
from dassl.utils import load_checkpoint
from torch.optim.lr_scheduler import LRScheduler


def outcome(folder: Path) -> tuple[dict, dict]:
    """What must be equal: the figures, and all that the last checkpoint holds."""
    record = json.loads((folder / "results.json").read_text())
    last = max(folder.glob("*/model.pth.tar-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    figures = {name: record[name] for name in ("metrics", "per_class_accuracy", "training", "correct")}
    return figures, load_checkpoint(str(last))


def unequal(one: object, other: object, where: str = "") -> list[str]:
    """Places at which nested containers of tensors and plain values are not equal bit for bit."""
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [where]
    if isinstance(one, LRScheduler):  # Dassl stores one in another's state
        one, other = one.state_dict(), other.state_dict()
    if isinstance(one, (list, tuple)):
        one, other = dict(enumerate(one)), dict(enumerate(other))
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [where]
        return [place for key in one for place in unequal(one[key], other[key], f"{where}/{key}")]
    return [] if one == other else [where]

"""Generalized zero-shot evaluation: classes seen in training and unseen ones compete (Chao et al., ECCV 2016)."""

import torch
from torch import Tensor

from ..keys import Key, number, one_of

COST, HELD_OUT = "cost", "held_out"
KEYS = {
    "CALIBRATION": Key(
        COST,
        one_of(COST, HELD_OUT),
        "cost: by the next key; held_out: on base classes that a run of its own leaves out",
    ),
    "CALIBRATION_COST": Key(
        0.0, number(0, 100), "points of seen classes' validation accuracy given up for unseen classes; 0: off"
    ),
    "HELD_OUT": Key(
        0.2, number(0, 1, above=True), "held_out: share of the base classes that the run of its own leaves out"
    ),
}
STEPS = 200  # penalties tried


def figures(predicted: Tensor, labels: Tensor, seen: Tensor) -> dict[str, float]:
    """Accuracy in % averaged per class over seen and over unseen classes, and their harmonic mean.

    Predicted and true labels (N,) index the classes; seen (C,) says which of these had training images.
    """
    known, unknown = (mean_over_classes(predicted, labels, part) for part in (seen, ~seen))
    both = known + unknown
    return {"seen": known, "unseen": unknown, "harmonic": 2 * known * unknown / both if both else 0.0}


def mean_over_classes(predicted: Tensor, labels: Tensor, part: Tensor) -> float:
    """Accuracy in % averaged over those of some classes that have images; `part` (C,) says which; NaN without any."""
    hits = torch.bincount(labels[predicted == labels], minlength=len(part)).double()
    count = torch.bincount(labels, minlength=len(part))
    part = part & (count > 0)
    return 100 * (hits[part] / count[part]).mean().item()


def penalty(logits: Tensor, labels: Tensor, seen: Tensor, cost: float) -> float:
    """What to subtract from the logits of seen classes (calibrated stacking), chosen on seen classes alone.

    Logits (N, C) and labels (N,) are of validation images of seen classes. The largest of a grid of penalties that
    costs at most `cost` percentage points of their accuracy; 0 where even the smallest costs more.
    """
    known = logits.masked_fill(~seen, -torch.inf)
    lead = known.max(dim=1).values - logits[:, ~seen].max(dim=1).values  # a penalty above it loses the image
    right = known.argmax(dim=1) == labels
    grid = torch.linspace(0, lead.max().clamp(min=0).item(), STEPS, device=logits.device)
    accuracy = 100 * (right & (lead >= grid[:, None])).double().mean(dim=1)
    affordable = grid[accuracy >= accuracy[0] - cost]
    return affordable[-1].item()


def best_penalty(logits: Tensor, labels: Tensor, seen: Tensor) -> float:
    """What to subtract from the logits of seen classes, so that their figures' harmonic mean is highest.

    Logits (N, C) and labels (N,) are of images of seen classes and of unseen ones. Of a grid of penalties, also
    negative ones; the middle of those that are equally good.
    """
    lead = logits[:, seen].max(dim=1).values - logits[:, ~seen].max(dim=1).values
    grid = torch.linspace(lead.min().item() - 1e-3, lead.max().item() + 1e-3, STEPS)
    found = [figures((logits - one * seen).argmax(dim=1), labels, seen)["harmonic"] for one in grid.tolist()]
    best = [one for one, value in zip(grid.tolist(), found, strict=True) if value == max(found)]
    return best[len(best) // 2]

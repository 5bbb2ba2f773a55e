"""Generalized zero-shot evaluation: classes seen in training and unseen ones compete (Chao et al., ECCV 2016)."""

import torch
from torch import Tensor

from ..keys import Key, number

KEYS = {
    "CALIBRATION_COST": Key(
        0.0, number(0, 100), "points of seen classes' validation accuracy given up for unseen classes; 0: off"
    ),
}
STEPS = 200  # penalties tried


def figures(predicted: Tensor, labels: Tensor, seen: Tensor) -> dict[str, float]:
    """Accuracy in % averaged per class over seen and over unseen classes, and their harmonic mean.

    Predicted and true labels (N,) index the classes; seen (C,) says which of these had training images.
    """
    hits = torch.bincount(labels[predicted == labels], minlength=len(seen)).double()
    count = torch.bincount(labels, minlength=len(seen))
    known, unknown = (
        100 * (hits[part] / count[part]).mean().item() for part in (seen & (count > 0), ~seen & (count > 0))
    )
    both = known + unknown
    return {"seen": known, "unseen": unknown, "harmonic": 2 * known * unknown / both if both else 0.0}


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

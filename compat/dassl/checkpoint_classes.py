"""What a checkpoint written by Dassl holds besides tensors and plain containers, and torch.load has to be told of."""

from collections.abc import Callable

from torch import optim
from torch.optim import lr_scheduler


def _as_dict(default_factory: Callable) -> dict:
    # torch.load fills no defaultdict, such as an optimizer keeps its state in; a dict holds the same.
    return {}


# Dassl stores a warm-up scheduler with its successor as an object, and that one holds its optimizer.
CHECKPOINT_CLASSES = (
    lr_scheduler.CosineAnnealingLR,
    lr_scheduler.MultiStepLR,
    lr_scheduler.StepLR,
    optim.Adam,
    optim.AdamW,
    optim.RMSprop,
    optim.SGD,
    dict,
    (_as_dict, "collections.defaultdict"),
)

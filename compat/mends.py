"""Mends of what current PyTorch breaks in Dassl 0.6.3; each does nothing where its fault is absent."""

import contextlib
import functools
import io
import os
import pickle
import sys
import tempfile
from types import ModuleType
from typing import Any

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from .dassl.checkpoint_classes import CHECKPOINT_CLASSES


def mend_warmup_schedulers(lr_scheduler: ModuleType) -> None:
    """Mend dassl.optim.lr_scheduler, whose warm-up schedulers current PyTorch cannot build.

    The fault: their base class hands (optimizer, last_epoch, verbose) to LRScheduler.__init__, which has no
    `verbose` any more, so that building one is a TypeError.
    """
    base = getattr(lr_scheduler, "_BaseWarmupScheduler", None)
    if base is None or _can_be_built(base):
        return

    def __init__(
        self: LRScheduler,
        optimizer: Optimizer,
        successor: LRScheduler,
        warmup_epoch: int,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.successor = successor
        self.warmup_epoch = warmup_epoch
        LRScheduler.__init__(self, optimizer, last_epoch)

    base.__init__ = __init__


def mend_load_checkpoint(torchtools: ModuleType) -> None:
    """Mend dassl.utils.torchtools.load_checkpoint: with PyTorch ≥ 2.6 it cannot read Dassl's checkpoints.

    The fault: torch.load admits only tensors and plain containers by default now (weights_only), but the
    state of a warm-up scheduler holds its successor as an object. The mend admits the classes of such objects
    and no others.
    """
    load = torchtools.load_checkpoint
    if _reads_scheduler_objects(load):
        return

    @functools.wraps(load)
    def load_checkpoint(fpath: str) -> dict[str, Any]:
        with torch.serialization.safe_globals(list(CHECKPOINT_CLASSES)):
            return load(fpath)

    # Dassl imports the function by name, so that several modules may hold it already.
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "dassl" and getattr(module, "load_checkpoint", None) is load:
            module.load_checkpoint = load_checkpoint
    torchtools.load_checkpoint = load_checkpoint


def _small_scheduler() -> StepLR:
    return StepLR(SGD([torch.zeros(1, requires_grad=True)], lr=0.1), step_size=1)


def _can_be_built(base: type[LRScheduler]) -> bool:
    class Probe(base):
        def get_lr(self) -> list[float]:
            return self.base_lrs

    successor = _small_scheduler()
    try:
        Probe(successor.optimizer, successor, 1)
    except TypeError:
        return False
    return True


def _reads_scheduler_objects(load: Any) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "probe.pth.tar")
        torch.save({"scheduler": {"successor": _small_scheduler()}}, path)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it announces what it cannot load
                load(path)
        except pickle.UnpicklingError:
            return False
    return True

"""Mends of Dassl 0.6.3: what current PyTorch breaks, and what hides bad input. Each leaves alone what is sound."""

import contextlib
import functools
import io
import os
import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from .dassl.checkpoint_classes import CHECKPOINT_CLASSES
from .dassl.data.datasets.base_dataset import Datum
from .dassl.utils.tools import read_image


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

    _replace(torchtools, "load_checkpoint", load_checkpoint)


def mend_read_image(tools: ModuleType) -> None:
    """Mend dassl.utils.tools.read_image, which tries for ever to read an image that cannot be decoded.

    The built-in engine's takes its place, which raises ImageError.
    """
    if _tries_again(tools.read_image):
        _replace(tools, "read_image", read_image)


def mend_datum(base_dataset: ModuleType) -> None:
    """Mend Datum of dassl.data.datasets.base_dataset, which asks for each file when an item is made.

    That takes a round trip an item on a network disk, and a missing file is an AssertionError that names none.
    The loaders here look for all images at once, and name those that are missing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            base_dataset.Datum(impath="no such file")
        except AssertionError:
            base_dataset.Datum.__init__ = Datum.__init__


MENDS = {  # by the module that each looks at
    "dassl.optim.lr_scheduler": mend_warmup_schedulers,
    "dassl.utils.torchtools": mend_load_checkpoint,
    "dassl.utils.tools": mend_read_image,
    "dassl.data.datasets.base_dataset": mend_datum,
}


def _replace(owner: ModuleType, name: str, new: Any) -> None:
    """Rebinds a function wherever Dassl holds it: it imports functions by name, into several modules."""
    old = getattr(owner, name)
    for title, module in list(sys.modules.items()):
        if title.split(".")[0] == "dassl" and getattr(module, name, None) is old:
            setattr(module, name, new)
    setattr(owner, name, new)


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


class _SecondTry(BaseException):
    """Not an Exception, so that what catches those lets it through."""


def _tries_again(read: Callable[[str], Any]) -> bool:
    tries = []

    def fail(*args: Any, **kwargs: Any) -> None:
        tries.append(args)
        raise OSError("a probe") if len(tries) == 1 else _SecondTry

    with tempfile.NamedTemporaryFile() as file, mock.patch("PIL.Image.open", fail):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                read(file.name)
        except _SecondTry:
            return True
        except Exception:  # noqa: BLE001 - whatever it makes of the error, it does not try again
            return False
    return False


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

"""Patches of Dassl 0.6.3: for what current PyTorch and NumPy break, and for what hides bad input.

`patch` is called where this package is imported, so that a checkout of CoOp which imports a trainer of it is patched
too, whatever its own trainers have imported before. A patch does nothing where its fault is absent.
"""

import contextlib
import functools
import importlib
import importlib.util
import io
import os
import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import optim
from torch.optim import SGD, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, StepLR

from ..errors import InputError
from .images import read_image


def patch() -> None:
    """Patches what `import dassl` gives: Dassl, or the engine that stands in for it."""
    for name, apply in PATCHES.items():
        if importlib.util.find_spec(name):  # the engine has less
            apply(importlib.import_module(name))


def patch_warmup_schedulers(lr_scheduler: ModuleType) -> None:
    """Patch dassl.optim.lr_scheduler, whose warm-up schedulers current PyTorch cannot build.

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


def patch_load_checkpoint(torchtools: ModuleType) -> None:
    """Patch dassl.utils.torchtools.load_checkpoint: with PyTorch ≥ 2.6 it cannot read Dassl's checkpoints.

    The fault: torch.load admits only tensors and plain containers by default now (weights_only), but the
    state of a warm-up scheduler holds its successor as an object. The patch admits the classes of such objects
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


def patch_read_image(tools: ModuleType) -> None:
    """Patch dassl.utils.tools.read_image, which names no file that it cannot decode, and reads 16-bit grey as white.

    (Older versions try for ever to read such a file.) What takes its place is the same for all engines.
    """
    if tools.read_image is not read_image:
        _replace(tools, "read_image", read_image)


def patch_datum(base_dataset: ModuleType) -> None:
    """Patch Datum of dassl.data.datasets.base_dataset, which asks for each file when an item is made.

    That takes a round trip an item on a network disk, and a missing file is an AssertionError that names none.
    The loaders here look for all images at once, and name those that are missing.
    """

    def __init__(self: Any, impath: str = "", label: int = 0, domain: int = 0, classname: str = "") -> None:
        self._impath, self._label, self._domain, self._classname = impath, label, domain, classname

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            base_dataset.Datum(impath="no such file")
        except AssertionError:
            base_dataset.Datum.__init__ = __init__


def patch_data_loader(data_manager: ModuleType) -> None:
    """Patch dassl.data.data_manager.build_data_loader, which ends in an assertion where it has nothing to load.

    So do samplers by domain and by class that cannot fill a batch.
    """
    build = data_manager.build_data_loader
    if hasattr(build, "__wrapped__"):
        return

    @functools.wraps(build)
    def build_data_loader(cfg: Any, sampler_type: str = "SequentialSampler", *args: Any, **kwargs: Any) -> Any:
        source = kwargs["data_source"] if "data_source" in kwargs else next(iter(args), None)
        if not source:
            part = "train" if kwargs.get("is_train", True) else "test"
            raise InputError(f"There are no images to load for dataset {cfg.DATASET.NAME!r} ({part}).")
        try:
            return build(cfg, sampler_type, *args, **kwargs)
        except (AssertionError, ValueError) as error:
            if type(error) not in (AssertionError, ValueError):  # the engine's own, which say more
                raise
            why = f": {error}" if str(error) else ""
            raise InputError(f"{sampler_type} cannot make batches of these {len(source):,} images{why}.") from error

    _replace(data_manager, "build_data_loader", build_data_loader)


def patch_numpy_int(transforms: ModuleType) -> None:
    """Patch modules of dassl.data.transforms that ask for numpy.int: Python's int, which NumPy 1.24 dropped."""
    if not hasattr(transforms.np, "int"):
        with_int = ModuleType("numpy")
        vars(with_int).update(vars(np), int=int)
        transforms.np = with_int


PATCHES: dict[str, Callable[[ModuleType], None]] = {  # by the module that each looks at
    "dassl.optim.lr_scheduler": patch_warmup_schedulers,
    "dassl.utils.torchtools": patch_load_checkpoint,
    "dassl.utils.tools": patch_read_image,
    "dassl.data.datasets.base_dataset": patch_datum,
    "dassl.data.data_manager": patch_data_loader,
    "dassl.data.transforms.autoaugment": patch_numpy_int,
    "dassl.data.transforms.randaugment": patch_numpy_int,
}


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


def _replace(owner: ModuleType, name: str, new: Any) -> None:
    """Rebinds a function wherever it is held: Dassl, and trainers for it, import functions by name."""
    old = getattr(owner, name)
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get(name) is old:
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

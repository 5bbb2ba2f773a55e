"""The mends of Dassl on current PyTorch, on small modules with the same faults."""

import os
from types import ModuleType

import pytest
import torch
from PIL import Image
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from compat import mends
from compat.dassl.utils.tools import ImageError


def optimizer():
    return SGD([torch.zeros(2, requires_grad=True)], lr=0.1, momentum=0.9)


def warmup_module(*arguments):
    """A module with a warm-up base class that hands its base class the arguments of these names."""

    class _BaseWarmupScheduler(LRScheduler):
        def __init__(self, optimizer, successor, warmup_epoch, last_epoch=-1, verbose=False):
            self.successor = successor
            self.warmup_epoch = warmup_epoch
            given = {"optimizer": optimizer, "last_epoch": last_epoch, "verbose": verbose}
            super().__init__(*[given[name] for name in arguments])

    class ConstantWarmupScheduler(_BaseWarmupScheduler):
        def __init__(self, optimizer, successor, warmup_epoch, cons_lr, last_epoch=-1, verbose=False):
            self.cons_lr = cons_lr
            super().__init__(optimizer, successor, warmup_epoch, last_epoch, verbose)

        def get_lr(self):
            return [self.cons_lr for _ in self.base_lrs]

    module = ModuleType("lr_scheduler")
    module._BaseWarmupScheduler = _BaseWarmupScheduler
    module.ConstantWarmupScheduler = ConstantWarmupScheduler
    return module


def test_warmup_scheduler_can_be_built_after_the_mend():
    module = warmup_module("optimizer", "last_epoch", "verbose")
    optim = optimizer()
    successor = CosineAnnealingLR(optim, 3)
    with pytest.raises(TypeError):
        module.ConstantWarmupScheduler(optim, successor, 1, 1e-5)
    mends.mend_warmup_schedulers(module)
    scheduler = module.ConstantWarmupScheduler(optim, successor, 1, 1e-5)
    assert (scheduler.successor, scheduler.warmup_epoch) == (successor, 1)
    assert optim.param_groups[0]["lr"] == 1e-5


def test_sound_warmup_scheduler_is_left_alone():
    module = warmup_module("optimizer", "last_epoch")
    before = module._BaseWarmupScheduler.__init__
    mends.mend_warmup_schedulers(module)
    assert module._BaseWarmupScheduler.__init__ is before


def checkpoint_modules(monkeypatch, **options):
    """Modules dassl.utils.torchtools and dassl.engine that share a load_checkpoint."""

    def load_checkpoint(fpath):
        return torch.load(fpath, map_location="cpu", **options)

    names = ("dassl.utils.torchtools", "dassl.engine")
    modules = [ModuleType(name) for name in names]
    for name, module in zip(names, modules, strict=True):
        module.load_checkpoint = load_checkpoint
        monkeypatch.setitem(mends.sys.modules, name, module)
    return modules


def test_checkpoints_with_scheduler_objects_load_after_the_mend(monkeypatch, golden_dir):
    torchtools, engine = checkpoint_modules(monkeypatch)
    mends.mend_load_checkpoint(torchtools)
    assert engine.load_checkpoint is torchtools.load_checkpoint
    path = next(golden_dir.glob("checkpoints/coop*/prompt_learner/model*"))
    checkpoint = engine.load_checkpoint(path)
    assert isinstance(checkpoint["scheduler"]["successor"], CosineAnnealingLR)


def test_mended_load_checkpoint_admits_no_other_class(monkeypatch, tmp_path):
    torchtools, _ = checkpoint_modules(monkeypatch)
    mends.mend_load_checkpoint(torchtools)
    torch.save({"scheduler": torch.nn.Linear(1, 1)}, tmp_path / "other")
    with pytest.raises(mends.pickle.UnpicklingError):
        torchtools.load_checkpoint(tmp_path / "other")


def test_sound_load_checkpoint_is_left_alone(monkeypatch):
    torchtools, engine = checkpoint_modules(monkeypatch, weights_only=False)
    mends.mend_load_checkpoint(torchtools)
    assert torchtools.load_checkpoint is engine.load_checkpoint
    assert not hasattr(torchtools.load_checkpoint, "__wrapped__")


def test_unreadable_image_ends_in_an_error_after_the_mend(tmp_path, monkeypatch):
    def read_image(path):
        while True:
            try:
                return Image.open(path).convert("RGB")
            except OSError:
                pass

    tools, data_manager = (ModuleType(f"dassl.{name}") for name in ("utils.tools", "data.data_manager"))
    for module in (tools, data_manager):
        module.read_image = read_image
        monkeypatch.setitem(mends.sys.modules, module.__name__, module)
    mends.mend_read_image(tools)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        data_manager.read_image(broken)
    Image.new("L", (2, 2)).save(tmp_path / "sound.png")
    assert tools.read_image(tmp_path / "sound.png").mode == "RGB"


def test_sound_read_image_is_left_alone():
    def read_image(path):
        return Image.open(path)

    tools = ModuleType("tools")
    tools.read_image = read_image
    mends.mend_read_image(tools)
    assert tools.read_image is read_image


def datum_module(check: bool):
    class Datum:
        def __init__(self, impath="", label=0, domain=0, classname=""):
            assert not check or os.path.isfile(impath)
            self._impath, self._label, self._domain, self._classname = impath, label, domain, classname

    module = ModuleType("base_dataset")
    module.Datum = Datum
    return module


def test_items_of_missing_files_can_be_made_after_the_mend():
    module = datum_module(check=True)
    mends.mend_datum(module)
    item = module.Datum(impath="missing.jpg", label=3, classname="cat")
    assert (item._impath, item._label, item._domain, item._classname) == ("missing.jpg", 3, 0, "cat")


def test_items_that_ask_for_no_file_are_left_alone():
    module = datum_module(check=False)
    before = module.Datum.__init__
    mends.mend_datum(module)
    assert module.Datum.__init__ is before

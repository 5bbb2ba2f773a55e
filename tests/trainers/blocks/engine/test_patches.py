"""The patches of Dassl on current PyTorch, on small modules with the same faults."""

import os
import random
from types import ModuleType

import numpy as np
import pytest
import torch
from dassl.config import get_cfg_default
from dassl.data import DatasetWrapper
from dassl.data.data_manager import build_data_loader
from dassl.data.datasets import Datum
from dassl.data.transforms import build_transform
from PIL import Image
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

import compat
from tests.conftest import CHECKOUT
from trainers.blocks.engine import patches
from trainers.blocks.engine.images import ImageError, read_image
from trainers.blocks.errors import InputError


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
    patches.patch_warmup_schedulers(module)
    scheduler = module.ConstantWarmupScheduler(optim, successor, 1, 1e-5)
    assert (scheduler.successor, scheduler.warmup_epoch) == (successor, 1)
    assert optim.param_groups[0]["lr"] == 1e-5


def test_sound_warmup_scheduler_is_left_alone():
    module = warmup_module("optimizer", "last_epoch")
    before = module._BaseWarmupScheduler.__init__
    patches.patch_warmup_schedulers(module)
    assert module._BaseWarmupScheduler.__init__ is before


def checkpoint_modules(monkeypatch, **options):
    """Modules dassl.utils.torchtools and dassl.engine that share a load_checkpoint."""

    def load_checkpoint(fpath):
        return torch.load(fpath, map_location="cpu", **options)

    names = ("dassl.utils.torchtools", "dassl.engine")
    modules = [ModuleType(name) for name in names]
    for name, module in zip(names, modules, strict=True):
        module.load_checkpoint = load_checkpoint
        monkeypatch.setitem(patches.sys.modules, name, module)
    return modules


def test_checkpoints_with_scheduler_objects_load_after_the_mend(monkeypatch):
    torchtools, engine = checkpoint_modules(monkeypatch)
    patches.patch_load_checkpoint(torchtools)
    assert engine.load_checkpoint is torchtools.load_checkpoint
    path = next((CHECKOUT / "tests/golden").glob("checkpoints/coop*/prompt_learner/model*"))
    checkpoint = engine.load_checkpoint(path)
    assert isinstance(checkpoint["scheduler"]["successor"], CosineAnnealingLR)


def test_mended_load_checkpoint_admits_no_other_class(monkeypatch, tmp_path):
    torchtools, _ = checkpoint_modules(monkeypatch)
    patches.patch_load_checkpoint(torchtools)
    torch.save({"scheduler": torch.nn.Linear(1, 1)}, tmp_path / "other")
    with pytest.raises(patches.pickle.UnpicklingError):
        torchtools.load_checkpoint(tmp_path / "other")


def test_sound_load_checkpoint_is_left_alone(monkeypatch):
    torchtools, engine = checkpoint_modules(monkeypatch, weights_only=False)
    patches.patch_load_checkpoint(torchtools)
    assert torchtools.load_checkpoint is engine.load_checkpoint
    assert not hasattr(torchtools.load_checkpoint, "__wrapped__")


def test_read_image_is_the_same_wherever_it_is_held_after_the_mend(tmp_path, monkeypatch):
    def old_read_image(path):
        return Image.open(path).convert("RGB")

    names = ("dassl.utils.tools", "dassl.data.data_manager", "someones.loader")
    tools, data_manager, elsewhere = (ModuleType(name) for name in names)
    for module in (tools, data_manager, elsewhere):
        module.read_image = old_read_image
        monkeypatch.setitem(patches.sys.modules, module.__name__, module)
    patches.patch_read_image(tools)
    assert tools.read_image is data_manager.read_image is elsewhere.read_image is read_image
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        data_manager.read_image(tmp_path / "broken.jpg")


def test_engine_in_use_reads_images_by_these_rules(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((2, 2), 32_896, np.uint16)).save(path)
    images = DatasetWrapper(get_cfg_default(), [Datum(str(path))])
    assert images[0]["img"].getpixel((0, 0)) == (128, 128, 128)


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
    patches.patch_datum(module)
    item = module.Datum(impath="missing.jpg", label=3, classname="cat")
    assert (item._impath, item._label, item._domain, item._classname) == ("missing.jpg", 3, 0, "cat")


def test_items_that_ask_for_no_file_are_left_alone():
    module = datum_module(check=False)
    before = module.Datum.__init__
    patches.patch_datum(module)
    assert module.Datum.__init__ is before


def loader(name="RandomSampler", labels=(0, 1, 2), **options):
    items = [Datum("a.jpg", label) for label in labels]
    return build_data_loader(get_cfg_default(), name, items, **options)


@pytest.mark.parametrize(("training", "part"), [(True, "train"), (False, "test")])
def test_nothing_to_load_is_an_error_that_says_of_what(training, part):
    with pytest.raises(InputError, match=rf"no images to load for dataset '' \({part}\)"):
        loader(labels=(), is_train=training)


@pytest.mark.parametrize("name", ["SeqDomainSampler", "RandomDomainSampler"])
def test_sampler_by_domain_that_cannot_fill_a_batch_is_an_error(name):
    """The built-in engine has no such sampler, and says so."""
    with pytest.raises((InputError, *compat.input_errors()), match=name):
        loader(name, batch_size=4)


def test_sampler_by_class_that_cannot_fill_a_batch_is_an_error():
    with pytest.raises(ValueError, match="[Bb]atch"):
        loader("RandomClassSampler", batch_size=8, n_ins=2)


def test_error_that_the_engine_explains_is_left_alone():
    def build_data_loader(cfg, sampler_type, data_source):
        raise InputError("explained")

    module = ModuleType("data_manager")
    module.build_data_loader = build_data_loader
    patches.patch_data_loader(module)
    with pytest.raises(InputError, match="^explained$"):
        module.build_data_loader(get_cfg_default(), "RandomSampler", data_source=[1])


def test_numpy_int_is_there_after_the_mend_and_there_alone():
    module = ModuleType("randaugment")
    module.np = np
    patches.patch_numpy_int(module)
    assert np.array([1.7]).astype(module.np.int).tolist() == [1]
    assert module.np.round is np.round
    assert not hasattr(np, "int")


@pytest.mark.parametrize("name", ["randaugment", "imagenet_policy"])
def test_policies_of_transforms_run_or_are_refused_by_name(name):
    """Dassl has them; the built-in engine says that it has not."""
    cfg = get_cfg_default()
    if compat.ensure().name == "builtin":
        with pytest.raises(compat.input_errors(), match=name):
            build_transform(cfg, is_train=True, choices=[name])
        return
    transform = build_transform(cfg, is_train=True, choices=[name])
    random.seed(0)
    image = Image.effect_noise((64, 64), 50).convert("RGB")
    assert {tuple(transform(image).shape) for _ in range(50)} == {(3, 224, 224)}

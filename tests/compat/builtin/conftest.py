"""The tests here are of the built-in engine: on another one they are not collected.

A tiny dataset and trainer for them, and where the golden figures are.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from dassl.config import get_cfg_default
from dassl.data.datasets import DATASET_REGISTRY, DatasetBase, Datum
from dassl.engine import TRAINER_REGISTRY, TrainerX
from dassl.metrics import compute_accuracy
from dassl.optim import build_lr_scheduler, build_optimizer
from dassl.utils import set_random_seed
from PIL import Image
from torch import nn
from torch.nn import functional as F

import compat

collect_ignore_glob = [] if compat.ensure().name == "builtin" else ["test_*.py"]


@DATASET_REGISTRY.register()
class TinyColours(DatasetBase):
    """Three classes, 8-pixel images of one colour each; of each class 4 train, 1 val, 2 test."""

    def __init__(self, cfg):
        def items(numbers):
            return [
                Datum(str(Path(cfg.DATASET.ROOT, f"{name}_{i}.png")), label, classname=name)
                for label, name in enumerate(("red", "green", "blue"))
                for i in numbers
            ]

        super().__init__(train_x=items(range(4)), val=items([4]), test=items([5, 6]))


@TRAINER_REGISTRY.register()
class TinyTrainer(TrainerX):
    """A linear layer on pixels."""

    def build_model(self):
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, self.num_classes)).to(self.device)
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("linear", self.model, self.optim, self.sched)

    def forward_backward(self, batch):
        image, label, _ = self.parse_batch_train(batch)
        output = self.model(image)
        loss = F.cross_entropy(output, label)
        self.model_backward_and_update(loss)
        if self.batch_idx + 1 == self.num_batches:
            self.update_lr()
        return {"loss": loss.item(), "acc": compute_accuracy(output, label)[0].item()}


@pytest.fixture(scope="session")
def golden_dir():
    return Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="session")
def facts(golden_dir):
    return json.loads((golden_dir / "upstream.json").read_text())["facts"]


@pytest.fixture(scope="session")
def colours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colours")
    for label, name in enumerate(("red", "green", "blue")):
        for i in range(7):
            pixels = np.random.RandomState(10 * label + i).randint(0, 100, (8, 8, 3), dtype=np.uint8)
            pixels[..., label] += 100
            Image.fromarray(pixels).save(folder / f"{name}_{i}.png")
    return folder


@pytest.fixture
def cfg(colours, tmp_path):
    """A configuration of TinyTrainer on TinyColours: 2 epochs of 3 batches, warm-up in the first."""
    set_random_seed(1)
    torch.set_num_threads(1)
    cfg = get_cfg_default()
    cfg.TRAINER.NAME = "TinyTrainer"
    cfg.DATASET.NAME = "TinyColours"
    cfg.DATASET.ROOT = str(colours)
    cfg.OUTPUT_DIR = str(tmp_path / "output")
    cfg.INPUT.SIZE = (8, 8)
    cfg.INPUT.TRANSFORMS = ("random_flip", "normalize")
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.DATALOADER.TRAIN_X.BATCH_SIZE = 4
    cfg.OPTIM.NAME = "sgd"
    cfg.OPTIM.LR = 0.01
    cfg.OPTIM.LR_SCHEDULER = "cosine"
    cfg.OPTIM.MAX_EPOCH = 2
    cfg.OPTIM.WARMUP_EPOCH = 1
    cfg.OPTIM.WARMUP_TYPE = "constant"
    cfg.TRAIN.PRINT_FREQ = 2
    return cfg

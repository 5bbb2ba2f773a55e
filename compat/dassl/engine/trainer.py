"""The training loop with its hooks, and the models it saves, loads and updates."""

import datetime
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm
from yacs.config import CfgNode

from ..data import DataManager
from ..evaluation import build_evaluator
from ..missing import MissingPartError
from ..utils import (
    AverageMeter,
    ConfigError,
    MetricMeter,
    UnavailableError,
    load_checkpoint,
    resume_from_checkpoint,
    save_checkpoint,
    tolist_if_not,
)
from ..utils.torchtools import BEST_MODEL

Batch = Mapping[str, Any]


class TrainerBase:
    """Models by name, each with its optimizer and schedule, and the loop over epochs with its hooks."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, nn.Module] = OrderedDict()
        self._optims: OrderedDict[str, Optimizer | None] = OrderedDict()
        self._scheds: OrderedDict[str, LRScheduler | None] = OrderedDict()
        self._writer = None

    def register_model(
        self,
        name: str = "model",
        model: nn.Module | None = None,
        optim: Optimizer | None = None,
        sched: LRScheduler | None = None,
    ) -> None:
        """Add a model to those that are saved, loaded and updated; without `optim` it does not learn."""
        if "_models" not in self.__dict__:
            raise AttributeError("register_model() comes after super().__init__()")
        if name in self._models:
            raise ValueError(f"There is a model {name!r} already")
        self._models[name] = model
        self._optims[name] = optim
        self._scheds[name] = sched

    def get_model_names(self, names: str | list[str] | None = None) -> list[str]:
        """Return `names` as a list, or the names of all models; raise UnavailableError for an unknown one."""
        if names is None:
            return list(self._models)
        names = tolist_if_not(names)
        unknown = [name for name in names if name not in self._models]
        if unknown:
            raise UnavailableError(f"No model {', '.join(unknown)}; registered: {', '.join(self._models)}")
        return names

    # Saving and loading

    def save_model(
        self,
        epoch: int,
        directory: str,
        is_best: bool = False,
        val_result: float | None = None,
        model_name: str = "",
    ) -> None:
        """Write a checkpoint of each model to directory/<name>; `epoch` counts from 0, the stored from 1."""
        for name, model in self._models.items():
            optim, sched = self._optims[name], self._scheds[name]
            state = {
                "state_dict": model.state_dict(),
                "epoch": epoch + 1,
                "optimizer": None if optim is None else optim.state_dict(),
                "scheduler": None if sched is None else sched.state_dict(),
                "val_result": val_result,
            }
            save_checkpoint(state, os.path.join(directory, name), is_best=is_best, model_name=model_name)

    def resume_model_if_exist(self, directory: str) -> int:
        """Restore all models from directory/<name> and return the next epoch; 0 if one has no checkpoint."""
        folders = {name: os.path.join(directory, name) for name in self._models}
        if not all(os.path.isfile(os.path.join(folder, "checkpoint")) for folder in folders.values()):
            print("No checkpoint found, train from scratch")
            return 0
        print(f"Found checkpoint at {directory} (will resume training)")
        start_epoch = 0
        for name, folder in folders.items():
            start_epoch = resume_from_checkpoint(folder, self._models[name], self._optims[name], self._scheds[name])
        return start_epoch

    def load_model(self, directory: str, epoch: int | None = None) -> None:
        """Load each model's weights of `epoch`, by default the best on validation, from directory/<name>.

        An empty `directory` means that there is nothing to load. Raises FileNotFoundError.
        """
        if not directory:
            print("No model is loaded, as no directory is given")
            return
        file_name = BEST_MODEL if epoch is None else f"model.pth.tar-{epoch}"
        for name, model in self._models.items():
            path = os.path.join(directory, name, file_name)
            checkpoint = load_checkpoint(path)
            print(f'Loading weights to {name} from "{path}" (epoch = {checkpoint["epoch"]})')
            model.load_state_dict(checkpoint["state_dict"])

    # TensorBoard

    def init_writer(self, log_dir: str) -> None:
        """Open TensorBoard's writer, unless it is open; without tensorboard say so and do without."""
        if self._writer is not None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter  # slow to import, and not needed to test
        except ImportError:
            print("tensorboard is not installed: no curves are written")
            return
        print(f"Initialize tensorboard (log_dir={log_dir})")
        self._writer = SummaryWriter(log_dir=log_dir)

    def close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def write_scalar(self, tag: str, scalar_value: float, global_step: int | None = None) -> None:
        """Write a point of a curve, if there is a writer."""
        if self._writer is not None:
            self._writer.add_scalar(tag, scalar_value, global_step)

    # The loop and its hooks

    def train(self, start_epoch: int, max_epoch: int) -> None:
        """Train epochs start_epoch … max_epoch - 1; before_train may move self.start_epoch."""
        self.start_epoch = start_epoch
        self.max_epoch = max_epoch
        self.before_train()
        for epoch in range(self.start_epoch, self.max_epoch):
            self.epoch = epoch
            self.before_epoch()
            self.run_epoch()
            self.after_epoch()
        self.after_train()

    def before_train(self) -> None:
        """Hook."""

    def after_train(self) -> None:
        """Hook."""

    def before_epoch(self) -> None:
        """Hook."""

    def after_epoch(self) -> None:
        """Hook."""

    def run_epoch(self) -> None:
        raise NotImplementedError

    def test(self) -> float:
        raise NotImplementedError

    def parse_batch_train(self, batch: Batch) -> Any:
        raise NotImplementedError

    def parse_batch_test(self, batch: Batch) -> Any:
        raise NotImplementedError

    def forward_backward(self, batch: Batch) -> dict[str, float] | None:
        """Learn from one batch; return what to print by name."""
        raise NotImplementedError

    def model_inference(self, input: Any) -> torch.Tensor:
        raise NotImplementedError

    # Updates

    def set_model_mode(self, mode: str = "train", names: str | list[str] | None = None) -> None:
        """Put models into `train`, or `test` or `eval`, mode."""
        if mode not in ("train", "test", "eval"):
            raise ValueError(f"There is no mode {mode!r}: train, test, eval")
        for name in self.get_model_names(names):
            self._models[name].train(mode == "train")

    def update_lr(self, names: str | list[str] | None = None) -> None:
        """Step the schedules."""
        for name in self.get_model_names(names):
            if self._scheds[name] is not None:
                self._scheds[name].step()

    def get_current_lr(self, names: str | list[str] | None = None) -> float:
        """Return the learning rate of the first of `names`, in its first group."""
        name = self.get_model_names(names)[0]
        return self._optims[name].param_groups[0]["lr"]

    def detect_anomaly(self, loss: torch.Tensor) -> None:
        """Raise FloatingPointError if `loss` is not finite."""
        if not torch.isfinite(loss).all():
            raise FloatingPointError("Loss is infinite or NaN!")

    def model_zero_grad(self, names: str | list[str] | None = None) -> None:
        for name in self.get_model_names(names):
            if self._optims[name] is not None:
                self._optims[name].zero_grad()

    def model_backward(self, loss: torch.Tensor) -> None:
        self.detect_anomaly(loss)
        loss.backward()

    def model_update(self, names: str | list[str] | None = None) -> None:
        for name in self.get_model_names(names):
            if self._optims[name] is not None:
                self._optims[name].step()

    def model_backward_and_update(self, loss: torch.Tensor, names: str | list[str] | None = None) -> None:
        """Take one step against the gradient of `loss`."""
        self.model_zero_grad(names)
        self.model_backward(loss)
        self.model_update(names)


class SimpleTrainer(TrainerBase):
    """A trainer of one dataset: subclasses build the model. Raises what the parts built from `cfg` raise."""

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        # The order of what follows decides which random numbers each part gets.
        self.check_cfg(cfg)
        self.device = torch.device("cuda" if torch.cuda.is_available() and cfg.USE_CUDA else "cpu")
        self.start_epoch = self.epoch = 0
        self.max_epoch = cfg.OPTIM.MAX_EPOCH
        self.output_dir = cfg.OUTPUT_DIR
        self.cfg = cfg
        self.build_data_loader()
        self.build_model()
        self.evaluator = build_evaluator(cfg, lab2cname=self.lab2cname)
        self.best_result = -np.inf

    def check_cfg(self, cfg: CfgNode) -> None:
        """Hook: raise an error for a configuration that the trainer cannot use."""

    def build_data_loader(self) -> None:
        """Set `dm`, its loaders, and the classes."""
        self.dm = dm = DataManager(self.cfg)
        self.train_loader_x = dm.train_loader_x
        self.train_loader_u = dm.train_loader_u
        self.val_loader = dm.val_loader
        self.test_loader = dm.test_loader
        self.num_classes = dm.num_classes
        self.num_source_domains = dm.num_source_domains
        self.lab2cname = dm.lab2cname

    def build_model(self) -> None:
        """Build and register the models; a subclass does."""
        raise MissingPartError("The default model of SimpleTrainer (a backbone with a linear head)")

    def train(self) -> None:
        """Train from self.start_epoch, or from where a checkpoint was left, to self.max_epoch; then test."""
        super().train(self.start_epoch, self.max_epoch)

    def before_train(self) -> None:
        """Resume if there is something to resume from, and open TensorBoard's writer.

        Raises ConfigError if the best model on validation is asked for and there is no validation set.
        """
        if self.cfg.TEST.FINAL_MODEL == "best_val" and self.val_loader is None:
            raise ConfigError("TEST.FINAL_MODEL best_val needs a validation set, and the dataset has none")
        directory = self.cfg.RESUME or self.output_dir
        self.start_epoch = self.resume_model_if_exist(directory)
        if self.start_epoch and self.cfg.TEST.FINAL_MODEL == "best_val":
            self.best_result = self._stored_best_result(directory)
        self.init_writer(os.path.join(self.output_dir, "tensorboard"))
        self.time_start = time.time()

    def _stored_best_result(self, directory: str) -> float:
        path = os.path.join(directory, self.get_model_names()[0], BEST_MODEL)
        stored = load_checkpoint(path)["val_result"] if os.path.isfile(path) else None
        return -np.inf if stored is None else stored

    def after_train(self) -> None:
        """Test the model that was asked for and print how long all took."""
        print("Finish training")
        if not self.cfg.TEST.NO_TEST:
            if self.cfg.TEST.FINAL_MODEL == "best_val":
                print("Deploy the model with the best val performance")
                self.load_model(self.output_dir)
            else:
                print("Deploy the last-epoch model")
            self.test()
        elapsed = round(time.time() - self.time_start)
        print(f"Elapsed: {datetime.timedelta(seconds=elapsed)}")
        self.close_writer()

    def after_epoch(self) -> None:
        """Save the best model on validation if asked, and a checkpoint when it is due."""
        test, freq = self.cfg.TEST, self.cfg.TRAIN.CHECKPOINT_FREQ
        if test.FINAL_MODEL == "best_val" and not test.NO_TEST:
            result = self.test(split="val")
            if result > self.best_result:
                self.best_result = result
                self.save_model(self.epoch, self.output_dir, val_result=result, model_name=BEST_MODEL)
        if self.epoch + 1 == self.max_epoch or (freq > 0 and (self.epoch + 1) % freq == 0):
            self.save_model(self.epoch, self.output_dir)

    @torch.no_grad()
    def test(self, split: str | None = None) -> float:
        """Evaluate on `split` (by default cfg.TEST.SPLIT; test where there is no validation set).

        Returns the evaluator's first figure, which is the accuracy in %.
        """
        self.set_model_mode("eval")
        self.evaluator.reset()
        split = split or self.cfg.TEST.SPLIT
        if split == "val" and self.val_loader is not None:
            loader = self.val_loader
        else:
            split, loader = "test", self.test_loader
        print(f"Evaluate on the *{split}* set")
        for batch in tqdm(loader, disable=None):  # no bar into pipes and files
            input, label = self.parse_batch_test(batch)
            self.evaluator.process(self.model_inference(input), label)
        results = self.evaluator.evaluate()
        for name, value in results.items():
            self.write_scalar(f"{split}/{name}", value, self.epoch)
        return next(iter(results.values()))

    def model_inference(self, input: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, C) of a batch of images."""
        return self.model(input)

    def parse_batch_test(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images and labels on the device."""
        return batch["img"].to(self.device), batch["label"].to(self.device)


class TrainerX(SimpleTrainer):
    """A trainer on labelled data: `forward_backward` for each batch of train_loader_x."""

    def run_epoch(self) -> None:
        """Go through the data once; print a line every TRAIN.PRINT_FREQ batches, or each if they are fewer."""
        self.set_model_mode("train")
        losses, batch_time, data_time = MetricMeter(), AverageMeter(), AverageMeter()
        self.num_batches = len(self.train_loader_x)
        freq = self.cfg.TRAIN.PRINT_FREQ
        end = time.time()
        for batch_idx, batch in enumerate(self.train_loader_x):
            self.batch_idx = batch_idx
            data_time.update(time.time() - end)
            losses.update(self.forward_backward(batch))
            batch_time.update(time.time() - end)
            if (batch_idx + 1) % freq == 0 or self.num_batches < freq:
                self._print_progress(losses, batch_time, data_time)
            step = self.epoch * self.num_batches + batch_idx
            for name, meter in losses.meters.items():
                self.write_scalar(f"train/{name}", meter.avg, step)
            self.write_scalar("train/lr", self.get_current_lr(), step)
            end = time.time()

    def _print_progress(self, losses: MetricMeter, batch_time: AverageMeter, data_time: AverageMeter) -> None:
        left = self.num_batches - self.batch_idx - 1 + (self.max_epoch - self.epoch - 1) * self.num_batches
        eta = datetime.timedelta(seconds=int(batch_time.avg * left))
        print(
            f"epoch [{self.epoch + 1}/{self.max_epoch}] batch [{self.batch_idx + 1}/{self.num_batches}] "
            f"time {batch_time.val:.3f} ({batch_time.avg:.3f}) "
            f"data {data_time.val:.3f} ({data_time.avg:.3f}) {losses} lr {self.get_current_lr():.4e} eta {eta}"
        )

    def parse_batch_train(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return images, labels and domains on the device."""
        image, label = self.parse_batch_test(batch)
        return image, label, batch["domain"].to(self.device)

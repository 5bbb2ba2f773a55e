"""Learning-rate schedules, stepped once per epoch, with warm-up before them."""

from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, StepLR
from yacs.config import CfgNode

from ..utils import ConfigError, check_availability


class _WarmupScheduler(LRScheduler):
    """Sets the rate itself for `warmup_epoch` epochs, then hands over to `successor`, a scheduler of the same
    optimizer, which starts from its beginning."""

    def __init__(self, optimizer: Optimizer, successor: LRScheduler, warmup_epoch: int) -> None:
        self.successor = successor
        self.warmup_epoch = warmup_epoch
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        if self.last_epoch >= self.warmup_epoch:
            return self.successor.get_last_lr()
        return self._warmup_lr()

    def _warmup_lr(self) -> list[float]:
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        if self.last_epoch >= self.warmup_epoch:
            self.successor.step(epoch)
            self._last_lr = self.successor.get_last_lr()
        else:
            super().step(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values; the successor's as its own state dict."""
        return super().state_dict() | {"successor": self.successor.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over such values, or those of Dassl's checkpoints, in which the successor is an object."""
        state = dict(state_dict)
        successor = state.pop("successor")
        self.successor.load_state_dict(successor.state_dict() if isinstance(successor, LRScheduler) else successor)
        super().load_state_dict(state)


class ConstantWarmupScheduler(_WarmupScheduler):
    """Warm-up at the rate `cons_lr`."""

    def __init__(self, optimizer: Optimizer, successor: LRScheduler, warmup_epoch: int, cons_lr: float) -> None:
        self.cons_lr = cons_lr
        super().__init__(optimizer, successor, warmup_epoch)

    def _warmup_lr(self) -> list[float]:
        return [self.cons_lr] * len(self.base_lrs)


class LinearWarmupScheduler(_WarmupScheduler):
    """Warm-up at `min_lr` in epoch 0, then at the share epoch / warmup_epoch of the full rate."""

    def __init__(self, optimizer: Optimizer, successor: LRScheduler, warmup_epoch: int, min_lr: float) -> None:
        self.min_lr = min_lr
        super().__init__(optimizer, successor, warmup_epoch)

    def _warmup_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [self.min_lr] * len(self.base_lrs)
        return [lr * self.last_epoch / self.warmup_epoch for lr in self.base_lrs]


def build_lr_scheduler(optimizer: Optimizer, optim_cfg: CfgNode) -> LRScheduler:
    """Return the schedule that `optim_cfg` names: single_step, multi_step or cosine, with its warm-up."""
    check_availability(optim_cfg.LR_SCHEDULER, ("single_step", "multi_step", "cosine"))
    scheduler = _main_scheduler(optimizer, optim_cfg)
    epochs = optim_cfg.WARMUP_EPOCH
    if epochs <= 0:
        return scheduler
    check_availability(optim_cfg.WARMUP_TYPE, ("constant", "linear"))
    if not optim_cfg.WARMUP_RECOUNT:
        scheduler.last_epoch = epochs
    if optim_cfg.WARMUP_TYPE == "constant":
        return ConstantWarmupScheduler(optimizer, scheduler, epochs, optim_cfg.WARMUP_CONS_LR)
    return LinearWarmupScheduler(optimizer, scheduler, epochs, optim_cfg.WARMUP_MIN_LR)


def _main_scheduler(optimizer: Optimizer, optim_cfg: CfgNode) -> LRScheduler:
    steps, gamma = optim_cfg.STEPSIZE, optim_cfg.GAMMA
    if optim_cfg.LR_SCHEDULER == "cosine":
        return CosineAnnealingLR(optimizer, float(optim_cfg.MAX_EPOCH))
    if optim_cfg.LR_SCHEDULER == "multi_step":
        if not isinstance(steps, Sequence):
            raise ConfigError(f"multi_step needs OPTIM.STEPSIZE as a tuple of epochs, not {steps!r}")
        return MultiStepLR(optimizer, milestones=list(steps), gamma=gamma)
    step = steps[-1] if isinstance(steps, Sequence) else steps
    if not isinstance(step, int):
        raise ConfigError(f"single_step needs OPTIM.STEPSIZE in whole epochs, not {step!r}")
    return StepLR(optimizer, step if step > 0 else optim_cfg.MAX_EPOCH, gamma=gamma)

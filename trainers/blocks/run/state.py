"""What has to be saved of a run to go on with it as if nothing had happened, as tensors and plain values."""

from typing import Any

from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from .randomness import restore_random_state, stored_random_state


def collect(learned: nn.Module, optimizer: Optimizer, scheduler: LRScheduler, scaler: GradScaler) -> dict[str, Any]:
    """The state after an epoch: what is learned, the current stage's optimizer and schedule, random numbers."""
    return {
        "learned": learned.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule_state(scheduler),
        "scaler": scaler.state_dict(),
        "random": stored_random_state(),
    }


def restore(
    state: dict[str, Any], learned: nn.Module, optimizer: Optimizer, scheduler: LRScheduler, scaler: GradScaler
) -> None:
    """Restores such a state; random numbers last, so that nothing else draws any."""
    learned.load_state_dict(state["learned"])
    optimizer.load_state_dict(state["optimizer"])
    restore_schedule(scheduler, state["scheduler"])
    if state["scaler"]:  # empty without amp, as on a CPU that the run began on
        scaler.load_state_dict(state["scaler"])
    restore_random_state(state["random"])


def schedule_state(scheduler: LRScheduler) -> dict[str, Any]:
    """A schedule's values; Dassl's schedules with a warm-up hold their successor as an object."""
    values = {key: value for key, value in scheduler.state_dict().items() if key != "successor"}
    successor = getattr(scheduler, "successor", None)
    return {"values": values, "successor": None if successor is None else schedule_state(successor)}


def restore_schedule(scheduler: LRScheduler, state: dict[str, Any]) -> None:
    values, successor = state["values"], getattr(scheduler, "successor", None)
    if successor is not None:
        restore_schedule(successor, state["successor"])
        values = {**values, "successor": successor}
    scheduler.load_state_dict(values)


def copied(value: Any) -> Any:
    """A state that later training does not change; much faster than copy.deepcopy, which looks at every number."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and not all(isinstance(item, int) for item in value):
        return type(value)(map(copied, value))
    return list(value) if isinstance(value, list) else value

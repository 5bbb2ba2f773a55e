"""Running averages of losses and times, and how they are printed."""

from collections import defaultdict
from collections.abc import Mapping

import torch


class AverageMeter:
    """A quantity's last value `val` and its average `avg`: the mean, or with `ema` an exponential one."""

    def __init__(self, ema: bool = False) -> None:
        self.ema = ema
        self.reset()

    def reset(self) -> None:
        self.val = self.avg = self.sum = 0.0
        self.count = 0

    def update(self, val: float | torch.Tensor, n: int = 1) -> None:
        """Take in `val`, which counts `n` times in the mean."""
        if isinstance(val, torch.Tensor):
            val = val.item()
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = 0.9 * self.avg + 0.1 * val if self.ema else self.sum / self.count


class MetricMeter:
    """Average meters by name, printed as last value and average: `loss 1.2345 (1.3000) acc 50.0000 (40.0000)`."""

    def __init__(self, delimiter: str = " ") -> None:
        self.meters: dict[str, AverageMeter] = defaultdict(AverageMeter)
        self.delimiter = delimiter

    def update(self, values: Mapping[str, float | torch.Tensor] | None) -> None:
        """Take in one value of each name; None is nothing to take in."""
        if values is None:
            return
        if not isinstance(values, Mapping):
            raise TypeError(f"MetricMeter needs a mapping of names to values, not {type(values).__name__}")
        for name, value in values.items():
            self.meters[name].update(value)

    def __str__(self) -> str:
        return self.delimiter.join(f"{name} {meter.val:.4f} ({meter.avg:.4f})" for name, meter in self.meters.items())

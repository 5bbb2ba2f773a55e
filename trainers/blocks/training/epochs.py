"""EpochTrainer: goes through the batches of a stage, with lines that name the stage and fit a terminal."""

import time
from collections.abc import Mapping

from dassl.engine import TrainerX
from dassl.utils import AverageMeter, MetricMeter
from tqdm import tqdm


class EpochTrainer(TrainerX):
    """Runs an epoch as Dassl does, but for what a line says.

    A subclass sets `stage` and `train_loader_x`.
    """

    def run_epoch(self) -> None:
        """Prints a line every TRAIN.PRINT_FREQ batches, or each if they are fewer; curves are of means."""
        self.set_model_mode("train")
        figures, seconds, frequency = MetricMeter(), AverageMeter(), self.cfg.TRAIN.PRINT_FREQ
        self.num_batches = len(self.train_loader_x)
        start = time.perf_counter()
        for self.batch_idx, batch in enumerate(self.train_loader_x):
            figures.update(self.forward_backward(batch))
            seconds.update(time.perf_counter() - start)
            if (self.batch_idx + 1) % frequency == 0 or self.num_batches < frequency:
                print(self.line(figures.meters, seconds.avg))
            step = self.epoch * self.num_batches + self.batch_idx
            for name, meter in figures.meters.items():
                self.write_scalar(f"train/{name}", meter.avg, step)
            self.write_scalar("train/lr", self.get_current_lr(), step)
            start = time.perf_counter()

    def line(self, meters: Mapping[str, AverageMeter], seconds: float) -> str:
        """What the last batch came to; `seconds` is what one takes. Dassl's lines begin alike, and are longer."""
        done = self.epoch * self.num_batches + self.batch_idx + 1
        left = tqdm.format_interval(seconds * (self.max_epoch * self.num_batches - done))
        shown = " ".join(f"{name} {as_text(meter.val)}" for name, meter in meters.items())
        return (
            f"epoch [{self.epoch + 1}/{self.max_epoch}] batch [{self.batch_idx + 1}/{self.num_batches}] "
            f"{self.stage.title} {shown} lr {self.get_current_lr():.4e} eta {left}"
        )


def as_text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"

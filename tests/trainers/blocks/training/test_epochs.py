"""The lines of training."""

from types import SimpleNamespace

from dassl.utils import MetricMeter

from trainers.blocks.training.epochs import EpochTrainer


def trainer_of(title: str, rate: float = 1e-3, **where: int) -> EpochTrainer:
    trainer = EpochTrainer.__new__(EpochTrainer)
    vars(trainer).update(stage=SimpleNamespace(title=title), get_current_lr=lambda: rate, **where)
    return trainer


def test_line_of_training_names_the_stage_and_fits_120_columns():
    trainer = trainer_of("PromptVAE", epoch=198, max_epoch=200, batch_idx=1248, num_batches=1250)
    meters = MetricMeter()
    meters.update({"loss": 12.34567, "rec": 0.12345, "kl": 123.45678, "active": 1024})
    line = trainer.line(meters.meters, seconds=40.0)
    assert line == (
        "epoch [199/200] batch [1249/1250] PromptVAE loss 12.3457 rec 0.1235 kl 123.4568 active 1024 "
        "lr 1.0000e-03 eta 13:54:00"
    )
    assert len(line) <= 120

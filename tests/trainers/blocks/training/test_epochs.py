"""The lines of training."""

from types import SimpleNamespace

import pytest
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


@pytest.mark.parametrize(
    ("batches", "frequency", "printed"), [(7, 3, [3, 6]), (6, 3, [3, 6]), (3, 3, [3]), (2, 3, [1, 2]), (2, 1, [1, 2])]
)
def test_a_line_is_printed_every_so_many_batches_or_for_each_of_fewer(batches, frequency, printed, capsys):
    trainer = trainer_of("CoOp", epoch=0, max_epoch=1, train_loader_x=range(batches))
    vars(trainer).update(
        cfg=SimpleNamespace(TRAIN=SimpleNamespace(PRINT_FREQ=frequency)),
        set_model_mode=lambda mode: None,
        forward_backward=lambda batch: {"loss": 1.0},
        write_scalar=lambda *_: None,
    )
    trainer.run_epoch()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("batch [")[2].partition("/")[0] for line in lines] == [str(number) for number in printed]

"""Tip-Adapter and Tip-Adapter-F (Zhang et al., ECCV 2022)."""

import dataclasses

from dassl.engine import TRAINER_REGISTRY

from .blocks.training.feature_trainer import FeatureTrainer, Stage


@TRAINER_REGISTRY.register()
class TipAdapterF(FeatureTrainer):
    """Trains the cache's keys. Keys of the configuration: TRAINER.TIPADAPTER."""


@TRAINER_REGISTRY.register()
class TipAdapter(FeatureTrainer):
    """Keeps the cache as it was made. Keys of the configuration: TRAINER.TIPADAPTER."""

    def main_stage(self) -> Stage:
        return dataclasses.replace(super().main_stage(), epochs=0)

    def after_train(self) -> None:
        if self.start_epoch == 0:
            self.save_model(self.epoch, self.output_dir)
        super().after_train()

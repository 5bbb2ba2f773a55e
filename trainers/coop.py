"""CoOp: Context Optimization (Zhou et al., IJCV 2022)."""

from dassl.engine import TRAINER_REGISTRY

from .blocks.training.feature_trainer import FeatureTrainer


@TRAINER_REGISTRY.register()
class CoOp(FeatureTrainer):
    """Keys: TRAINER.COOP."""

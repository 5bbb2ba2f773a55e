"""CoCoOp: Conditional Context Optimization (Zhou et al., CVPR 2022)."""

from dassl.engine import TRAINER_REGISTRY

from .blocks.training.feature_trainer import FeatureTrainer


@TRAINER_REGISTRY.register()
class CoCoOp(FeatureTrainer):
    """Keys: TRAINER.COCOOP."""

"""CLIP-Adapter (Gao et al., IJCV 2024)."""

from dassl.engine import TRAINER_REGISTRY

from .blocks.training.feature_trainer import FeatureTrainer


@TRAINER_REGISTRY.register()
class CLIPAdapter(FeatureTrainer):
    """Keys: TRAINER.CLIPADAPTER."""

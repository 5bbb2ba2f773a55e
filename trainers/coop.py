"""CoOp: Context Optimization (Zhou et al., IJCV 2022)."""

from dassl.engine import TRAINER_REGISTRY
from yacs.config import CfgNode

from .blocks import feature_trainer
from .blocks.classifiers import FeatureClassifier, coop
from .blocks.feature_trainer import FeatureTrainer


def extend_cfg(cfg: CfgNode) -> None:
    """Adds TRAINER.COOP, with upstream's names and defaults."""
    feature_trainer.extend_cfg(cfg)
    cfg.TRAINER.COOP = CfgNode()
    cfg.TRAINER.COOP.N_CTX = 16  # context tokens
    cfg.TRAINER.COOP.CSC = False  # a context per class
    cfg.TRAINER.COOP.CTX_INIT = ""  # words to start from; they set N_CTX
    cfg.TRAINER.COOP.PREC = "fp16"  # fp16, fp32, amp
    cfg.TRAINER.COOP.CLASS_TOKEN_POSITION = "end"  # end, middle, front


@TRAINER_REGISTRY.register()
class CoOp(FeatureTrainer):
    def precision(self) -> str:
        return self.cfg.TRAINER.COOP.PREC

    def build_classifier(self) -> FeatureClassifier:
        return coop(self.cfg, self.backbone, self.dm.dataset.classnames)

"""Zero-shot CLIP (Radford et al., ICML 2021): with the dataset's template, or with an ensemble of templates."""

from dassl.engine import TRAINER_REGISTRY
from yacs.config import CfgNode

from .blocks.clip.prompts import ensemble_of, template_of
from .blocks.methods.classifiers import FeatureClassifier, ZeroshotClassifier
from .blocks.training.feature_trainer import FeatureTrainer


@TRAINER_REGISTRY.register()
class ZeroshotCLIP(FeatureTrainer):
    @property
    def options(self) -> CfgNode:
        return CfgNode({"PREC": "fp16" if self.device.type == "cuda" else "fp32"})

    def templates(self) -> list[str]:
        return [template_of(self.cfg.DATASET.NAME)]

    def build_classifier(self) -> FeatureClassifier:
        templates = self.templates()
        print(f"Prompts: {templates}")
        return ZeroshotClassifier(self.backbone, self.dm.dataset.classnames, templates)


@TRAINER_REGISTRY.register()
class ZeroshotCLIP2(ZeroshotCLIP):
    """Averages the text features of CoOp's seven templates and the dataset's own."""

    def templates(self) -> list[str]:
        return ensemble_of(self.cfg.DATASET.NAME)

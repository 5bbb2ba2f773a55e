"""Zero-shot CLIP (Radford et al., ICML 2021): with the dataset's template, or with an ensemble of templates."""

from collections.abc import Sequence

from torch import Tensor

from ..clip.prompts import ensemble_of, template_of
from .base import FeatureClassifier, method


@method("ZeroshotCLIP", family="zero-shot", year=2021)
class ZeroshotCLIP(FeatureClassifier):
    """Logits scale · f · t_c, t_c the text feature, averaged over templates. Nothing is learned."""

    trains = False

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        print(f"Prompts: {self.templates()}")

    def templates(self) -> list[str]:
        return [template_of(self.dataset)]

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.text_features = self.backbone.text_features(classnames, self.templates())

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(features, self.text_features)


@method("ZeroshotCLIP2", family="zero-shot", year=2021)
class ZeroshotCLIP2(ZeroshotCLIP):
    """Averages the text features of CoOp's seven templates and the dataset's own."""

    def templates(self) -> list[str]:
        return ensemble_of(self.dataset)

"""Zero-shot CLIP (Radford et al., ICML 2021): with the dataset's template, or with an ensemble of templates."""

from collections.abc import Sequence

from torch import Tensor

from .base import FeatureClassifier, method


@method("ZeroshotCLIP", family="zero-shot", year=2021)
class ZeroshotCLIP(FeatureClassifier):
    """Logits scale · f · t_c, t_c the text feature, averaged over templates. Nothing is learned."""

    trains = False
    ensemble = False  # whether it averages over CoOp's templates too

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        print(f"Prompts: {self.templates()}")

    def templates(self) -> list[str]:
        return self.wording.ensemble if self.ensemble else self.wording.own

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.text_features = self.wording.features(self.backbone, classnames, self.ensemble)

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(features, self.text_features)


@method("ZeroshotCLIP2", family="zero-shot", year=2021)
class ZeroshotCLIP2(ZeroshotCLIP):
    """Averages the text features of CoOp's seven templates and the dataset's own."""

    ensemble = True

"""CLIP-Adapter (Gao et al., IJCV 2024)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import normalize

from ..errors import InputError
from ..keys import AT_LEAST_ONE, SHARE, Key
from .base import PREC, FeatureClassifier, method


@method("CLIPAdapter", family="adapters", year=2021)
class CLIPAdapter(FeatureClassifier):
    """Zero-shot logits of normalize(r · MLP(f) + (1 − r) · f), the MLP a bottleneck."""

    keys = {
        "RATIO": Key(0.2, SHARE, "share of the adapted feature in the one that is classified"),
        "REDUCTION": Key(4, AT_LEAST_ONE, "the bottleneck has 1 / REDUCTION of the feature's dimensions"),
        "PREC": PREC,
    }
    checkpoint_name = "clip_adapter"

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        width, reduction = backbone.feature_dim, options.REDUCTION
        if reduction > width:
            raise InputError(f"TRAINER.CLIPADAPTER.REDUCTION is {reduction}; features have {width} dimensions.")
        self.learned = nn.Sequential(
            nn.Linear(width, width // reduction, bias=False),
            nn.ReLU(),
            nn.Linear(width // reduction, width, bias=False),
            nn.ReLU(),
        )

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.text_features = self.template_features(classnames)

    def forward(self, features: Tensor) -> Tensor:
        adapted = self.options.RATIO * self.learned(features) + (1 - self.options.RATIO) * features
        return self.logits(normalize(adapted, dim=-1), self.text_features)

"""CoCoOp: Conditional Context Optimization (Zhou et al., CVPR 2022)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .base import FeatureClassifier, method
from .coop import CoOp
from .prompt_learner import ConditionalPromptLearner


@method("CoCoOp", family="prompts", year=2022)
class CoCoOp(FeatureClassifier):
    """CoOp whose context is shifted by a small network of the image's feature: prompts of its own for each image."""

    keys = {name: CoOp.keys[name] for name in ("N_CTX", "CTX_INIT", "PREC")}
    checkpoint_name = "prompt_learner"
    PROMPTS_AT_ONCE = 2000  # in prediction, where B images have B · C prompts

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = ConditionalPromptLearner(
            backbone.text, classnames, backbone.feature_dim, n_ctx=options.N_CTX, ctx_init=options.CTX_INIT
        )
        self.learned.announce()

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.learned.select(classnames)

    def forward(self, features: Tensor) -> Tensor:
        text = self.backbone.encode_prompts(*self.learned(features))  # (B, C, D)
        return self.backbone.logit_scale * torch.einsum("bd,bcd->bc", features, text)

    def predict(self, features: Tensor) -> Tensor:
        images = max(1, self.PROMPTS_AT_ONCE // len(self.classnames))
        with torch.no_grad():
            return torch.cat([self(some) for some in features.split(images)])

"""FeatureClassifier and the methods: features (B, D) to logits (B, C).

A method is one class here and one thin registered trainer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .backbone import Backbone
from .prompts import PromptLearner, tokenize


class FeatureClassifier(nn.Module):
    """Classifies L2-normalized image features (B, D) among the classes chosen by `select`.

    `learned` is what is trained and stored, under the folder `checkpoint_name`; None where nothing is. It goes by
    CoOp's names, so that checkpoints can be exchanged.
    """

    checkpoint_name = ""

    def __init__(self, backbone: Backbone, learned: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone, self.learned = backbone, learned

    def select(self, classnames: Sequence[str]) -> None:
        """Classifies among these classes from now on, in this order."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        raise NotImplementedError


class ZeroshotClassifier(FeatureClassifier):
    """CLIP's own classifier (Radford et al., ICML 2021): logits scale · f · t_c, t_c averaged over templates."""

    def __init__(self, backbone: Backbone, classnames: Sequence[str], templates: Sequence[str]) -> None:
        super().__init__(backbone)
        self.templates = templates
        self.select(classnames)

    def select(self, classnames: Sequence[str]) -> None:
        self.text_features = text_features(self.backbone, classnames, self.templates)

    def forward(self, features: Tensor) -> Tensor:
        return self.backbone.logit_scale * features @ self.text_features.t()


class CoOpClassifier(FeatureClassifier):
    """CoOp (Zhou et al., IJCV 2022): zero-shot classification with a learned context."""

    checkpoint_name = "prompt_learner"

    def __init__(self, backbone: Backbone, learned: PromptLearner) -> None:
        super().__init__(backbone, learned)

    def select(self, classnames: Sequence[str]) -> None:
        self.learned.select(classnames)

    def forward(self, features: Tensor) -> Tensor:
        return self.backbone.logit_scale * features @ self.backbone.encode_prompts(*self.learned()).t()


@torch.no_grad()
def text_features(backbone: Backbone, classnames: Sequence[str], templates: Sequence[str]) -> Tensor:
    """L2-normalized text features (C, D) of class names, the mean over templates."""
    device = backbone.model.positional_embedding.device
    tokens = [tokenize(template, classnames, backbone.text.window).to(device) for template in templates]
    each = [normalize(backbone.text.encode_tokens(rows).float(), dim=-1) for rows in tokens]
    return normalize(torch.stack(each).mean(dim=0), dim=-1)


def coop(cfg, backbone: Backbone, classnames: Sequence[str]) -> CoOpClassifier:
    """CoOp as TRAINER.COOP says."""
    options = cfg.TRAINER.COOP
    learner = PromptLearner(
        backbone.text,
        classnames,
        n_ctx=options.N_CTX,
        ctx_init=options.CTX_INIT,
        class_specific=options.CSC,
        position=options.CLASS_TOKEN_POSITION,
    )
    print(f'Initial context: "{learner.context}"')
    print(f"Number of context words (tokens): {learner.ctx.shape[-2]}")
    return CoOpClassifier(backbone, learner.to(backbone.model.positional_embedding.device))


METHODS = {"CoOp": coop}  # what SHIP can carry: name to factory(cfg, backbone, classnames)

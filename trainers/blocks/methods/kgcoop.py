"""KgCoOp: Knowledge-guided Context Optimization (Yao et al., CVPR 2023), CoOp that stays near the template."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from clip.model import convert_weights
from torch import Tensor

from ..clip.prompts import tokenize
from ..keys import NOT_NEGATIVE, TEXT, Key, one_of
from ..run.classes import ByClasses, Classes
from .base import Loss, cross_entropy_of, method
from .coop import CoOp

TEMPLATES = {"DescribableTextures": "a photo of a {}, a type of texture."}  # where its authors' differs from CoOp's
PROMPTS_AT_ONCE = 200


@method("KgCoOp", family="prompts", year=2023)
class KgCoOp(CoOp):
    """CoOp with WEIGHT · (1 − mean_c cos(t_c, k_c)) added to its loss, k_c the template's text feature of class c.

    The paper has the squared Euclidean distance of normalized features, which is twice this. The distance is over
    all classes that are trained among: with SHIP, over the new ones too.
    """

    keys = CoOp.keys | {
        "N_CTX": Key(4, CoOp.keys["N_CTX"].rule, CoOp.keys["N_CTX"].meaning),
        "CTX_INIT": Key("a photo of a", TEXT, CoOp.keys["CTX_INIT"].meaning),
        "WEIGHT": Key(8.0, NOT_NEGATIVE, "pull towards the template's text features"),
        "TEACHER_PREC": Key(
            "fp16", one_of("fp16", "fp32"), "of these text features; fp16 as in the authors' code, whatever PREC is"
        ),
    }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._teachers = ByClasses()

    @property
    def teacher(self) -> Tensor:
        """The template's text features (C, D), normalized; made when training first asks for them."""
        return self._teachers.of(self.classes, self.taught)

    def taught(self, classnames: Classes) -> Tensor:
        if self.wording.changed:
            return self.template_features(classnames)
        in_half = self.options.TEACHER_PREC == "fp16" and self.backbone.is_openai
        encode = self.half_text_features if in_half else self.backbone.text_features
        return encode(classnames, [TEMPLATES.get(self.dataset, self.wording.own[0])])

    @torch.no_grad()
    def half_text_features(self, classnames: Sequence[str], templates: Sequence[str]) -> Tensor:
        """Text features (C, D) by OpenAI's CLIP itself in fp16, normalized twice in fp16; of others PREC decides.

        Twice, since the cosine normalizes once more there; that moves the distance by some 1e-4.
        """
        model = deepcopy(self.backbone.model).float()
        convert_weights(model)  # its weights have been fp16 before, see load_backbone
        tokens = tokenize(*templates, classnames, self.backbone.tokenizer).to(self.backbone.device)
        half = torch.cat([model.encode_text(some) for some in tokens.split(PROMPTS_AT_ONCE)])
        for _ in range(2):
            half = half / half.norm(dim=-1, keepdim=True)
        return half.float()

    def loss(self, features: Tensor, labels: Tensor) -> Loss:
        text = self.text_features()  # (C, D), normalized
        loss, shown = cross_entropy_of(self.logits(features, text), labels)
        distance = 1 - (text * self.teacher).sum(dim=-1).mean()
        return loss + self.options.WEIGHT * distance, shown | {"distance": distance.detach()}

"""ProGrad: Prompt-aligned Gradient (Zhu et al., ICCV 2023), CoOp that takes no step against zero-shot CLIP."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..clip.prompts import readable
from ..clip.wording import Wording
from ..errors import InputError
from ..keys import NOT_NEGATIVE, POSITIVE, TEXT, Key, Rule
from ..run.classes import ByClasses, Classes
from .base import PREC, Loss, cross_entropy_of, method
from .coop import CoOp

TEMPLATES = {  # where its authors' differ from CoOp's
    "OxfordPets": "a type of pet, a photo of a {}.",
    "OxfordFlowers": "a type of flower, a photo of a {}.",
    "FGVCAircraft": "a type of aircraft, a photo of a {}.",
    "DescribableTextures": "a texture of {}.",
    "Food101": "a type of food, a photo of {}.",
}
OWN = "template"
BRACES = ("{}", "{", "}")
TEMPLATE = Rule(
    lambda value: value == "" or (isinstance(value, str) and all(value.count(brace) == 1 for brace in BRACES)),
    'text with one {} for the class, or ""',
)


@method("ProGrad", family="prompts", year=2023)
class ProGrad(CoOp):
    """CoOp whose gradient loses what of it is against the gradient of the distillation loss of zero-shot CLIP.

    With g that of cross-entropy and h that of the distillation loss, of unit length: where g · h < 0, g becomes
    g − LAMBDA (g · h) h, for each learned tensor by itself; momentum and weight decay come after. With SHIP both
    losses are over images' and synthesized features together, among all classes: zero-shot CLIP judges what was
    synthesized too.
    """

    keys = {
        "N_CTX": CoOp.keys["N_CTX"],
        "CTX_INIT": Key(
            OWN, TEXT, f'words to start from, which set N_CTX; "": random; {OWN}: the template\'s, behind zeros'
        ),
        "LAMBDA": Key(1.0, NOT_NEGATIVE, "share of the conflicting part that the gradient loses"),
        "T": Key(1.0, POSITIVE, "temperature of the distillation loss"),
        "TEACHER": Key("", TEMPLATE, 'zero-shot CLIP\'s template; "": the one that the authors have for the dataset'),
        "PREC": PREC,
    }

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        wording = Wording.of(dataset)
        template = wording.own[0] if wording.templates else TEMPLATES.get(wording.dataset, wording.own[0])
        words = readable(template.removesuffix(" {}.")).split()
        options, own = options.clone(), options.CTX_INIT == OWN
        zeros = options.N_CTX - len(words) if own else 0
        if zeros < 0:
            raise InputError(
                f"TRAINER.PROGRAD.N_CTX is {options.N_CTX}, and the template {template!r} has {len(words)} words "
                "before the class; more tokens, or another CTX_INIT, are needed."
            )
        if own:
            options.CTX_INIT = " ".join(["X"] * zeros + words)
        options.update(CSC=False, CLASS_TOKEN_POSITION="end")
        super().__init__(options, backbone, classnames, dataset)
        if own:
            self.learned.ctx.data[:zeros] = 0
        self.teacher_template = options.TEACHER or template
        self._teachers = ByClasses()

    @property
    def teacher(self) -> Tensor:
        """Zero-shot CLIP's text features (C, D), normalized; made when training first asks for them."""
        return self._teachers.of(self.classes, self.taught)

    def taught(self, classnames: Classes) -> Tensor:
        if self.wording.changed and not self.options.TEACHER:
            return self.template_features(classnames)
        return self.backbone.text_features(classnames, [self.teacher_template])

    def loss(self, features: Tensor, labels: Tensor) -> Loss:
        """Cross-entropy by its value, with the projected gradient."""
        logits = self(features)
        loss, shown = cross_entropy_of(logits, labels)
        distilled = self.distillation(logits, self.logits(features, self.teacher))
        learned = list(self.learned.parameters())
        own = torch.autograd.grad(loss, learned, retain_graph=True)
        against = torch.autograd.grad(distilled, learned)
        used = [self.projected(*pair) for pair in zip(own, against, strict=True)]
        linear = sum((tensor * gradient).sum() for tensor, gradient in zip(learned, used, strict=True))
        turned = any(one is not other for one, other in zip(own, used, strict=True))
        shown |= {"kl": distilled.detach(), "projected": float(turned)}
        return loss.detach() + linear - linear.detach(), shown

    def distillation(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """T² times the cross-entropy of logits (B, C) with the teacher's probabilities, both softened by T."""
        t = self.options.T
        return t**2 * cross_entropy(logits / t, (teacher / t).softmax(dim=-1))

    def projected(self, own: Tensor, against: Tensor) -> Tensor:
        """The gradient without LAMBDA of its part against the other; itself, where there is no such part."""
        direction = against / against.norm()
        along = (own * direction).sum()
        return own - self.options.LAMBDA * along * direction if along < 0 else own

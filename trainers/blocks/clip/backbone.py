"""A frozen CLIP, of whatever family, as this project uses it."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import torch
from clip.model import CLIP
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..run.files import OPEN_CLIP, TRANSFORMERS
from ..run.randomness import restored_random_state
from . import from_open_clip, from_transformers, openai
from .parts import Parts
from .preprocessing import Preprocessing
from .prompts import readable, tokenize, tokenize_texts
from .tokenizer import Tokenizer

FAMILIES = {OPEN_CLIP: from_open_clip, TRANSFORMERS: from_transformers}  # by what a name begins with


class Backbone(nn.Module):
    """Images (B, 3, R, R) to features (B, D) by `image`, prompts by `text`.

    Features are L2-normalized and fp32, whatever precision the towers run in. A bias that some models add to all
    logits, as SigLIP's, is left out: it changes neither softmax nor ranking, and nothing here takes a sigmoid.
    """

    def __init__(self, parts: Parts, identity: dict[str, str]) -> None:
        super().__init__()
        self.model, self.image, self.text = parts.model, parts.image, parts.text
        self.feature_dim, self.preprocessing, self.about = parts.feature_dim, parts.preprocessing, parts.about
        self.identity = identity  # see made_by.py
        self.activation = parts.activation
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.text.device

    @property
    def resolution(self) -> int:
        return self.preprocessing.size

    @property
    def tokenizer(self) -> Tokenizer:
        return self.text.tokenizer

    @property
    def logit_scale(self) -> Tensor:
        return self.model.logit_scale.exp().float().reshape(())

    @property
    def is_openai(self) -> bool:
        """Whether the package clip runs it."""
        return isinstance(self.model, CLIP)

    def encode_image(self, images: Tensor) -> Tensor:
        return self.image(images)

    def encode_prompts(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        """L2-normalized text features (G, N, D); see TextEncoder.forward."""
        return normalize(self.text(prefix, suffix, eot).float(), dim=-1)

    @torch.no_grad()
    def text_features(self, classnames: Sequence[str], templates: Sequence[str]) -> Tensor:
        """L2-normalized text features (C, D) of class names, the mean of their normalized ones over templates."""
        tokens = [tokenize(template, classnames, self.tokenizer).to(self.device) for template in templates]
        each = [normalize(self.text.encode_tokens(rows).float(), dim=-1) for rows in tokens]
        return normalize(torch.stack(each).mean(dim=0), dim=-1)

    @torch.no_grad()
    def features_of_sentences(
        self, classnames: Sequence[str], sentences: Sequence[Sequence[str]], templates: Sequence[str] = ()
    ) -> Tensor:
        """The same (C, D) of sentences about each class, and of templates beside them."""
        each = []
        for name, about in zip(classnames, sentences, strict=True):
            texts = [*(template.format(readable(name)) for template in templates), *about]
            tokens = tokenize_texts(texts, [name] * len(texts), self.tokenizer).to(self.device)
            each.append(normalize(self.text.encode_tokens(tokens).float(), dim=-1).mean(dim=0))
        return normalize(torch.stack(each), dim=-1)


def load_backbone(name: str, precision: str, device: torch.device | str, activation: str = "") -> Backbone:
    """A backbone by MODEL.BACKBONE.NAME.

    One of CLIP's names (downloaded the first time) or the path of a checkpoint in OpenAI's layout, see `read_clip`;
    `open_clip:ARCH/TAG` or `open_clip:ARCH//path`, see from_open_clip.py; `hf:NAME`, see from_transformers.py.

    Its blocks have the activation that is asked for, else what the model or a configuration beside the file states,
    else quick_gelu, as OpenAI's models have.

    With fp32 the weights are kept in fp32, with fp16 and bf16 in these, with mixed in fp16 but for the text tower (of
    OpenAI's layout: its blocks). With amp weights in OpenAI's layout are as autocast would cast them, and others in
    fp32. Weights in OpenAI's layout have been rounded to fp16 once in all cases, as CLIP's own loader does.

    Raises InputError if the name is unknown, or the file is missing, truncated or not such a model.
    """
    family, rest = family_of(name)
    # those of OpenAI's layout have always drawn random numbers as they are built, and runs' figures follow from that
    with nullcontext() if family is openai else restored_random_state():
        parts, fingerprint = family.load(rest, precision, activation)
    parts.model.to(device)
    identity = {"backbone": fingerprint, "backbone_name": name}
    if family is not openai:
        identity["backbone_about"] = parts.summary
    return Backbone(parts, identity)


def family_of(name: str) -> tuple[ModuleType, str]:
    """The module of a backbone's family, and its name within that."""
    for mark, family in FAMILIES.items():
        if name.startswith(mark):
            return family, name.removeprefix(mark)
    return openai, name


def stated_preprocessing(name: str) -> Preprocessing:
    """What is known of the images that a backbone takes before it is loaded; raises InputError for bad names."""
    family, rest = family_of(name)
    return family.preprocessing(rest)


def named_file(name: str) -> Path | None:
    """The file that a name is of, None for what is published; raises InputError for what there is not."""
    family, rest = family_of(name)
    return family.named_file(rest)


def check_weights(name: str) -> None:
    """Has weights that are not there yet downloaded; raises InputError where there are none of that name."""
    family, rest = family_of(name)
    family.check_weights(rest)

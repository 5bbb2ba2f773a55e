"""CLIP by name or by file, frozen."""

import hashlib
from collections.abc import Sequence

import torch
from clip.model import CLIP, build_model, convert_weights
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..errors import InputError
from ..run.memory import is_out_of_memory
from .activation import QUICK_GELU, activation_beside, set_activation
from .files import file_of, read_clip
from .image_encoder import ImageEncoder
from .prompts import readable, tokenize, tokenize_texts
from .text_encoder import TextEncoder

HALVES = {"fp16": torch.float16, "amp": torch.float16, "mixed": torch.float16, "bf16": torch.bfloat16}
NEEDED = ("visual.conv1.weight", "text_projection", "positional_embedding", "token_embedding.weight", "logit_scale")
VOCABULARY = 49408  # tokens that CLIP's tokenizer knows


class Backbone(nn.Module):
    """A frozen CLIP as this project uses it: images (B, 3, R, R) to features (B, D) by `image`, prompts by `text`.

    Features are L2-normalized and fp32, whatever precision the towers run in.
    """

    def __init__(self, model: CLIP, identity: dict[str, str], activation: str = QUICK_GELU) -> None:
        super().__init__()
        self.model, self.image, self.text = model, ImageEncoder(model.visual), TextEncoder(model)
        self.identity = identity  # fingerprint and name, see made_by.py
        self.activation = activation
        self.eval().requires_grad_(False)

    @property
    def feature_dim(self) -> int:
        return self.model.text_projection.shape[1]

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale.device

    @property
    def resolution(self) -> int:
        return self.model.visual.input_resolution

    @property
    def logit_scale(self) -> Tensor:
        return self.model.logit_scale.exp().float()

    def encode_image(self, images: Tensor) -> Tensor:
        return self.image(images)

    def encode_prompts(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        """L2-normalized text features (G, N, D); see TextEncoder.forward."""
        return normalize(self.text(prefix, suffix, eot).float(), dim=-1)

    @torch.no_grad()
    def text_features(self, classnames: Sequence[str], templates: Sequence[str]) -> Tensor:
        """L2-normalized text features (C, D) of class names, the mean of their normalized ones over templates."""
        tokens = [tokenize(template, classnames, self.text.window).to(self.device) for template in templates]
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
            tokens = tokenize_texts(texts, [name] * len(texts), self.text.window).to(self.device)
            each.append(normalize(self.text.encode_tokens(tokens).float(), dim=-1).mean(dim=0))
        return normalize(torch.stack(each), dim=-1)


def load_backbone(name: str, precision: str, device: torch.device | str, activation: str = "") -> Backbone:
    """CLIP by one of its names (downloaded the first time) or by the path of a checkpoint, see `read_clip`.

    Its blocks have the activation that is asked for, else what a configuration beside the file states, else
    quick_gelu, as OpenAI's models have.

    With fp32 the weights are kept in fp32, with fp16 and bf16 in these, with mixed in fp16 but for the text tower's
    blocks, with amp as autocast would cast them; in all cases they have been rounded to fp16 once, as CLIP's own
    loader does.

    Raises InputError if the name is unknown, or the file is missing, truncated or not a CLIP.
    """
    model = _built(name, read_clip(name)).float()
    activation = activation or _stated_activation(name)
    set_activation(model, activation)
    identity = {"backbone": _fingerprint(model, activation), "backbone_name": name}
    if precision in HALVES:
        convert_weights(model)  # to fp16, but for the parts that CLIP keeps in fp32
        for parameter in model.parameters():
            if parameter.dtype == torch.float16:
                parameter.data = parameter.data.to(HALVES[precision])
    if precision == "mixed":
        model.transformer.float()
    made = Backbone(model.to(device), identity, activation)
    if precision == "amp":
        made.text.cast(torch.float16)
    return made


def _stated_activation(name: str) -> str:
    path = file_of(name)
    return activation_beside(path) if path else QUICK_GELU


def _built(name: str, state: dict[str, Tensor]) -> CLIP:
    missing = [key for key in NEEDED if key not in state]
    if missing:
        raise InputError(f"{name} is not a CLIP checkpoint in OpenAI's layout: it has no {', '.join(missing)}.")
    try:
        model = build_model(state)
        infinite = [key for key, value in model.state_dict().items() if not torch.isfinite(value).all()]
    except Exception as error:  # sizes are taken from the tensors, and any of them may be odd
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"{name} is not a whole CLIP checkpoint in OpenAI's layout ({type(error).__name__}): {error}"
        ) from error
    if infinite:
        raise InputError(f"{name} has weights that are NaN or infinite: {', '.join(infinite[:5])}.")
    if len(model.token_embedding.weight) != VOCABULARY:
        raise InputError(
            f"{name} knows {len(model.token_embedding.weight)} tokens, and CLIP's tokenizer has {VOCABULARY}: "
            "it was trained with another tokenizer."
        )
    return model


def _fingerprint(model: CLIP, activation: str) -> str:
    digest = hashlib.sha256(b"" if activation == QUICK_GELU else activation.encode())
    for weights in (model.text_projection, model.visual.conv1.weight):
        digest.update(weights.detach().half().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]

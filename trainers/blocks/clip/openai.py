"""CLIP in OpenAI's layout, by the package clip."""

import hashlib
from pathlib import Path

import clip
import torch
from clip.model import CLIP, build_model, convert_weights
from torch import Tensor

from ..errors import InputError
from ..run.memory import is_out_of_memory
from .activation import QUICK_GELU, activation_beside, set_activation
from .files import check_weights, file_of, find, read_clip
from .image_encoder import ImageEncoder
from .parts import Parts
from .precision import HALVES
from .preprocessing import Preprocessing
from .text_encoder import TextEncoder
from .tokenizer import byte_pairs

__all__ = ["check_weights", "load", "named_file", "parts_of", "preprocessing"]

STORED = {**HALVES, "amp": torch.float16}  # what weights of products are then
NEEDED = ("visual.conv1.weight", "text_projection", "positional_embedding", "token_embedding.weight", "logit_scale")
VOCABULARY = len(byte_pairs().encoder)  # tokens that CLIP's tokenizer knows
SIZES = {"RN50x4": 288, "RN50x16": 384, "RN50x64": 448, "ViT-L/14@336px": 336}  # where they are not 224


def parts_of(model: CLIP, activation: str = QUICK_GELU) -> Parts:
    """A `clip.model.CLIP`, taken apart."""
    return Parts(
        model,
        ImageEncoder(model.visual),
        TextEncoder(model),
        model.text_projection.shape[1],
        Preprocessing(model.visual.input_resolution),
        activation,
    )


def load(name: str, precision: str, activation: str) -> tuple[Parts, str]:
    """The model by one of CLIP's names or the path of a file, and its fingerprint; see backbone.load_backbone."""
    model = _built(name, read_clip(name)).float()
    activation = activation or _stated_activation(name)
    set_activation(model, activation)
    fingerprint = _fingerprint(model, activation)
    if precision in STORED:
        convert_weights(model)  # to fp16, but for the parts that CLIP keeps in fp32
        for parameter in model.parameters():
            if parameter.dtype == torch.float16:
                parameter.data = parameter.data.to(STORED[precision])
    if precision == "mixed":
        model.transformer.float()
    parts = parts_of(model, activation)
    if precision == "amp":
        parts.text.cast(torch.float16)
    return parts, fingerprint


def named_file(name: str) -> Path | None:
    """The file of that path; None for CLIP's names. Raises InputError where there is none."""
    return None if name in clip.available_models() else find(name)


def preprocessing(name: str) -> Preprocessing:
    """What is known of its images before it is loaded: of published weights the size, of files nothing."""
    return Preprocessing(SIZES.get(name, 224)) if name in clip.available_models() else Preprocessing()


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

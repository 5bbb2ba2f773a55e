"""Models of transformers: `NAME` on Hugging Face's hub, or a folder with a model and its tokenizer."""

from contextlib import AbstractContextManager
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..run.files import TRANSFORMERS, found
from .libraries import (
    activation_of,
    check_weights_of,
    hub,
    imported,
    refusing,
    taken_apart,
    text_encoder_of,
    tokenizer_of,
)
from .parts import Parts
from .preprocessing import Preprocessing
from .text_encoder import TextEncoder
from .tokenizer import Tokenizer

RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
WINDOWS = {"chinese_clip": 52}  # what models were trained with, where their tables of positions have more rows
MASKED = ("chinese_clip",)  # text towers that are to be told which tokens are padding


def library() -> ModuleType:
    return imported("transformers", "transformers", "hf")


def place(name: str) -> str:
    """What transformers takes for it: a folder, in the working directory or the checkout, or a name on the hub."""
    folder = found(name)
    if folder is not None and folder.is_dir():
        return str(folder)
    if folder is not None or not name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"{TRANSFORMERS}{name}: there is no folder of that name.")
    return name


def named_file(name: str) -> None:
    """None: transformers knows its files. Raises InputError where there is no folder of that name."""
    place(name)


def hub_for(name: str) -> AbstractContextManager:
    """See libraries.hub; a folder needs none."""
    return hub(found(name) is None)


def config_of(name: str) -> Any:
    """The model's configuration; raises InputError where it cannot be had, or is none of a CLIP."""
    transformers, folder, where = library(), place(name), f"{TRANSFORMERS}{name}"
    with refusing(f"{where} has no configuration that could be read or downloaded"), hub_for(name):
        config = transformers.AutoConfig.from_pretrained(folder)
    if any(getattr(config, part, None) is None for part in ("text_config", "vision_config")):
        raise InputError(f"{where} is a {config.model_type}, not a model with a tower for images and one for text.")
    if not isinstance(getattr(config.vision_config, "image_size", None), int):
        raise InputError(f"{where} is a {config.model_type}, which takes images of any size, and not of one.")
    return config


def check_weights(name: str) -> None:
    """Raises InputError where there is no such model; weights are downloaded when they are loaded."""
    config_of(name)


def preprocessing(name: str) -> Preprocessing:
    """What the model's files state of images."""
    size, stated = config_of(name).vision_config.image_size, {}
    processing = library().image_processing_base.ImageProcessingMixin
    try:
        with hub_for(name):
            stated, _ = processing.get_image_processor_dict(place(name))
    except OSError:  # a model without such a file
        pass
    mean, std = (tuple(map(float, stated[key])) if key in stated else None for key in ("image_mean", "image_std"))
    sides = stated.get("size", {})
    squashed = isinstance(sides, dict) and "height" in sides and not stated.get("do_center_crop", False)
    return Preprocessing(size, mean, std, RESAMPLING.get(stated.get("resample")), squashed)


def load(name: str, precision: str, activation: str) -> tuple[Parts, str]:
    """The model taken apart, on the CPU, and its fingerprint; see backbone.load_backbone."""
    config, where = config_of(name), f"{TRANSFORMERS}{name}"
    model = built(name)
    with refusing(f"{where} cannot be used"):
        check_weights_of(model)
        activation = activation_of(model, activation)
        tokenizer = tokenizer_for(name, config)
        visual, text = ImageTower(model), text_tower(model, tokenizer, config)
    kind, about = config.model_type, preprocessing(name)
    return taken_apart(TRANSFORMERS, kind, model, visual, text, about, activation, precision, ("transformers",))


def built(name: str) -> nn.Module:
    """The model with its weights, in fp32; raises InputError where these are missing, damaged or of another model."""
    with refusing(f"{TRANSFORMERS}{name}: its weights cannot be had, or cannot be read as such"), hub_for(name):
        model, said = library().AutoModel.from_pretrained(
            place(name), dtype=torch.float32, attn_implementation="sdpa", output_loading_info=True
        )
    missing = sorted(said["missing_keys"])
    if missing:
        raise InputError(f"{TRANSFORMERS}{name} has no weights for {', '.join(missing[:5])}.")
    if not all(hasattr(model, part) for part in ("text_model", "vision_model", "logit_scale", "get_text_features")):
        raise InputError(f"{TRANSFORMERS}{name} is a {type(model).__name__}, in which there is no CLIP.")
    return model.eval().requires_grad_(False)


class ImageTower(nn.Module):
    """Images (B, 3, R, R) to features (B, D): the vision model, and its projection where it has one."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.vision_model = model.vision_model
        self.visual_projection = getattr(model, "visual_projection", None)

    def forward(self, images: Tensor) -> Tensor:
        features = self.vision_model(pixel_values=images).pooler_output
        return features if self.visual_projection is None else self.visual_projection(features)


def tokenizer_for(name: str, config: Any) -> Tokenizer:
    """The tokenizer beside the model, with the window that this was trained with."""
    with refusing(f"{TRANSFORMERS}{name} has no tokenizer"), hub_for(name):
        own = library().AutoTokenizer.from_pretrained(place(name))
    window = WINDOWS.get(config.model_type, config.text_config.max_position_embeddings)

    def rows(texts: list[str]) -> Tensor:
        return own(texts, padding="max_length", truncation=True, max_length=window, return_tensors="pt").input_ids

    def words(text: str) -> list[int]:
        return own(text, add_special_tokens=False).input_ids

    tokenizer = tokenizer_of(rows, words, own.all_special_tokens, "CLIP" in type(own).__name__)
    known = config.text_config.vocab_size
    if max(tokenizer.eot, tokenizer.pad, len(own) - 1) >= known:
        raise InputError(f"its tokenizer has {len(own)} tokens, and the model knows {known}.")
    return tokenizer


def text_tower(model: nn.Module, tokenizer: Tokenizer, config: Any) -> nn.Module:
    """The text tower, by the names that CLIP's parts have where it has such parts."""
    tower = model.text_model

    def encode(tokens: Tensor) -> Tensor:
        mask = {"attention_mask": (tokens != tokenizer.pad).long()} if config.model_type in MASKED else {}
        features = model.get_text_features(input_ids=tokens, **mask)
        return features if isinstance(features, Tensor) else features.pooler_output

    def short() -> TextEncoder | None:
        projection = getattr(model, "text_projection", None)
        if not (tokenizer.start and hasattr(tower, "final_layer_norm") and isinstance(projection, nn.Linear)):
            return None
        parts = SimpleNamespace(
            token_embedding=tower.embeddings.token_embedding,
            positional_embedding=tower.embeddings.position_embedding.weight,
            transformer=SimpleNamespace(resblocks=tower.encoder.layers),
            ln_final=tower.final_layer_norm,
            text_projection=projection,
        )
        return TextEncoder(parts, tokenizer)

    layers = config.text_config.num_hidden_layers
    return text_encoder_of(encode, tower.get_input_embeddings(), tokenizer, layers, short)

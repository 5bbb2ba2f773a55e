"""Small random models of open_clip's and transformers' families, stored as these libraries store them."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import open_clip
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from tests.golden.make_inputs import CLASSES

RESOLUTION = 32
VISION = {"image_size": RESOLUTION, "layers": 2, "width": 64, "patch_size": 16}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3}
WORDS = "a photo of cat dog bad the large in video game art one x , type pet".split()
WORDS += CLASSES


class Other(NamedTuple):
    """A model by its name here, and by its library: from token numbers to features, and where it embeds them."""

    name: str
    model: nn.Module
    encode_text: Callable[[Tensor], Tensor]
    encode_image: Callable[[Tensor], Tensor]
    embedding: nn.Embedding


def text(**changes: object) -> dict:
    return {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": {**TEXT, **changes}, "custom_text": True}


COCA = {
    "embed_dim": 24,
    "vision_cfg": {**VISION, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
    "text_cfg": {**TEXT, "context_length": 76, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**TEXT, "context_length": 76, "layers": 1, "attn_pooler_heads": 2},
    "custom_text": True,
}
TIMM = {"timm_model_name": "test_vit", "timm_model_pretrained": False, "timm_pool": "", "image_size": 160}
OPEN_CLIP = {  # by what sets them apart
    "gelu": {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT},
    "quick_gelu": {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT, "quick_gelu": True},
    "layer_scale": text(ls_init_value=0.5, proj_bias=True),
    "no_projection": text(proj_type="none", width=24, heads=1),
    "last_token": text(pool_type="last", context_length=24),
    "bidirectional": text(pool_type="last", no_causal_mask=True, context_length=16),
    "first_token": text(pool_type="first", no_causal_mask=True, context_length=16),
    "normed_queries": text(qk_norm=True),
    "coca": COCA,
    "timm": {"embed_dim": 24, "vision_cfg": TIMM, "text_cfg": TEXT, "custom_text": True},
    "xlm_roberta": {},  # see below
}
SHORT = ("gelu", "quick_gelu", "layer_scale", "no_projection", "last_token", "timm")  # which run short


def by_open_clip(kind: str, folder: Path) -> Other:
    """A random model of one of these configurations, which open_clip knows from then on, and its file of weights."""
    arch = f"tiny-{kind}"
    config = xlm_roberta(folder) if kind == "xlm_roberta" else OPEN_CLIP[kind]
    (folder / f"{arch}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{arch}.json")
    torch.manual_seed(0)
    logging.disable()
    model = open_clip.create_model(arch, pretrained_text=False).eval().requires_grad_(False)
    logging.disable(logging.NOTSET)
    shaken(model)
    torch.save(model.state_dict(), folder / f"{arch}.pt")
    tower = getattr(model, "text", model)
    return Other(
        f"open_clip:{arch}//{folder / arch}.pt",
        model,
        lambda tokens: model.encode_text(tokens, normalize=False),
        lambda images: first_of(model.visual(images)),
        tower.transformer.get_input_embeddings() if kind == "xlm_roberta" else tower.token_embedding,
    )


def xlm_roberta(folder: Path) -> dict:
    """A model with such a text tower, whose configuration and tokenizer are in the folder, as else on the hub."""
    marks = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = transformers.XLMRobertaConfig(**TOWER, **marks, vocab_size=40, max_position_embeddings=40)
    tokenizer = tokenizer_of_words(["<s>", "<pad>", "</s>", "<unk>"], "</s>", pad="<pad>", bos="<s>")
    for part in (config, tokenizer):
        part.save_pretrained(folder / "text")
    names = {key: str(folder / "text") for key in ("hf_model_name", "hf_tokenizer_name")}
    return {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": {**names, "hf_proj_type": "mlp", "context_length": 20}}


def shaken(model: nn.Module) -> None:
    """Random biases and norms too, which begin with zeros and ones: else what forgets them would go unnoticed."""
    for name, weight in model.named_parameters():
        if weight.dim() == 1 and "logit" not in name:
            weight.data += 0.1 * torch.randn_like(weight)
        if name.startswith("text_decoder."):  # CoCa's, which nothing reads here; not all of it is initialized
            weight.data.zero_()


def first_of(features: Tensor | tuple[Tensor, ...]) -> Tensor:
    return features if isinstance(features, Tensor) else features[0]


# --- transformers

TOWER = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2}
EYES = {**TOWER, "num_hidden_layers": 2, "image_size": RESOLUTION, "patch_size": 16}
PIXELS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "do_normalize": True}


def clip_of(activation: str) -> tuple[nn.Module, transformers.PreTrainedTokenizerFast]:
    tokens = {"vocab_size": 40, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    text = {**TOWER, **tokens, "max_position_embeddings": 24, "hidden_act": activation, "projection_dim": 24}
    vision = {**EYES, "hidden_act": activation, "projection_dim": 24}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    return transformers.CLIPModel(config), tokenizer_of_words(["<s>", "</s>", "<unk>"], "</s>", pad="</s>", bos="<s>")


def siglip() -> tuple[nn.Module, transformers.PreTrainedTokenizerFast]:
    marks = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1}
    text = {**TOWER, **marks, "vocab_size": 40, "max_position_embeddings": 20, "projection_size": 64}
    model = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=EYES))
    model.logit_scale.data.fill_(4.7)
    return model, tokenizer_of_words(["<pad>", "</s>", "<unk>"], "</s>", pad="</s>")


def chinese_clip() -> tuple[nn.Module, transformers.PreTrainedTokenizerFast]:
    text = {**TOWER, "vocab_size": 40, "max_position_embeddings": 60}
    config = transformers.ChineseCLIPConfig(
        text_config=text, vision_config={**EYES, "projection_dim": 24}, projection_dim=24
    )
    tokenizer = tokenizer_of_words(["[PAD]", "[CLS]", "[SEP]", "<unk>"], "[SEP]", pad="[PAD]", bos="[CLS]")
    return transformers.ChineseCLIPModel(config), tokenizer


def tokenizer_of_words(
    marks: list[str], eos: str, pad: str, bos: str | None = None
) -> transformers.PreTrainedTokenizerFast:
    """One that knows a few words, and has marks before and behind them."""
    numbers = {word: number for number, word in enumerate([*marks, *WORDS])}
    own = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    own.normalizer = normalizers.Sequence([normalizers.Replace(".", " "), normalizers.Lowercase()])
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    around = [mark for mark in (bos, eos) if mark]
    own.post_processor = processors.TemplateProcessing(
        single=f"{bos or ''} $A {eos}".strip(), special_tokens=[(mark, numbers[mark]) for mark in around]
    )
    given = {"bos_token": bos} if bos else {}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, unk_token="<unk>", eos_token=eos, pad_token=pad, **given
    )


TRANSFORMERS = {
    "clip": lambda: clip_of("quick_gelu"),
    "clip_gelu": lambda: clip_of("gelu"),
    "siglip": siglip,
    "chinese_clip": chinese_clip,
}


def by_transformers(kind: str, folder: Path) -> Other:
    """A random model of one of these kinds, and a folder with it, its tokenizer and what it states of images."""
    torch.manual_seed(0)
    model, tokenizer = TRANSFORMERS[kind]()
    shaken(model.eval().requires_grad_(False))
    place = folder / kind
    for part in (model, tokenizer):
        part.save_pretrained(place)
    size = {"height": RESOLUTION, "width": RESOLUTION} if kind == "siglip" else {"shortest_edge": RESOLUTION}
    (place / "preprocessor_config.json").write_text(json.dumps({**PIXELS, "size": size}))

    def encode_text(tokens: Tensor) -> Tensor:
        mask = {"attention_mask": (tokens != tokenizer.pad_token_id).long()} if kind == "chinese_clip" else {}
        return model.get_text_features(tokens, **mask).pooler_output

    return Other(
        f"hf:{place}",
        model,
        encode_text,
        lambda images: model.get_image_features(images).pooler_output,
        model.text_model.get_input_embeddings(),
    )

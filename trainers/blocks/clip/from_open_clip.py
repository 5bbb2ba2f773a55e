"""Models of open_clip: `ARCH/TAG`, one of its published weights, or `ARCH//path`, a file of weights."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from torch import Tensor, nn

from ..errors import InputError, did_you_mean
from ..run.files import OPEN_CLIP, open_clip_file
from .activation import GELU, QUICK_GELU
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


def library() -> ModuleType:
    return imported("open_clip", "open_clip_torch", "open_clip")


class Named(NamedTuple):
    """An architecture, and its weights: a tag of published ones, or a file."""

    arch: str
    tag: str
    path: Path | None

    def __str__(self) -> str:
        return f"{OPEN_CLIP}{self.arch}/{self.tag or f'/{self.path}'}"

    @property
    def published(self) -> dict:
        """What open_clip says of the weights of that tag; of a file, in what all of its architecture agree."""
        pretrained = library().pretrained
        if self.tag:
            return pretrained.get_pretrained_cfg(self.arch, self.tag)
        all_of_it = [pretrained.get_pretrained_cfg(self.arch, tag) for tag in tags_of(self.arch)]
        first = all_of_it[0] if all_of_it else {}
        return {key: value for key, value in first.items() if all(one.get(key) == value for one in all_of_it)}


def tags_of(arch: str) -> list[str]:
    return library().pretrained.list_pretrained_tags_by_model(arch)


def named(name: str) -> Named:
    """Raises InputError, with the nearest that there is, for what open_clip does not have, and for missing files."""
    arch, _, weights = name.partition("/")
    known = library().list_models()
    if arch not in known:
        raise InputError(
            f"{OPEN_CLIP}{name}: open_clip {library().__version__} has no architecture {arch!r}."
            f"{did_you_mean(arch, known)}"
        )
    if weights.startswith("/"):
        path = open_clip_file(name)
        if path is None or not path.is_file():
            raise InputError(f"{OPEN_CLIP}{name}: there is no file {weights[1:]!r}.")
        return Named(arch, "", path)
    tags = tags_of(arch)
    if weights not in tags:
        others = f"published are {', '.join(tags)}" if tags else "none are published"
        raise InputError(
            f"{OPEN_CLIP}{name}: open_clip has no weights {weights!r} of {arch}; {others}."
            f"{did_you_mean(weights, tags)} A file of your own: {OPEN_CLIP}{arch}//path/to/file"
        )
    return Named(arch, weights, None)


def named_file(name: str) -> Path | None:
    """The file that it names; None for published weights. Raises InputError where open_clip has no such model."""
    return named(name).path


def check_weights(name: str) -> None:
    """Downloads published weights that are not there yet, to open_clip's own cache; raises InputError."""
    one = named(name)
    if one.tag:
        with refusing(f"{one}: its weights could not be downloaded, and no earlier download has them"), hub():
            library().pretrained.download_pretrained(one.published)


def preprocessing(name: str) -> Preprocessing:
    """What open_clip states of images; of a file, what it states of all published weights of the architecture."""
    one = named(name)
    size = library().get_model_config(one.arch)["vision_cfg"].get("image_size", 224)
    return stated(one, size)


def stated(one: Named, size: int | tuple[int, int]) -> Preprocessing:
    sides = set(size) if isinstance(size, (tuple, list)) else {size}
    if len(sides) > 1:
        raise InputError(f"{one} takes images of {size}, and here they are squares.")
    about = one.published
    mean, std = (tuple(map(float, about[key])) if key in about else None for key in ("mean", "std"))
    squashed = about.get("resize_mode") == "squash"
    return Preprocessing(sides.pop(), mean, std, about.get("interpolation"), squashed, likely=one.path is not None)


def load(name: str, precision: str, activation: str) -> tuple[Parts, str]:
    """The model taken apart, on the CPU, and its fingerprint; see backbone.load_backbone."""
    check_weights(name)
    one = named(name)
    model = built(one, activation)
    with refusing(f"{one} cannot be used"):
        check_weights_of(model)
        activation = activation_of(model, "")
        tokenizer = tokenizer_for(one.arch)
        text = text_tower(model, tokenizer)
    about = stated(one, model.visual.image_size)
    packages = ("open_clip_torch", "timm", "transformers")
    return taken_apart(OPEN_CLIP, one.arch, model, model.visual, text, about, activation, precision, packages)


def built(one: Named, activation: str) -> nn.Module:
    """The model with its weights, in fp32; raises InputError for a file that does not hold them."""
    quick = wants_quick_gelu(one, activation)
    what = f"{one.path or one} cannot be read as weights of {one.arch}: truncated, or other than that"
    with refusing(what), warnings.catch_warnings(), hub(bool(one.tag) or named_on_the_hub(one.arch)):
        warnings.simplefilter("ignore")  # that towers' own weights are not loaded: the file has them
        model = library().create_model(
            *(one.arch, str(one.path or one.tag)), force_quick_gelu=quick, pretrained_text=False
        )
    model.visual.output_tokens = False  # CoCa's give them beside the feature
    return model.float().eval().requires_grad_(False)


def named_on_the_hub(arch: str) -> bool:
    """Whether the configuration of its text tower, or its tokenizer, comes from there."""
    return any(key.startswith("hf_") for key in library().get_model_config(arch)["text_cfg"])


def wants_quick_gelu(one: Named, asked: str) -> bool:
    """By the tag, which open_clip itself only warns about; of a file by what is asked for, else the architecture."""
    of_arch = library().get_model_config(one.arch).get("quick_gelu", False)
    if one.path:
        quick, known = of_arch or asked == QUICK_GELU, of_arch
    else:
        quick = known = bool(one.published.get("quick_gelu", False))
    if (asked == GELU and quick) or (asked == QUICK_GELU and not known and one.tag):
        raise InputError(
            f"MODEL.BACKBONE.ACTIVATION is {asked}, and {one} has {QUICK_GELU if quick else GELU}: leave the key out."
        )
    return quick


def tokenizer_for(arch: str) -> Tokenizer:
    """open_clip's tokenizer of an architecture."""
    with hub(named_on_the_hub(arch)):
        own = library().get_tokenizer(arch)
    if hasattr(own, "encode"):
        return tokenizer_of(own, own.encode, [own.decoder[mark] for mark in own.all_special_ids], byte_level=True)
    clean = own.clean_fn if hasattr(own, "clean_fn") else siglip_clean

    def words(text: str) -> list[int]:
        return own.tokenizer(clean(text), add_special_tokens=False).input_ids

    return tokenizer_of(own, words, own.tokenizer.all_special_tokens)


def siglip_clean(text: str) -> str:
    """As SigLipTokenizer has texts."""
    tokenizing = library().tokenizer
    return tokenizing.canonicalize_text(tokenizing.basic_clean(text))


def text_tower(model: nn.Module, tokenizer: Tokenizer) -> nn.Module:
    """The text tower of CLIP, CustomTextCLIP or CoCa."""
    tower = getattr(model, "text", model)  # CLIP has its parts in itself

    def encode(tokens: Tensor) -> Tensor:
        return model.encode_text(tokens, normalize=False)

    def short() -> TextEncoder | None:
        pool = getattr(tower, "pool_type", None) or getattr(model, "text_pool_type", "")
        causal = getattr(tower, "attn_mask", None) is not None and getattr(tower, "cls_emb", None) is None
        if not (causal and tokenizer.start and pool in ("argmax", "eos", "last")):
            return None
        return TextEncoder(tower, tokenizer, reads_last=pool == "last")

    embedding = getattr(tower, "token_embedding", None)
    if embedding is None and hasattr(tower, "transformer"):  # a model of transformers
        embedding = tower.transformer.get_input_embeddings()
    layers = len(getattr(tower.transformer, "resblocks", ())) or 12
    return text_encoder_of(encode, embedding, tokenizer, layers, short)

"""What backbones by other libraries have in common: their import, tokens, text towers, precision, identity."""

import hashlib
import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import metadata
from types import ModuleType
from unittest import mock

import requests
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..run.memory import is_out_of_memory
from .activation import GELU, QUICK_GELU
from .blocks import UnknownLayout
from .image_encoder import ImageEncoder
from .parts import Parts
from .precision import HALVES
from .preprocessing import Preprocessing
from .prompts import tokenize_texts
from .text_encoder import TextEncoder
from .text_tower import TextTower
from .tokenizer import Tokenizer
from .whole_text import WholeTextEncoder

FILLERS = ("X", "x", "a", "one")
SAMPLES = ("a photo of a cat.", "art", "a bad photo of the large dog in a video game")
CLOSE = 1e-3  # relative distance of features up to which two ways of a text tower are the same, in fp32
SECONDS = 10  # without an answer of the hub's
SAMPLED = 4096  # numbers of each tensor that a fingerprint is made of


def imported(module: str, package: str, extra: str) -> ModuleType:
    """The library; raises InputError, with the command that installs it, where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"Backbones {extra}:… need the package {package} ({error}): "
            f'pip install "ship-dassl[{extra}]" or pip install {package}'
        ) from error


def versions_of(*packages: str) -> dict[str, str]:
    """Of those of these packages that are there."""
    there = {}
    for package in packages:
        try:
            there[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return there


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turns whatever is raised into an InputError that begins with `what`; want of memory stays what it is."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: {error}") from error
    except Exception as error:  # damaged files and lost connections make libraries raise almost anything
        if is_out_of_memory(error):
            raise
        reason = re.split(r"\n|(?<=[.])\s", str(error).strip())[0] or type(error).__name__
        raise InputError(f"{what} ({reason})") from error


def hub(asked: bool = True) -> AbstractContextManager:
    """Has what is asked of Hugging Face's hub inside come from its cache alone, where the hub does not answer.

    Its libraries would try for most of a minute, with a warning each time. Not `asked`: all is on this machine.
    """
    if not asked:
        return nullcontext()
    constants = importlib.import_module("huggingface_hub.constants")
    offline = constants.HF_HUB_OFFLINE or not answers(constants.ENDPOINT)
    return mock.patch.object(constants, "HF_HUB_OFFLINE", offline)


@cache
def answers(address: str) -> bool:
    """Whether a server is there, through the proxies that are set."""
    try:
        requests.head(address, timeout=SECONDS)
    except requests.RequestException:
        return False
    return True


# --- tokens


def tokenizer_of(
    own: Callable[[list[str]], Tensor],
    encode: Callable[[str], list[int]],
    marks: Sequence[str],
    byte_level: bool = False,
) -> Tokenizer:
    """A library's tokenizer: `own` gives whole rows (N, window), `encode` what a text comes to without marks.

    What stands around the text is read off a row. Raises InputError where that is more than a start, one mark of the
    end and padding.
    """
    if encode("cat") == encode("dog"):
        raise InputError("its tokenizer does not tell words apart: the files of its vocabulary are not there.")
    row, words = own([SAMPLES[0]])[0].tolist(), encode(SAMPLES[0])
    places = [at for at in range(len(row) - len(words)) if row[at : at + len(words)] == words]
    start, behind = (row[: places[0]], row[places[0] + len(words) :]) if places else ([], [])
    fillers = [word for word in FILLERS if all(len(encode(" ".join([word] * n))) == n for n in (1, 2, 4, 16))]
    if len(behind) < 2 or len(set(behind[1:])) > 1 or not fillers:
        raise InputError(
            "its tokenizer does not put a start, the words, one mark of the end and padding one behind another, and "
            "so there is no telling where a learned context would go."
        )
    tokenizer = Tokenizer(
        encode, tuple(start), behind[0], behind[1], len(row), tuple(map(str.lower, marks)), fillers[0], byte_level
    )
    for text in SAMPLES:
        if tokenizer.numbers(text) != own([text])[0].tolist()[: len(tokenizer.numbers(text))]:
            raise InputError(f"its tokenizer reads {text!r} in another way alone than among its marks.")
    return tokenizer


# --- text towers


def text_encoder_of(
    encode: Callable[[Tensor], Tensor],
    embedding: nn.Module | None,
    tokenizer: Tokenizer,
    layers: int,
    short: Callable[[], TextEncoder | None],
) -> TextTower:
    """The fast encoder where it is exact, else the whole tower; tried out on a few texts, in fp32 on the CPU.

    `encode` is the model's own way from token numbers (N, window) to features, `short` makes the fast encoder, or
    gives None or raises UnknownLayout where there is none. Raises InputError where a tower cannot take a context.
    """
    if not isinstance(embedding, nn.Embedding):
        raise InputError("its text tower has no table of embeddings that a learned context could be put into.")
    whole = WholeTextEncoder(encode, embedding, tokenizer, layers)
    tokens = tokenize_texts(SAMPLES, SAMPLES, tokenizer)
    with torch.no_grad():
        expected = encode(tokens)
        for make in (short, lambda: whole):
            try:
                encoder = make()
            except UnknownLayout:
                continue
            if encoder is not None and _distance(encoder, tokens, expected) < CLOSE:
                return encoder
    raise InputError("its text tower gives other features where embeddings are put in: it cannot take a context.")


def _distance(encoder: TextTower, tokens: Tensor, expected: Tensor) -> float:
    """The relative distance of an encoder's features of embedded tokens (N, window) to those expected (N, D)."""
    tokenizer, embeddings = encoder.tokenizer, encoder.embed(tokens)
    start = max(1, len(tokenizer.start))
    eot = tokenizer.ends(tokens) - start
    found = [
        encoder(row[None, :start], row[None, start:], end[None])[0] for row, end in zip(embeddings, eot, strict=True)
    ]
    return ((torch.cat(found) - expected).norm() / expected.norm()).item()


# --- models


def activation_of(model: nn.Module, asked: str) -> str:
    """That of a model's blocks; raises InputError where another is asked for."""
    quick = any(type(part).__name__.startswith("QuickGELU") for part in model.modules())
    stated = QUICK_GELU if quick else GELU
    if asked not in ("", stated):
        raise InputError(f"MODEL.BACKBONE.ACTIVATION is {asked}, and the model states {stated}: leave the key out.")
    return stated


def check_weights_of(model: nn.Module) -> None:
    """Raises InputError for numbers that are none."""
    infinite = [name for name, value in model.state_dict().items() if not torch.isfinite(value).all()]
    if infinite:
        raise InputError(f"it has weights that are NaN or infinite: {', '.join(infinite[:5])}.")


def lower(model: nn.Module, visual: nn.Module, precision: str) -> None:
    """Gives weights the type that a run's precision asks for; with mixed those of the image tower alone.

    The scale of logits stays fp32: rounded to bf16 it would be off by a percent.
    """
    scale = model.logit_scale.data
    if precision in HALVES:
        (visual if precision == "mixed" else model).to(HALVES[precision])
    model.logit_scale.data = scale


def taken_apart(
    family: str,
    arch: str,
    model: nn.Module,
    visual: nn.Module,
    text: TextTower,
    about: Preprocessing,
    activation: str,
    precision: str,
    packages: Sequence[str],
) -> tuple[Parts, str]:
    """The parts of a model in fp32, which from here on has the run's precision, and its fingerprint."""
    with torch.no_grad():
        feature_dim = text.encode_tokens(text.tokenizer(["a"])).shape[-1]
    fingerprint = fingerprint_of(model, family, arch, activation, about)
    lower(model, visual, precision)
    libraries = {"family": family, "arch": arch, "libraries": versions_of(*packages)}
    return Parts(model, ImageEncoder(visual), text, feature_dim, about, activation, libraries), fingerprint


def fingerprint_of(model: nn.Module, *about: object) -> str:
    """12 hexadecimal digits by the model's weights and what else is said of it.

    Of each tensor as many as SAMPLED numbers count, evenly spaced: whole models take minutes.
    """
    digest = hashlib.sha256(repr(about).encode())
    for name, weights in model.state_dict().items():
        numbers = weights.detach().flatten()
        some = numbers[:: max(1, len(numbers) // SAMPLED)].float().cpu()
        digest.update(f"{name} {tuple(weights.shape)}".encode() + some.numpy().tobytes())
    return digest.hexdigest()[:12]

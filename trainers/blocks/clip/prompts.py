"""Templates, tokenization, and the parts of prompts that class names decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from .text_encoder import TextEncoder
from .tokenizer import Tokenizer

DEFAULT_TEMPLATE = "a photo of a {}."
TEMPLATES = {  # one per dataset, as CoOp has them; any other dataset gets the default
    "OxfordPets": "a photo of a {}, a type of pet.",
    "OxfordFlowers": "a photo of a {}, a type of flower.",
    "FGVCAircraft": "a photo of a {}, a type of aircraft.",
    "DescribableTextures": "{} texture.",
    "EuroSAT": "a centered satellite photo of {}.",
    "Food101": "a photo of {}, a type of food.",
    "UCF101": "a photo of a person doing {}.",
}
IMAGENET_TEMPLATES = (  # the seven that CoOp's ZeroshotCLIP2 averages
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)


def template_of(dataset: str) -> str:
    """The prompt template of a dataset, by its name in the registry."""
    return TEMPLATES.get(dataset, DEFAULT_TEMPLATE)


def ensemble_of(dataset: str) -> list[str]:
    """The templates that ZeroshotCLIP2 averages: CoOp's seven and, but for ImageNet, the dataset's own."""
    return [*IMAGENET_TEMPLATES, *([] if dataset == "ImageNet" else [template_of(dataset)])]


def readable(classname: str) -> str:
    """A class name as it is put into a prompt."""
    return classname.replace("_", " ")


def tokenize(template: str, classnames: Sequence[str], tokenizer: Tokenizer) -> Tensor:
    """Token numbers (C, window) of the template filled with each class name.

    Raises InputError naming the classes whose prompts do not fit the window.
    """
    return tokenize_texts([template.format(readable(name)) for name in classnames], classnames, tokenizer)


def tokenize_texts(texts: Sequence[str], classnames: Sequence[str], tokenizer: Tokenizer) -> Tensor:
    """Token numbers (N, window) of texts about classes; raises InputError naming those whose texts do not fit."""
    try:
        return tokenizer(texts)
    except ValueError as error:
        lengths = {name: len(tokenizer.numbers(text)) for name, text in zip(classnames, texts, strict=True)}
        long = [f"{name!r} ({length} tokens)" for name, length in lengths.items() if length > tokenizer.window]
        raise InputError(
            f"{len(long)} prompts are longer than CLIP's window of {tokenizer.window} tokens, "
            "first and last token included.\n"
            f"Shorten these class names or the context: {', '.join(long[:5])}"
        ) from error


@dataclass(frozen=True)
class ClassSuffixes:
    """The part of each class's prompt behind the context: [class name] [.] [EOT], as embeddings.

    sos (1, 1, W), of a tokenizer without such a mark (1, 0, W); embeddings (C, S, W), of which what comes after the
    EOT is never read; eot (C,), its position in them, on the CPU, where its values are needed; name_lengths, tokens
    of each class name.
    """

    sos: Tensor
    embeddings: Tensor
    eot: Tensor
    name_lengths: list[int]

    @classmethod
    def of(cls, encoder: TextEncoder, classnames: Sequence[str], context: str, n_ctx: int) -> "ClassSuffixes":
        """Suffixes of "<context> <class name>.", cut behind SOS and the first n_ctx tokens."""
        tokenizer, start = encoder.tokenizer, len(encoder.tokenizer.start)
        tokens = tokenize(context.replace("{", "{{").replace("}", "}}") + " {}.", classnames, tokenizer)
        eot = tokenizer.ends(tokens) - start - n_ctx
        tokens = tokens[:, : start + n_ctx + int(eot.max()) + 1].to(encoder.device)
        before = len(tokenizer.encode(context))
        lengths = [len(tokenizer.encode(f"{context} {readable(name)}")) - before for name in classnames]
        with torch.no_grad():
            embeddings = encoder.embed(tokens)
        return cls(
            sos=embeddings[:1, :start],
            embeddings=embeddings[:, start + n_ctx :],
            eot=eot,
            name_lengths=lengths,
        )

    def after(self, contexts: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Prompts with a context of their own each: contexts (B, M, W), labels (B,), for TextEncoder.forward.

        A GPU is waited for, as it has the labels, and how long prompts are has to be known here.
        """
        eot, suffixes = self.eot[labels.cpu()], self.embeddings[labels]
        return self.sos, torch.cat([contexts.type(suffixes.dtype), suffixes], dim=1), contexts.shape[1] + eot

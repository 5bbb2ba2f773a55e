"""What prompts have learned: the words nearest to their vectors, and text features before and after."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.prompts import tokenizer
from trainers.blocks.methods.base import FeatureClassifier
from trainers.blocks.methods.class_weights import TextResiduals
from trainers.blocks.methods.coop import CoOp
from trainers.blocks.methods.prompt_learner import PromptLearner
from trainers.blocks.run.classes import Classes

WORDS = 5  # nearest ones of each vector
CONTEXTS = 5  # classes whose own contexts are looked at
SAMPLE = 500  # words, for the distance between neighbours
COMPARED = 200  # classes at most whose text features are compared
END_OF_WORD = "</w>"
SPECIAL = 2  # tokens at the vocabulary's end that are no words


def vocabulary(backbone: Backbone) -> Tensor:
    """Embeddings (V, W) of all tokens that are words, or parts of some."""
    return backbone.text.token_embedding.weight[:-SPECIAL].detach().float()


def word_of(token: int) -> str:
    """A token as text; what is only the beginning or middle of words ends in a hyphen."""
    whole = tokenizer().decoder[token].endswith(END_OF_WORD)
    return tokenizer().decode([token]).strip() + ("" if whole else "-")


def nearest_words(vectors: Tensor, words: Tensor, count: int = WORDS) -> list[list[dict[str, Any]]]:
    """Of each vector (M, W) the nearest of the words (V, W) with their Euclidean distances, the nearest first.

    As CoOp looks at its contexts (Zhou et al., IJCV 2022, section 4.4).
    """
    near = torch.cdist(vectors.float(), words).topk(count, largest=False)
    return [
        [{"word": word_of(token), "distance": distance} for token, distance in zip(tokens, distances, strict=True)]
        for tokens, distances in zip(near.indices.tolist(), near.values.tolist(), strict=True)
    ]


def between_neighbours(words: Tensor) -> float:
    """The median distance of a word to its nearest other one, over an even sample of the words (V, W)."""
    some = words[torch.linspace(0, len(words) - 1, min(SAMPLE, len(words))).long()]
    return torch.cdist(some, words).topk(2, largest=False).values[:, 1].median().item()


def contexts_of(classifier: FeatureClassifier, backbone: Backbone) -> dict[str, Any] | None:
    """The nearest words to the vectors of a learned context; None for methods without."""
    learner = classifier.learned
    if not isinstance(learner, PromptLearner):
        return None
    words = vocabulary(backbone)
    owners = learner.get_extra_state()["classnames"][:CONTEXTS] if learner.class_specific else [""]
    vectors = learner.ctx.detach() if learner.class_specific else learner.ctx.detach()[None]
    return {
        "start": learner.context,
        "of_classes": len(vectors) if learner.class_specific else 0,
        "neighbours": between_neighbours(words),
        "contexts": [
            {"class": owner, "vectors": described(own, words)}
            for owner, own in zip(owners, vectors, strict=False)  # of the first classes
        ],
    }


def described(vectors: Tensor, words: Tensor) -> list[dict[str, Any]]:
    """Length and nearest words of each vector (M, W)."""
    lengths = vectors.float().norm(dim=-1).tolist()
    return [
        {"length": length, "nearest": near}
        for length, near in zip(lengths, nearest_words(vectors, words), strict=True)
    ]


@torch.no_grad()
def text_features_after(classifier: FeatureClassifier) -> Tensor | None:
    """The text features (C, D) that a method classifies by; None where it has no such, or one for each picture."""
    if isinstance(classifier, CoOp):
        return classifier.text_features()
    return normalize(classifier.weights(), dim=-1) if isinstance(classifier, TextResiduals) else None


@torch.no_grad()
def before_and_after(classifier: FeatureClassifier, base: Classes, new: Classes) -> dict[str, Any] | None:
    """Of each class the cosine of the template's text feature and the learned one; None where nothing is learned.

    Beside it the mean cosine of two different classes, before and after, and places in the plane for a figure.
    """
    if not isinstance(classifier, (CoOp, TextResiduals)):
        return None
    base, new = (evenly(classes, COMPARED // 2) for classes in (base, new))
    classes = base + new
    before = classifier.template_features(classes)
    with classifier.among(classes):
        after = text_features_after(classifier)
    cosines = (before * after).sum(dim=-1).tolist()
    parts = ["base"] * len(base) + ["new"] * len(new)
    plane = principal_plane(torch.cat([before, after]))
    return {
        "by_class": [
            {"class": name, "part": part, "cosine": cosine, "before": start, "after": end}
            for name, part, cosine, start, end in zip(
                classes.distinct(), parts, cosines, plane[: len(classes)], plane[len(classes) :], strict=True
            )
        ],
        "mean": sum(cosines) / len(cosines),
        "between_before": between_classes(before),
        "between_after": between_classes(after),
    }


def between_classes(features: Tensor) -> float:
    """The mean cosine of two different ones of normalized features (C, D)."""
    count = len(features)
    return ((features.sum(dim=0).square().sum() - count) / max(1, count * (count - 1))).item()


def principal_plane(features: Tensor) -> list[list[float]]:
    """Places (N, 2) of features (N, D) along their first two principal components."""
    from sklearn.decomposition import PCA

    return PCA(n_components=2, svd_solver="full").fit_transform(features.double().cpu().numpy()).tolist()


def evenly(classes: Classes, count: int) -> Classes:
    """All classes, or so many of them, evenly spaced."""
    return classes.take(even_rows(len(classes), count))


def even_rows(count: int, wanted: int) -> Sequence[int]:
    """All rows, or so many of them, evenly spaced."""
    return range(count) if count <= wanted else [row * count // wanted for row in range(wanted)]

"""What prompts have learned: the words nearest to their vectors, and text features before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.tokenizer import byte_pairs
from trainers.blocks.methods.base import FeatureClassifier
from trainers.blocks.methods.class_weights import TextResiduals
from trainers.blocks.methods.coop import CoOp
from trainers.blocks.methods.prompt_learner import PromptLearner
from trainers.blocks.run.classes import Classes

NEAREST = 5  # words of each vector
CONTEXTS = 5  # classes whose own contexts are looked at
SAMPLE = 500  # words, for the distance between neighbours
COMPARED = 200  # classes at most whose text features are compared
END_OF_WORD, END_OF_TEXT = "</w>", "<|endoftext|>"
TEXT = "a photo of a hoopoe"  # which tokenizers can be told apart by
SPECIAL = 2  # tokens at the vocabulary's end that are no words


@dataclass(frozen=True)
class Words:
    """Tokens that are words, or parts of some, with embeddings (V, W); those that share one are left out.

    Words that pre-training has not seen can share one: none of them would be nearer than the others.
    """

    tokens: list[int]
    embeddings: Tensor
    shared: int  # how many are left out

    @classmethod
    def of(cls, embeddings: Tensor) -> "Words":
        """Of embeddings of all tokens, but for the marks of a prompt's start and end."""
        _, place, count = embeddings.unique(dim=0, return_inverse=True, return_counts=True)
        own = torch.nonzero(count[place] == 1).flatten()
        return cls(own.tolist(), embeddings[own], len(embeddings) - len(own))

    @classmethod
    def known_to(cls, backbone: Backbone) -> "Words | None":
        """None where the backbone's tokens are not of CLIP's vocabulary, whose words alone are known here."""
        own = byte_pairs()
        if backbone.tokenizer.eot != own.encoder[END_OF_TEXT] or backbone.tokenizer.encode(TEXT) != own.encode(TEXT):
            return None
        return cls.of(backbone.text.token_embedding.weight[:-SPECIAL].detach().float())

    def nearest(self, vectors: Tensor, count: int = NEAREST) -> list[list[dict[str, Any]]]:
        """Of each vector (M, W) the nearest words with their Euclidean distances, the nearest first.

        As CoOp looks at its contexts (Zhou et al., IJCV 2022, section 4.4).
        """
        near = distances(vectors.float(), self.embeddings).topk(min(count, len(self.tokens)), largest=False)
        return [
            [{"word": word_of(self.tokens[row]), "distance": distance} for row, distance in zip(*pair, strict=True)]
            for pair in zip(near.indices.tolist(), near.values.tolist(), strict=True)
        ]

    def about(self) -> dict[str, Any]:
        """How many there are, and the median distance of one to the nearest other, over an even sample."""
        some = self.embeddings[torch.linspace(0, len(self.tokens) - 1, min(SAMPLE, len(self.tokens))).long()]
        near = distances(some, self.embeddings).topk(2, largest=False).values[:, 1]
        return {"words": len(self.tokens), "shared": self.shared, "neighbours": near.median().item()}


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean (N, M), by differences: by products small ones would be rounded away."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def word_of(token: int) -> str:
    """A token as text; what is only the beginning or middle of words ends in a hyphen."""
    whole = byte_pairs().decoder[token].endswith(END_OF_WORD)
    return byte_pairs().decode([token]).strip() + ("" if whole else "-")


def contexts_of(classifier: FeatureClassifier, backbone: Backbone) -> dict[str, Any] | None:
    """The nearest words to the vectors of a learned context; None for methods without, and without Words."""
    learner = classifier.learned
    if not isinstance(learner, PromptLearner):
        return None
    words = Words.known_to(backbone)
    if words is None:
        return None
    owners = learner.get_extra_state()["classnames"][:CONTEXTS] if learner.class_specific else [""]
    vectors = learner.ctx.detach() if learner.class_specific else learner.ctx.detach()[None]
    return {
        "start": learner.context,
        "of_classes": len(vectors) if learner.class_specific else 0,
        **words.about(),
        "contexts": [
            {"class": owner, "vectors": described(own, words)}
            for owner, own in zip(owners, vectors, strict=False)  # of the first classes
        ],
    }


def described(vectors: Tensor, words: Words) -> list[dict[str, Any]]:
    """Length and nearest words of each vector (M, W)."""
    lengths = vectors.float().norm(dim=-1).tolist()
    return [{"length": length, "nearest": near} for length, near in zip(lengths, words.nearest(vectors), strict=True)]


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
    if isinstance(classifier.learned, PromptLearner) and classifier.learned.class_specific:
        new = new.take(())  # of which it knows nothing
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

"""The split loss and KgCoOp's pull: against hand-made sums, and where gradients go."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy, normalize
from yacs.config import CfgNode

from trainers.blocks.methods import METHODS, FeatureClassifier
from trainers.blocks.run.classes import Classes
from trainers.blocks.synthesis.losses import Pulled, SplitLoss

KNOWN, NEW = Classes(("cat", "yorkshire terrier")), Classes(("boeing 747", "tulip", "car"))
REAL, MADE = [0, 1, 1, 0], [2, 4, 3, 2]  # labels among KNOWN + NEW
OPTIONS = {"CoOp": {"N_CTX": 2}, "CoCoOp": {"N_CTX": 2}, "CLIPAdapter": {"RATIO": 0.6}, "TipAdapterF": {"ALPHA": 2.0}}


@pytest.fixture
def batch(backbone) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    features = normalize(torch.randn(len(REAL + MADE), backbone.feature_dim), dim=-1)
    return features, torch.tensor(REAL + MADE)


@pytest.fixture(params=OPTIONS)
def classifier(request, backbone, batch) -> FeatureClassifier:
    """Each method that the paper's protocols carry, among known and new classes, as stage 2 has it."""
    torch.manual_seed(0)
    made = METHODS[request.param].of(backbone, KNOWN, **OPTIONS[request.param])
    made.select(KNOWN + NEW)
    made.remember(normalize(batch[0] + 0.3, dim=-1), batch[1])
    return made


def gradients(loss: torch.Tensor, module: nn.Module) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, list(module.parameters())))


def test_split_is_half_of_each_cross_entropy_among_its_own_classes(classifier, batch):
    """Of the columns of the logits among all classes, which says what it means for caches, prompts and adapters."""
    logits, labels = classifier(batch[0]), batch[1]
    real, made = logits[:4, :2], logits[4:, 2:]
    expected = (cross_entropy(real, labels[:4]) + cross_entropy(made, labels[4:] - 2)) / 2
    loss, shown = SplitLoss(classifier.loss, classifier, KNOWN, NEW)(*batch)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    right = [
        (part.argmax(-1) == label).float().mean() for part, label in ((real, labels[:4]), (made, labels[4:] - 2))
    ]
    assert shown["acc"] == pytest.approx(50 * sum(right).item())
    found, wanted = gradients(loss, classifier.learned), gradients(expected, classifier.learned)
    assert any(part.any() for part in found)
    for got, hand in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, hand, atol=1e-5, rtol=1e-4)
    assert classifier.classes == KNOWN + NEW


def test_counts_of_real_and_synthesized_features_may_differ(classifier, batch):
    features, labels = batch[0][:6], batch[1][:6]  # four real ones, two synthesized
    logits = classifier(features)
    expected = (cross_entropy(logits[:4, :2], labels[:4]) + cross_entropy(logits[4:, 2:], labels[4:] - 2)) / 2
    loss, _ = SplitLoss(classifier.loss, classifier, KNOWN, NEW, count=2)(features, labels)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)


def test_one_set_of_classes_in_both_roles_with_as_many_of_each_is_the_plain_loss(classifier, batch):
    labels = torch.tensor([0, 4, 2, 1, 3, 3, 0, 2])
    plain, shown = classifier.loss(batch[0], labels)
    split, also = SplitLoss(classifier.loss, classifier, KNOWN + NEW, None)(batch[0], labels)
    torch.testing.assert_close(split, plain, atol=1e-5, rtol=1e-5)
    assert {name: float(value) for name, value in also.items()} == pytest.approx(
        {name: float(value) for name, value in shown.items()}
    )


def test_one_set_of_classes_in_both_roles_weighs_both_halves_alike(classifier, batch):
    features, labels = batch[0][:6], torch.tensor([0, 4, 2, 1, 3, 3])
    logits = classifier(features)
    expected = (cross_entropy(logits[:4], labels[:4]) + cross_entropy(logits[4:], labels[4:])) / 2
    split, _ = SplitLoss(classifier.loss, classifier, KNOWN + NEW, None, count=2)(features, labels)
    torch.testing.assert_close(split, expected, atol=1e-5, rtol=1e-5)


class Rows(FeatureClassifier):
    """A logit of its own for each class: f · w_c, with w (C, D) learned."""

    name = "Rows"

    def __init__(self, options, backbone, classnames, dataset) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = nn.Linear(backbone.feature_dim, len(KNOWN + NEW), bias=False)

    def classes_changed(self, classnames) -> None:
        self.rows = (KNOWN + NEW).find(classnames)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self.learned.weight[self.rows].t()


def test_gradients_of_real_features_never_reach_new_classes_nor_synthesized_ones_known_classes(backbone, batch):
    features, labels = batch
    classifier = Rows(CfgNode(), backbone, KNOWN, "")
    classifier.select(KNOWN + NEW)
    split = SplitLoss(classifier.loss, classifier, KNOWN, NEW)

    def gradient(features: torch.Tensor) -> torch.Tensor:
        return gradients(split(features, labels)[0], classifier.learned)[0]

    whole = gradient(features)
    other_real = gradient(torch.cat([features[:4].flip(-1), features[4:]]))
    other_made = gradient(torch.cat([features[:4], features[4:].flip(-1)]))
    assert torch.equal(other_real[2:], whole[2:]) and not torch.equal(other_real[:2], whole[:2])
    assert torch.equal(other_made[:2], whole[:2]) and not torch.equal(other_made[2:], whole[2:])
    joint = gradients(classifier.loss(features, labels)[0], classifier.learned)[0]
    mixed = gradients(
        classifier.loss(torch.cat([features[:4].flip(-1), features[4:]]), labels)[0], classifier.learned
    )[0]
    assert not torch.equal(mixed[2:], joint[2:])  # which the joint loss's do


def test_keys_of_tip_adapters_cache_learn_from_features_of_their_own_role(backbone, batch):
    features, labels = batch
    classifier = METHODS["TipAdapterF"].of(backbone, KNOWN)
    classifier.select(KNOWN + NEW)
    classifier.remember(features, labels)
    split = SplitLoss(classifier.loss, classifier, KNOWN, NEW)
    before = gradients(split(features, labels)[0], classifier.learned)[0]
    other = gradients(split(torch.cat([features[:4], features[4:].flip(-1)]), labels)[0], classifier.learned)[0]
    assert torch.equal(other[:4], before[:4]) and not torch.equal(other[4:], before[4:])


def test_pull_is_kgcoops_second_term(backbone, batch):
    classifier = METHODS["CoOp"].of(backbone, KNOWN + NEW, "OxfordPets", N_CTX=2)
    text = classifier.text_features()
    template = backbone.text_features(KNOWN + NEW, ["a photo of a {}, a type of pet."])
    pull = (1 - cosine_similarity(text, template)).mean()
    expected = cross_entropy(classifier(batch[0]), batch[1]) + 3 * pull
    loss, shown = Pulled(classifier, 3.0)(*batch)
    torch.testing.assert_close(loss, expected)
    assert shown["pull"] == pytest.approx(pull.item()) and shown["pull"] > 1e-3
    assert "acc" in shown


def test_pull_under_the_split_loss_is_that_of_the_classes_of_each_half(backbone, batch):
    classifier = METHODS["CoOp"].of(backbone, KNOWN + NEW, N_CTX=2)
    template = classifier.template_features(KNOWN + NEW)
    each = 1 - (classifier.text_features() * template).sum(-1)
    plain, _ = SplitLoss(classifier.loss, classifier, KNOWN, NEW)(*batch)
    loss, _ = SplitLoss(Pulled(classifier, 3.0), classifier, KNOWN, NEW)(*batch)
    torch.testing.assert_close(loss, plain + 3 * (each[:2].mean() + each[2:].mean()) / 2)

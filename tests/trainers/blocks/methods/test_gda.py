"""GDA against the figures of its authors' code, and what it says of classes without images."""

import pytest
import torch

from tests.golden.peers_features import NAMES, NEW_NAMES, RUNS, WIDE, MadeUp, gap, make
from trainers.blocks.errors import InputError
from trainers.blocks.methods import gda
from trainers.blocks.methods.gda import GDA

WITHIN = 1e-4
VARIANTS = {  # of the records: how features are made, and keys
    "few_shot": ({}, {"COVARIANCE": "shrunk"}),
    "base_to_new_k10": ({}, {"COVARIANCE": "by_class", "NEIGHBOURS": 10}),
    "base_to_new_unaltered_dim512_16shots": (WIDE, {"COVARIANCE": "by_class"}),
}
CASES = [(name, seed) for name in VARIANTS for seed in (1, 2)]


def fitted(made: dict, **options) -> GDA:
    classifier = GDA.of(MadeUp(made), NAMES, **options)
    classifier.remember(*made["train"])
    return classifier


@pytest.fixture
def made() -> dict:
    return make(1)


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_gaussians_of_classes_with_images_and_logits_are_the_authors(name, seed):
    settings, options = VARIANTS[name]
    made, run = make(seed, **settings), RUNS[f"GDA/{name}/seed{seed}"]
    classifier = fitted(made, **options)
    means, weights = classifier.gaussians()
    assert gap(means.norm(dim=-1), run["base"]["mu_norms"]) < WITHIN
    assert gap(weights.norm(dim=-1), run["base"]["W_norms"]) < WITHIN
    if "precision" in run["base"]:
        _, precision = classifier.of_images(made["train"][0].double(), made["train"][1])
        assert gap(precision, run["base"]["precision"]) < WITHIN
        assert gap(weights.t(), run["base"]["W_dim_by_class"]) < WITHIN
    classifier.tune(*made["val"])
    assert classifier.learned.alpha.item() == pytest.approx(run["alpha"])
    assert gap(classifier.predict(made["test"][0]), run["test_logits"]) < WITHIN


@pytest.mark.parametrize(("name", "seed"), [case for case in CASES if case[0] != "few_shot"])
def test_gaussians_of_classes_without_images_and_logits_are_the_authors(name, seed):
    settings, options = VARIANTS[name]
    made, run = make(seed, **settings), RUNS[f"GDA/{name}/seed{seed}"]
    classifier = fitted(made, **options)
    classifier.tune(*made["val"])
    classifier.select(NEW_NAMES)
    means, weights = classifier.gaussians()
    assert gap(means.norm(dim=-1), run["new"]["mu_norms"]) < WITHIN
    assert gap(weights.norm(dim=-1), run["new"]["W_norms"]) < WITHIN
    assert gap(classifier.predict(made["test_new"][0]), run["new_logits"]) < WITHIN


def test_the_records_tell_the_two_covariances_and_the_shrinkage_apart(made, monkeypatch):
    """Deliberate errors move the logits by far more than the tolerance."""
    run = RUNS["GDA/few_shot/seed1"]
    right = fitted(made, ALPHA=100.0)
    assert gap(right.predict(made["test"][0]), run["test_logits"]) < WITHIN
    assert gap(fitted(made, ALPHA=100.0, COVARIANCE="by_class").predict(made["test"][0]), run["test_logits"]) > 0.1
    monkeypatch.setattr(gda, "shrunk_precision", lambda scatter, count: len(scatter) * gda.inverse(scatter))
    assert gap(right.predict(made["test"][0]), run["test_logits"]) > 0.1


def test_the_search_takes_the_first_of_the_best_and_can_be_left_out(made):
    classifier = fitted(made, ALPHA=0.5, SEARCH=False)
    classifier.tune(*made["val"])
    assert classifier.learned.alpha == 0.5
    everything = make(1)["val"]
    searched = fitted(made)
    searched.gaussian_logits = lambda features: torch.zeros(len(features), len(NAMES))  # so that all are equally good
    searched.tune(*everything)
    assert searched.learned.alpha.item() == pytest.approx(gda.ALPHAS[0])


def test_with_alpha_0_it_is_zero_shot_clip(made):
    features = made["test"][0]
    torch.testing.assert_close(fitted(made, ALPHA=0.0)(features), 100 * features @ made["text"].t())


def test_classes_with_and_without_images_are_scored_together_by_their_own_rules(made):
    classifier = fitted(made)
    features, apart = made["test"][0], []
    for names in (NAMES, NEW_NAMES):
        classifier.select(names)
        apart.append(classifier.gaussian_logits(features) + torch.tensor(float(len(names))).log())
    classifier.select([*NEW_NAMES, *NAMES])
    together = classifier.gaussian_logits(features) + torch.tensor(8.0).log()
    torch.testing.assert_close(together, torch.cat(apart[::-1], dim=1))


def test_features_given_for_a_class_replace_the_rule_for_names(made):
    """As SHIP gives them."""
    (features, labels), (more, others) = made["train"], made["test_new"]
    classifier = GDA.of(MadeUp(made), [*NAMES, *NEW_NAMES])
    classifier.remember(torch.cat([features, more]), torch.cat([labels, others + len(NAMES)]))
    classifier.select(NEW_NAMES)
    means, _ = classifier.gaussians()
    expected = torch.stack([more[others == label].mean(dim=0) for label in range(3)])
    torch.testing.assert_close(means.float(), expected)


def test_what_it_learned_is_loaded_whatever_its_number_of_rows(made):
    first, second = fitted(made, ALPHA=3.0), GDA.of(MadeUp(made), NAMES[::-1])
    second.learned.load_state_dict(first.learned.state_dict())
    features = made["test"][0]
    torch.testing.assert_close(second.predict(features), first.predict(features)[:, range(4, -1, -1)])


def test_without_training_features_it_says_what_to_do(made):
    with pytest.raises(InputError, match="no training features: train it, or give --model-dir"):
        GDA.of(MadeUp(made), NAMES).predict(made["test"][0])


def test_one_image_in_all_leaves_zero_shot_clip(made):
    classifier = GDA.of(MadeUp(made), NAMES[:1])
    classifier.remember(made["train"][0][:1], torch.zeros(1, dtype=torch.long))
    assert torch.isfinite(classifier.predict(made["test"][0])).all()


def test_covariance_by_class_is_the_mean_of_the_classes_own_whatever_their_numbers_of_images(made):
    features, labels = made["train"]
    rows = torch.cat([(labels == label).nonzero()[: 2 + label % 2, 0] for label in range(len(NAMES))])
    features, labels = features[rows].double(), labels[rows]  # classes of two images and of three
    classifier = GDA.of(MadeUp(made), NAMES, COVARIANCE="by_class")
    classifier.remember(features.float(), labels)
    own = [features[labels == label].t().cov() for label in range(len(NAMES))]
    _, precision = classifier.of_images(features, labels)
    torch.testing.assert_close(precision, gda.inverse(sum(own) / len(own)))

"""GDA, against the figures of its authors' code, and what it says of classes without images."""

import json

import pytest
import torch

from tests.conftest import CHECKOUT
from tests.golden import peers_features
from trainers.blocks.errors import InputError
from trainers.blocks.methods.gda import ALPHAS, GDA

RUNS = json.loads((CHECKOUT / "tests/golden/peers_features.json").read_text(encoding="utf-8"))["features"]
NAMES, NEW_NAMES = list("abcde"), list("xyz")
LOGITS = 1e-4  # relative to the largest
VARIANTS = {  # of the records: how features are made, and keys
    "GDA/few_shot": ({}, {"COVARIANCE": "shrunk"}),
    "GDA/base_to_new_k10": ({}, {"COVARIANCE": "by_class", "NEIGHBOURS": 10}),
    "GDA/base_to_new_unaltered_dim512_16shots": (peers_features.WIDE, {"COVARIANCE": "by_class"}),
}
CASES = [(name, seed) for name in VARIANTS for seed in (1, 2)]


class MadeUp:
    """In place of a CLIP: text features by class name, and its scale."""

    logit_scale = torch.tensor(100.0)

    def __init__(self, made: dict) -> None:
        self.rows = dict(zip([*NAMES, *NEW_NAMES], torch.cat([made["text"], made["text_new"]]), strict=True))
        self.feature_dim = made["text"].shape[1]

    def text_features(self, classnames, templates):
        return torch.stack([self.rows[name] for name in classnames])


def fitted(made: dict, **options) -> GDA:
    classifier = GDA.of(MadeUp(made), NAMES, **options)
    classifier.remember(*made["train"])
    return classifier


def close(found: torch.Tensor, expected: list, within: float = LOGITS) -> None:
    expected = torch.tensor(expected)
    gap = (found.float() - expected).abs().max() / expected.abs().max()
    assert gap < within, f"off by {gap:.1e} of the largest"


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_weights_logits_and_alpha_are_the_authors(name, seed):
    settings, options = VARIANTS[name]
    made, run = peers_features.make(seed, **settings), RUNS[f"{name}/seed{seed}"]
    classifier = fitted(made, **options)
    means, weights = classifier.gaussians()
    close(means.norm(dim=-1), run["base"]["mu_norms"], 1e-5)
    close(weights.norm(dim=-1), run["base"]["W_norms"], 1e-4)
    if "W_dim_by_class" in run["base"]:
        close(weights.t(), run["base"]["W_dim_by_class"])
        _, precision = classifier.of_images(made["train"][0].double(), made["train"][1])
        close(precision, run["base"]["precision"])
    classifier.tune(*made["val"])
    assert classifier.learned.alpha.item() == pytest.approx(run["alpha"])
    close(classifier.predict(made["test"][0]), run["test_logits"])
    if "new" in run:
        classifier.select(NEW_NAMES)
        means, weights = classifier.gaussians()
        close(means.norm(dim=-1), run["new"]["mu_norms"], 1e-5)
        close(weights.norm(dim=-1), run["new"]["W_norms"])
        close(classifier.predict(made["test_new"][0]), run["new_logits"])

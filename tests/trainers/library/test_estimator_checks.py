"""scikit-learn's own checks of estimators.

Their data have features of any width and numbers as classes: here, and only here, the random CLIP has the width of
the features at hand, and a number is taken for a class name.
"""

import functools

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.trainers.conftest import VIT, random_clip
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.openai import parts_of
from trainers.blocks.training import feature_trainer
from trainers.library import Classifier, Clip, Ship, Synthesized, estimators

SHIP = {"encoder_dim": 8, "generator_dim": 8, "latent_dim": 4, "epochs": 1}
NEW = "99"  # behind the checks' classes
width = [8]  # of the features that came last


@functools.cache
def backbone(features: int) -> Backbone:
    model = random_clip(VIT, features, 64, layers=1)
    return Backbone(parts_of(model), {"backbone": f"random {features}", "backbone_name": "random"})


class AnyWidth(Clip):
    """A CLIP of the width of the features at hand."""

    def __init__(self) -> None:
        self.name = "random"

    @property
    def backbone(self) -> Backbone:
        return backbone(width[0])


class SynthesizedOfNumbers(Synthesized):
    """Whose classes are numbers again where those of y are."""

    def fit(self, X, y) -> Synthesized:
        super().fit(X, y)
        kind = np.asarray(y).dtype
        if kind.kind in "iuf":
            self.classes_ = self.classes_.astype(kind)
        return self


def with_numbers(y: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
    classes, labels = np.unique(y, return_inverse=True)
    return classes, torch.from_numpy(labels)


@pytest.fixture(autouse=True)
def made_for_the_checks(monkeypatch) -> None:
    monkeypatch.setattr(estimators, "sorted_classes", with_numbers)
    monkeypatch.setattr(estimators, "check_width", lambda features, _: width.__setitem__(0, features))
    monkeypatch.setattr(feature_trainer, "load_backbone", lambda *_: backbone(width[0]))
    monkeypatch.setattr(feature_trainer, "check_weights", lambda _: None)


ONE_MORE = "it also knows the new classes, and predicts them"
FEW_STEPS = "a prompt that two epochs have moved a little does not tell blobs apart"
EXPECTED = {
    "CoOp": {"check_classifiers_train": FEW_STEPS},
    "LinearProbe": {},
    "Synthesized": {
        "check_classifiers_train": ONE_MORE,
        "check_classifiers_classes": ONE_MORE,
        "check_decision_proba_consistency": ONE_MORE,
    },
}
CLIP = AnyWidth()
COOP = Classifier(CLIP, "CoOp", epochs=2, options={"n_ctx": 2})
PROBE = Classifier(CLIP, "LinearProbe")
SHIP_ON_PROBE = SynthesizedOfNumbers(PROBE, Ship(CLIP, **SHIP), [NEW])


def expected_to_fail(estimator: Classifier | Synthesized) -> dict[str, str]:
    return EXPECTED["Synthesized" if isinstance(estimator, Synthesized) else estimator.method]


@parametrize_with_checks([COOP, PROBE, SHIP_ON_PROBE], expected_failed_checks=expected_to_fail)
def test_scikit_learns_checks(estimator, check):
    check(estimator)

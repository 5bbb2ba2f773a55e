"""Classifier and Synthesized: every method, scikit-learn's tools on them, and bad input."""

import pickle
import signal
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from trainers.blocks.errors import InputError
from trainers.blocks.methods import METHODS
from trainers.blocks.training.feature_trainer import FeatureTrainer
from trainers.library import Classifier, Ship, Synthesized, load_clip

from .small import LABELS, NAMES, NEW, QUICK, SMALL, Y


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_an_estimator_that_writes_nothing(name, clip, features, in_empty_folder):
    made = Classifier(clip, name, options={"n_ctx": 4} if "N_CTX" in METHODS[name].keys else None, **QUICK)
    assert made.fit(features, Y) is made
    probabilities = made.predict_proba(features)
    assert probabilities.shape == (12, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert list(made.classes_) == NAMES
    assert (made.predict(features) == made.classes_[probabilities.argmax(axis=1)]).all()
    assert made.score(features, Y) == np.mean(made.predict(features) == Y)
    assert np.array_equal(pickle.loads(pickle.dumps(made)).predict_proba(features), probabilities)
    assert not list(in_empty_folder.iterdir())


def test_an_estimator_is_cloned_and_cross_validated(clip, features):
    made = Classifier(clip, "CLIPAdapter", lr=0.1, **QUICK)
    assert made.get_params()["lr"] == 0.1
    copied = clone(made.set_params(lr=0.2))
    assert copied.lr == 0.2
    assert copied.clip is clip
    assert cross_val_score(made, features.numpy(), Y, cv=2).shape == (2,)
    with pytest.raises(NotFittedError):
        made.predict(features)


def test_settings_of_both_parts_are_searched(clip, features):
    both = Synthesized(Classifier(clip, "CLIPAdapter", **QUICK), Ship(clip, **SMALL), NEW)
    search = GridSearchCV(both, {"ship__kl_weight": [0.1, 1.0], "classifier__lr": [0.01]}, cv=2)
    search.fit(features.numpy(), np.array(Y))
    best = search.best_estimator_
    assert best.ship.get_params()["kl_weight"] == search.best_params_["ship__kl_weight"]
    assert best.classifier.lr == 0.01
    assert list(best.classes_) == sorted(NAMES + NEW)


@pytest.mark.parametrize("method", ["CoOp", "TipAdapterF"])
@pytest.mark.parametrize("fitted", [True, False])
def test_ship_on_an_estimator_also_knows_names(method, fitted, clip, features):
    ship = Ship(clip, **SMALL)
    if fitted:
        ship.fit(features, LABELS, NAMES)
    base = Classifier(clip, method, options={"n_ctx": 4} if method == "CoOp" else None, **QUICK)
    made = Synthesized(base, ship, NEW).fit(features, Y)
    assert list(made.classes_) == sorted([*NAMES, *NEW])
    probabilities = made.predict_proba(features)
    assert probabilities.shape == (12, 5)
    assert (made.predict(features) == made.classes_[probabilities.argmax(axis=1)]).all()
    assert made.ship_.synthesize(NEW).shape == (32, clip.feature_dim)
    if fitted:
        learned = made.ship_.vae_.state_dict()
        assert all(torch.equal(value, learned[name]) for name, value in ship.vae_.state_dict().items())


def test_columns_are_in_the_order_of_classes(clip, features):
    """Names that sort before and behind those in y: with text alone, logits are those of the names."""
    base = Classifier(clip, "CLIPAdapter", options={"ratio": 0.0}, **QUICK)
    made = Synthesized(base, Ship(clip, **SMALL), ["zebra", "ant"]).fit(features, Y)
    assert list(made.classes_) == ["ant", "cat", "dog", "owl", "zebra"]
    scale = clip.backbone.logit_scale.item()
    expected = scale * features @ clip.encode_text(made.classes_.tolist()).T
    np.testing.assert_allclose(made.decision_function(features), expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fitted", [True, False])
def test_fitting_changes_nothing_that_was_given(fitted, clip, features):
    base, ship = Classifier(clip, "CLIPAdapter", **QUICK), Ship(clip, **SMALL)
    if fitted:
        base.fit(features, Y), ship.fit(features, Y)
    before = joblib.hash([base, ship, features])
    Synthesized(base, ship, NEW).fit(features, Y)
    assert joblib.hash([base, ship, features]) == before


def test_fitted_ones_share_the_weights_of_one_clip(clip, features):
    one = Classifier(clip, "CoOp", **QUICK).fit(features, Y)
    other = Synthesized(one, Ship(clip, **SMALL), NEW).fit(features, Y)
    places = {name: weights.data_ptr() for name, weights in clip.backbone.named_parameters()}
    for made in (one, other):
        assert {name: weights.data_ptr() for name, weights in made.method_.backbone.named_parameters()} == places


def test_a_dumped_one_predicts_the_same(clip, features, tmp_path):
    made = Synthesized(Classifier(clip, "CLIPAdapter", **QUICK), Ship(clip, **SMALL), NEW).fit(features, Y)
    joblib.dump(made, tmp_path / "both.joblib")
    again = joblib.load(tmp_path / "both.joblib")
    assert np.array_equal(again.predict_proba(features), made.predict_proba(features))
    assert torch.equal(again.ship_.synthesize(NEW), made.ship_.synthesize(NEW))


def test_ctrl_c_is_a_keyboard_interrupt(clip, features, monkeypatch, foreground_signals):
    """As everywhere in Python; a run of train.py ends with a line and 130 instead."""
    monkeypatch.setattr(FeatureTrainer, "renew_views", lambda self: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        Classifier(clip, "CLIPAdapter", **QUICK).fit(features, Y)


def test_of_two_classes_the_decision_is_one_number(clip, features):
    y = ["cat", "dog"] * 6
    made = Classifier(clip, "CLIPAdapter", **QUICK).fit(features, y)
    decision = made.decision_function(features)
    assert decision.shape == (12,)
    assert ((decision > 0) == (made.predict(features) == "dog")).all()
    np.testing.assert_allclose(1 / (1 + np.exp(-decision)), made.predict_proba(features)[:, 1])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda clip, x: Classifier(clip, "Coop").fit(x, Y), "no method 'Coop'. Did you mean CoOp?"),
        (lambda clip, x: Classifier(clip, options={"nctx": 4}).fit(x, Y), "no setting 'nctx'. Did you mean n_ctx?"),
        (lambda clip, x: Classifier(clip).fit(x, ["cat"] * 12), "one class only: cat"),
        (lambda clip, x: Classifier(clip).fit(x, list(range(12))), "names[label]"),
        (lambda clip, x: Classifier(clip).fit(x, np.array([*Y[:11], 3], dtype=object)), "names[label]"),
        (lambda clip, x: Classifier(clip).fit(x, Y[:3]), "inconsistent numbers of samples"),
        (lambda clip, x: Classifier(clip).fit(x[:, :5], Y), "X has 5 features, but those of"),
        (lambda clip, x: Classifier().fit(x, Y), "clip is missing"),
        (
            lambda clip, x: Synthesized(Classifier(clip), Ship(clip), ["cat"]).fit(x, Y),
            "and y has cat",
        ),
        (
            lambda clip, x: Synthesized(Classifier(clip), Ship(clip)).fit(x, Y),
            "class names is needed, and this is ()",
        ),
        (
            lambda clip, x: Synthesized(Classifier(clip), Ship(clip), "fox").fit(x, Y),
            "class names is needed, and this",
        ),
        (lambda clip, x: Classifier(clip).fit(x, ["", *Y[1:]]), "CLIP cannot read 1 of the class names: ''"),
        (lambda clip, x: Synthesized(Classifier(clip), None, NEW).fit(x, Y), "ship is missing"),
        (lambda clip, x: Synthesized(None, Ship(clip), NEW).fit(x, Y), "clip is missing"),
        (lambda clip, x: Synthesized(Classifier(clip, "ZeroshotCLIP"), Ship(clip), NEW).fit(x, Y), "SHIP.CLASSIFIER"),
    ],
)
def test_bad_input_is_named(call, said, clip, features):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - InputError is one, and what scikit-learn raises
        call(clip, features)
    assert said in str(raised.value)


def test_ship_on_another_clip_is_named(clip, features, clip_file):
    with pytest.raises(InputError, match="ship is on .*, and classifier on "):
        Synthesized(Classifier(clip), Ship(load_clip(clip_file, device="cpu")), NEW).fit(features, Y)

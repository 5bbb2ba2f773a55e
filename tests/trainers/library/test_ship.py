"""Ship: what it makes of features and names, its settings, and bad input."""

import pickle

import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from trainers.blocks.errors import InputError
from trainers.library import Ship

from .small import LABELS, NAMES, NEW, SMALL, Y


@pytest.fixture(scope="module")
def fitted(clip, features) -> Ship:
    return Ship(clip, **SMALL).fit(features, LABELS, NAMES)


def test_features_are_synthesized_and_reconstructed(fitted, clip, features):
    made = fitted.synthesize(NEW, per_class=3)
    assert made.shape == (6, clip.feature_dim)
    torch.testing.assert_close(made.norm(dim=-1), torch.ones(6))
    assert torch.equal(made, fitted.synthesize(NEW, per_class=3))
    assert not torch.equal(made, fitted.synthesize(NEW, per_class=3, seed=2))
    again = fitted.reconstruct(features, LABELS)
    assert again.shape == features.shape
    assert torch.equal(again, fitted.reconstruct(features, LABELS))


def test_labels_are_numbers_or_names(fitted, clip, features):
    by_name = Ship(clip, **SMALL).fit(features.numpy(), Y)
    assert by_name.classnames_ == NAMES
    assert torch.equal(by_name.synthesize(NEW), fitted.synthesize(NEW))
    assert torch.equal(fitted.reconstruct(features, Y), fitted.reconstruct(features, LABELS))


def test_the_users_random_numbers_go_on_as_if_nothing_had_been_fitted(clip, features):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Ship(clip, **SMALL).fit(features, Y).synthesize(NEW)
    assert torch.equal(torch.rand(3), expected)


def test_settings_are_parameters(fitted, clip):
    assert fitted.get_params() == {"clip": clip, "seed": 1, "verbose": False, **SMALL}
    copied = clone(fitted).set_params(kl_weight=0.5, seed=3)
    assert copied.get_params() == {**fitted.get_params(), "kl_weight": 0.5, "seed": 3}
    with pytest.raises(NotFittedError):
        copied.synthesize(NEW)
    with pytest.raises(InputError, match="no setting 'kl_weigth'"):
        copied.set_params(kl_weigth=1.0)


def test_a_pickled_one_synthesizes_the_same(fitted):
    assert torch.equal(pickle.loads(pickle.dumps(fitted)).synthesize(NEW), fitted.synthesize(NEW))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda clip, x: Ship(clip, kl_weigth=1.0), "no setting 'kl_weigth'. Did you mean kl_weight?"),
        (lambda clip, x: Ship(clip, kl_weight=-1.0).fit(x, LABELS, NAMES), "TRAINER.SHIP.KL_WEIGHT is -1.0"),
        (lambda clip, x: Ship(clip).fit(x, LABELS), "Prompts are made of class names"),
        (lambda clip, x: Ship(clip).fit(x, LABELS + 1, NAMES), "one of 3 classes, or be their numbers from 0 on"),
        (lambda clip, x: Ship(clip).fit(x, Y, ["cat", "dog"]), "'owl' is a label, and not one of the class names"),
        (lambda clip, x: Ship(clip).fit(x, Y[:3]), "12 features and 3 labels"),
        (lambda clip, x: Ship(clip, **SMALL).fit(x, Y).synthesize("fox"), "class names is needed, and this is 'fox'"),
        (lambda clip, x: Ship(clip, **SMALL).fit(x, Y).synthesize(NEW, per_class=0), "per_class is 0"),
        (lambda clip, x: Ship(clip).fit(x[:, :5], Y), "X has 5 features, but those of"),
        (
            lambda clip, x: Ship(clip, synthesis="text", **SMALL).fit(x, Y).synthesize(NEW),
            "synthesis='text' is for Synthesized alone",
        ),
    ],
)
def test_bad_input_is_named(call, said, clip, features):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - InputError is one, and what scikit-learn raises
        call(clip, features)
    assert said in str(raised.value)

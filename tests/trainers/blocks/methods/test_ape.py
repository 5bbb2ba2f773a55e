"""APE against its definition, pair by pair and key by key."""

import ast
import itertools
import math

import pytest
import torch
import yaml
from torch.nn.functional import normalize

from tests.conftest import CHECKOUT
from tests.golden.peers_features import NAMES, NEW_NAMES, MadeUp, make
from trainers.blocks.errors import InputError
from trainers.blocks.methods.ape import APE
from trainers.blocks.methods.tip_adapter import TipAdapter


@pytest.fixture
def made() -> dict:
    return make(1, shots=2)


def ape(made: dict, **options) -> APE:
    classifier = APE.of(MadeUp(made), NAMES, **options)
    classifier.remember(*made["train"])
    return classifier


def test_a_channel_is_worth_its_variance_less_its_similarity_between_classes(made):
    classifier, (keys, labels), text = ape(made), made["train"], made["text"]
    owners = [*range(len(NAMES)), *labels.tolist()]
    features = torch.cat([text, keys])
    products = [
        features[i] * features[j]
        for i, j in itertools.product(range(len(owners)), repeat=2)
        if owners[i] != owners[j]
    ]
    similarity = torch.stack(products).mean(dim=0)
    variance = (text - text.mean(dim=0)).square().sum(dim=0) / (len(text) - 1)
    expected = 0.3 * variance - 0.7 * similarity
    torch.testing.assert_close(classifier.worth(keys, labels, text), expected)
    assert sorted(classifier.learned.channels.tolist()) == sorted(expected.argsort(descending=True)[:12].tolist())


def test_logits_are_the_caches_on_the_selected_channels_weighted_by_the_divergence(made):
    classifier = ape(made, ALPHA=2.0, BETA=3.0, GAMMA=0.5)
    (keys, labels), text, features = made["train"], made["text"], made["test"][0]
    channels = classifier.learned.channels
    short = [normalize(rows[:, channels], dim=-1) for rows in (features, keys, text)]
    expected = 100 * features @ text.t()
    for key, label in zip(short[1], labels.tolist(), strict=True):
        guess = (short[2] @ key).softmax(dim=0)[label].item()
        divergence = math.log2((1 + 1e-6) / (guess + 1e-6))
        expected[:, label] += 2.0 * math.exp(0.5 * divergence) * torch.exp(-3.0 * (1 - short[0] @ key))
    torch.testing.assert_close(classifier.predict(features), expected)


def test_with_all_channels_and_gamma_0_it_is_tip_adapter(made):
    options = {"ALPHA": 2.0, "BETA": 3.0}
    tip = TipAdapter.of(MadeUp(made), NAMES, **options)
    tip.remember(*made["train"])
    features = made["test"][0]
    classifier = ape(made, CHANNELS=1.0, GAMMA=0.0, **options)
    torch.testing.assert_close(classifier.predict(features), tip.predict(features))
    assert not torch.allclose(ape(made, CHANNELS=0.5, GAMMA=0.0, **options).predict(features), tip.predict(features))


def test_the_search_finds_what_trying_each_triple_finds(made):
    classifier = ape(made, SEARCH_SCALE=(7.0, 6.0, 1.0), SEARCH_STEP=(3, 4, 5))
    features, labels = made["val"]
    cache, found = classifier.learned, []
    for i, j, k in itertools.product(range(3), range(4), range(5)):
        cache.beta, cache.alpha = torch.tensor(0.1 + i * 6.9 / 3), torch.tensor(0.1 + j * 5.9 / 4)
        cache.gamma = torch.tensor(k / 5)
        right = int((classifier.predict(features).argmax(dim=-1) == labels).sum())
        found.append((right, (cache.beta.item(), cache.alpha.item(), cache.gamma.item())))
    best = max(found, key=lambda one: one[0])  # the first of several
    assert len({right for right, _ in found}) > 1
    classifier.tune(features, labels)
    assert (cache.beta.item(), cache.alpha.item(), cache.gamma.item()) == pytest.approx(best[1])


def test_what_it_learned_is_loaded_and_follows_its_class_names(made):
    first, second = ape(made), APE.of(MadeUp(made), NAMES[::-1])
    second.learned.load_state_dict(first.learned.state_dict())
    features = made["test"][0]
    torch.testing.assert_close(second.predict(features), first.predict(features)[:, range(4, -1, -1)])


def test_it_refuses_classes_without_a_key(made):
    classifier = ape(made)
    classifier.select(NEW_NAMES)
    with pytest.raises(InputError, match="no images of 3 classes: x, y, z"):
        classifier.predict(made["test"][0])


def test_a_single_class_has_no_pairs_and_is_no_error(made):
    classifier = APE.of(MadeUp(made), NAMES[:1])
    classifier.remember(made["train"][0][:2], torch.zeros(2, dtype=torch.long))
    assert torch.isfinite(classifier.predict(made["test"][0])).all()


@pytest.mark.parametrize("recipe", ["vit_b16", "rn50"])
def test_the_recipes_values_are_the_methods_defaults(recipe):
    node = yaml.safe_load((CHECKOUT / f"configs/trainers/APE/{recipe}.yaml").read_text(encoding="utf-8"))["TRAINER"]
    for name, value in node["APE"].items():
        expected = ast.literal_eval(value) if isinstance(value, str) else value  # yacs reads tuples so
        assert APE.keys[name].default == expected, name

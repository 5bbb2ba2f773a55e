"""The methods as functions of features."""

import pytest
import torch
from torch.nn.functional import normalize

from trainers.blocks.clip.prompts import tokenize
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.errors import InputError
from trainers.blocks.methods.clip_adapter import CLIPAdapter
from trainers.blocks.methods.cocoop import CoCoOp
from trainers.blocks.methods.coop import CoOp
from trainers.blocks.methods.prompt_learner import ConditionalPromptLearner, PromptLearner
from trainers.blocks.methods.tip_adapter import TipAdapterF
from trainers.blocks.methods.zsclip import ZeroshotCLIP

NAMES = ["cat", "yorkshire_terrier", "boeing 747"]


@pytest.fixture
def zero_shot(backbone) -> ZeroshotCLIP:
    return ZeroshotCLIP.of(backbone, NAMES)


@pytest.fixture
def features(backbone) -> torch.Tensor:
    torch.manual_seed(3)
    return normalize(torch.randn(12, backbone.feature_dim), dim=-1)


@pytest.fixture
def cache(backbone, features) -> TipAdapterF:
    classifier = TipAdapterF.of(backbone, NAMES, ALPHA=2.0, BETA=3.0, SEARCH_STEP=(9, 5))
    classifier.remember(features[:6], torch.tensor([0, 0, 1, 1, 2, 2]))
    return classifier


def test_zero_shot_logits_equal_clips(zero_shot, backbone):
    images = torch.randn(4, 3, 32, 32)
    expected, _ = backbone.model(images, tokenize("a photo of a {}.", NAMES, clip_tokenizer()))
    torch.testing.assert_close(zero_shot(backbone.encode_image(images)), expected, atol=1e-4, rtol=1e-4)


def test_several_templates_are_averaged_as_normalized_features(backbone):
    templates = ["a photo of a {}.", "art of the {}."]
    each = [backbone.text_features(NAMES, [template]) for template in templates]
    both = backbone.text_features(NAMES, templates)
    torch.testing.assert_close(both, normalize(each[0] + each[1], dim=-1))


def test_clip_adapter_with_ratio_0_equals_zero_shot(backbone, zero_shot, features):
    torch.testing.assert_close(CLIPAdapter.of(backbone, NAMES, RATIO=0.0)(features), zero_shot(features))


def test_clip_adapter_mixes_as_defined(backbone, zero_shot, features):
    classifier = CLIPAdapter.of(backbone, NAMES, RATIO=0.2, REDUCTION=4)
    first, second = (layer.weight for layer in classifier.learned if hasattr(layer, "weight"))
    assert first.shape == (features.shape[1] // 4, features.shape[1])
    adapted = torch.relu(torch.relu(features @ first.t()) @ second.t())
    mixed = 0.2 * adapted + 0.8 * features
    expected = zero_shot(mixed / mixed.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(classifier(features), expected)


def test_tip_adapter_with_alpha_0_equals_zero_shot(cache, zero_shot, features):
    cache.learned.alpha.zero_()
    torch.testing.assert_close(cache(features), zero_shot(features))


def test_tip_adapter_adds_the_cache_as_defined(cache, zero_shot, features):
    expected = zero_shot(features)
    for key, label in zip(features[:6], [0, 0, 1, 1, 2, 2], strict=True):
        expected[:, label] += 2.0 * torch.exp(-3.0 * (1 - features @ key))
    torch.testing.assert_close(cache(features), expected)


def plain_logits(cache, zero_shot, features: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Tip-Adapter's logits, key by key."""
    logits = zero_shot(features)
    for key, label in zip(keys, [0, 0, 1, 1, 2, 2], strict=True):
        added = 2.0 * torch.exp(-3.0 * (1 - features @ key))
        logits = logits + added[:, None] * torch.nn.functional.one_hot(torch.tensor(label), 3)
    return logits


def test_tip_adapter_predicts_in_parts_what_the_plain_formula_gives(cache, zero_shot, features, monkeypatch):
    at_once = cache.predict(features)
    torch.testing.assert_close(at_once, plain_logits(cache, zero_shot, features, features[:6]))
    monkeypatch.setattr(TipAdapterF, "NUMBERS_AT_ONCE", 6 * 5)
    rows = []
    cache_logits = cache.cache_logits
    monkeypatch.setattr(
        cache, "cache_logits", lambda some, *rest: rows.append(len(some)) or cache_logits(some, *rest)
    )
    torch.testing.assert_close(cache.predict(features), at_once)
    assert rows == [5, 5, 2]


def test_gradients_of_tip_adapters_keys_are_those_of_the_plain_formula(cache, zero_shot, features):
    labels, keys = torch.tensor([0, 1, 2] * 4), features[:6].clone().requires_grad_()
    torch.nn.functional.cross_entropy(plain_logits(cache, zero_shot, features, keys), labels).backward()
    for _ in range(2):  # the second time with values that are kept
        cache.zero_grad()
        cache.loss(features, labels)[0].backward()
        torch.testing.assert_close(cache.learned.keys.grad, keys.grad)


def test_values_of_the_cache_are_made_once_for_the_same_classes_and_keys(cache, features, monkeypatch):
    made = []
    make = cache.learned.make_values
    monkeypatch.setattr(cache.learned, "make_values", lambda names: made.append(list(names)) or make(names))
    for _ in range(3):
        cache(features)
    cache.select(NAMES[:2])
    cache(features)
    cache.remember(features[:2], torch.tensor([1, 0]))
    assert made == [NAMES, NAMES[:2]]
    assert cache.learned.values(NAMES[:2]).tolist() == [[0, 1], [1, 0]]


def test_values_of_a_cache_that_is_loaded_are_its_own(cache, features, backbone):
    other = TipAdapterF.of(backbone, NAMES)
    other.remember(features[6:9], torch.tensor([2, 1, 0]))
    other(features)
    other.learned.load_state_dict(cache.learned.state_dict())
    torch.testing.assert_close(other(features), cache(features))


def test_search_in_parts_finds_what_one_at_once_finds(cache, features, monkeypatch):
    labels = torch.tensor([0, 1, 2] * 4)
    cache.tune(features, labels)
    found = cache.learned.beta.item(), cache.learned.alpha.item()
    monkeypatch.setattr(TipAdapterF, "NUMBERS_AT_ONCE", 1)
    cache.tune(features, labels)
    assert (cache.learned.beta.item(), cache.learned.alpha.item()) == found


def test_search_finds_what_trying_each_pair_finds(cache, features):
    labels = torch.tensor([0, 1, 2] * 4)
    best = (-1, None)
    for i in range(9):
        for j in range(5):
            beta, alpha = i * (7.0 - 0.1) / 9 + 0.1, j * (3.0 - 0.1) / 5 + 0.1
            cache.learned.beta, cache.learned.alpha = torch.tensor(beta), torch.tensor(alpha)
            right = (cache(features).argmax(-1) == labels).sum().item()
            best = max(best, (right, (beta, alpha)), key=lambda pair: pair[0])
    cache.tune(features, labels)
    found = (cache.learned.beta.item(), cache.learned.alpha.item())
    assert found == pytest.approx(best[1])
    assert (cache(features).argmax(-1) == labels).sum().item() == best[0]


def test_without_a_search_both_numbers_stay(backbone, features):
    classifier = TipAdapterF.of(backbone, NAMES, ALPHA=1.5, BETA=2.5, SEARCH=False)
    classifier.remember(features[:3], torch.arange(3))
    classifier.tune(features, torch.tensor([0, 1, 2] * 4))
    assert (classifier.learned.alpha.item(), classifier.learned.beta.item()) == (1.5, 2.5)


def test_cache_follows_its_class_names(cache, features, backbone):
    whole = cache(features)
    other = TipAdapterF.of(backbone, NAMES[:0:-1])
    other.learned.load_state_dict(cache.learned.state_dict())
    torch.testing.assert_close(other(features), whole[:, [2, 1]])
    cache.select([NAMES[1]])
    torch.testing.assert_close(cache(features), whole[:, [1]])


def test_cache_refuses_classes_that_it_has_no_key_of(cache, features):
    cache.select(["cat", "dog", "cow"])
    with pytest.raises(InputError, match="2 classes: dog, cow"):
        cache(features)


def test_cache_of_another_backbone_is_refused(cache):
    state = cache.learned.state_dict()
    state["keys"] = torch.zeros(6, 5)
    with pytest.raises(InputError, match="5 dimensions"):
        cache.learned.load_state_dict(state)


def test_cocoop_gives_each_image_its_own_context(backbone, features):
    torch.manual_seed(0)
    classifier = CoCoOp.of(backbone, NAMES, N_CTX=4)
    learner, logits = classifier.learned, classifier(features[:2])
    for feature, row in zip(features[:2], logits, strict=True):
        alone = CoOp.of(backbone, NAMES, N_CTX=4)
        alone.learned.ctx.data = (learner.ctx + learner.meta_net(feature)).detach()
        torch.testing.assert_close(alone(feature[None])[0], row, atol=1e-4, rtol=1e-4)


def test_cocoop_predicts_in_parts_what_it_says_at_once(backbone, features, monkeypatch):
    classifier = CoCoOp.of(backbone, NAMES, N_CTX=2)
    at_once = classifier(features)
    monkeypatch.setattr(CoCoOp, "PROMPTS_AT_ONCE", 15)
    torch.testing.assert_close(classifier.predict(features), at_once, atol=1e-4, rtol=1e-4)


def test_learned_state_has_upstreams_names(backbone):
    generic = PromptLearner(backbone.text, NAMES, 4).state_dict()
    conditional = ConditionalPromptLearner(backbone.text, NAMES, backbone.feature_dim, 4).state_dict()
    assert generic.keys() == {"ctx", "_extra_state"}
    layers = {f"meta_net.linear{i}.{part}" for i in (1, 2) for part in ("weight", "bias")}
    assert conditional.keys() == {"ctx", "_extra_state"} | layers
    assert conditional["meta_net.linear1.weight"].shape == (backbone.feature_dim // 16, backbone.feature_dim)

"""Methods with a weight vector for each class: TaskRes, ZSLP, CLAP, CrossModal."""

import clip
import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from trainers.blocks.clip.prompts import IMAGENET_TEMPLATES, tokenize
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.clip.wording import Wording
from trainers.blocks.errors import InputError
from trainers.blocks.features.batches import FeatureBank, ImageFeatures
from trainers.blocks.methods import METHODS
from trainers.blocks.methods.zsclip import ZeroshotCLIP

NAMES = ["cat", "yorkshire_terrier", "boeing 747"]
FAMILY = ("TaskRes", "ZSLP", "CLAP", "CrossModal")


@pytest.fixture
def features(backbone) -> torch.Tensor:
    torch.manual_seed(3)
    return normalize(torch.randn(12, backbone.feature_dim), dim=-1)


@pytest.fixture
def bank(features) -> FeatureBank:
    """Three views of four images of the three classes."""
    return FeatureBank(features.view(3, 4, -1), torch.tensor([0, 1, 1, 2]))


def raw_text(backbone, template: str, names: list[str]) -> torch.Tensor:
    return backbone.model.encode_text(tokenize(template, names, clip_tokenizer())).detach()


def moved(classifier, scale: float = 1.0):
    """With rows that are not 0 any more."""
    torch.manual_seed(5)
    classifier.learned.rows.data = scale * torch.randn_like(classifier.learned.rows)
    return classifier


@pytest.mark.parametrize("name", FAMILY)
def test_starts_as_zero_shot_clip(name, backbone, features):
    found = METHODS[name].of(backbone, NAMES, "OxfordPets")(features)
    torch.testing.assert_close(found, ZeroshotCLIP.of(backbone, NAMES, "OxfordPets")(features), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "scale"), [("TaskRes", 0.5), ("ZSLP", 1.0), ("CLAP", 1.0), ("CrossModal", 1.0)])
def test_rows_are_added_to_text_features_that_are_not_normalized(name, scale, backbone, features):
    classifier = moved(METHODS[name].of(backbone, NAMES))
    text = raw_text(backbone, "a photo of a {}.", NAMES)
    weights = normalize(text + scale * classifier.learned.rows, dim=-1)
    expected = backbone.logit_scale * features @ weights.t()
    torch.testing.assert_close(classifier(features), expected, atol=1e-4, rtol=1e-4)


def test_imagenets_templates_are_averaged_as_they_come(backbone):
    templates = [*IMAGENET_TEMPLATES, "a photo of a {}."]
    expected = torch.stack([raw_text(backbone, template, NAMES) for template in templates]).mean(dim=0)
    found = METHODS["TaskRes"].of(backbone, NAMES, "ImageNet").base
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILY)
def test_a_class_without_images_has_its_text_feature(name, backbone, features):
    classifier = moved(METHODS[name].of(backbone, NAMES))
    before = classifier(features)
    classifier.select(["axolotl", "cat", "yak"])
    zero_shot = ZeroshotCLIP.of(backbone, ["axolotl", "yak"])
    torch.testing.assert_close(classifier(features)[:, [0, 2]], zero_shot(features), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(classifier(features)[:, 1], before[:, 0], atol=1e-4, rtol=1e-4)


def test_so_has_it_beside_weights_that_began_at_random(backbone, features):
    classifier = METHODS["ZSLP"].of(backbone, NAMES, INIT="random")
    torch.testing.assert_close(classifier.weights(), classifier.learned.rows)
    classifier.select(["yak", "cat"])
    text = raw_text(backbone, "a photo of a {}.", ["yak"])
    expected = torch.cat([text, classifier.learned.rows[:1]])
    torch.testing.assert_close(classifier.weights(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILY)
def test_what_was_learned_follows_its_class_names(name, backbone, features):
    classifier = moved(METHODS[name].of(backbone, NAMES))
    other = METHODS[name].of(backbone, NAMES[::-1][:2])
    other.learned.load_state_dict(classifier.learned.state_dict())
    torch.testing.assert_close(other(features), classifier(features)[:, [2, 1]], atol=1e-4, rtol=1e-4)


def test_weights_of_another_backbone_are_refused(backbone):
    learned = METHODS["TaskRes"].of(backbone, NAMES).learned
    with pytest.raises(InputError, match="rows have 5 dimensions"):
        learned.load_state_dict({**learned.state_dict(), "rows": torch.zeros(3, 5)})


@pytest.mark.parametrize("name", FAMILY)
def test_training_has_rows_of_all_classes_that_it_is_among(name, backbone, bank):
    classifier = moved(METHODS[name].of(backbone, NAMES))
    rows = classifier.learned.rows.detach().clone()
    parameter = classifier.learned.rows
    classifier.select(["yak", *NAMES])
    classifier.remember(*bank.pool())
    classifier.training_batches(bank.batches(2, drop_last=True))
    assert classifier.learned.rows is parameter  # which the optimizer has
    torch.testing.assert_close(parameter.data, torch.cat([torch.zeros(1, rows.shape[1]), rows]))
    classifier.loss(bank.features[0], bank.labels)[0].backward()
    assert parameter.grad.shape == parameter.shape


def test_an_epoch_draws_from_all_views_as_many_batches_as_the_images_make(backbone, bank):
    batches = METHODS["ZSLP"].of(backbone, NAMES).training_batches(bank.batches(2, drop_last=True))
    np.random.seed(0)
    order = np.random.uniform(size=12).argsort()[:4]
    np.random.seed(0)
    (first, some), (second, others) = batches
    assert len(batches) == 2
    pooled = bank.features.flatten(end_dim=1)
    torch.testing.assert_close(torch.cat([first, second]), pooled[order])
    assert torch.cat([some, others]).tolist() == bank.labels.repeat(3)[order].tolist()
    repeated = sum(len(set(np.random.uniform(size=12).argsort()[:4] % 4)) < 4 for _ in range(20))
    assert repeated > 10  # several views of an image in one epoch: not one of each


def test_without_a_bank_batches_stay_as_they_are_and_a_pool_is_asked_for(backbone):
    batches = ImageFeatures(None, [], None)
    assert METHODS["CLAP"].of(backbone, NAMES).training_batches(batches) is batches
    with pytest.raises(InputError, match=r"TRAINER\.FEATURES\.VIEWS should be at least 1"):
        METHODS["CrossModal"].of(backbone, NAMES).training_batches(batches)


def test_texts_are_half_of_what_cross_modal_draws_from_with_the_new_classes(backbone, bank):
    classifier = METHODS["CrossModal"].of(backbone, NAMES)
    classifier.select([*NAMES, "yak"])
    np.random.seed(1)
    batches = classifier.training_batches(bank.batches(2, drop_last=True))
    drawn = [batch for _ in range(100) for batch in batches]
    features, labels = map(torch.cat, zip(*drawn, strict=True))
    text = backbone.text_features([*NAMES, "yak"], ["a photo of a {}."])
    is_text = (features - text[labels]).norm(dim=-1) < 1e-4
    assert 0.4 < is_text.float().mean() < 0.6
    assert set(labels[is_text].tolist()) <= {0, 1, 2, 3} and 3 in labels[is_text]
    assert set(labels[~is_text].tolist()) == {0, 1, 2}


def test_texts_that_a_run_drew_come_back_with_its_state(backbone, bank):
    first, second = (METHODS["CrossModal"].of(backbone, NAMES) for _ in range(2))
    one, other = (made.training_batches(bank.batches(2, drop_last=True)) for made in (first, second))
    assert first.learned.texts.tolist() != second.learned.texts.tolist()
    second.learned.load_state_dict(first.learned.state_dict())
    for batches in (one, other):
        np.random.seed(3)
        batches.found = [labels.tolist() for _, labels in batches]
    assert one.found == other.found


def test_claps_multipliers_are_mean_zero_shot_probabilities_of_the_own_class(backbone, features):
    classifier = METHODS["CLAP"].of(backbone, NAMES)
    labels = torch.tensor([0, 0, 2, 0, 2, 2, 2, 0, 0, 0, 2, 2])
    classifier.remember(features, labels)
    probabilities = ZeroshotCLIP.of(backbone, NAMES)(features).softmax(dim=-1)
    means = [probabilities[labels == label, label].mean().item() for label in (0, 2)]
    assert classifier.learned.multipliers.tolist() == pytest.approx(
        [means[0], 1.0, means[1]], abs=1e-4
    )  # 1: none is known


def test_claps_constraint_is_the_mean_over_classes(backbone, features):
    classifier = moved(METHODS["CLAP"].of(backbone, NAMES), 0.1)
    classifier.learned.multipliers = torch.tensor([0.2, 0.5, 1.0])
    labels = torch.tensor([0, 1, 2] * 4)
    squares = [sum(number**2 for number in row) for row in classifier.learned.rows.tolist()]
    constraint = (0.2 * squares[0] + 0.5 * squares[1] + 1.0 * squares[2]) / 3
    loss, shown = classifier.loss(features, labels)
    assert shown["constraint"] == pytest.approx(constraint, rel=1e-4)
    assert loss.item() == pytest.approx(cross_entropy(classifier(features), labels).item() + constraint, rel=1e-4)


SENTENCES = ("A cat purrs.", "A small animal with whiskers.")


def described(backbone, name: str, templates: tuple[str, ...] = ()):
    """Among NAMES, of which the first has sentences."""
    return METHODS[name].of(backbone, NAMES, Wording("", templates, {"cat": SENTENCES}))


@pytest.mark.parametrize("name", FAMILY)
def test_sentences_stand_for_the_template_of_their_class(name, backbone):
    found = described(backbone, name).base
    torch.testing.assert_close(found[0], encoded(backbone, SENTENCES).mean(dim=0), atol=1e-4, rtol=1e-4)
    assert torch.equal(found[1:], METHODS[name].of(backbone, NAMES).base[1:])


def test_sentences_and_templates_that_are_both_named_are_averaged_together_here_too(backbone):
    found = described(backbone, "TaskRes", ("a {}.",)).base
    expected = encoded(backbone, ["a cat.", *SENTENCES]).mean(dim=0)
    torch.testing.assert_close(found[0], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[2], encoded(backbone, ["a boeing 747."])[0], atol=1e-4, rtol=1e-4)


def test_each_sentence_is_a_sample_of_cross_modal_probing(backbone, bank):
    classifier = described(backbone, "CrossModal")
    assert sorted(classifier.texts.labels.tolist()) == [0, 0, 1, 2]
    classifier.training_batches(bank.batches(2, drop_last=False))
    classifier.learned.texts = torch.arange(4)
    features, labels = classifier.drawn_texts()
    expected = normalize(encoded(backbone, SENTENCES), dim=-1)
    torch.testing.assert_close(features[labels == 0], expected, atol=1e-4, rtol=1e-4)


def encoded(backbone, texts) -> torch.Tensor:
    return backbone.model.encode_text(clip.tokenize(list(texts))).detach()

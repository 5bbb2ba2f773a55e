"""What SHIP hands to its stages: keys, classes, labels, the dataset's template."""

import functools

import pytest
import torch
from torch.nn.functional import normalize

from trainers.blocks.clip.prompts import template_of

BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "boxer"]
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8, "TEST.NO_TEST", True)
CACHE = ("TRAINER.SHIP.CLASSIFIER", "TipAdapterF", "TRAINER.SHIP.SYNTHESIS", "text")


@pytest.fixture
def ship(ship):
    return functools.partial(ship, *SMALL)


def text_features(trainer, names: list[str]) -> torch.Tensor:
    return trainer.backbone.text_features(names, [template_of("OxfordPets")])


def test_free_bits_reach_the_first_stages_loss(ship):
    trainer = ship("TRAINER.SHIP.FREE_BITS", 5.0, "TRAINER.SHIP.KL_WEIGHT", 0.25)
    trainer.before_train()
    features, labels = next(iter(trainer.feature_batches(8)))
    loss, printed = trainer.vae_loss(features, labels)
    assert printed["kl"] < 5.0  # of all dimensions together
    assert loss.item() == pytest.approx(float(printed["rec"]) + 0.25 * 5.0 * trainer.vae.latent_dim, rel=1e-6)


def test_first_stage_writes_prompts_of_the_images_own_classes(ship):
    """With the generator at rest and nothing but c, features are those of the class names, whatever the image."""
    trainer = ship()
    trainer.before_train()
    for parameter in trainer.vae.generator.parameters():
        parameter.data.zero_()
    labels = torch.tensor([2, 0, 1])
    with torch.no_grad():
        expected = trainer.writer(torch.zeros(3, trainer.vae.latent_dim), labels)
    _, printed = trainer.vae_loss(expected, labels)
    _, of_others = trainer.vae_loss(expected, labels.roll(1))
    assert printed["rec"] < 1e-3 * of_others["rec"]


def test_synthesis_has_the_datasets_template(ship):
    trainer = ship("TRAINER.SHIP.SYNTHESIS", "text")
    trainer.choose_classes()
    assert trainer.synthesizer.classnames == NEW
    made = trainer.synthesizer.sample(torch.tensor([2, 0, 1]))
    torch.testing.assert_close(made, text_features(trainer, NEW)[[2, 0, 1]])


@pytest.mark.parametrize("views", [0, 2])
def test_gaussian_is_fitted_to_the_base_classes_images(views, ship):
    """In all of their banked views, or in one."""
    trainer = ship("TRAINER.SHIP.SYNTHESIS", "gaussian", "TRAINER.FEATURES.VIEWS", views)
    trainer.choose_classes()
    bank = trainer.views(1)
    residuals = bank.features - text_features(trainer, BASE)[bank.labels]
    torch.testing.assert_close(trainer.synthesizer.mean, residuals.mean(dim=(0, 1)), atol=1e-6, rtol=1e-5)
    assert len(trainer.synthesizer.factor) == (views or 1) * 12


@pytest.mark.parametrize(("shots", "images"), [(4, 4), (2, 2), (-1, 6)])
def test_a_cache_has_as_many_synthesized_keys_of_each_new_class_as_it_has_images_of_a_base_class(shots, images, ship):
    trainer = ship(*CACHE, "DATASET.NUM_SHOTS", shots, "TRAINER.FEATURES.VIEWS", 2)
    trainer.before_train()
    keys, labels = trainer.features_to_remember()
    assert labels.tolist() == [label for label in range(6) for _ in range(images)]
    real = normalize(trainer.bank().features.mean(dim=0), dim=-1)
    torch.testing.assert_close(keys[: 3 * images], real)
    torch.testing.assert_close(keys[3 * images :], text_features(trainer, NEW).repeat_interleave(images, dim=0))


def test_where_views_are_taken_apart_a_new_class_has_as_many_synthesized_features(ship):
    pairs = ("TRAINER.SHIP.CLASSIFIER", "GDA", "TRAINER.GDA.VIEWS", 3, "TRAINER.SHIP.SYNTHESIS", "text")
    trainer = ship(*pairs, "TRAINER.FEATURES.VIEWS", 3)
    trainer.before_train()
    features, labels = trainer.features_to_remember()
    assert torch.bincount(labels).tolist() == 6 * [3 * 4]
    torch.testing.assert_close(features[3 * 12 :], text_features(trainer, NEW).repeat_interleave(12, dim=0))


def test_a_cache_of_all_classes_has_synthesized_keys_of_the_same_classes(ship):
    trainer = ship(*CACHE, classes="all")
    trainer.before_train()
    _, labels = trainer.features_to_remember()
    assert labels.tolist() == 2 * [label for label in range(6) for _ in range(4)]


def test_a_cache_votes_for_the_new_class_that_a_key_is_of(ship):
    trainer = ship(*CACHE, "OPTIM.MAX_EPOCH", 1, "OPTIM.LR", 1e-9)
    trainer.train()
    cache = trainer.classifier.learned
    values = cache.values(BASE + NEW)
    assert values.argmax(dim=1).tolist() == [label for label in range(6) for _ in range(4)]
    features = text_features(trainer, NEW)
    affinities = trainer.classifier.affinities(features)
    votes = trainer.classifier.cache_logits(affinities, torch.tensor(100.0), values)
    assert votes.argmax(dim=1).tolist() == [3, 4, 5]


@pytest.mark.parametrize("rounded", [False, True])
def test_synthesized_features_are_as_many_as_asked_for_and_rounded_with_the_real_ones(rounded, ship):
    pairs = ("TRAINER.SHIP.SYNTHESIZED", 7, "TRAINER.SHIP.SYNTHESIS", "text", "TRAINER.SHIP.ROUND_FEATURES", rounded)
    trainer = ship(*pairs)
    trainer.before_train()
    for features, labels in trainer.main_batches():
        assert len(features) == len(labels) == 4 + 7
        assert (labels[:4] < 3).all()
        text = text_features(trainer, BASE + NEW)[labels[4:]]
        torch.testing.assert_close(features[4:], text.half().float() if rounded else text)
        assert torch.equal(features[:4], features[:4].half().float()) == rounded

"""SHIP on the methods of other papers: what synthesized features mean to each, and what is stored and evaluated."""

import pytest
import torch
from torch.nn.functional import normalize

from trainers.blocks.methods.zsclip import ZeroshotCLIP

BASE, NEW = ["abyssinian", "bengal", "birman"], ["bombay", "beagle", "boxer"]
CONTEXT, WEIGHTS = ("KgCoOp", "ProGrad"), ("TaskRes", "ZSLP", "CLAP", "CrossModal")
RATE = ("OPTIM.LR", 0.1)


@pytest.mark.parametrize("name", [*CONTEXT, *WEIGHTS])
def test_trains_and_evaluates_on_base_new_and_all(name, ship, tmp_path):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", name, *RATE)
    trainer.train()
    assert trainer.method == f"SHIP on {name}"
    among_all = trainer.classifier.predict(trainer.evaluation_features("test")[0])
    assert trainer.classifier.classnames == BASE + NEW and among_all.shape == (12, 6)
    for classes, columns in (("base", [0, 1, 2]), ("new", [3, 4, 5]), ("all", range(6))):
        other = ship("TRAINER.SHIP.CLASSIFIER", name, *RATE, classes=classes, folder=classes)
        other.load_model(str(tmp_path / "run"))
        found = other.classifier.predict(trainer.evaluation_features("test")[0])
        torch.testing.assert_close(found, among_all[:, columns], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", WEIGHTS)
def test_new_classes_have_weights_of_their_own_with_ship_and_text_features_without(name, ship, tmp_path):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", name, *RATE)
    trainer.train()
    assert trainer.classifier.learned.owners.names == (*BASE, *NEW)
    assert (trainer.classifier.learned.rows.norm(dim=-1) > 1e-3).all()

    alone = ("TRAINER.NAME", name, f"TRAINER.{name.upper()}.PREC", "fp32", "OPTIM.LR", 0.1)
    ship(*alone, folder="alone").train()
    new = ship(*alone, classes="new", folder="new")
    new.load_model(str(tmp_path / "alone"))
    assert new.classifier.learned.owners.names == tuple(BASE)
    assert (new.classifier.learned.rows.norm(dim=-1) > 1e-3).all()
    features, _ = new.evaluation_features("test")
    zero_shot = ZeroshotCLIP.of(new.backbone, NEW, "OxfordPets")
    torch.testing.assert_close(new.classifier.predict(features), zero_shot.predict(features), atol=1e-4, rtol=1e-4)


def test_clap_holds_new_classes_by_what_clip_says_of_features_synthesized_for_them(ship, monkeypatch):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", "CLAP", "TRAINER.FEATURES.VIEWS", 3)
    remembered = []
    remember = trainer.classifier.remember
    monkeypatch.setattr(trainer.classifier, "remember", lambda *batch: remembered.extend(batch) or remember(*batch))
    trainer.train()
    features, labels = remembered
    assert labels.bincount().tolist() == [3 * 4] * 6  # views of images; as many are synthesized
    zero_shot = ZeroshotCLIP.of(trainer.backbone, BASE + NEW, "OxfordPets").predict(features).softmax(dim=-1)
    expected = [zero_shot[labels == label, label].mean().item() for label in range(6)]
    assert trainer.classifier.learned.multipliers.tolist() == pytest.approx(expected, abs=1e-4)


def test_clap_reads_no_validation_image(ship, monkeypatch):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", "CLAP")
    asked = []
    features = trainer.evaluation_features
    monkeypatch.setattr(trainer, "evaluation_features", lambda split: asked.append(split) or features(split))
    trainer.train()
    assert set(asked) == {"test"}


def test_prograd_projects_the_gradient_of_images_and_synthesized_features_together(ship):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", "ProGrad")
    trainer.before_train()
    classifier, turned = trainer.classifier, set()
    teacher = trainer.backbone.text_features(BASE + NEW, ["a type of pet, a photo of a {}."])
    for features, labels in [batch for _ in range(8) for batch in trainer.main_batches()]:
        assert set(labels[:4].tolist()) <= {0, 1, 2} and set(labels[4:].tolist()) <= {3, 4, 5}
        scores = classifier(features).log_softmax(dim=-1)
        judged = (trainer.backbone.logit_scale * features @ teacher.t()).softmax(dim=-1)
        (own,) = torch.autograd.grad(-scores[range(8), labels].mean(), classifier.learned.ctx, retain_graph=True)
        (against,) = torch.autograd.grad(-(judged * scores).sum(dim=-1).mean(), classifier.learned.ctx)
        along = (own * normalize(against.flatten(), dim=0).view_as(own)).sum()
        expected = own - along * against / against.norm() if along < 0 else own
        classifier.zero_grad()
        classifier.loss(features, labels)[0].backward()
        torch.testing.assert_close(classifier.learned.ctx.grad, expected, rtol=1e-3, atol=1e-4)
        turned.add(bool(along < 0))
    assert True in turned


def test_kgcoop_holds_new_classes_near_the_template_too(ship):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", "KgCoOp", "TRAINER.KGCOOP.TEACHER_PREC", "fp32")
    trainer.before_train()
    taught = trainer.backbone.text_features(BASE + NEW, ["a photo of a {}, a type of pet."])
    torch.testing.assert_close(trainer.classifier.teacher, taught)


def test_cross_modals_texts_are_of_base_and_new_classes(ship):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", "CrossModal")
    trainer.before_train()
    trainer.main_batches()
    texts, labels = trainer.classifier.drawn_texts()
    taught = trainer.backbone.text_features(BASE + NEW, ["a photo of a {}, a type of pet."])
    torch.testing.assert_close(texts, taught[labels], atol=1e-5, rtol=1e-5)
    assert len(labels) == 12 and labels.max() > 2


def test_clap_holds_each_half_of_a_split_loss_by_the_multipliers_of_its_classes(ship):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", "CLAP", "TRAINER.SHIP.LOSS", "split", "TRAINER.FEATURES.VIEWS", 3)
    trainer.before_train()
    classifier = trainer.classifier
    classifier.remember(*trainer.features_to_remember())
    stage = trainer.main_stage()
    classifier.learned.rows.data += 0.1  # away from the text features, so that the constraint costs something
    features, labels = next(iter(stage.batches))
    _, shown = stage.loss(features, labels)
    moved, held = classifier.residuals().square().sum(dim=-1), classifier.learned.multipliers
    halves = [(held[half] * moved[half]).mean() for half in (slice(3), slice(3, None))]
    assert float(shown["constraint"]) == pytest.approx(float(sum(halves)) / 2, rel=1e-4)

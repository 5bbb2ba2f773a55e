"""KgCoOp: its teacher, and what it adds to CoOp's loss."""

import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from trainers.blocks.methods.coop import CoOp
from trainers.blocks.methods.kgcoop import KgCoOp

NAMES = ["cat", "yorkshire_terrier", "boeing 747"]


@pytest.mark.parametrize("teacher", ["fp16", "fp32"])
@pytest.mark.parametrize(
    ("dataset", "template"),
    [
        ("OxfordPets", "a photo of a {}, a type of pet."),
        ("DescribableTextures", "a photo of a {}, a type of texture."),
    ],
)
def test_adds_the_weighted_distance_to_the_templates_text_features(dataset, template, teacher, backbone):
    torch.manual_seed(3)
    features, labels = normalize(torch.randn(6, backbone.feature_dim), dim=-1), torch.tensor([0, 1, 2] * 2)
    classifier = KgCoOp.of(backbone, NAMES, dataset, WEIGHT=2.0, TEACHER_PREC=teacher)
    without, _ = CoOp.loss(classifier, features, labels)
    taught = backbone.text_features(NAMES, [template])
    distance = 1 - cosine_similarity(classifier.text_features(), taught).mean().item()
    loss, shown = classifier.loss(features, labels)
    within = 1e-3 if teacher == "fp16" else 1e-5
    assert float(shown["distance"]) == pytest.approx(distance, abs=within)
    assert (loss - without).item() == pytest.approx(2 * float(shown["distance"]), rel=1e-4)


def test_a_teacher_in_fp16_leaves_the_backbone_as_it_is(backbone):
    before = {name: (value.dtype, value.clone()) for name, value in backbone.state_dict().items()}
    classifier = KgCoOp.of(backbone, NAMES)
    assert classifier.teacher.dtype == torch.float32
    exact = backbone.text_features(NAMES, ["a photo of a {}."])
    assert 1e-6 < (classifier.teacher - exact).abs().max() < 1e-2
    for name, value in backbone.state_dict().items():
        assert value.dtype == before[name][0] and torch.equal(value, before[name][1]), name


def test_the_teacher_is_of_the_classes_that_are_trained_among(backbone):
    classifier = KgCoOp.of(backbone, NAMES, TEACHER_PREC="fp32")
    assert len(classifier.teacher) == 3
    classifier.select([*NAMES, "yak"])
    torch.testing.assert_close(classifier.teacher, backbone.text_features([*NAMES, "yak"], ["a photo of a {}."]))

"""ProGrad: the gradient that it uses, and the context that it begins with."""

import pytest
import torch
from torch.nn.functional import normalize

from trainers.blocks.clip.chunks import Chunks
from trainers.blocks.clip.prompts import tokenize
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.errors import InputError
from trainers.blocks.methods.prograd import ProGrad
from trainers.blocks.methods.zsclip import ZeroshotCLIP

NAMES = ["cat", "yorkshire_terrier", "boeing 747"]


def batch(backbone, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return normalize(torch.randn(6, backbone.feature_dim), dim=-1), torch.randint(3, (6,))


def gradients(classifier, features, labels) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the cross-entropy and of the distillation loss, by their definitions."""
    ctx, t = classifier.learned.ctx, classifier.options.T
    logits = classifier(features)
    cross = -logits.log_softmax(dim=-1)[torch.arange(len(labels)), labels].mean()
    teacher = (ZeroshotCLIP.of(classifier.backbone, NAMES)(features) / t).softmax(dim=-1)
    distilled = -(t**2) * (teacher * (logits / t).log_softmax(dim=-1)).sum(dim=-1).mean()
    (own,) = torch.autograd.grad(cross, ctx, retain_graph=True)
    (against,) = torch.autograd.grad(distilled, ctx)
    return own, against


@pytest.mark.parametrize(("share", "t"), [(1.0, 1.0), (0.8, 1.0), (1.0, 2.0)])
def test_uses_the_gradient_without_what_is_against_zero_shot_clip(share, t, backbone):
    turned = set()
    for seed in range(12):
        features, labels = batch(backbone, seed)
        classifier = ProGrad.of(backbone, NAMES, CTX_INIT="", N_CTX=4, LAMBDA=share, T=t)
        own, against = gradients(classifier, features, labels)
        along = (own * against).sum() / against.norm() ** 2
        expected = own - share * along * against if along < 0 else own
        loss, shown = classifier.loss(features, labels)
        loss.backward()
        torch.testing.assert_close(classifier.learned.ctx.grad, expected, rtol=1e-4, atol=1e-5)
        assert loss.item() == pytest.approx(classifier.loss(features, labels)[0].item())
        assert shown["projected"] == float(along < 0)
        turned.add(bool(along < 0))
    assert turned == {True, False}


def test_the_gradient_is_the_same_where_prompts_are_encoded_in_parts(backbone):
    features, labels = batch(backbone, 1)
    found = []
    for size in (0, 1):
        backbone.text.chunks = Chunks(size) if size else Chunks()
        torch.manual_seed(7)
        classifier = ProGrad.of(backbone, NAMES, CTX_INIT="", N_CTX=4)
        classifier.loss(features, labels)[0].backward()
        found.append(classifier.learned.ctx.grad)
    backbone.text.chunks = Chunks()
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


def test_begins_with_the_templates_first_tokens_behind_zeros(backbone):
    """Eight words, "a type of pet, a photo of a", and nine tokens: the ninth, "a", stays as it is."""
    classifier = ProGrad.of(backbone, NAMES, "OxfordPets")
    ctx = classifier.learned.ctx.detach()
    tokens = tokenize("{}", ["a type of pet , a photo of"], clip_tokenizer())
    assert ctx.shape[0] == 16 and not ctx[:8].any()
    torch.testing.assert_close(ctx[8:], backbone.text.embed(tokens)[0, 1:9].float())
    assert classifier.learned.context == "X X X X X X X X a type of pet, a photo of a"


def test_its_prompt_with_all_of_the_templates_words_is_the_template(backbone):
    classifier = ProGrad.of(backbone, NAMES, "Food101", N_CTX=7)
    with pytest.raises(InputError, match="N_CTX is 6, and the template .* has 7 words"):
        ProGrad.of(backbone, NAMES, "Food101", N_CTX=6)
    found, expected = classifier.text_features(), backbone.text_features(NAMES, ["a type of food, a photo of {}."])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_zero_shot_clip_has_the_authors_template_or_the_one_given(backbone):
    own = ProGrad.of(backbone, NAMES, "DescribableTextures").teacher
    torch.testing.assert_close(own, backbone.text_features(NAMES, ["a texture of {}."]))
    given = ProGrad.of(backbone, NAMES, TEACHER="art of the {}.").teacher
    torch.testing.assert_close(given, backbone.text_features(NAMES, ["art of the {}."]))


def test_a_teachers_template_has_one_place_for_the_class():
    rule = ProGrad.keys["TEACHER"].rule
    assert all(map(rule.holds, ("", "a {}.")))
    assert not any(map(rule.holds, ("a photo", "{} {}", "{0}", "{", 3)))

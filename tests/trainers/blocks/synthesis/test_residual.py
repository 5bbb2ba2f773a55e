"""SYNTHESIS residual: each part against values computed by hand, and what is left with all of them off."""

import math

import pytest
import torch
from torch.nn.functional import normalize
from yacs.config import CfgNode

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.prompts import tokenize
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.clip.wording import Wording
from trainers.blocks.features.batches import FeatureBank
from trainers.blocks.keys import defaults
from trainers.blocks.synthesis import residual
from trainers.blocks.synthesis.kinds import build_vae, words_before_the_class
from trainers.blocks.synthesis.prompt_vae import PromptVAE, kl_divergence, negative_elbo
from trainers.blocks.synthesis.residual import ResidualSynthesizer
from trainers.blocks.synthesis.ship_keys import KEYS
from trainers.blocks.synthesis.synthesizers import VAESynthesizer

NAMES, KNOWN, TEMPLATE = ["cat", "yorkshire terrier", "boeing 747"], ["dog", "car"], "art of the {}."
OFF = {"PRIOR": "normal", "CENTRE": False, "GAP": False, "ENCODER": "features", "NOISE": False}


def text_features(backbone: Backbone, names: list[str]) -> torch.Tensor:
    return normalize(backbone.model.encode_text(tokenize(TEMPLATE, names, clip_tokenizer())), dim=-1)


@pytest.fixture
def vae(backbone) -> PromptVAE:
    torch.manual_seed(0)
    made = PromptVAE(
        backbone.feature_dim, backbone.text.width, encoder_dim=32, generator_dim=32, latent_dim=3, gap=True
    )
    for parameter in (*made.generator.parameters(), *made.trunk.parameters(), *made.mean.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    torch.nn.init.normal_(made.gap, std=0.1)
    return made


@pytest.fixture
def bank(backbone) -> FeatureBank:
    torch.manual_seed(1)
    return FeatureBank(normalize(torch.randn(2, 8, backbone.feature_dim), dim=-1), torch.arange(8) % 2)


@pytest.fixture
def build(vae, backbone, bank):
    """What makes a synthesizer whose parts are all off, but for those given."""

    def made(**parts: object) -> ResidualSynthesizer:
        options = CfgNode({**defaults(residual.KEYS), **OFF, **parts})
        return ResidualSynthesizer(
            vae, backbone, NAMES, KNOWN, Wording(templates=(TEMPLATE,)), lambda views: bank, options
        )

    return made


LABELS = torch.tensor([2, 0, 1, 1, 0])


def test_calibrated_likelihood_is_half_the_dimension_times_the_log_of_the_mean_squared_error():
    torch.manual_seed(0)
    vae, features = PromptVAE(8, 6, encoder_dim=10, generator_dim=12), torch.randn(5, 8)
    kl = kl_divergence(*vae.encode(features)).sum().item()
    reconstructed = torch.randn(5, 8)
    loss, shown = negative_elbo(vae, lambda z, labels: reconstructed, features, None, 1.0, likelihood="calibrated")
    error = (reconstructed - features).square().mean().item()
    assert loss.item() == pytest.approx(4 * math.log(error) + kl, rel=1e-5)
    assert shown["rec"] == pytest.approx(8 * error, rel=1e-5)


def test_calibrated_likelihood_is_that_of_the_best_normal_distribution_up_to_a_constant():
    errors = 0.3 * torch.randn(7, 4, dtype=torch.float64)
    best = errors.square().mean().sqrt()
    by_torch = -torch.distributions.Normal(0.0, best).log_prob(errors).sum(dim=1).mean()
    found = residual_likelihood(errors)
    torch.testing.assert_close(found + 2 * (1 + math.log(2 * math.pi)), by_torch)


def residual_likelihood(errors: torch.Tensor) -> torch.Tensor:
    from trainers.blocks.synthesis.prompt_vae import calibrated

    return calibrated(errors.square().sum(dim=1).mean(), errors.shape[1])


def test_encoder_sees_features_less_their_classes_centres():
    torch.manual_seed(0)
    vae, features, labels = PromptVAE(8, 6), torch.randn(5, 8), torch.tensor([0, 1, 1, 0, 2])
    centres, seen = torch.randn(3, 8), []
    encode = vae.encode
    vae.encode = lambda given: seen.append(given) or encode(given)
    negative_elbo(vae, lambda z, labels: features, features, labels, 1.0, centres=centres)
    assert torch.equal(seen[0], torch.stack([f - centres[c] for f, c in zip(features, labels, strict=True)]))


def test_gap_is_added_to_reconstructions_and_learned():
    vae, features = PromptVAE(4, 6, gap=True), torch.tensor([[1.0, 2, 3, 4], [3, 2, 1, 0]])
    assert vae.gap.tolist() == [0, 0, 0, 0]
    vae.gap.data = torch.tensor([1.0, 0, 0, 0])
    loss, shown = negative_elbo(vae, lambda z, labels: torch.zeros(2, 4), features, None, 0.0)
    assert shown["rec"] == pytest.approx((0 + 4 + 9 + 16 + 4 + 4 + 1 + 0) / 2)
    loss.backward()
    assert vae.gap.grad.tolist() == [-2.0, -4.0, -4.0, -4.0]  # 2 · (m − mean of the features)
    assert PromptVAE(4, 6).gap is None


def test_with_all_parts_off_it_is_the_published_synthesis(build, vae, backbone):
    published = VAESynthesizer(vae, backbone, NAMES)
    torch.manual_seed(4)
    expected = published.sample(LABELS)
    torch.manual_seed(4)
    assert torch.equal(build().sample(LABELS), expected)


def test_images_are_not_asked_for_where_nothing_depends_on_them(vae, backbone):
    options = CfgNode({**defaults(residual.KEYS), **OFF, "GAP": True})
    made = ResidualSynthesizer(
        vae,
        backbone,
        NAMES,
        KNOWN,
        Wording(templates=(TEMPLATE,)),
        lambda views: pytest.fail("images were asked for"),
        options,
    )
    made.sample(LABELS)


def test_gap_alone_is_added_to_what_is_written(build, vae):
    made = build(GAP=True)
    z = torch.randn(5, 3)
    torch.testing.assert_close(made.write(z, LABELS), normalize(made(z, LABELS) + vae.gap, dim=-1))


@pytest.mark.parametrize("encoder", ["features", "residual"])
def test_latents_of_the_posterior_are_those_of_base_images(encoder, build, vae, bank, backbone):
    features, labels = bank.features.flatten(end_dim=1), bank.labels.repeat(2)
    inputs = features - text_features(backbone, KNOWN)[labels] if encoder == "residual" else features
    mean, log_var = vae.encode(inputs)
    made = build(PRIOR="posterior", ENCODER=encoder)
    torch.testing.assert_close(made.fitted.mean, mean, atol=1e-5, rtol=1e-4)
    torch.manual_seed(5)
    z = made.noise(4000)
    torch.manual_seed(5)
    normal, rows = torch.randn(4000, 3), torch.randint(16, (4000,))
    torch.testing.assert_close(z, mean[rows] + torch.exp(0.5 * log_var)[rows] * normal, atol=1e-4, rtol=1e-4)
    assert set(rows.tolist()) == set(range(16))


@pytest.mark.parametrize("gap", [False, True])
def test_centring_puts_each_classs_mean_where_its_text_feature_is(gap, build, bank, backbone, monkeypatch):
    monkeypatch.setattr(residual, "DRAWS", 3000)
    made = build(CENTRE=True, GAP=gap)
    z, label = torch.randn(3000, 3), 1
    labels = torch.full((3000,), label)
    written = made(z, labels)
    residuals = (bank.features - text_features(backbone, KNOWN)[bank.labels]).flatten(end_dim=1)
    shift = residuals.mean(dim=0) if gap else torch.zeros(backbone.feature_dim)
    place = text_features(backbone, NAMES)[label] + shift
    expected = normalize(place + written - made.fitted.centres[label], dim=-1)
    torch.testing.assert_close(made.write(z, labels), expected, atol=1e-5, rtol=1e-4)
    far = (written.mean(dim=0) - made.fitted.centres[label]).norm()
    assert far < 0.1 * (written - written.mean(dim=0)).norm(dim=-1).mean()  # the centre is that mean, over other z
    assert (made.fitted.centres[0] - made.fitted.centres[1]).norm() > far


def test_noise_has_the_covariance_of_the_reconstruction_errors(build, vae, bank, backbone, monkeypatch):
    """With a posterior of no deviation, so that z is known."""
    vae.log_var.bias.data.fill_(-100.0)
    vae.log_var.weight.data.zero_()
    made = build(NOISE=True, GAP=True)
    features, labels = bank.features.flatten(end_dim=1), bank.labels.repeat(2)
    z = vae.encode(features)[0]
    errors = features - VAESynthesizer(vae, backbone, KNOWN)(z, labels) - vae.gap
    torch.testing.assert_close(made.fitted.factor.t() @ made.fitted.factor, errors.t().cov(), atol=1e-5, rtol=1e-3)
    noise = torch.randn(5, 3 + 16)
    expected = made(noise[:, :3], LABELS) + vae.gap + noise[:, 3:] @ (errors - errors.mean(dim=0)) / 15**0.5
    torch.testing.assert_close(made.write(noise, LABELS), normalize(expected, dim=-1), atol=1e-5, rtol=1e-4)


def test_whole_feature_is_text_plus_shift_plus_centred_plus_noise(build, bank, backbone):
    made = build(PRIOR="posterior", CENTRE=True, GAP=True, ENCODER="residual", NOISE=True)
    noise = made.noise(5)
    assert noise.shape == (5, 3 + 16)
    residuals = (bank.features - text_features(backbone, KNOWN)[bank.labels]).flatten(end_dim=1)
    expected = text_features(backbone, NAMES)[LABELS] + residuals.mean(dim=0)
    expected = expected + made(noise[:, :3], LABELS) - made.fitted.centres[LABELS] + noise[:, 3:] @ made.fitted.factor
    torch.testing.assert_close(made.write(noise, LABELS), normalize(expected, dim=-1), atol=1e-5, rtol=1e-4)


def test_what_is_fitted_depends_on_no_random_numbers_before_and_changes_none_after(build):
    first, second = build(CENTRE=True, PRIOR="posterior"), build(CENTRE=True, PRIOR="posterior")
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    centres = first.fitted.centres
    assert torch.equal(torch.rand(3), wanted)
    torch.manual_seed(2)
    assert torch.equal(second.fitted.centres, centres)


def options_of(**changed: object) -> CfgNode:
    return CfgNode({**defaults(KEYS), "ENCODER_DIM": 16, "GENERATOR_DIM": 16, **changed})


@pytest.mark.parametrize(
    ("template", "words"), [("a photo of a {}, a type of pet.", "a photo of a"), ("art of the {}.", "art of the")]
)
def test_context_starts_at_the_templates_words(template, words, backbone):
    vae = build_vae(options_of(SYNTHESIS="residual"), backbone, template)
    expected = backbone.text.embed(tokenize("{}", [words], clip_tokenizer()))[0, 1 : 1 + len(words.split())]
    assert torch.equal(vae.ctx.data, expected.float())
    assert vae.ctx.requires_grad and vae.gap is not None


def test_context_is_random_where_the_template_begins_with_the_class_or_is_not_asked_for(backbone):
    assert words_before_the_class("{} texture.", backbone) is None
    for template, changed in (("{} texture.", {}), ("a {}.", {"CONTEXT": "random"}), ("a {}.", {"SYNTHESIS": "vae"})):
        vae = build_vae(options_of(**{"SYNTHESIS": "residual", "N_CTX": 3, **changed}), backbone, template)
        assert vae.ctx.shape[0] == 3
        assert vae.ctx.std().item() == pytest.approx(0.02, rel=0.3)


def test_published_vae_has_no_gap(backbone):
    assert build_vae(options_of(), backbone, "a {}.").gap is None
    assert build_vae(options_of(SYNTHESIS="residual", GAP=False), backbone, "a {}.").gap is None

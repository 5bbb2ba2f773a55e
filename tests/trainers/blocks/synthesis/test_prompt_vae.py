"""PromptVAE: shapes, initialization, and its loss against values computed by hand."""

import math

import pytest
import torch

from trainers.blocks.synthesis.prompt_vae import (
    PromptVAE,
    active_units,
    annealed,
    kl_divergence,
    negative_elbo,
    reconstruction_loss,
    reparameterize,
)


def test_weights_start_as_the_paper_says():
    torch.manual_seed(0)
    vae = PromptVAE(64, 48, n_ctx=4, encoder_dim=256, generator_dim=512)
    for name, parameter in vae.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.15), name


def test_one_bias_shifts_every_context_token_alike():
    vae = PromptVAE(8, 6, n_ctx=3, encoder_dim=10, generator_dim=12)
    contexts = vae.contexts(torch.randn(5, 8))
    shift = contexts - vae.ctx
    assert contexts.shape == (5, 3, 6)
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift))
    assert shift[:, 0].unique(dim=0).shape[0] == 5


def test_generator_slope_is_of_its_hidden_units():
    relu, leaky = (PromptVAE(4, 4, generator_slope=slope) for slope in (0.0, 0.2))
    assert relu.generator[1](torch.tensor(-1.0)) == 0
    assert leaky.generator[1](torch.tensor(-1.0)).item() == pytest.approx(-0.2)


def test_kl_equals_the_value_computed_by_hand():
    mean = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    log_var = torch.tensor([[0.0, math.log(4.0)], [0.0, 0.0]])
    # rows: ½(1 + 1 − 1 − 0) + ½(0 + 4 − 1 − log 4), and ½·0 + ½(4 + 1 − 1 − 0)
    by_hand = ((0.5 + 0.5 * (3 - math.log(4.0))) + 2.0) / 2
    assert kl_divergence(mean, log_var).sum().item() == pytest.approx(by_hand, rel=1e-6)


def test_kl_equals_torchs():
    mean, log_var = torch.randn(7, 5), torch.randn(7, 5)
    posterior = torch.distributions.Normal(mean, torch.exp(0.5 * log_var))
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_var).sum(), expected)


def test_reconstruction_is_the_squared_distance_summed_over_dimensions():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    reconstructed = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    assert reconstruction_loss(reconstructed, features).item() == pytest.approx((2.0 + 0.0) / 2)


def test_samples_have_the_posteriors_mean_and_deviation():
    torch.manual_seed(0)
    mean, log_var = torch.tensor([[3.0, -1.0]]), torch.tensor([[0.0, math.log(0.25)]])
    z = reparameterize(mean.expand(20000, 2), log_var.expand(20000, 2))
    torch.testing.assert_close(z.mean(0), mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), torch.tensor([1.0, 0.5]), atol=0.02, rtol=0)


def test_active_units_are_those_whose_mean_varies():
    mean = torch.zeros(6, 4)
    mean[:3, 1] = 1.0
    mean[:, 2] = 5.0
    assert active_units(mean).item() == 1


def test_latent_and_bias_per_token_have_the_sizes_asked_for():
    vae = PromptVAE(8, 6, n_ctx=3, encoder_dim=10, generator_dim=12, latent_dim=2, bias_per_token=True)
    mean, log_var = vae.encode(torch.randn(5, 8))
    assert mean.shape == log_var.shape == (5, 2)
    shift = vae.contexts(torch.randn(5, 2)) - vae.ctx
    assert shift.shape == (5, 3, 6)
    assert (shift[:, 0] - shift[:, 1]).abs().max() > 0


def test_kl_weight_rises_linearly_and_then_stays():
    assert [annealed(2.0, epoch, 4) for epoch in (0, 1, 3, 9)] == [0.5, 1.0, 2.0, 2.0]
    assert annealed(2.0, 0, 0) == 2.0


def test_loss_is_reconstruction_plus_weighted_kl_with_free_bits():
    torch.manual_seed(0)
    vae, features = PromptVAE(8, 6, encoder_dim=10, generator_dim=12), torch.randn(5, 8)
    kl = kl_divergence(*vae.encode(features))
    for free in (0.0, kl.detach().median().item()):
        torch.manual_seed(1)
        loss, printed = negative_elbo(vae, lambda z, labels: z, features, None, 0.5, free)
        expected = printed["rec"].item() + 0.5 * torch.where(kl < free, torch.tensor(free), kl).sum().item()
        assert loss.item() == pytest.approx(expected, rel=1e-5)
        assert printed["kl"].item() == pytest.approx(kl.sum().item(), rel=1e-5)


@pytest.fixture
def fixed() -> PromptVAE:
    """A VAE whose posterior is the same for all features: means 1, 2 and 0, deviation 1; KL 0.5, 2 and 0 nats."""
    vae = PromptVAE(3, 6, encoder_dim=4, generator_dim=5)
    for parameter in vae.parameters():
        torch.nn.init.zeros_(parameter)
    vae.mean.bias.data = torch.tensor([1.0, 2.0, 0.0])
    return vae


def test_kl_costs_its_weight_where_nothing_is_lost_in_reconstruction(fixed):
    features = torch.randn(4, 3)
    loss, printed = negative_elbo(fixed, lambda z, labels: features, features, None, 0.5)
    assert (loss.item(), printed["rec"], printed["kl"]) == pytest.approx((0.5 * 2.5, 0.0, 2.5))


@pytest.mark.parametrize(("free", "cost"), [(0.4, 0.4 + 0.5 + 2.0), (0.6, 0.6 + 0.6 + 2.0), (3.0, 9.0)])
def test_free_bits_are_those_of_each_dimension(free, cost, fixed):
    features = torch.randn(4, 3)
    loss, printed = negative_elbo(fixed, lambda z, labels: features, features, None, 0.5, free)
    assert (loss.item(), printed["kl"]) == pytest.approx((0.5 * cost, 2.5))


def test_prompts_are_written_from_samples_of_the_posterior(fixed):
    torch.manual_seed(0)
    features, labels, given = torch.randn(5000, 3), torch.arange(5000), []
    negative_elbo(fixed, lambda *latents: given.append(latents) or features, features, labels, 1.0)
    ((z, passed),) = given
    assert torch.equal(passed, labels)
    torch.testing.assert_close(z.mean(0), fixed.mean.bias.data, atol=0.06, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(3), atol=0.05, rtol=0)


def test_posterior_follows_from_the_positive_hidden_units():
    vae = PromptVAE(2, 6, encoder_dim=2)
    for layer in (vae.trunk[0], vae.mean, vae.log_var):
        torch.nn.init.eye_(layer.weight)
    vae.log_var.weight.data *= 3
    mean, log_var = vae.encode(torch.tensor([[2.0, -1.0], [-4.0, 5.0]]))
    assert mean.tolist() == [[2, 0], [0, 5]]
    assert log_var.tolist() == [[6, 0], [0, 15]]


def test_layers_have_the_papers_sizes_unless_told_otherwise():
    vae = PromptVAE(8, 6)
    assert (vae.trunk[0].out_features, vae.generator[0].out_features, len(vae.ctx)) == (2048, 4096, 4)
    assert vae.latent_dim == vae.trunk[0].in_features == 8
    assert vae.generator[1](torch.tensor(-1.0)) == 0

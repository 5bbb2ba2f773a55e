"""SHIP's variational autoencoder: image feature to latent to prompt context (Wang et al., ICCV 2023)."""

import torch
from torch import Tensor, nn

INIT_STD = 0.02


class PromptVAE(nn.Module):
    """Encoder, generator and the context tokens that samples are offsets of.

    Encoder: Linear(D, H_e), ReLU, two linear heads, mean and log-variance of z in R^D.
    Generator: Linear(D, H_g), (leaky) ReLU, Linear(H_g, W): a bias r, the same for every context token.
    Context: c (M, W). Linear weights and c start as N(0, 0.02²), biases at 0.
    """

    def __init__(
        self,
        feature_dim: int,
        text_width: int,
        n_ctx: int = 4,
        encoder_dim: int = 2048,
        generator_dim: int = 4096,
        generator_slope: float = 0.0,
    ) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(feature_dim, encoder_dim), nn.ReLU())
        self.mean = nn.Linear(encoder_dim, feature_dim)
        self.log_var = nn.Linear(encoder_dim, feature_dim)
        self.generator = nn.Sequential(
            nn.Linear(feature_dim, generator_dim),
            nn.LeakyReLU(generator_slope),  # slope 0 is ReLU
            nn.Linear(generator_dim, text_width),
        )
        self.ctx = nn.Parameter(torch.empty(n_ctx, text_width))
        nn.init.normal_(self.ctx, std=INIT_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=INIT_STD)
                nn.init.zeros_(module.bias)

    @property
    def latent_dim(self) -> int:
        return self.mean.out_features

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, D) to mean and log-variance of the posterior, (B, D) each."""
        hidden = self.trunk(features)
        return self.mean(hidden), self.log_var(hidden)

    def contexts(self, z: Tensor) -> Tensor:
        """Latents (B, D) to prompt contexts (B, M, W): c_i + r."""
        return self.ctx + self.generator(z)[:, None]


def reparameterize(mean: Tensor, log_var: Tensor) -> Tensor:
    """z = mean + sigma · eps, eps ~ N(0, I)."""
    return mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)


def reconstruction_loss(reconstructed: Tensor, features: Tensor) -> Tensor:
    """Squared distance of normalized features (B, D), summed over D, mean over the batch."""
    return (reconstructed - features).square().sum(dim=-1).mean()


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, sigma²) ‖ N(0, I)) in nats, summed over the latent's dimensions, mean over the batch."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(dim=-1).mean()


def active_units(mean: Tensor, threshold: float = 0.01) -> Tensor:
    """Latent dimensions whose posterior mean varies over the batch (Burda et al., ICLR 2016, section 5.2)."""
    return (mean.var(dim=0, unbiased=False) > threshold).sum()

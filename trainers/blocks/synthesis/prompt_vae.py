"""SHIP's variational autoencoder: image feature to latent to prompt context (Wang et al., ICCV 2023)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

INIT_STD = 0.02
Write = Callable[[Tensor, Tensor], Tensor]  # latents (B, Z) and labels (B,) to features (B, D)


class PromptVAE(nn.Module):
    """Encoder, generator and the context tokens that samples are offsets of.

    Encoder: Linear(D, H_e), ReLU, two linear heads, mean and log-variance of z in R^Z; Z is D where not given.
    Generator: Linear(Z, H_g), (leaky) ReLU, Linear(H_g, W): a bias r, the same for every context token; with
    `bias_per_token`, Linear(H_g, M · W): one for each.
    Context: c (M, W). Linear weights and c start as N(0, 0.02²), biases at 0.
    Gap: with `gap`, a vector m (D,) that is added to reconstructions, from 0 on; see residual.py.
    """

    def __init__(
        self,
        feature_dim: int,
        text_width: int,
        n_ctx: int = 4,
        encoder_dim: int = 2048,
        generator_dim: int = 4096,
        generator_slope: float = 0.0,
        latent_dim: int | None = None,
        bias_per_token: bool = False,
        gap: bool = False,
    ) -> None:
        super().__init__()
        latent_dim = latent_dim or feature_dim
        self.trunk = nn.Sequential(nn.Linear(feature_dim, encoder_dim), nn.ReLU())
        self.mean = nn.Linear(encoder_dim, latent_dim)
        self.log_var = nn.Linear(encoder_dim, latent_dim)
        self.generator = nn.Sequential(
            nn.Linear(latent_dim, generator_dim),
            nn.LeakyReLU(generator_slope),  # slope 0 is ReLU
            nn.Linear(generator_dim, text_width * (n_ctx if bias_per_token else 1)),
        )
        self.ctx = nn.Parameter(torch.empty(n_ctx, text_width))
        nn.init.normal_(self.ctx, std=INIT_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=INIT_STD)
                nn.init.zeros_(module.bias)
        self.gap = nn.Parameter(torch.zeros(feature_dim)) if gap else None

    @property
    def latent_dim(self) -> int:
        return self.mean.out_features

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, D) to mean and log-variance of the posterior, (B, Z) each."""
        hidden = self.trunk(features)
        return self.mean(hidden), self.log_var(hidden)

    def contexts(self, z: Tensor) -> Tensor:
        """Latents (B, Z) to prompt contexts (B, M, W): c_i + r."""
        bias = self.generator(z)
        return self.ctx + bias.view(len(z), -1, self.ctx.shape[1])


def reparameterize(mean: Tensor, log_var: Tensor) -> Tensor:
    """z = mean + sigma · eps, eps ~ N(0, I)."""
    return mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)


def reconstruction_loss(reconstructed: Tensor, features: Tensor) -> Tensor:
    """Squared distance of normalized features (B, D), summed over D, mean over the batch."""
    return (reconstructed - features).square().sum(dim=-1).mean()


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, sigma²) ‖ N(0, I)) in nats, mean over the batch: (Z,), by dimension of the latent."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).mean(dim=0)


def active_units(mean: Tensor, threshold: float = 0.01) -> Tensor:
    """Latent dimensions whose posterior mean varies over the batch (Burda et al., ICLR 2016, section 5.2)."""
    return (mean.var(dim=0, unbiased=False) > threshold).sum()


def annealed(weight: float, epoch: int, epochs: int) -> float:
    """The KL weight in an epoch (from 0): it rises linearly over `epochs` (Bowman et al., CoNLL 2016); 0: at once."""
    return weight * min(1.0, (epoch + 1) / epochs) if epochs else weight


def calibrated(reconstruction: Tensor, dim: int) -> Tensor:
    """(D/2) · log(squared distance / D): a normal likelihood with the best variance, up to a constant.

    Then the KL divergence needs no weight (Rybkin et al., ICML 2021).
    """
    return dim / 2 * torch.log(reconstruction / dim)


def negative_elbo(
    vae: PromptVAE,
    write: Write,
    features: Tensor,
    labels: Tensor,
    kl_weight: float,
    free_bits: float = 0.0,
    centres: Tensor | None = None,
    likelihood: str = "fixed",
) -> tuple[Tensor, dict[str, Tensor]]:
    """Stage 1's loss, reconstruction + kl_weight · KL, and what to print of it.

    Where a dimension's KL is below `free_bits` nats it costs that much, so that nothing pushes it lower
    (Kingma et al., NeurIPS 2016, appendix C.8). With `centres` (C, D) the encoder sees features less the centre of
    their class; `likelihood` calibrated puts `calibrated` in the squared distance's place.
    """
    mean, log_var = vae.encode(features if centres is None else features - centres[labels])
    written = write(reparameterize(mean, log_var), labels)
    reconstruction = reconstruction_loss(written if vae.gap is None else written + vae.gap, features)
    kl = kl_divergence(mean, log_var)
    summary = {"rec": reconstruction.detach(), "kl": kl.detach().sum(), "active": active_units(mean)}
    misfit = calibrated(reconstruction, features.shape[1]) if likelihood == "calibrated" else reconstruction
    return misfit + kl_weight * kl.clamp(min=free_bits).sum(), summary

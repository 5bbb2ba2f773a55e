"""Class names to synthesized features."""

from collections.abc import Sequence

import torch
from dassl.data.datasets import build_dataset
from torch import Tensor

from .backbone import Backbone
from .errors import InputError
from .prompt_vae import PromptVAE
from .prompts import ClassTails


class Synthesizer:
    """Writes a prompt for each latent and class, and lets CLIP's text encoder make a feature of it.

    The prompt is [SOS] (c_1 + r) … (c_M + r) [class name] [.] [EOT], r the generator's bias for the latent.
    """

    def __init__(self, vae: PromptVAE, backbone: Backbone, classnames: Sequence[str]) -> None:
        self.vae, self.backbone, self.classnames = vae, backbone, list(classnames)
        n_ctx = len(vae.ctx)
        self.tails = ClassTails.of(backbone.text, classnames, " ".join(["X"] * n_ctx), n_ctx)

    def __call__(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latents (B, D) and labels (B,), which index the class names, to L2-normalized features (B, D)."""
        return self.backbone.encode_prompts(*self.tails.behind(self.vae.contexts(z), labels))[0]

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """`count` features (B, D) and their labels (B,), which are drawn uniformly."""
        labels = torch.randint(len(self.classnames), (count,), device=self.vae.ctx.device)
        return self.of(labels), labels

    @torch.no_grad()
    def of(self, labels: Tensor) -> Tensor:
        """Features (B, D) of given labels (B,); z ~ N(0, I)."""
        return self(torch.randn(len(labels), self.vae.latent_dim, device=labels.device), labels)


def new_classnames(cfg, known: Sequence[str]) -> list[str]:
    """Names of the classes that the run's dataset keeps for evaluation, DATASET.SUBSAMPLE_CLASSES new.

    Reads the dataset's lists, no image. Raises InputError where `known` covers them all.
    """
    if cfg.DATASET.SUBSAMPLE_CLASSES != "base":
        raise InputError(
            f"There are no new classes to synthesize features for: DATASET.SUBSAMPLE_CLASSES is "
            f"{cfg.DATASET.SUBSAMPLE_CLASSES!r}. Train SHIP with DATASET.SUBSAMPLE_CLASSES base; "
            "the new classes are the other half."
        )
    other = cfg.clone()
    other.defrost()
    other.DATASET.SUBSAMPLE_CLASSES = "new"
    names = [name for name in build_dataset(other).classnames if name not in known]
    if not names:
        raise InputError(f"There are no new classes to synthesize features for: {cfg.DATASET.NAME} has no others.")
    return names

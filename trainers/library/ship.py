"""SHIP's generative model from Python: learned from features, it makes features of classes known by name."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from ..blocks.run.randomness import own_random_numbers
from ..blocks.synthesis.synthesizers import VAESynthesizer
from ..blocks.training.from_features import on_features
from ..ship import SHIP
from .clip import Clip
from .settings import Features, as_tensor, base_config, checked, keys_of, quiet, run_keys

# The recipes' method of stage 2, which is not trained here: what it draws at random comes before what stage 1 draws.
STAGE_TWO = {"TRAINER.SHIP.CLASSIFIER": "CoOp", "TRAINER.COOP.CTX_INIT": "a photo of a", "TRAINER.COOP.N_CTX": 4}


class Ship:
    """PromptVAE on features of a CLIP (Wang et al., ICCV 2023, section 3.2); `settings` are TRAINER.SHIP's keys.

    In small letters, such as kl_weight=0.1 or latent_dim=64; epochs, lr, batch_size and optimizer are stage 1's.
    """

    def __init__(self, clip: Clip, seed: int = 1, verbose: bool = False, **settings: object) -> None:
        self.clip, self.seed, self.verbose, self.settings = clip, seed, verbose, settings
        self.keys()  # so that a setting that is not known is an error at once

    def keys(self) -> dict[str, object]:
        """The settings as keys of the configuration; raises InputError for one that is not known."""
        known = base_config().TRAINER.SHIP
        return keys_of(self.settings, "TRAINER.SHIP", "TRAINER.SHIP.OPTIM", "TRAINER.SHIP.BATCH_SIZE", known)

    def fit(self, features: Features, labels: Sequence[int], classnames: Sequence[str]) -> Self:
        """Learns from L2-normalized features (N, D) of pictures and labels (N,), which index the class names."""
        cfg = checked(base_config(**run_keys(self.clip, "SHIP", self.seed) | STAGE_TWO | self.keys()))
        with quiet(self.verbose):
            trainer = on_features(SHIP, cfg, as_tensor(features), torch.as_tensor(labels), classnames)
            trainer.before_train()  # which is stage 1
        self.vae_, self.classnames_ = trainer.vae, list(classnames)
        return self

    def synthesize(self, classnames: Sequence[str], per_class: int = 16, seed: int | None = None) -> Tensor:
        """L2-normalized features (C · per_class, D), those of each class together, in the order of the names."""
        labels = torch.arange(len(classnames), device=self.clip.backbone.device).repeat_interleave(per_class)
        with own_random_numbers(self.seed if seed is None else seed):
            return VAESynthesizer(self.vae_, self.clip.backbone, classnames).sample(labels)

    def reconstruct(self, features: Features, labels: Sequence[int]) -> Tensor:
        """The features (N, D) that the prompts for the posterior's means have, of the classes fitted on."""
        writer = VAESynthesizer(self.vae_, self.clip.backbone, self.classnames_)
        device = self.clip.backbone.device
        with torch.no_grad():
            mean, _ = self.vae_.encode(as_tensor(features).to(device))
            return writer.write(mean, torch.as_tensor(labels).to(device))

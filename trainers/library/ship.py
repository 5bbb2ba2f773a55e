"""SHIP's generative model from Python: learned from features, it makes features of classes known by name."""

from collections.abc import Sequence
from typing import Any

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..blocks.errors import InputError
from ..blocks.run.randomness import own_random_numbers
from ..blocks.synthesis.synthesizers import VAESynthesizer
from ..blocks.training.from_features import on_features
from ..ship import SHIP
from .clip import Clip
from .given import Features, Labels, feature_tensor, labels_of, names_of
from .settings import base_config, checked, fitting, keys_of, run_keys

OWN = ("clip", "seed", "verbose")
# The recipes' method of stage 2, which is not trained here: what it draws at random comes before what stage 1 draws.
STAGE_TWO = {"TRAINER.SHIP.CLASSIFIER": "CoOp", "TRAINER.COOP.CTX_INIT": "a photo of a", "TRAINER.COOP.N_CTX": 4}


class Ship(BaseEstimator):
    """SHIP's PromptVAE on features of a CLIP (Wang et al., ICCV 2023, section 3.2).

    `settings` are TRAINER.SHIP's keys in small letters, such as kl_weight=0.1 or latent_dim=64; optimizer, lr,
    weight_decay, epochs and batch_size are stage 1's. `verbose` prints what train.py prints. Raises InputError for a
    setting that is not known.

    Fitted, it has `vae_`, the PromptVAE, and `classnames_`. `clone` gives one that is not fitted.

    >>> from ship_dassl import Ship, load_clip
    >>> clip = load_clip("datasets/assets/shapes_clip.pt", device="cpu")
    >>> y = ["anchor", "kite"] * 4
    >>> ship = Ship(clip, seed=1, epochs=2, latent_dim=16).fit(clip.encode_text(y), y)
    >>> ship.classnames_
    ['anchor', 'kite']
    >>> ship.synthesize(["vase", "umbrella"], per_class=3).shape
    torch.Size([6, 128])
    """

    def __init__(self, clip: Clip, seed: int = 1, verbose: bool = False, **settings: object) -> None:
        self.clip, self.seed, self.verbose, self.settings = clip, seed, verbose, settings
        self.keys()  # so that a setting that is not known is an error at once

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All arguments by name, the settings among them."""
        return {**{name: getattr(self, name) for name in OWN}, **self.settings}

    def set_params(self, **params: object) -> "Ship":
        """Changes arguments; raises InputError for a setting that is not known."""
        changed = type(self)(**{**self.get_params(), **params})
        vars(self).update(vars(changed))
        return self

    def keys(self) -> dict[str, object]:
        """The settings as keys of the configuration; raises InputError for one that is not known."""
        known = base_config().TRAINER.SHIP
        return keys_of(self.settings, "TRAINER.SHIP", "TRAINER.SHIP.OPTIM", "TRAINER.SHIP.BATCH_SIZE", known)

    def fit(self, features: Features, labels: Labels, classnames: Sequence[str] | None = None) -> "Ship":
        """Learns from L2-normalized features (N, D) of pictures and their labels (N,).

        Labels are class names, or index `classnames`. Raises InputError for labels that are neither and for settings
        that break their rule, ValueError for features of another width than the CLIP's.
        """
        given = feature_tensor(features, self.clip.backbone)
        indices, names = labels_of(labels, classnames, len(given), self.clip.backbone)
        cfg = checked(base_config(**run_keys(self.clip, "SHIP", self.seed) | STAGE_TWO | self.keys()))
        with fitting(self.verbose):
            trainer = on_features(SHIP, cfg, given, indices, names, shared=self.clip.backbone)
            trainer.before_train()  # which is stage 1
        return self.hold(trainer.vae, names)

    def hold(self, vae: torch.nn.Module, classnames: Sequence[str]) -> "Ship":
        """Is fitted from now on, with a PromptVAE that was trained on these classes."""
        self.vae_, self.classnames_ = vae, list(classnames)
        return self

    def synthesize(self, classnames: Sequence[str], per_class: int = 16, seed: int | None = None) -> Tensor:
        """L2-normalized features (C · per_class, D), those of each class together, in the order of the names.

        The same seed, that of `fit` by default, gives the same features. Raises NotFittedError before `fit`, and
        InputError for names that CLIP cannot read.
        """
        writer = self._writer(names_of(classnames, self.clip.backbone))
        if per_class < 1:
            raise InputError(f"per_class is {per_class}; it should be 1 or more.")
        labels = torch.arange(len(classnames)).repeat_interleave(per_class)
        with own_random_numbers(self.seed if seed is None else seed):
            noise = torch.randn(len(labels), self.vae_.latent_dim)  # on the CPU: the same on every device
        return writer.write(noise.to(writer.device), labels.to(writer.device))

    def reconstruct(self, features: Features, labels: Labels) -> Tensor:
        """What the PromptVAE makes of features (N, D): those (N, D) of the prompts for the posterior's means.

        Labels (N,) are names of the classes fitted on, or index `classnames_`. Raises NotFittedError before `fit`.
        """
        writer = self._writer()
        given = feature_tensor(features, self.clip.backbone).to(writer.device)
        indices, _ = labels_of(labels, self.classnames_, len(given), self.clip.backbone)
        with torch.no_grad():
            mean, _ = self.vae_.encode(given)
            return writer.write(mean, indices.to(writer.device))

    def _writer(self, classnames: Sequence[str] | None = None) -> VAESynthesizer:
        """Writes prompts of these classes, or of those fitted on."""
        check_is_fitted(self, "vae_")
        kind = self.settings.get("synthesis", "vae")
        if kind != "vae":
            raise InputError(f"Ship makes features with its PromptVAE; synthesis={kind!r} is for Synthesized alone.")
        names = self.classnames_ if classnames is None else classnames
        return VAESynthesizer(self.vae_, self.clip.backbone, names)

"""SYNTHESIS residual: a VAE of what separates an image feature from its class's text feature, whose latent is used.

The published VAE's posterior collapses onto the prior. Most of the distance between image and text features is a
constant, the modality gap, which no prompt can bridge, and beside it the KL divergence outweighs what z could tell.
Notation: t_c the template's text feature of class c, f_j feature of base image j and c_j its class, g(z, c) the text
feature of the prompt that the VAE writes.

Stage 1: encoder q(z | f − t_c), reconstruction g(z, c) + m with m learned, and the calibrated likelihood.
Stage 2: feature = normalize(t_c + m̄ + g(z, c) − ḡ(c) + ε) with z ~ q(z | f_j − t_{c_j}), j drawn uniformly.
m̄ is the mean of f_j − t_{c_j}, ḡ(c) that of g(z, c) over z, and ε is normal with the covariance of the
reconstruction errors f_j − g(z_j, c_j) − m. Each part can be switched off, by a key of TRAINER.SHIP:

    LIKELIHOOD fixed     the published loss of stage 1
    PRIOR normal         z ~ N(0, I)
    CENTRE False         g(z, c) + m instead of t_c + m̄ + g(z, c) − ḡ(c)
    GAP False            neither m nor m̄
    ENCODER features     q(z | f)
    NOISE False          no ε
    CONTEXT random       stage 1 starts at a random context instead of the template's words

With all of them off this is SYNTHESIS vae, number by number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize
from yacs.config import CfgNode

from ..clip.backbone import Backbone
from ..clip.wording import Wording
from ..features.batches import FeatureBank
from ..keys import TRUTH, Key, one_of
from ..run.randomness import own_random_numbers
from .prompt_vae import PromptVAE
from .synthesizers import VAESynthesizer, covariance_factor

KEYS = {  # the defaults are the method's
    "LIKELIHOOD": Key(
        "calibrated", one_of("fixed", "calibrated"), "residual: fixed is the published loss of stage 1"
    ),
    "PRIOR": Key("posterior", one_of("normal", "posterior"), "residual: z of N(0, I), or of a random base image"),
    "CENTRE": Key(True, TRUTH, "residual: put the mean of a class's features where its text feature is"),
    "GAP": Key(True, TRUTH, "residual: a constant vector between text and image features"),
    "ENCODER": Key("residual", one_of("features", "residual"), "residual: what is encoded, f or f − t_c"),
    "NOISE": Key(True, TRUTH, "residual: noise as the reconstruction errors have it"),
    "CONTEXT": Key("template", one_of("random", "template"), "residual: template: it starts at its words; no N_CTX"),
}
STAGE_TWO = ("PRIOR", "CENTRE", "NOISE")  # keys that stage 1 does not depend on
DRAWS = 256  # of z, for the mean of a class's features
AT_ONCE = 4096  # prompts that are written together


@dataclass
class Fitted:
    """What follows from the base images once stage 1 is over.

    Mean and deviation of their posteriors (N, Z), their mean residual `shift` (D,), a `factor` (N, D) of their
    reconstruction errors' covariance, and as `centres` (C, D) the mean of what is written for each class.
    """

    mean: Tensor
    deviation: Tensor
    shift: Tensor
    factor: Tensor
    centres: Tensor


class ResidualSynthesizer(VAESynthesizer):
    """Writes features of `classnames` by a VAE of the known classes' residuals; `options` has KEYS.

    `views` gives (at least) so many views of the known classes' images. They are asked for with the first features,
    when the VAE has been trained, and never where nothing depends on them.
    """

    def __init__(
        self,
        vae: PromptVAE,
        backbone: Backbone,
        classnames: Sequence[str],
        known: Sequence[str],
        wording: Wording,
        views: Callable[[int], FeatureBank],
        options: CfgNode,
    ) -> None:
        super().__init__(vae, backbone, classnames)
        self.known, self.views, self.options = known, views, options
        self.text_features = wording.features(backbone, classnames)
        self.known_text_features = wording.features(backbone, known)
        self._fitted: Fitted | None = None

    @property
    def fitted(self) -> Fitted:
        if self._fitted is None:
            with own_random_numbers(0):  # drawn on the CPU: the same whatever was drawn before, and after a restart
                self._fitted = self.fit()
        return self._fitted

    @torch.no_grad()
    def fit(self) -> Fitted:
        bank = self.views(1)
        features, labels = bank.features.flatten(end_dim=1), bank.labels.repeat(len(bank.features))
        residuals = features - self.known_text_features[labels]
        mean, log_var = self.vae.encode(residuals if self.options.ENCODER == "residual" else features)
        deviation = torch.exp(0.5 * log_var)
        z = mean + deviation * torch.randn(mean.shape).to(mean)
        errors = features - self.written(VAESynthesizer(self.vae, self.backbone, self.known), z, labels)
        factor = covariance_factor(errors - errors.mean(dim=0))
        if self.options.PRIOR == "posterior":
            rows = torch.randint(len(z), (DRAWS,)).to(z.device)
            some = mean[rows] + deviation[rows] * torch.randn(DRAWS, mean.shape[1]).to(mean)
        else:
            some = torch.randn(DRAWS, mean.shape[1]).to(mean)
        return Fitted(mean, deviation, residuals.mean(dim=0), factor, self.mean_written(some))

    def mean_written(self, z: Tensor) -> Tensor:
        """ḡ(c) over latents (B, Z), for each class: (C, D)."""
        classes = torch.arange(len(self.classnames), device=z.device)
        return torch.stack([self.written(self, z, label.expand(len(z))).mean(dim=0) for label in classes])

    @staticmethod
    def written(writer: VAESynthesizer, z: Tensor, labels: Tensor) -> Tensor:
        """g(z, c) of latents (B, Z) and labels (B,), part by part: (B, D)."""
        return torch.cat([writer(*part) for part in zip(z.split(AT_ONCE), labels.split(AT_ONCE), strict=True)])

    def noise(self, count: int) -> Tensor:
        """Latents, with NOISE followed by the weights of the reconstruction errors: (B, Z + N)."""
        z = super().noise(count)
        if self.options.PRIOR == "posterior":
            rows = torch.randint(len(self.fitted.mean), (count,), device=self.device)
            z = self.fitted.mean[rows] + self.fitted.deviation[rows] * z
        if not self.options.NOISE:
            return z
        return torch.cat([z, torch.randn(count, len(self.fitted.factor), device=self.device)], dim=1)

    @torch.no_grad()
    def write(self, noise: Tensor, labels: Tensor) -> Tensor:
        z, weights = noise.tensor_split([self.vae.latent_dim], dim=1)
        options, made = self.options, self(z, labels)
        if options.CENTRE:
            made = self.text_features[labels] + made - self.fitted.centres[labels]
        if options.GAP:
            made = made + (self.fitted.shift if options.CENTRE else self.vae.gap)
        if options.NOISE:
            made = made + weights @ self.fitted.factor
        return normalize(made, dim=-1) if options.CENTRE or options.GAP or options.NOISE else made

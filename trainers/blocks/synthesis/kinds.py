"""The kinds of synthesis, TRAINER.SHIP.SYNTHESIS: what each needs, and how it is built."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from yacs.config import CfgNode

from ..clip.backbone import Backbone
from ..clip.prompts import tokenize
from ..clip.wording import Wording
from ..features.batches import FeatureBank
from .controls import IsotropicSynthesizer, ShiftedSynthesizer, WithinSynthesizer
from .prompt_vae import PromptVAE
from .residual import ResidualSynthesizer
from .synthesizers import (
    GaussianSynthesizer,
    MeanSynthesizer,
    Synthesizer,
    TextSynthesizer,
    UntrainedSynthesizer,
    VAESynthesizer,
)

TEXT, WITHIN, RESIDUAL, NONE = "text", "within", "residual", "none"
WITH_VAE = {"vae": VAESynthesizer, "untrained": UntrainedSynthesizer, "mean": MeanSynthesizer}
OF_RESIDUALS = {
    "gaussian": GaussianSynthesizer,
    "shifted": ShiftedSynthesizer,
    "isotropic": IsotropicSynthesizer,
    WITHIN: WithinSynthesizer,
}
CLASSES = {**WITH_VAE, TEXT: TextSynthesizer, **OF_RESIDUALS, RESIDUAL: ResidualSynthesizer}
KINDS = (*CLASSES, NONE)
OF_IMAGES = (*OF_RESIDUALS, RESIDUAL, NONE)  # which cannot do without images of base classes


def needs_training(kind: str) -> bool:
    """Whether stage 1 comes before this kind of synthesis."""
    return kind != NONE and CLASSES[kind].needs_training


def build_vae(options: CfgNode, backbone: Backbone, template: str) -> PromptVAE:
    """The VAE that stage 1 trains; `options` are those of TRAINER.SHIP."""
    residual = options.SYNTHESIS == RESIDUAL
    start = words_before_the_class(template, backbone) if residual and options.CONTEXT == "template" else None
    vae = PromptVAE(
        backbone.feature_dim,
        backbone.text.width,
        options.N_CTX if start is None else len(start),
        options.ENCODER_DIM,
        options.GENERATOR_DIM,
        options.GENERATOR_SLOPE,
        options.LATENT_DIM,
        options.BIAS_PER_TOKEN,
        gap=residual and options.GAP,
    )
    if start is not None:
        vae.ctx.data = start.to(vae.ctx)
    return vae


def words_before_the_class(template: str, backbone: Backbone) -> Tensor | None:
    """Embeddings (M, W) of the template's tokens before the class name; None where it begins with that."""
    words = template.partition("{}")[0]
    tokenizer, first = backbone.tokenizer, len(backbone.tokenizer.start)
    count = len(tokenizer.encode(words))
    if not count:
        return None
    with torch.no_grad():
        tokens = tokenize("{}", [words], tokenizer).to(backbone.device)
        return backbone.text.embed(tokens)[0, first : first + count]


def build(
    options: CfgNode,
    classnames: Sequence[str],
    known: Sequence[str],
    vae: PromptVAE,
    backbone: Backbone,
    wording: Wording,
    views: Callable[[int], FeatureBank],
) -> Synthesizer | None:
    """The synthesizer that TRAINER.SHIP's `options` ask for; None for SYNTHESIS none.

    `views` gives (at least) so many views of the known classes' images.
    """
    kind = options.SYNTHESIS
    if kind == NONE:
        return None
    if kind == RESIDUAL:
        return ResidualSynthesizer(vae, backbone, classnames, known, wording, views, options)
    if kind in WITH_VAE:
        return WITH_VAE[kind](vae, backbone, classnames)
    if kind == TEXT:
        return TextSynthesizer(backbone, classnames, wording)
    bank, centres = views(1), wording.features(backbone, known)
    residuals = (bank.features - centres[bank.labels]).flatten(end_dim=1)
    labels = (bank.labels.repeat(len(bank.features)),) if kind == WITHIN else ()
    return OF_RESIDUALS[kind](backbone, classnames, wording, residuals, *labels)

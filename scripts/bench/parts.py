"""The parts of a SHIP run: a step of either stage, evaluation, images; each an action on a given backbone."""

from collections.abc import Sequence
from copy import deepcopy
from functools import partial

import torch
from clip.model import convert_weights
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.openai import parts_of
from trainers.blocks.clip.precision import Precision, encodes_in_bf16
from trainers.blocks.features.batches import Batch, FeatureBank, ImageFeatures, extract
from trainers.blocks.features.cache import FeatureCache
from trainers.blocks.methods.coop import CoOp
from trainers.blocks.synthesis.prompt_vae import PromptVAE, negative_elbo
from trainers.blocks.synthesis.synthesizers import MixedBatches, VAESynthesizer

from .measure import Outcome, quiet
from .plain import make_plain

CONTEXT = "a photo of a"
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def plain_path(backbone: Backbone) -> Backbone:
    """The same CLIP with its own modules: over all 77 tokens, and over all of an image's."""
    return make_plain(Backbone(parts_of(backbone.model), backbone.identity))


def in_half(backbone: Backbone, dtype: torch.dtype) -> Backbone:
    """The same CLIP with weights in 16 bits, as load_backbone has it."""
    model = deepcopy(backbone.model)
    convert_weights(model)
    for weights in model.parameters():
        weights.data = weights.data.to(dtype) if weights.dtype == torch.float16 else weights.data
    return Backbone(parts_of(model), backbone.identity)


def in_bf16(backbone: Backbone) -> Backbone | None:
    """The same CLIP with images encoded in bf16, where the machine computes in it."""
    other = Backbone(parts_of(backbone.model), backbone.identity)
    with quiet():
        other.image.in_bf16 = encodes_in_bf16("TRAINER.FEATURES.IMAGE_PREC", "bf16", backbone.device)
    return other if other.image.in_bf16 else None


class Steps:
    """Steps of training: each call takes one, on random numbers that follow from how many came before."""

    def __init__(self, backbone: Backbone, optimizer: torch.optim.Optimizer) -> None:
        self.backbone, self.optimizer, self.taken = backbone, optimizer, 0
        self.numerics = Precision("fp32", backbone.device)

    def loss(self) -> Tensor:
        raise NotImplementedError

    def __call__(self) -> Outcome:
        torch.manual_seed(self.taken)
        self.taken += 1
        loss = self.loss()
        self.numerics.step(loss, self.optimizer)
        return Outcome([loss.item()])


class StageOne(Steps):
    """PromptVAE on so many features, whose labels are drawn from the classes."""

    def __init__(self, backbone: Backbone, classnames: Sequence[str], prompts: int) -> None:
        torch.manual_seed(0)
        self.features, self.labels = random_features(backbone, prompts, len(classnames))
        self.vae = PromptVAE(backbone.feature_dim, backbone.text.width).to(backbone.device)
        self.writer = VAESynthesizer(self.vae, backbone, classnames)
        super().__init__(backbone, torch.optim.AdamW(self.vae.parameters(), lr=1e-3))

    def loss(self) -> Tensor:
        return negative_elbo(self.vae, self.writer, self.features, self.labels, kl_weight=1.0)[0]


class StageTwo(Steps):
    """SHIP on CoOp: so many real features of the first half of the classes, as many synthesized of the second.

    n_ctx: context tokens of both, learned from random ones; without, "a photo of a" and the VAE's four.
    """

    def __init__(self, backbone: Backbone, classnames: Sequence[str], real: int, n_ctx: int | None = None) -> None:
        torch.manual_seed(0)
        known = -(-len(classnames) // 2)
        features, labels = random_features(backbone, real, known)
        vae = PromptVAE(backbone.feature_dim, backbone.text.width, n_ctx or 4).to(backbone.device)
        bank = FeatureBank(features[None], labels).batches(real, drop_last=True)
        self.batches = MixedBatches(bank, VAESynthesizer(vae, backbone, classnames[known:]), offset=known)
        with quiet():
            self.classifier = CoOp.of(backbone, classnames, N_CTX=n_ctx or 4, CTX_INIT="" if n_ctx else CONTEXT)
        learned = self.classifier.learned.to(backbone.device)
        super().__init__(backbone, torch.optim.SGD(learned.parameters(), lr=0.002))

    def loss(self) -> Tensor:
        ((features, labels),) = self.batches  # an epoch of one step
        return self.classifier.loss(features, labels)[0]


def random_features(backbone: Backbone, count: int, classes: int) -> Batch:
    features = F.normalize(torch.randn(count, backbone.feature_dim), dim=-1)
    return features.to(backbone.device), torch.randint(classes, (count,)).to(backbone.device)


class Images:
    """Pictures of a loader, read, transformed and encoded."""

    def __init__(self, backbone: Backbone, loader: DataLoader) -> None:
        self.batches = ImageFeatures(backbone.encode_image, loader, backbone.device)

    def __call__(self) -> Outcome:
        torch.manual_seed(0)
        extract(self.batches, "images")
        return Outcome()


class Evaluation:
    """Logits of test images: features kept by a cache with a folder, else encoded again; text encoded once."""

    def __init__(
        self, backbone: Backbone, classnames: Sequence[str], loader: DataLoader, cache: FeatureCache
    ) -> None:
        with quiet():
            self.classifier = CoOp.of(backbone, classnames, CTX_INIT=CONTEXT).to(backbone.device)
        self.features = partial(
            *(cache.batch, "test", loader.dataset.data_source, "test", backbone.device),
            lambda rows: extract(ImageFeatures(backbone.encode_image, loader, backbone.device), "test"),
        )
        if cache.folder:
            with quiet():
                self.features()

    def __call__(self) -> Outcome:
        return Outcome(logits=self.classifier.predict(self.features()[0]))

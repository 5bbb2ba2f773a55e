"""The plain path that fast ones are compared with: CLIP's own modules over all 77 positions, images encoded anew."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad
from torch.utils.data import Dataset

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.image_encoder import ImageEncoder
from trainers.blocks.clip.text_encoder import TextEncoder
from trainers.blocks.features.batches import FeatureBank
from trainers.blocks.run.randomness import OwnView


class PlainTextEncoder(TextEncoder):
    """Pads every prompt to the window, and runs each by itself, whatever it shares with others."""

    def __init__(self, model) -> None:
        super().__init__(model)
        self.model = model

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        return self.model.encode_text(tokens)

    def forward(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        groups, prompts = len(prefix), len(suffix)
        before = prefix[:, None].expand(-1, prompts, -1, -1).flatten(0, 1)
        x = torch.cat([before, suffix.expand(groups, *suffix.shape).flatten(0, 1)], dim=1)[:, : self.window]
        x = pad(x, (0, 0, 0, self.window - x.shape[1])).type(self.dtype) + self.positional_embedding.type(self.dtype)
        x = self.model.transformer(x.permute(1, 0, 2)).permute(1, 0, 2)
        x = self.ln_final(x).type(self.dtype)
        ends = (prefix.shape[1] + eot).repeat(groups)
        return (x[torch.arange(len(x)), ends] @ self.text_projection).unflatten(0, (groups, prompts))


class PlainImageEncoder(ImageEncoder):
    """Runs CLIP's whole image tower."""

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        return normalize(self.tower(images.type(self.tower.conv1.weight.dtype)).float(), dim=-1)


def make_plain(backbone: Backbone) -> Backbone:
    """The same backbone, with CLIP's own modules from here on."""
    backbone.image, backbone.text = PlainImageEncoder(backbone.model.visual), PlainTextEncoder(backbone.model)
    return backbone


class ReEncodedViews:
    """Stands in for a bank's features (K, N, D): encodes an image's view anew whenever it is asked for."""

    def __init__(self, encode: Callable[[Tensor], Tensor], images: Dataset, seed: int, views: int) -> None:
        self.encode, self.images, self.seed = encode, images, seed
        self.shape = (views, len(images))

    def __getitem__(self, chosen: tuple[Tensor, Tensor]) -> Tensor:
        views = [
            OwnView(self.images, self.seed, int(view))[int(row)]["img"] for view, row in zip(*chosen, strict=True)
        ]
        return self.encode(torch.stack(views))


def reencode(trainer) -> None:
    """Makes a trainer encode images anew whenever it looks at them."""
    trainer.encode_views = partial(reencoded_views, trainer)


def reencoded_views(trainer, views: int) -> FeatureBank:
    """A bank of the trainer's views, each of which is encoded anew whenever it is asked for."""
    images, encode = trainer.image_loader.dataset, trainer.backbone.encode_image
    labels = torch.tensor([item.label for item in trainer.dm.dataset.train_x])
    return FeatureBank(ReEncodedViews(encode, images, trainer.seed, views), labels)


def recorded_losses(trainer) -> list[float]:
    """The loss of each training step, in both stages, as they come."""
    losses, step = [], trainer.forward_backward
    trainer.forward_backward = lambda batch: (summary := step(batch), losses.append(summary["loss"]))[0]
    return losses

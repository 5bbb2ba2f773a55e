"""The feature of a vision transformer that ends with its class token: its blocks by their parts, nothing else run."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from clip.model import VisionTransformer
from torch import Tensor, nn

from .blocks import Block, JointAttention, Map, SeparateAttention, UnknownLayout, described

Attention = JointAttention | SeparateAttention
CACHE = 20 * 2**20  # bytes; a processor's last one has some 32 MB, and ViT-B/16 was fastest with 8 images (19 MB)


def has_class_token(tower: nn.Module) -> bool:
    """Whether it is a vision transformer of clip or open_clip whose feature is that of its class token."""
    if isinstance(tower, VisionTransformer):
        return True
    plain = type(tower).__name__ == "VisionTransformer" and type(tower).__module__ == "open_clip.transformer"
    return plain and tower.pool_type == "tok" and tower.attn_pool is None and _are_known(tower.transformer.resblocks)


def _are_known(blocks: Iterable[nn.Module]) -> bool:
    try:
        return all(map(described, blocks))
    except UnknownLayout:
        return False


def class_token_feature(tower: nn.Module, images: Tensor) -> Tensor:
    """What a vision transformer makes of images (B, 3, R, R): (B, D). For one that `has_class_token`.

    On a CPU as many images run at once as its cache has room for.
    """
    if images.device.type != "cpu":
        return _feature(tower, images)
    widest = 4 * tower.positional_embedding.numel() * images.element_size()  # bytes of an image within an mlp
    return torch.cat([_feature(tower, some) for some in images.split(even_part(len(images), CACHE // widest))])


def even_part(count: int, most: int) -> int:
    """The largest part of so many, and no more, into which `count` can be cut without a rest; at least 1.

    Where parts differ in size, the last bits of an image's feature would depend on its place.
    """
    return next((size for size in range(min(count, most), 1, -1) if count % size == 0), 1)


def _feature(tower: nn.Module, images: Tensor) -> Tensor:
    """What class_token_feature gives, all images at once.

    Of the last block the class token's row alone is computed: other tokens are there as keys and values. That saves
    7% of ViT-B/16's work.
    """
    patches = tower.conv1(images).flatten(2).transpose(1, 2)
    first = tower.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    x = torch.cat([first, patches], dim=1) + tower.positional_embedding.to(patches.dtype)
    x = tower.ln_pre(x)
    *blocks, last = (_overwriting(described(block)) for block in tower.transformer.resblocks)
    for block in blocks:
        x = block.after_attention(x, _attended(block.attention, block.norm_1(x)))
    x = last.after_attention(x[:, 0], _attended(last.attention, last.norm_1(x), slice(1))[:, 0])
    x = tower.ln_post(x)
    return x if tower.proj is None else x @ tower.proj


def _attended(attention: Attention, x: Tensor, rows: slice = slice(None)) -> Tensor:
    """What the heads gather for some rows of x (B, T, W), or for all: (B, rows, W)."""
    parts = attention.queries(x[:, rows]), *attention.keys_values(x).chunk(2, dim=-1)
    heads = (part.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for part in parts)
    return F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)


def _overwriting(block: Block) -> Block:
    """The same block, with QuickGELU's output where its input was: in eval mode nothing asks for that again."""
    if not isinstance(block.mlp, nn.Sequential):
        return block
    parts = (quick_gelu_ if type(part).__name__ == "QuickGELU" else part for part in block.mlp)
    return replace(block, mlp=partial(_in_turn, tuple(parts)))


def _in_turn(parts: Sequence[Map], x: Tensor) -> Tensor:
    for part in parts:
        x = part(x)
    return x


def quick_gelu_(x: Tensor) -> Tensor:
    """x · sigmoid(1.702 x) in x's own place: two thirds of the time of CLIP's three steps."""
    return F.silu(x.mul_(1.702), inplace=True).div_(1.702)

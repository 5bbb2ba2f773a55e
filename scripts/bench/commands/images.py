"""Compares encoding images in bf16 (TRAINER.FEATURES.IMAGE_PREC) with fp32: cosine similarity, images a second.

    python scripts/benchmark.py images --backbone ViT-B/16 --images /path/to/pictures

Takes pictures from a folder, in any depth; without one, made-up ones: noise of several degrees of smoothness.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from clip.clip import _transform
from common.arguments import CHECKOUT, command_parser
from common.errors import fail
from PIL import Image

from bench import machine
from bench.made_up import noise
from trainers.blocks.clip.backbone import Backbone, load_backbone
from trainers.blocks.clip.precision import encodes_in_bf16
from trainers.blocks.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png")
SHAPES = str(CHECKOUT / "datasets/assets/shapes_clip.pt")


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    device = machine.device()
    try:
        backbone = load_backbone(args.backbone, "fp32", device)
    except InputError as error:
        fail(error)
    images = pictures(args.images, args.count, backbone.resolution).to(device)
    if not encodes_in_bf16("TRAINER.FEATURES.IMAGE_PREC", "bf16", device):
        sys.exit(1)
    exact, plain = encoded(backbone, images, False, args.batch)
    rounded, fast = encoded(backbone, images, True, args.batch)
    similarity = (exact * rounded).sum(dim=-1)
    print(f"{args.backbone}, {len(images)} images, {device.type}, {torch.get_num_threads()} threads")
    print(f"cosine similarity of bf16 and fp32 features: mean {similarity.mean():.6f}, least {similarity.min():.6f}")
    print(f"images a second: fp32 {plain:.1f}, bf16 {fast:.1f}, {fast / plain:.2f} times as many")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py images", __doc__)
    parser.add_argument("--backbone", default=SHAPES, help="name or file (that of shapes)")
    parser.add_argument("--images", help="folder of pictures")
    parser.add_argument("--count", type=int, default=128, help="pictures (128)")
    parser.add_argument("--batch", type=int, default=32, help="pictures at once (32)")
    args = parser.parse_args(argv)
    if min(args.count, args.batch) < 1:
        parser.error("--count and --batch are at least 1")
    return args


def pictures(folder: str | None, count: int, size: int) -> torch.Tensor:
    """So many preprocessed pictures (B, 3, R, R)."""
    if folder is None:
        return noise(count, size, size)
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        fail(f"no pictures ({', '.join(SUFFIXES)}) under {folder}")
    chosen = random.Random(0).sample(paths, min(count, len(paths)))
    return torch.stack([_transform(size)(Image.open(path)) for path in chosen])


def encoded(backbone: Backbone, images: torch.Tensor, in_bf16: bool, batch: int) -> tuple[torch.Tensor, float]:
    """Features, and images encoded a second."""
    backbone.image.in_bf16 = in_bf16
    backbone.encode_image(images[:batch])  # the first time takes longer
    start = machine.now()
    features = torch.cat([backbone.encode_image(some) for some in images.split(batch)])
    return features.cpu(), len(images) / (machine.now() - start)

"""What the benchmarks of the text tower are asked for, and the CLIP that they run on."""

import argparse

import torch
from common.arguments import command_parser

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.chunks import Chunks
from trainers.blocks.errors import InputError

from . import machine
from .architectures import SIZES, random_clip


def parser_of(benchmark: str, description: str) -> argparse.ArgumentParser:
    """With the options that these benchmarks share."""
    parser = command_parser(f"benchmark.py {benchmark}", description)
    add = parser.add_argument
    add("--backbone", default="ViT-B/16", help=f"sizes: {', '.join(SIZES)}; (ViT-B/16)")
    add("--repeats", type=int, default=3, help="times whose median is given (3)")
    add("--threads", type=int, help="with 1 on a CPU, seconds are the processor's (default: PyTorch's number)")
    add("--json", action="store_true", help="print JSON")
    return parser


def prepared(parser: argparse.ArgumentParser, args: argparse.Namespace, images: bool = True) -> Backbone:
    """The backbone, with memory bounded as in a run; ends the program with status 2 for arguments at fault."""
    if min(args.repeats, args.threads or 1) < 1:
        parser.error("--repeats and --threads are at least 1")
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        backbone = random_clip(args.backbone, images, machine.device())
        backbone.text.chunks = Chunks.on(backbone.device)
    except InputError as error:
        parser.error(str(error))
    return backbone

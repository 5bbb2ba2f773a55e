"""Measures reading pictures: ways to decode JPEGs, and reading the next batch while one is encoded.

    python scripts/benchmark.py reading
    python scripts/benchmark.py reading --backbone RN50 --threads 1 --pictures 64

Made-up JPEGs of two sizes are decoded by Pillow, as runs do; by Pillow's draft mode, which decodes a large picture at
a half, a quarter or an eighth of its size; and by torchvision. Whether the image that the tower gets is the same bit
for bit is said beside the time that it takes, and how far pixels are apart, in steps of 8 bits. With one thread these
are the processor's seconds.

Then pictures are read and encoded by a CLIP of random weights: one batch after the other, with a thread that reads
ahead, as runs do that have no loader workers, and with one loader worker. That features are equal bit for bit is
checked before anything is printed. Wall time and the processor's, of all threads and workers: each the shortest of
all turns, as other programs can only lengthen one.

Exit status: 0; 1 where features are not equal; 2 for bad input.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from clip.clip import _transform
from common.arguments import positive
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms.functional import to_pil_image

from bench import machine
from bench.arguments import parser_of, prepared
from bench.made_up import noisy_pictures
from bench.measure import Disagreement, quiet, show
from bench.tables import seconds, text
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.preprocessing import STD
from trainers.blocks.engine.images import read_image
from trainers.blocks.features.batches import ImageFeatures, extract, read_once

SIZES = ((500, 375), (2000, 1500))  # width and height of the JPEGs
DECODED = ("", "ms a\npicture", "of them\nresizing", "Pillow\n/ this", "equal bit\nfor bit", "apart by\non average")
READ = ("", "wall\ns", "one by one\n/ this", "processor\ns", "one by one\n/ this")
CLOCKS = ("wall", "processor")
ONE_BY_ONE, AHEAD = "one by one", "a thread reads ahead"

Transform = Callable[[Image.Image], Tensor]


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of("reading", __doc__)
    parser.add_argument("--pictures", metavar="N", type=positive, default=24, help="of each size (24)")
    parser.add_argument("--batch", metavar="N", type=positive, default=8, help="pictures at once (8)")
    args = parser.parse_args(argv)
    backbone = prepared(parser, args)
    transform = _transform(backbone.resolution)
    decoded, read = {}, {}
    try:
        with tempfile.TemporaryDirectory(prefix="reading-") as folder:
            for width, height in SIZES:
                paths = jpegs(Path(folder), args.pictures, width, height)
                decoded[f"{width} × {height}"] = decoding(paths, transform, args.repeats)
                read[f"{width} × {height}"] = reading(backbone, Pictures(paths, transform), args.batch, args.repeats)
    except Disagreement as error:
        sys.exit(f"error: {error}")
    about = {"backbone": args.backbone, "pictures": args.pictures, "machine": machine.described()}
    print(
        json.dumps({**about, "decoding": decoded, "reading": read}, indent=4)
        if args.json
        else report(about, decoded, read)
    )


def jpegs(folder: Path, count: int, width: int, height: int) -> list[Path]:
    """So many files of noise of several degrees of smoothness."""
    paths = [folder / f"{width}-{number}.jpg" for number in range(count)]
    for path, picture in zip(paths, noisy_pictures(count, height, width), strict=True):
        to_pil_image(picture.mul(0.25).add(0.5).clamp(0, 1)).save(path, quality=90)
    return paths


def by_draft(path: Path, size: int) -> Image.Image:
    """Pillow's draft mode: no smaller than what the picture is resized to, a square of so many pixels."""
    with Image.open(path) as image:
        image.draft("RGB", (size, size))
        return image.convert("RGB")


def by_torchvision(path: Path) -> Image.Image:
    return to_pil_image(decode_jpeg(read_file(str(path)), mode=ImageReadMode.RGB))


def decoding(paths: Sequence[Path], transform: Transform, repeats: int) -> dict[str, dict[str, float]]:
    """By way of decoding: ms a picture, with what resizing and normalizing take of it, and what comes of it."""
    show(f"decoding {paths[0].name}")
    size = len(transform(read_image(paths[0]))[0])
    ways = {"Pillow": read_image, "Pillow, draft mode": partial(by_draft, size=size), "torchvision": by_torchvision}
    rows = {way: decoded(paths, decode, transform, repeats) for way, decode in ways.items()}
    plain = rows["Pillow"][1]
    return {way: {**times, **distance(images, plain)} for way, (times, images) in rows.items()}


def decoded(
    paths: Sequence[Path], decode: Callable[[Path], Image.Image], transform: Transform, repeats: int
) -> tuple[dict[str, float], Tensor]:
    """Medians of ms a picture, and the images (N, 3, R, R)."""
    decoding, resizing = [], []
    for _ in range(repeats):
        start = machine.now()
        pictures = [decode(path) for path in paths]
        middle = machine.now()
        images = torch.stack([transform(picture) for picture in pictures])
        decoding.append(middle - start)
        resizing.append(machine.now() - middle)
    each = 1000 / len(paths)
    times = {"resizing": each * statistics.median(resizing)}
    return {"ms": each * statistics.median(decoding) + times["resizing"], **times}, images


def distance(images: Tensor, plain: Tensor) -> dict[str, float]:
    """Whether images are the same, and how far pixels are apart on average, in steps of 8 bits."""
    steps = (images - plain).abs() * torch.tensor(STD)[:, None, None] * 255
    return {"equal": torch.equal(images, plain), "steps": steps.mean().item()}


class Pictures(Dataset):
    """Files as the test sees them."""

    def __init__(self, paths: Sequence[Path], transform: Transform) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> dict:
        return {"img": self.transform(read_image(self.paths[row])), "label": row}


def reading(backbone: Backbone, images: Pictures, batch: int, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds by way of reading and encoding them. Raises Disagreement where features are not the same."""
    show(f"reading and encoding {images.paths[0].name}")
    ready = list(DataLoader(images, batch))

    def features(loader: DataLoader) -> Tensor:
        with quiet():
            return extract(ImageFeatures(backbone.encode_image, loader, backbone.device), "")[0]

    ways = {
        "reading alone": lambda: list(DataLoader(images, batch)),
        "encoding alone": lambda: features(ready),
        ONE_BY_ONE: lambda: features(DataLoader(images, batch)),
        AHEAD: lambda: features(read_once(images, batch_size=batch)),
        "one loader worker": lambda: features(read_once(images, batch_size=batch, num_workers=1)),
    }
    expected, times = features(ready), {way: [] for way in ways}
    for _ in range(repeats):
        for way, action in ways.items():
            wall, processor = time.perf_counter(), sum(os.times()[:4])
            found = action()
            times[way].append((time.perf_counter() - wall, sum(os.times()[:4]) - processor))
            if torch.is_tensor(found) and not torch.equal(found, expected):
                raise Disagreement(f"{way}: other features")
    return {way: dict(zip(CLOCKS, map(min, zip(*some, strict=True)), strict=True)) for way, some in times.items()}


def report(about: Mapping, decoded: Mapping, read: Mapping) -> str:
    parts = [machine.summary({**about["machine"], "seconds": f"{about['pictures']} pictures"})]
    for size, rows in decoded.items():
        lines = [
            [way, *(f"{row[key]:.1f}" for key in ("ms", "resizing")), f"{rows['Pillow']['ms'] / row['ms']:.2f}"]
            + ["yes" if row["equal"] else "no", f"{row['steps']:.2f}"]
            for way, row in rows.items()
        ]
        parts.append(f"JPEGs of {size}\n\n{text(DECODED, lines)}")
    for size, times in read.items():
        lines = [[way, *(cell for clock in CLOCKS for cell in cells(times, way, clock))] for way in times]
        parts.append(f"JPEGs of {size}, {about['backbone']}\n\n{text(READ, lines)}")
    return "\n\n".join(parts)


def cells(times: Mapping[str, Mapping[str, float]], way: str, clock: str) -> tuple[str, str]:
    took = times[way][clock]
    return seconds(took), f"{times[ONE_BY_ONE][clock] / took:.2f}" if took else "–"

"""Measures how long a run takes to its first training step on a dataset of many listed images.

    python scripts/benchmark.py loading --images 100000 --round-trip 0.5

Makes such a dataset (small pictures, hard links to one file for each class, and a split file) in a temporary folder,
starts train.py on it, and takes the time from the start of the process to the line of the first step. Beside it: the
time that the loader takes, and that of finding out whether all images are there, by listing folders as it does and by
asking for each file. Prints JSON. The files have just been made, so a local disk answers from memory; on a network
disk each listing, and each question, costs a round trip, which --round-trip imitates by waiting.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from unittest import mock

import torch
from common.arguments import CHECKOUT, command_parser
from dassl.data.datasets import Datum
from PIL import Image
from yacs.config import CfgNode

from datasets.caltech101 import Caltech101
from datasets.splits import missing_images

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
FIRST_STEP = "epoch [1/"


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="benchmark-") as root:
        make_dataset(Path(root), args.images, args.classes)
        cold = [seconds_to_first_step(root, args.shots) for _ in range(args.repeats)]
        cfg = CfgNode({"DATASET": {"ROOT": root, "NUM_SHOTS": args.shots, "SUBSAMPLE_CLASSES": "all"}, "SEED": 1})
        items = [item for part in Caltech101.listed(cfg) for item in part]
        figures = {
            "cold start to first step": statistics.median(cold),
            "of it the loader": median_seconds(lambda: Caltech101(cfg), args.repeats),
        }
        with slow_disk(args.round_trip / 1000):
            figures["images there, by listing folders"] = median_seconds(lambda: missing_images(items), args.repeats)
            figures["images there, file by file"] = median_seconds(lambda: check_each(items), args.repeats)
    listed, asked = list(figures.values())[2:]
    report = {
        "images": len(items),
        "classes": args.classes,
        "shots": args.shots,
        "seconds": {name: round(value, 3) for name, value in figures.items()},
        "cold starts": [round(value, 2) for value in cold],
        "file by file / by listing": round(asked / listed, 2),
        "imitated round trip, ms": args.round_trip,
        "machine": f"{platform.platform()}, {os.cpu_count()} CPUs, PyTorch {torch.__version__}",
    }
    print(json.dumps(report, indent=4))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py loading", __doc__)
    parser.add_argument("--images", type=int, default=100_000, help="listed images (100000)")
    parser.add_argument("--classes", type=int, default=1000, help="classes, each with a folder (1000)")
    parser.add_argument("--shots", type=int, default=-1, help="training images a class (-1: all)")
    parser.add_argument("--repeats", "--repeat", type=int, default=3, help="times of each, whose median is given (3)")
    parser.add_argument("--round-trip", type=float, default=0, metavar="MS", help="of an imitated network disk (0)")
    parser.add_argument("--folder", help="where the dataset is made for a while (default: the temporary folder)")
    args = parser.parse_args(argv)
    if min(args.repeats, args.classes) < 1 or args.images < args.classes:
        parser.error("--repeats and --classes are at least 1, and --images at least --classes")
    return args


def make_dataset(root: Path, images: int, classes: int) -> None:
    """A dataset in Caltech101's layout: a folder for each class."""
    count = images // classes
    split = {part: [] for part in SHARES}
    parts = random.Random(0).choices(list(SHARES), SHARES.values(), k=count - 1)
    folder = root / Caltech101.folder / Caltech101.images
    for label in range(classes):
        name = f"class {label}"
        (folder / name).mkdir(parents=True)
        picture = folder / name / "0.jpg"
        Image.new("RGB", (64, 64), (label % 256, label // 256, 0)).save(picture)
        for i, part in enumerate(["train", *parts]):
            if i:
                os.link(picture, folder / name / f"{i}.jpg")
            split[part].append([f"{name}/{i}.jpg", label, name])
    (root / Caltech101.folder / Caltech101.split).write_text(json.dumps(split), encoding="utf-8")


def seconds_to_first_step(root: str, shots: int) -> float:
    """From the start of train.py to the line of its first training step, where it is ended."""
    command = [
        *(sys.executable, "-u", CHECKOUT / "train.py", "--root", root, "--seed", "1", "--trainer", "CoOp"),
        *("--output-dir", Path(root, "output", str(time.time_ns()))),
        *("--dataset-config-file", CHECKOUT / f"configs/datasets/{Caltech101.config_name}.yaml"),
        *("--config-file", CHECKOUT / "configs/trainers/CoOp/shapes.yaml"),
        *("DATASET.NUM_SHOTS", shots, "TRAINER.FEATURES.VIEWS", 0, "TRAIN.PRINT_FREQ", 1),
        *("MODEL.BACKBONE.NAME", CHECKOUT / "datasets/assets/shapes_clip.pt"),
    ]
    lines = []
    start = time.perf_counter()
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        for line in run.stdout:
            lines.append(line)
            if line.startswith(FIRST_STEP):
                seconds = time.perf_counter() - start
                run.kill()
                return seconds
    sys.exit(f"train.py ended before its first step:\n{''.join(lines[-20:])}")


@contextmanager
def slow_disk(seconds: float) -> Iterator[None]:
    """Lets every listing of a folder, and every question about a file, take so much longer."""
    if not seconds:
        yield
        return

    def late(call: Callable) -> Callable:
        return lambda path: (time.sleep(seconds), call(path))[1]

    with mock.patch("os.listdir", late(os.listdir)), mock.patch("os.path.isfile", late(os.path.isfile)):
        yield


def check_each(items: list[Datum]) -> None:
    for item in items:
        os.path.isfile(item.impath)


def median_seconds(action: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        with redirect_stdout(sys.stderr):
            action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)

"""Learns to tell classes apart from pictures of some of them and the names of others.

    bash scripts/fit.sh birds --without-pictures "snow bunting, hoopoe"
    bash scripts/fit.sh birds --without-pictures names.txt --method ship_clip_adapter TRAINER.SHIP.BALANCE True
    bash scripts/fit.sh birds --backbone RN50 DATASET.TEMPLATE "a photo of a {}, a type of bird."

FOLDER has a folder of pictures for each class; one picture will do. All of them train, but for a fifth of those of a
class with five or more, held back to judge by. SHIP synthesizes features for the names without pictures; with
TRAINER.SHIP.BALANCE True also for classes with few, so that all weigh alike. Without a picture it is zero-shot CLIP.
It ends with what is known of each class, and the command that classifies pictures. Killed, the same command goes on.

Exit status: 0; 2 for bad input; else train.py's.
"""

import argparse
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from common.arguments import CHECKOUT, OUTPUT, command_parser
from common.command import run_command
from common.errors import fail, fail_on_file
from protocols.backbones import find_backbone
from protocols.methods import Method, Recipe, find_method

from trainers.blocks.errors import InputError

VIEWS = 4  # of each picture, encoded once
TEST_BATCH = 16  # pictures encoded at once
STEPS = 4  # an epoch, with few pictures: batches are as large as that needs
SMALLEST = 8  # batch, where there are so many pictures
SHOWN = 100  # classes with pictures that the table at the end has, and as many without


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("fit.sh", __doc__)
    add = parser.add_argument
    add("folder", metavar="FOLDER", type=Path, help="folder with a folder of pictures for each class")
    add("pairs", nargs="*", metavar="KEY VALUE", help="pairs for train.py, see docs/configuration.md")
    add("--without-pictures", default="", metavar="NAMES", help="names with commas between, or a file of lines")
    add("--method", default="ship", help="a name from configs/methods.yaml, or ship_X for SHIP on X (ship)")
    add("--recipe", default="", help="a name from configs/trainers/TRAINER (default: that for CLIP's ViT-B/16)")
    names = "a file of configs/backbones, or a name or path as MODEL.BACKBONE.NAME takes it (the recipe's)"
    add("--backbone", default="", metavar="NAME", help=names)
    add("--output", type=Path, help="the run's folder (output/fit/FOLDER/METHOD/seedN)")
    add("--seed", type=int, default=1, metavar="N", help="of all that is random (1)")
    args = parser.parse_intermixed_args(argv)
    if len(args.pairs) % 2:
        parser.error(f"KEY VALUE pairs do not pair up: {' '.join(args.pairs)}")
    if args.seed < 0:
        parser.error("argument --seed: it is at least 0")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        method = find_method(args.method).with_recipe(args.recipe)
        recipe = method.recipe("base2new", "", -1)
        args.backbone = find_backbone(args.backbone) if args.backbone else None
        output = args.output or OUTPUT / "fit" / args.folder.resolve().name / method.name / f"seed{args.seed}"
    except ValueError as error:
        fail(error)
    import compat

    compat.ensure()
    from datasets import DatasetError

    try:
        known = KnownPictures(args.folder)
        names = names_without_pictures(args, known)
        if known.classes:
            fit(args, method, recipe, output, known)
        else:
            zero_shot(args, output, names)
    except (InputError, DatasetError, *compat.input_errors()) as error:
        fail(error)
    except OSError as error:
        fail_on_file(error)
    report(output, known, names)


class KnownPictures:
    """What pictures a folder has, by class: to train on, and held back. Raises DatasetError."""

    def __init__(self, folder: Path) -> None:
        from yacs.config import CfgNode

        from datasets.imagefolder import OwnPictures
        from datasets.splits import DatasetError

        self.root, self.name = folder.resolve().parent, folder.resolve().name
        if not folder.is_dir():
            raise DatasetError(f"There is no folder {folder}; it has a folder of pictures for each class.")
        cfg = CfgNode({"DATASET": {"ROOT": str(self.root), "FOLDER": self.name}})
        self.classes = OwnPictures.located(cfg).class_folders(folder)
        train, held_back = (), ()
        if self.classes:
            train, held_back, _ = OwnPictures.listed(cfg)
        self.train = Counter(item.classname for item in train)
        self.held_back = Counter(item.classname for item in held_back)

    @property
    def names(self) -> list[str]:
        """Of the classes, which classnames.txt may call otherwise than their folders."""
        return list(self.train)


def names_without_pictures(args: argparse.Namespace, known: KnownPictures) -> list[str]:
    """The names given; raises DatasetError for those that do not go with the folder."""
    from datasets.label_only import names_in, read_as
    from datasets.splits import DatasetError, first_few

    names = names_in(args.without_pictures, "--without-pictures") if args.without_pictures else []
    have = {read_as(name): name for name in known.names}
    both = [name for name in names if read_as(name) in have]
    if both:
        raise DatasetError(
            f"--without-pictures names {first_few(both)}, of which {args.folder} has pictures: leave the name "
            "out, or move the pictures out of that folder to do without them."
        )
    everything = [*known.names, *names]
    if not everything:
        raise DatasetError(
            f"{args.folder} has no class folders with pictures, and --without-pictures names no classes."
        )
    if len(everything) == 1:
        raise DatasetError(f"There is one class only, {everything[0]}: name others with --without-pictures.")
    return names


# --- training


def fit(args: argparse.Namespace, method: Method, recipe: Recipe, output: Path, known: KnownPictures) -> None:
    """Trains, by train.py, unless the folder has this run already."""
    import train

    text = args.without_pictures
    names = str(Path(text).expanduser().absolute()) if os.path.isfile(text) else text
    pairs = [*settings(args, recipe, sum(known.train.values())), *recipe.pairs, "DATASET.LABEL_ONLY", repr(names)]
    train.main(arguments(args, method.trainer, recipe, output, [*pairs, *args.pairs]))


def zero_shot(args: argparse.Namespace, output: Path, names: Sequence[str]) -> None:
    """Leaves a run of zero-shot CLIP among these names."""
    import torch

    import train
    from configuration import default_cfg, setup_cfg
    from trainers.all import TRAINERS
    from trainers.blocks.run import folder as run_folder
    from trainers.blocks.run.classes import Classes
    from trainers.blocks.run.results import EVALUATION, write_config
    from trainers.blocks.training.predicting import without_images

    print(f"No pictures of any class: this is zero-shot CLIP among {len(names)} names, and nothing is trained")
    recipe = find_method("zsclip").with_recipe(args.recipe).recipe("base2new", "", -1)
    words = arguments(args, "ZeroshotCLIP", recipe, output, [*settings(args, recipe, 1), *args.pairs])
    parsed = train.parse_args(words)
    cfg = setup_cfg(parsed)
    train.check(cfg, parsed)
    with run_folder.locked(cfg.OUTPUT_DIR):
        run_folder.complete_record(run_folder.RequestedRun(cfg, default_cfg(), EVALUATION))
        trainer = without_images(TRAINERS["ZeroshotCLIP"], cfg, Classes.of(names))
        write_config(cfg, cfg.OUTPUT_DIR)
        nothing = torch.zeros(0, dtype=torch.long)
        trainer.write_results({}, nothing, nothing, "test")


def arguments(
    args: argparse.Namespace, trainer: str, recipe: Recipe, output: Path, pairs: Sequence[object]
) -> list[str]:
    """What train.py is given."""
    folder = args.folder.resolve()
    words = ["--root", folder.parent, "--seed", args.seed, "--trainer", trainer, "--output-dir", output]
    words += [word for file in recipe.files for word in ("--config-file", file)]
    if args.backbone:
        words += [word for file in args.backbone.files for word in ("--config-file", file)]
        words += ["--backbone", args.backbone.name]
    own = ["DATASET.NAME", "OwnPictures", "DATASET.FOLDER", repr(folder.name), "DATASET.NUM_SHOTS", -1]
    return [str(word) for word in (*words, *own, *pairs)]


def settings(args: argparse.Namespace, recipe: Recipe, pictures: int) -> list[object]:
    """What differs from the recipe with few pictures on a small machine, as KEY VALUE pairs."""
    pairs: list[object] = ["DATALOADER.NUM_WORKERS", 0, "DATALOADER.TEST.BATCH_SIZE", TEST_BATCH]
    pairs += ["TRAINER.FEATURES.VIEWS", VIEWS]
    for key in ("DATALOADER.TRAIN_X.BATCH_SIZE", "TRAINER.SHIP.BATCH_SIZE"):
        size = written_in(recipe, key)
        if size:
            pairs += [key, min(size, max(SMALLEST, pictures // STEPS), pictures)]
    if args.backbone and not args.backbone.file:
        size = resolution_of(args.backbone.name)
        pairs += ["INPUT.SIZE", f"({size}, {size})"]
    return pairs


def written_in(recipe: Recipe, key: str) -> Any:
    """The value of a key in the recipe's files; None where they do not have it."""
    from trainers.blocks.run.identity import flatten

    values: dict[str, Any] = {}
    for file in recipe.files:
        values |= flatten(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    return values.get(key)


def resolution_of(backbone: str) -> int:
    """Height and width, in pixels, of the pictures that a CLIP takes; weights are read only where that is needed."""
    from trainers.blocks.clip.backbone import load_backbone, stated_preprocessing
    from trainers.blocks.clip.files import file_of

    stated = stated_preprocessing(backbone).size
    if stated:
        return stated
    try:
        return resolution_in(file_of(backbone))
    except Exception:  # no plain state dict in OpenAI's layout: the loader takes it, or says what is wrong with it
        return load_backbone(backbone, "fp32", "cpu").resolution


def resolution_in(path: Path) -> int:
    """The same by the shapes in a state dict, of which nothing else is read."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if "visual.attnpool.positional_embedding" in state:  # a ResNet halves its pictures five times before that
        places, step = state["visual.attnpool.positional_embedding"].shape[0], 32
    else:
        places, step = state["visual.positional_embedding"].shape[0], state["visual.conv1.weight"].shape[-1]
    return step * math.isqrt(places - 1)  # one place is not of the grid


# --- what is known


def report(output: Path, known: KnownPictures, names: Sequence[str]) -> None:
    """Prints what can be said of each class, and how to go on."""
    from tabulate import tabulate

    from trainers.blocks.run.results import FILE_NAME, read_record

    record = read_record(output)
    per_class = record.get("per_class_accuracy", {})
    rows = []
    for name in (*known.names[:SHOWN], *names[:SHOWN]):
        figure = (
            f"{per_class[name]:.1f}%" if known.held_back[name] and name in per_class else "no pictures to judge by"
        )
        rows.append((name, known.train[name], known.held_back[name], figure))
    print("\n" + tabulate(rows, ("class", "trained on", "held back", "accuracy on those held back")))
    more = sum(max(0, len(some) - SHOWN) for some in (known.names, names))
    if more:
        print(f"… and {more:,} more classes; accuracies are in {output / FILE_NAME}")
    total = sum(known.held_back.values())
    if total:
        print(f"\nAll {total} held-back pictures: {record['metrics']['accuracy']:.1f}%")
    where = os.path.relpath(output) if output.is_relative_to(Path.cwd()) else output
    script = os.path.relpath(CHECKOUT / "scripts/predict.py")
    print(f"\nTo classify pictures: python {script} {where} PICTURES…")


if __name__ == "__main__":
    run_command(main)

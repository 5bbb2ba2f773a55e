"""Classifies pictures with what a run has learned.

    python scripts/predict.py output/fit/birds/ship/seed1 holiday/ jay.png
    python scripts/predict.py RUN PICTURES --classes "jay, crow, a red fox" --top 3 --csv predictions.csv
    python scripts/predict.py RUN PICTURES --classes new --calibrate --json predictions.json

RUN is a run's output folder; PICTURES are files and folders. Classes are the run's own unless --classes says base,
new, all, or names: any that CLIP can read. Methods that can say something about a class without pictures just do;
SHIP synthesizes what its classifier needs for the names given, and says so. The images of the run's dataset are not
read, but with --calibrate its validation images: probabilities are then by the temperature that fits them best.
Where classes with and without training images compete, the run's penalty on the former (TRAINER.GZSL) is applied.

Exit status: 0; 1 where pictures could not be read, which are listed; 2 for bad input.
"""

import argparse
import contextlib
import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.arguments import command_parser, positive
from common.command import run_command
from common.errors import fail, fail_on_file
from own.pictures import find_pictures

from trainers.blocks.errors import InputError
from trainers.blocks.run.files import replace_file

SHOWN = 20  # pictures printed where a file has all of them


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("predict.py", __doc__)
    add = parser.add_argument
    add("run", metavar="RUN", type=Path, help="output folder of a complete run")
    add(
        "pictures", metavar="PICTURES", nargs="+", type=Path, help="picture files, and folders with them at any depth"
    )
    add(
        "--classes", default="", metavar="NAMES", help="base, new, all; names with commas between; or a file of lines"
    )
    add("--top", type=positive, default=5, metavar="N", help="classes a picture (5)")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--csv", type=Path, metavar="FILE", help="write a row for each picture")
    formats.add_argument("--json", type=Path, metavar="FILE", help="write a list of pictures")
    add("--calibrate", action="store_true", help="fit a temperature to the run's validation pictures")
    add("--data", type=Path, help="--calibrate: folder of the datasets, if not where the run had it")
    moved = "the run's, if its file has moved: a name or path as MODEL.BACKBONE.NAME takes it"
    add("--backbone", default="", metavar="NAME", help=moved)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    import compat

    compat.ensure()
    from datasets import DatasetError
    from datasets.folders import IMAGE_ENDINGS

    try:
        files = find_pictures(args.pictures, IMAGE_ENDINGS)
        check_writable(args.csv or args.json)
        unreadable = predict(args, files)
    except (InputError, DatasetError, ValueError, *compat.input_errors()) as error:
        fail(error)
    except OSError as error:
        fail_on_file(error)
    sys.exit(1 if unreadable else 0)


def check_writable(path: Path | None) -> None:
    """Raises ValueError, before anything is computed, for a file in a folder that is not there."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise ValueError(
            f"{path} cannot be written: " + ("it is a folder" if path.is_dir() else "its folder is not there")
        )


def predict(args: argparse.Namespace, files: Sequence[str]) -> list[str]:
    """Prints and writes predictions; gives the files that cannot be read."""
    from own.saved_run import SavedRun

    from trainers.blocks.clip.class_names import check_class_names
    from trainers.blocks.training.predicting import encode_pictures

    run = SavedRun(args.run)
    classes = wanted_classes(run, args.classes)
    if len(classes) < 2:
        raise ValueError(f"there is one class only, {classes[0]}: nothing to choose from")
    trainer, temperature = load(run, args)
    check_class_names(classes, trainer.backbone.tokenizer)
    trainer.know(classes)
    features, rows = encode_pictures(trainer, files)
    if len(rows):
        logits = trainer.classifier.predict(features) - penalties(run, classes).to(features)
        probabilities = (logits.double() / temperature).softmax(dim=-1)
        top = probabilities.topk(min(args.top, len(classes)))
        names = classes.distinct()
        best = [[names[index] for index in indices] for indices in top.indices.tolist()]
        tell(args, [files[row] for row in rows.tolist()], best, top.values.tolist())
    unreadable = sorted(set(range(len(files))) - set(rows.tolist()))
    return say_unreadable([files[row] for row in unreadable])


def wanted_classes(run: Any, text: str) -> Any:
    """The run's own classes, a half, or those of the names given."""
    from own.saved_run import SUBSETS

    from datasets.label_only import names_in

    if not text:
        return run.own
    return run.subset(text) if text in SUBSETS else run.named(names_in(text, "--classes"))


def penalties(run: Any, classes: Sequence[str]) -> Any:
    """What is subtracted from the logits (C,): the run's penalty on seen classes, where others compete with them."""
    import torch

    seen = torch.tensor([row is not None for row in run.seen.find(classes)])
    mixed = bool(seen.any() and not seen.all())
    if mixed and run.penalty is not None:
        print(f"Subtracted from the logits of {int(seen.sum())} seen classes: {run.penalty:.3f}, the run's penalty")
        return run.penalty * seen
    if mixed and run.calibrates:
        print(
            "Note: nothing is subtracted from the logits of seen classes. The run's TRAINER.GZSL.CALIBRATION_COST "
            "chooses that in a test of all classes: name the folder of such a test as RUN"
        )
    return torch.zeros(len(seen))


def load(run: Any, args: argparse.Namespace) -> tuple[Any, float]:
    """The run's trainer with its model, and the temperature: 1, or that of its validation pictures."""
    from trainers.blocks.training.predicting import temperature_of

    trainer = run.load(args, images=args.calibrate)
    if not args.calibrate:
        return trainer, 1.0
    if not trainer.dm.dataset.val:
        raise ValueError(f"--calibrate: {run.folder} has no validation pictures")
    with contextlib.redirect_stdout(io.StringIO()), trainer.among_own_classes():
        features, labels = trainer.evaluation_features("val")
        temperature = temperature_of(trainer.classifier.predict(features), labels)
    print(f"Temperature {temperature:.3f}, by {len(labels)} validation pictures")
    return trainer, temperature


# --- output


def tell(
    args: argparse.Namespace, files: Sequence[str], best: Sequence[Sequence[str]], shares: Sequence[Sequence[float]]
) -> None:
    """Prints the best classes of each picture, and writes them to the file that is asked for."""
    written = args.csv or args.json
    for file, names, values in list(zip(files, best, shares, strict=True))[: SHOWN if written else None]:
        print(
            f"{file}: " + ", ".join(f"{name} {100 * value:.1f}%" for name, value in zip(names, values, strict=True))
        )
    if written:
        replace_file(written, (as_csv if args.csv else as_json)(files, best, shares).encode())
        print(f"Written: {written} ({len(files)} pictures)")


def as_csv(files: Sequence[str], best: Sequence[Sequence[str]], shares: Sequence[Sequence[float]]) -> str:
    """Rows with columns picture, class_1, probability_1, class_2, …"""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    ranks = range(1, len(best[0]) + 1)
    writer.writerow(["picture", *(f"{column}_{rank}" for rank in ranks for column in ("class", "probability"))])
    for file, names, values in zip(files, best, shares, strict=True):
        writer.writerow([file, *(cell for pair in zip(names, values, strict=True) for cell in pair)])
    return table.getvalue()


def as_json(files: Sequence[str], best: Sequence[Sequence[str]], shares: Sequence[Sequence[float]]) -> str:
    """A list of {"picture": …, "classes": [{"name": …, "probability": …}, …]}, the likeliest first."""
    found = [
        {
            "picture": file,
            "classes": [{"name": name, "probability": value} for name, value in zip(*pair, strict=True)],
        }
        for file, *pair in zip(files, best, shares, strict=True)
    ]
    return json.dumps(found, indent=1, ensure_ascii=False)


def say_unreadable(files: Sequence[str]) -> list[str]:
    """Lists files that cannot be read, with reasons."""
    from trainers.blocks.engine.images import ImageError, read_image

    for file in files:
        try:
            read_image(file)
        except ImageError as error:
            print(f"skipped: {error}", file=sys.stderr)
    return list(files)


if __name__ == "__main__":
    run_command(main)

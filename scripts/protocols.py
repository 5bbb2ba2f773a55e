"""The base-to-new protocol: train on the base classes, test on base and new ones, for several seeds; then the table.

Complete runs (those with a results.json) are not repeated; any other folder is run again. Output goes to
OUTPUT/base2new/train_base/DATASET/shots_N/TRAINER/RECIPE/seedS and .../test_new/..., as CoOp's scripts have it.
"""

import argparse
import ast
import difflib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables import base2new_table

CHECKOUT = Path(__file__).resolve().parents[1]
CONFIGS = CHECKOUT / "configs"
FOLDERS = {"base": "train_base", "new": "test_new"}


EMBEDDED = ("shapes", "shapes_dev", "shapes_style")  # they come with a backbone of their own, so with recipes too


@dataclass(frozen=True)
class Method:
    """A method's trainer and its recipes: those that the published figures were made with."""

    trainer: str
    default: str
    imagenet: str = ""  # where ImageNet has one of its own
    trains: bool = True
    knows_new: bool = True  # whether it can say anything about classes that it has not seen

    def recipe(self, dataset: str) -> str:
        if dataset in EMBEDDED:
            return "shapes"
        return self.imagenet if self.imagenet and dataset == "imagenet" else self.default


METHODS = {
    "zsclip": Method("ZeroshotCLIP", "vit_b16", trains=False),
    "coop": Method("CoOp", "vit_b16_ctxv1", "vit_b16_ep50_ctxv1"),
    "cocoop": Method("CoCoOp", "vit_b16_c4_ep10_batch1_ctxv1"),
    "clip_adapter": Method("CLIPAdapter", "vit_b16", "vit_b16_imagenet"),
    "tip_adapter": Method("TipAdapter", "vit_b16", "vit_b16_imagenet", knows_new=False),
    "tip_adapter_f": Method("TipAdapterF", "vit_b16", "vit_b16_imagenet", knows_new=False),
    "ship": Method("SHIP", "vit_b16", "vit_b16_imagenet"),
}
BASELINES = ("zsclip", "coop")


@dataclass(frozen=True)
class Run:
    """One call of train.py: a method trained and tested on the base classes, or tested on the new ones."""

    method: Method
    recipe: str
    seed: int
    classes: str
    args: argparse.Namespace

    def folder(self, classes: str | None = None) -> Path:
        args = self.args
        part = Path("base2new", FOLDERS[classes or self.classes], args.dataset, f"shots_{args.shots}")
        return args.output / part / self.method.trainer / self.recipe / f"seed{self.seed}"

    @property
    def title(self) -> str:
        action = (
            "train and test on base" if self.method.trains and self.classes == "base" else f"test on {self.classes}"
        )
        return f"{self.method.trainer} seed {self.seed}: {action}"

    def command(self) -> list[str]:
        args, trainer = self.args, self.method.trainer
        command = [
            *(sys.executable, str(CHECKOUT / "train.py"), "--root", str(args.data), "--seed", str(self.seed)),
            *("--trainer", trainer, "--output-dir", str(self.folder())),
            *("--dataset-config-file", str(CONFIGS / "datasets" / f"{args.dataset}.yaml")),
            *("--config-file", str(CONFIGS / "trainers" / trainer / f"{self.recipe}.yaml")),
        ]
        if self.classes == "new" or not self.method.trains:
            command.append("--eval-only")
        if self.classes == "new" and self.method.trains:
            command += ["--model-dir", str(self.folder("base"))]
        return [
            *(*command, "DATASET.NUM_SHOTS", str(args.shots), "DATASET.SUBSAMPLE_CLASSES", self.classes),
            *args.pairs,
        ]

    def record(self) -> dict | None:
        """What results.json says, if the run is complete."""
        path = self.folder() / "results.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="base2new.sh"
    )
    parser.add_argument("--method", choices=METHODS, default="ship", help=argparse.SUPPRESS)
    parser.add_argument("dataset", metavar="DATASET", help="a name from configs/datasets, such as imagenet or shapes")
    parser.add_argument("rest", nargs="*", metavar="SEED|KEY VALUE", help="seeds (1 2 3), then pairs for train.py")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("DATA") or CHECKOUT / "data",
        help="folder of the datasets (default: the environment's DATA, else data/ in the checkout)",
    )
    parser.add_argument("--output", type=Path, default=CHECKOUT / "output", help="default: output/ in the checkout")
    parser.add_argument("--recipe", help="a name from configs/trainers/TRAINER, for the script's own method")
    parser.add_argument("--shots", type=int, default=16, help="training images a class (16)")
    parser.add_argument("--with-baselines", action="store_true", help="also run zero-shot CLIP and CoOp")
    parser.add_argument("--quiet", action="store_true", help="one line a run; the rest is in its log.txt")
    args = parser.parse_intermixed_args(argv)
    args.seeds, args.pairs = split_rest(args.rest)
    if len(args.pairs) % 2:
        parser.error(f"KEY VALUE pairs do not pair up: {' '.join(args.pairs)}")
    known = sorted(path.stem for path in (CONFIGS / "datasets").glob("*.yaml"))
    if args.dataset not in known:
        near = difflib.get_close_matches(args.dataset, known, n=1)
        parser.error(
            f"no dataset {args.dataset!r}; there are {', '.join(known)}."
            + (f" Did you mean {near[0]}?" if near else "")
        )
    return args


def split_rest(rest: Sequence[str]) -> tuple[list[int], list[str]]:
    """Leading numbers are seeds; what follows are KEY VALUE pairs."""
    count = next((i for i, word in enumerate(rest) if not word.isdigit()), len(rest))
    return [int(word) for word in rest[:count]] or [1, 2, 3], list(rest[count:])


def plan(args: argparse.Namespace) -> Iterator[Run]:
    names = [*(BASELINES if args.with_baselines else ()), args.method]
    for name in dict.fromkeys(names):
        method = METHODS[name]
        recipe = args.recipe if args.recipe and name == args.method else method.recipe(args.dataset)
        for seed in args.seeds:
            for classes in FOLDERS if method.knows_new else ("base",):
                yield Run(method, recipe, seed, classes, args)


def differing(record: dict, pairs: Sequence[str]) -> list[str]:
    """Pairs that a complete run was made without."""
    different = []
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        node = record["config"]
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node != decode(value):
            different.append(f"{key} {value} (there: {node})")
    return different


def decode(value: str) -> object:
    """A KEY VALUE pair's value as results.json has it: read as Python, else taken as text, as yacs does."""
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return list(literal) if isinstance(literal, tuple) else literal


def execute(run: Run, number: str, again: bool) -> bool:
    """Runs unless complete; returns whether it ran. Exits with train.py's status where that fails."""
    record = None if again else run.record()
    if record is not None:
        different = differing(record, run.args.pairs)
        if different:
            fail(
                f"{run.folder()} holds a run made without {', '.join(different)}; "
                "choose another --output, or delete that folder.",
                2,
            )
        print(f"{number} {run.title}: complete, accuracy {record['metrics']['accuracy']:.1f}", flush=True)
        return False
    print(f"{number} {run.title} -> {run.folder()}", flush=True)
    start = time.monotonic()
    status = subprocess.run(run.command(), stdout=subprocess.DEVNULL if run.args.quiet else None).returncode
    record = run.record()
    if status or record is None:
        fail(f"{run.title} failed with status {status}; see {run.folder()}/log.txt", status or 1)
    print(f"{number} accuracy {record['metrics']['accuracy']:.1f}, {time.monotonic() - start:.0f} s", flush=True)
    return True


def fail(message: str, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    runs = list(plan(args))
    for trainer, recipe in dict.fromkeys((run.method.trainer, run.recipe) for run in runs):
        print(f"{trainer}: recipe configs/trainers/{trainer}/{recipe}.yaml")
    ran = False
    for index, run in enumerate(runs, start=1):
        # a test on new classes is out of date where its training, the run before, was not complete
        ran = execute(run, f"[{index}/{len(runs)}]", again=ran and run.classes == "new")
    print(f"\n{base2new_table(args.output, args.dataset)}")


if __name__ == "__main__":
    main()

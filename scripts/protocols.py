"""The protocols: which runs each of them takes, and their command line.

    bash scripts/METHOD/PROTOCOL.sh DATASET [SEEDS…] [KEY VALUE …]

base2new  train on the base classes, test on base and on new ones
gzsl      the same training; test with all classes competing
xd        train on DATASET; test on other datasets' classes. SHIP synthesizes for the names of a target's classes
dg        train on DATASET; test on the same classes elsewhere
fewshot   train and test on all classes, with 1, 2, 4, 8 and 16 shots

Complete runs (those with a results.json) are not repeated. Folders are CoOp's; see scripts/layout.py.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from catalogue import default_data, known_names, unknown_name
from layout import PROTOCOLS, TARGETS, test_folder, train_folder
from methods import METHODS, Method, recipe_path
from report.blocks import NoRuns
from report.published import PUBLISHED
from runs import Run, Runner, run_all
from tables import fail, table

CHECKOUT = Path(__file__).resolve().parents[1]
BASELINES = ("zsclip", "coop")
FEWSHOT = (1, 2, 4, 8, 16)


class Planner:
    """The runs that a protocol takes of one method with one seed on one dataset."""

    def __init__(self, args: argparse.Namespace, method: Method, dataset: str, seed: int, recipe: str = "") -> None:
        self.args, self.method, self.dataset, self.seed = args, method, dataset, seed
        self.chosen = recipe

    def runs(self) -> Iterator[Run]:
        return getattr(self, self.args.protocol)()

    def base2new(self) -> Iterator[Run]:
        yield from self.split_classes(("base", "new") if self.method.knows_new else ("base",))

    def gzsl(self) -> Iterator[Run]:
        if self.method.knows_new:
            yield from self.split_classes(("base", "all"))

    def split_classes(self, parts: Sequence[str]) -> Iterator[Run]:
        trained = self.training("base", self.args.shots[0])
        yield trained
        for part in parts[1:]:
            yield self.test(trained, part, self.dataset, part)

    def fewshot(self) -> Iterator[Run]:
        for shots in self.args.shots if self.method.trains else (0,):
            yield self.training("all", shots)

    def dg(self) -> Iterator[Run]:
        trained = self.training("all", self.args.shots[0])
        yield trained
        for target in self.args.targets:
            yield self.test(trained, "target", target, "all")

    def xd(self) -> Iterator[Run]:
        trained = self.training("all", self.args.shots[0])
        yield trained
        for target in self.args.targets if self.method.knows_new else ():
            test = self.test(trained, "target", target, "all")
            source = ("TRAINER.SHIP.SOURCE", str(trained.folder))
            yield replace(test, trains=True, pairs=(*source, *test.pairs)) if self.method.synthesizes else test

    def training(self, classes: str, shots: int) -> Run:
        args, trainer = self.args, self.method.trainer
        recipe = self.chosen or self.method.recipe(args.protocol, self.dataset, shots)
        folder = train_folder(args.output, args.protocol, self.label(self.dataset), shots, trainer, recipe, self.seed)
        settings = {"data": args.data, "pairs": tuple(args.pairs)}
        return Run(self.method, recipe, self.dataset, classes, shots, self.seed, folder, **settings)

    def test(self, trained: Run, part: str, dataset: str, classes: str) -> Run:
        names = (self.label(dataset), trained.shots, self.method.trainer, trained.recipe, self.seed)
        folder = test_folder(self.args.output, part, *names)
        return replace(trained, dataset=dataset, classes=classes, folder=folder, trains=False, model=trained)

    def label(self, dataset: str) -> str:
        """The dataset's name in folders and tables."""
        return self.args.name if dataset == "imagefolder" else dataset


def words(text: str) -> list[str]:
    return text.split(",")


def numbers(text: str) -> list[int]:
    return [int(word) for word in words(text)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the protocol scripts and compare.sh have in common."""
    parser.add_argument(
        "--data",
        type=Path,
        default=default_data(),
        help="folder of the datasets (default: the environment's DATA, else data/ in the checkout)",
    )
    parser.add_argument("--output", type=Path, default=CHECKOUT / "output", help="default: output/ in the checkout")
    parser.add_argument(
        "--shots", type=numbers, help="training images a class (16; fewshot: 1,2,4,8,16); -1: all there are"
    )
    parser.add_argument(
        "--targets", type=words, metavar="NAME,…", help="xd, dg: datasets to test on (default: the papers')"
    )
    parser.add_argument("--name", default="", help="imagefolder: the folder's name under DATA")
    parser.add_argument("--quiet", action="store_true", help="one line a run; the rest is in its log.txt")


def complete(args: argparse.Namespace, parser: argparse.ArgumentParser, datasets: Sequence[str]) -> None:
    """Fills in what follows from protocol and dataset; ends the program where something does not fit."""
    if len(args.pairs) % 2:
        parser.error(f"KEY VALUE pairs do not pair up: {' '.join(args.pairs)}")
    for name in (*datasets, *(args.targets or ())):
        if name not in known_names():
            parser.error(unknown_name(name))
    args.shots = args.shots or (list(FEWSHOT) if args.protocol == "fewshot" else [16])
    if len(args.shots) > 1 and args.protocol != "fewshot":
        parser.error("--shots takes several numbers with fewshot only")
    if args.protocol in TARGETS and not args.targets:
        by_source = TARGETS[args.protocol]
        args.targets = [name for name in by_source.get(datasets[0], by_source["imagenet"]) if name != datasets[0]]
    if ("imagefolder" in (*datasets, *(args.targets or ()))) != bool(args.name):
        parser.error("imagefolder takes --name, the folder under DATA; other datasets do not")
    if args.name:
        args.pairs += ["DATASET.FOLDER", args.name]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    # taken off by hand: intermixed parsing, which lets seeds and options alternate, allows no subcommands
    given = list(sys.argv[1:] if argv is None else argv)
    protocol = given.pop(0) if given[:1] and given[0] in PROTOCOLS else "base2new"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=f"{protocol}.sh"
    )
    parser.add_argument("--method", choices=METHODS, default="ship", help=argparse.SUPPRESS)
    parser.add_argument("dataset", metavar="DATASET", help="a name from configs/datasets, such as imagenet or shapes")
    parser.add_argument("rest", nargs="*", metavar="SEED|KEY VALUE", help="seeds (1 2 3), then pairs for train.py")
    add_arguments(parser)
    parser.add_argument(
        "--recipe", default="", help="a name from configs/trainers/TRAINER, for the script's own method"
    )
    parser.add_argument("--with-baselines", action="store_true", help="also run zero-shot CLIP and CoOp")
    args = parser.parse_intermixed_args(given)
    args.protocol = protocol
    args.seeds, args.pairs = split_rest(args.rest)
    complete(args, parser, [args.dataset])
    if args.recipe and not recipe_path(METHODS[args.method].trainer, args.recipe).is_file():
        parser.error(f"no recipe {recipe_path(METHODS[args.method].trainer, args.recipe)}")
    return args


def split_rest(rest: Sequence[str]) -> tuple[list[int], list[str]]:
    """Leading numbers are seeds; what follows are KEY VALUE pairs."""
    count = next((i for i, word in enumerate(rest) if not word.isdigit()), len(rest))
    return [int(word) for word in rest[:count]] or [1, 2, 3], list(rest[count:])


def plan(args: argparse.Namespace) -> Iterator[Run]:
    for name in dict.fromkeys([*(BASELINES if args.with_baselines else ()), args.method]):
        recipe = args.recipe if name == args.method else ""
        for seed in args.seeds:
            yield from Planner(args, METHODS[name], args.dataset, seed, recipe).runs()


def print_recipes(runs: Sequence[Run]) -> None:
    for trainer, recipe in dict.fromkeys((run.method.trainer, run.recipe) for run in runs):
        path = recipe_path(trainer, recipe)
        if not path.is_file():
            fail(f"no recipe {path}; in a checkout of CoOp, its own scripts run its methods: see README.md")
        print(f"{trainer}: recipe {path.relative_to(CHECKOUT)}")


def print_table(args: argparse.Namespace, datasets: Sequence[str], seeds: Sequence[int] | None = None) -> None:
    """The protocol's table, beside published figures; of xd and dg with all that was trained and tested."""
    names = None if args.protocol in TARGETS else [args.name or name for name in datasets]
    try:
        print(f"\n{table([args.output], args.protocol, names, published=[PUBLISHED], seeds=seeds)}")
    except NoRuns as error:
        print(f"\nNo table: there are no {error}.")


def main(argv: Sequence[str] | None = None) -> None:
    sys.stdout.reconfigure(line_buffering=True)  # lines keep their place among those of train.py, in a file too
    args = parse_args(argv)
    runs = list(plan(args))
    print_recipes(runs)
    run_all(runs, Runner(args.quiet))
    print_table(args, [args.dataset])


if __name__ == "__main__":
    main()

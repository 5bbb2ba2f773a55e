"""What a protocol command is asked for, and the arguments that say so."""

import argparse
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.arguments import OUTPUT, Several, add_backbones, add_data, comma_separated, is_key, shots, split_words

from .backbones import KEY as BACKBONE
from .backbones import Backbone, backbone_of, find_backbone
from .catalogue import known_names, unknown_name
from .layout import PROTOCOLS, TARGETS
from .methods import BASELINES, COMPARED, GROUPS, Method, expand, find_method

FEWSHOT = (1, 2, 4, 8, 16)
LARGEST_SEED = 2**32 - 1  # NumPy's
IN_FOLDERS = {"DATASET.NUM_SHOTS": "--shots", "SEED": "--seeds"}  # keys that would not fit the runs' folders as pairs
WORDS = "DATASET… [SEED…] [KEY VALUE …]"


@dataclass(frozen=True)
class Request:
    """Methods, baselines first, on datasets by one protocol. `pairs` are train.py's; `targets` those of xd and dg."""

    protocol: str
    methods: tuple[Method, ...]
    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    shots: tuple[int, ...]
    targets: tuple[str, ...]
    name: str  # of imagefolder's folder
    pairs: tuple[str, ...]
    data: Path
    output: Path
    backbones: tuple[Backbone, ...] = ()  # none: the recipes' own, or that of the pairs

    def label(self, dataset: str) -> str:
        """The dataset's name in folders and tables."""
        return self.name if dataset == "imagefolder" else dataset

    @property
    def backbone_of_pairs(self) -> Backbone | None:
        """What the pairs put in the place of the recipes' backbone, if they do."""
        named = [value for key, value in zip(self.pairs[::2], self.pairs[1::2], strict=True) if key == BACKBONE]
        return backbone_of(named[-1]) if named else None

    @property
    def labels(self) -> list[str]:
        return [self.label(dataset) for dataset in self.datasets]


def add_words(parser: argparse.ArgumentParser) -> None:
    """Datasets, seeds and pairs without options."""
    help = f"{WORDS}: names from configs/datasets, then seeds (1 2 3), then pairs for train.py"
    parser.add_argument("words", nargs="*", metavar="DATASET", help=help)


def add_methods(parser: argparse.ArgumentParser) -> None:
    """--methods and --protocol, where the command's name does not say them."""
    groups = f"{', '.join(GROUPS[:-1])} or {GROUPS[-1]}, with SHIP on each"
    several = f"from configs/methods.yaml, ship_X for each X, or {groups} (default: {' '.join(COMPARED)})"
    parser.add_argument("--methods", action=Several, metavar="METHOD", help=several)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="base2new")


def add_options(parser: argparse.ArgumentParser, seeds: str = "1 2 3") -> None:
    """What all protocol commands take."""
    add = parser.add_argument
    add("--datasets", action=Several, metavar="DATASET", help="the same as DATASET…; xd, dg: the source")
    add("--seeds", action=Several, numbers=True, metavar="SEED", help=f"the same as SEED… ({seeds})")
    images = "training images a class (16, of longtail the first; fewshot: 1,2,4,8,16); -1: all there are"
    add("--shots", type=shots, metavar="N,…", help=images)
    add("--recipe", default="", help="a name from configs/trainers/TRAINER, for all methods but --with-baselines")
    add_backbones(parser, "to run under in the recipes' place")
    add("--with-baselines", action="store_true", help=f"also run {' and '.join(BASELINES)}")
    targets = "xd, dg: datasets to test on (default: the papers')"
    add("--targets", type=comma_separated, metavar="NAME,…", help=targets)
    add("--name", default="", help="imagefolder: the folder's name under DATA")
    add_data(parser)
    add("--output", type=Path, default=OUTPUT, help="folder of the runs (default: output/ in the checkout)")
    add("--quiet", action="store_true", help="one line a run; the rest is in its log.txt")
    add("--dry-run", action="store_true", help="print what is complete and what would run; write nothing")
    add("--set", dest="pairs", nargs="+", action="extend", default=[], help=argparse.SUPPRESS)  # pairs need none


def read_request(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    seeds: Sequence[int] = (1, 2, 3),
    methods: Sequence[str] = COMPARED,
) -> tuple[argparse.Namespace, Request]:
    """The arguments, and what they ask for; ends the program with status 2 where something does not fit.

    `seeds` and `methods` are those that are taken where none are named.
    """
    args = parser.parse_intermixed_args(argv)
    args.methods = args.methods or list(methods)
    (names, numbers, pairs), (more, further, others) = split_words(args.words), split_words(args.rest)
    datasets = unique([*names, *more, *(args.datasets or ())])
    pairs = [*args.pairs, *pairs, *others]
    try:
        check_datasets(args, datasets)
        check_pairs(pairs)
        methods = chosen_methods(args, datasets)
        request = Request(
            protocol=args.protocol,
            methods=methods,
            datasets=datasets,
            seeds=seeds_of([*(args.seeds or ()), *numbers, *further]) or tuple(seeds),
            shots=shots_of(args, methods),
            targets=targets_of(args, datasets),
            name=args.name,
            pairs=(*pairs, "DATASET.FOLDER", args.name) if args.name else tuple(pairs),
            data=args.data,
            output=args.output,
            backbones=backbones_of(args, pairs),
        )
        check_recipes(request)
    except ValueError as error:
        parser.error(str(error))
    return args, request


def unique(values: Iterable) -> tuple:
    return tuple(dict.fromkeys(values))


def check_datasets(args: argparse.Namespace, datasets: Sequence[str]) -> None:
    """Raises ValueError."""
    targets = args.targets or ()
    if not datasets:
        raise ValueError("the following arguments are required: DATASET")
    for name in (*datasets, *targets):
        if name not in known_names():
            raise ValueError(unknown_name(name))
    if args.protocol in TARGETS and len(datasets) > 1:
        raise ValueError(f"{args.protocol} has one source: give one DATASET")
    if ("imagefolder" in (*datasets, *targets)) != bool(args.name):
        raise ValueError("imagefolder takes --name, the folder under DATA; other datasets do not")


def check_pairs(pairs: Sequence[str]) -> None:
    """Raises ValueError."""
    if len(pairs) % 2:
        raise ValueError(f"KEY VALUE pairs do not pair up: {' '.join(pairs)}")
    for key in pairs[::2]:
        if not is_key(key):
            raise ValueError(f"{key!r} stands where a seed or the KEY of a pair is expected, such as OPTIM.LR")
        if key in IN_FOLDERS:
            raise ValueError(f"{key} is part of the runs' folders: give it as {IN_FOLDERS[key]}")


def chosen_methods(args: argparse.Namespace, datasets: Sequence[str]) -> tuple[Method, ...]:
    """Baselines, then what is asked for with the recipe that is asked for. Raises MethodError."""
    baselines = [find_method(name) for name in BASELINES] if args.with_baselines else []
    methods = expand(args.methods, datasets, args.recipe)
    return tuple({method.name: method for method in (*baselines, *methods)}.values())


def seeds_of(seeds: Iterable[int]) -> tuple[int, ...]:
    """Raises ValueError."""
    for seed in seeds:
        if seed > LARGEST_SEED:
            raise ValueError(f"seed {seed} is too large: the largest is {LARGEST_SEED}")
    return unique(seeds)


def backbones_of(args: argparse.Namespace, pairs: Sequence[str]) -> tuple[Backbone, ...]:
    """Raises ValueError."""
    if args.backbones and BACKBONE in pairs[::2]:
        raise ValueError(f"--backbones and {BACKBONE} say the same: give one of them")
    found = unique(map(find_backbone, args.backbones or ()))
    for one, other in itertools.combinations(found, 2):
        if one.label == other.label:
            raise ValueError(f"--backbones: {one.name} and {other.name} would have the same folders, {one.label}")
    return found


def shots_of(args: argparse.Namespace, methods: Sequence[Method]) -> tuple[int, ...]:
    """Raises ValueError."""
    shots = unique(args.shots or (FEWSHOT if args.protocol == "fewshot" else [16]))
    if len(shots) > 1 and args.protocol != "fewshot":
        raise ValueError("--shots takes several numbers with fewshot only")
    if args.protocol == "longtail" and shots[0] < 1:
        raise ValueError("longtail: --shots is the number of images of the first class, at least 1")
    training = [method.name for method in methods if method.trains]
    if 0 in shots and training:
        raise ValueError(f"--shots 0 leaves {', '.join(training)} nothing to train on; -1 stands for all images")
    return shots


def targets_of(args: argparse.Namespace, datasets: Sequence[str]) -> tuple[str, ...]:
    """Those asked for, else the papers', of protocols that have targets. Raises ValueError where there are none."""
    if args.targets or args.protocol not in TARGETS:
        return tuple(args.targets or ())
    by_source = TARGETS[args.protocol]
    if args.protocol == "dg" and datasets[0] not in by_source:
        sources = " and ".join(by_source)
        raise ValueError(
            f"dg: no shifted variants of {datasets[0]} are known, as they are of {sources}; "
            "other datasets of its classes can be given as --targets"
        )
    return tuple(name for name in by_source.get(datasets[0], by_source["imagenet"]) if name != datasets[0])


def check_recipes(request: Request) -> None:
    """Raises MethodError where a method has no recipe for a dataset, and BackboneError as `backbone_of` does."""
    for method in request.methods:
        for dataset in request.datasets:
            method.recipe(request.protocol, dataset, request.shots[0]).under(request.backbone_of_pairs)

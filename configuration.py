"""One run's configuration: defaults, dataset file, recipe, arguments, KEY VALUE pairs, and the check of it all.

Needs `compat.ensure()` before it is imported, as all that imports dassl.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml
from dassl.config import get_cfg_default
from dassl.data.datasets import DATASET_REGISTRY
from dassl.engine import TRAINER_REGISTRY
from dassl.evaluation import EVALUATOR_REGISTRY
from yacs.config import CfgNode

import datasets
import trainers.all  # noqa: F401 - registers the methods
from trainers.blocks.clip.backbone import stated_preprocessing
from trainers.blocks.clip.preprocessing import take_preprocessing
from trainers.blocks.errors import InputError, did_you_mean
from trainers.blocks.training.keys import check_values, extend_cfg

# what yacs, and Python's reader of literals, raise for values that do not fit
MERGE_ERRORS = (KeyError, ValueError, TypeError, AttributeError, AssertionError, RecursionError, MemoryError)


def default_cfg() -> CfgNode:
    """The configuration before anything is set: Dassl's keys, the datasets' and the methods'."""
    cfg = get_cfg_default()
    cfg.DATASET.SUBSAMPLE_CLASSES = "all"  # all, base or new
    cfg.DATASET.CLASS_DRAW = 0  # the class split: 0 the benchmark's, another number a random half as base
    cfg.DATASET.HELD_OUT = 0  # so many base classes are taken for new ones; see docs/losses-and-synthesis.md
    cfg.DATASET.FOLDER = ""  # of ImageFolder: the folder of images under DATASET.ROOT
    extend_cfg(cfg)
    return cfg


def setup_cfg(args: argparse.Namespace) -> CfgNode:
    """The run's configuration: defaults, then dataset file, recipes, arguments, KEY VALUE pairs.

    Raises InputError for files, keys and types of values that do not fit.
    """
    for name, value in vars(args).items():
        if not is_text(str(value)):
            raise InputError(f"--{name.replace('_', '-')} is {value!r}, which is no text.")
    cfg = default_cfg()
    for path in (args.dataset_config_file, *args.config_file):
        if path:
            merge_file(cfg, path)
    merge_arguments(cfg, args)
    merge_pairs(cfg, args.opts)
    take_preprocessing(cfg, stated_preprocessing(cfg.MODEL.BACKBONE.NAME))
    cfg.freeze()
    return cfg


def merge_file(cfg: CfgNode, path: str) -> None:
    """Merges a YAML file, whatever its ending: yacs would run one that ends in .py."""
    if not Path(path).is_file():
        raise InputError(f"Configuration file {path} not found.{did_you_mean(Path(path).name, names_beside(path))}")
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if not isinstance(content, dict | None):
            raise TypeError(f"it should hold sections with keys, such as OPTIM, and holds {type(content).__name__}")
        cfg.merge_from_other_cfg(CfgNode(content))
    except (*MERGE_ERRORS, OSError, yaml.YAMLError) as error:
        raise InputError(f"Configuration file {path}: {message_of(error)}{nearest_key(cfg, error)}") from error
    check_types(cfg, f"Configuration file {path}: ")


def names_beside(path: str) -> Iterable[str]:
    folder = Path(path).parent
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def merge_arguments(cfg: CfgNode, args: argparse.Namespace) -> None:
    """Arguments override the files where they are given."""
    given = {
        "DATASET.ROOT": args.root,
        "OUTPUT_DIR": args.output_dir,
        "RESUME": args.resume,
        "DATASET.SOURCE_DOMAINS": args.source_domains,
        "DATASET.TARGET_DOMAINS": args.target_domains,
        "INPUT.TRANSFORMS": args.transforms,
        "TRAINER.NAME": args.trainer,
        "MODEL.BACKBONE.NAME": args.backbone,
        "MODEL.HEAD.NAME": args.head,
    }
    for key, value in given.items():
        if value:
            node, _, name = key.rpartition(".")
            section(cfg, node)[name] = tuple(value) if isinstance(value, list) else value
    if args.seed != -1:
        cfg.SEED = args.seed
    if args.no_cache:
        cfg.TRAINER.FEATURES.CACHE = False


def section(cfg: CfgNode, path: str) -> CfgNode:
    for name in filter(None, path.split(".")):
        cfg = cfg[name]
    return cfg


def merge_pairs(cfg: CfgNode, pairs: Sequence[str]) -> None:
    if len(pairs) % 2:
        raise InputError(f"KEY VALUE pairs at the end of the command do not pair up: {' '.join(pairs)}")
    keys = [key for key, _ in all_values(cfg)]
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if key not in keys:
            raise InputError(f"{key} is no key of the configuration.{did_you_mean(key, keys)}")
        try:
            cfg.merge_from_list([key, value])
        except MERGE_ERRORS as error:
            raise InputError(f"{key} {value}: {message_of(error)}.") from error
    check_types(cfg)


def all_values(cfg: CfgNode, above: str = "") -> Iterator[tuple[str, object]]:
    for name, value in cfg.items():
        if isinstance(value, CfgNode):
            yield from all_values(value, f"{above}{name}.")
        else:
            yield above + name, value


def message_of(error: Exception) -> str:
    if isinstance(error, yaml.YAMLError) or not error.args:
        return str(error) or type(error).__name__
    return str(error.args[0])


def nearest_key(cfg: CfgNode, error: Exception) -> str:
    """A hint where yacs does not know a key of a file."""
    _, unknown, key = message_of(error).partition("Non-existent config key: ")
    known = [name for name, _ in all_values(cfg)]
    sections = {name.rpartition(".")[0] for name in known}
    return f".{did_you_mean(key, [*known, *filter(None, sections)])}" if unknown else ""


def check_types(cfg: CfgNode, where: str = "") -> None:
    """Raises InputError for what yacs lets pass: nothing at all in the place of a value, text that is no text."""
    for key, value in all_values(cfg):
        if value is None:
            raise InputError(f"{where}{key} has no value.")
        if isinstance(value, str) and not is_text(value):
            raise InputError(f"{where}{key} is {value!r}, which is no text.")


def is_text(value: str) -> bool:
    """Whether it can be printed and be part of a path; undecodable bytes of a command line cannot."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def check(cfg: CfgNode, args: argparse.Namespace) -> None:
    """Raises InputError or DatasetError for names that are not registered, and for values that nothing can use.

    It comes before anything is written.
    """
    check_name("--trainer", cfg.TRAINER.NAME, TRAINER_REGISTRY.registered_names())
    check_name("DATASET.NAME", cfg.DATASET.NAME, DATASET_REGISTRY.registered_names())
    check_name("TEST.EVALUATOR", cfg.TEST.EVALUATOR, EVALUATOR_REGISTRY.registered_names())
    datasets.check_subset(cfg.DATASET.SUBSAMPLE_CLASSES)
    check_values(cfg)
    trains = not (args.eval_only or args.no_train or cfg.TRAINER.NAME.startswith("ZeroshotCLIP"))
    if trains:
        datasets.check_trainable(cfg.DATASET.NAME)


def check_name(key: str, name: str, registered: Sequence[str]) -> None:
    if name not in registered:
        raise InputError(
            f"{key} is {name!r}; available: {', '.join(sorted(registered))}.{did_you_mean(name, registered)}"
        )

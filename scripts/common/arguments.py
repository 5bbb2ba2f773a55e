"""One vocabulary for all commands: what --data, --datasets, --seeds … mean, and the words between and after them."""

from __future__ import annotations  # for the doctor, which an old Python can run

import argparse
import itertools
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
OUTPUT = CHECKOUT / "output"


def default_data() -> Path:
    """The folder of the datasets: the environment's DATA, else data/ in the checkout."""
    return Path(os.environ.get("DATA") or CHECKOUT / "data")


def command_parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser whose help is the command's docstring, with its examples, as it stands."""
    parser = argparse.ArgumentParser(
        prog=command, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(rest=[])
    return parser


def add_data(parser: argparse.ArgumentParser, *aliases: str) -> None:
    """--data; the downloader and the doctor also take train.py's --root."""
    text = "folder of the datasets (default: the environment's DATA, else data/ in the checkout)"
    parser.add_argument("--data", *aliases, type=Path, default=default_data(), help=text)


def add_backbones(parser: argparse.ArgumentParser, what: str) -> None:
    """--backbone, or --backbones with several; `what` they do."""
    names = "files of configs/backbones, or names and paths as MODEL.BACKBONE.NAME takes them"
    help = f"{what}: {names}"
    parser.add_argument("--backbones", "--backbone", action=Several, fits=is_model, metavar="NAME", help=help)


class Several(argparse.Action):
    """An option that takes several names, or numbers, up to the first word that is none.

    The words behind go to `rest`, as if they stood before all options: so `--seeds 1 2 3 OPTIM.LR 0.1` ends in a
    pair. Commas may stand for spaces, and the option may be given again.
    """

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        numbers: bool = False,
        fits: Callable[[str], bool] | None = None,
        **settings: object,
    ) -> None:
        self.numbers, self.fits = numbers, fits or (is_number if numbers else is_name)
        super().__init__(option_strings, dest, nargs="+", **settings)

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        words = list(itertools.takewhile(self.fits, values))
        if not words:
            raise argparse.ArgumentError(self, f"invalid {'int' if self.numbers else 'name'} value: {values[0]!r}")
        found = [part for word in words for part in comma_separated(word)]
        before = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*before, *map(int, found)] if self.numbers else [*before, *found])
        namespace.rest = [*namespace.rest, *values[len(words) :]]


def is_number(word: str) -> bool:
    """Whether it is a whole number from 0 on, or several with commas between them."""
    return word.replace(",", "").isdecimal()


def is_key(word: str) -> bool:
    """Whether pairs begin here: configuration keys have dots, or are in capitals."""
    return "." in word or word.isupper()


def is_name(word: str) -> bool:
    return not (is_number(word) or is_key(word))


def is_model(word: str) -> bool:
    """Whether it may name a backbone, as RN50 and paths do, which would be keys to `is_key`."""
    return not (is_number(word) or re.fullmatch(r"[A-Z_]+(\.[A-Z0-9_]+)*", word))


def split_words(words: Sequence[str]) -> tuple[list[str], list[int], list[str]]:
    """Names, seeds and KEY VALUE pairs, in this order."""
    rest = list(words)
    names, seeds = [], []
    while rest and is_name(rest[0]):
        names.append(rest.pop(0))
    while rest and is_number(rest[0]):
        seeds += map(int, comma_separated(rest.pop(0)))
    return names, seeds, rest


def comma_separated(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


# Types of options: argparse puts the option's name before what they raise.


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def positive_size(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def shots(text: str) -> list[int]:
    """Numbers of training images a class: -1 stands for all, and 0 for none, as zero-shot CLIP has it."""
    words = comma_separated(text)
    found = [int(word) for word in words if word == "-1" or is_number(word)]
    if not words or len(found) < len(words):
        raise argparse.ArgumentTypeError(f"{text} is no number of images; -1 stands for all that there are")
    return found

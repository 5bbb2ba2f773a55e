"""Backbones as scripts know them: files of configs/backbones, and all else that MODEL.BACKBONE.NAME takes."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from common.arguments import CHECKOUT
from common.errors import unknown

from trainers.blocks.run.files import OPEN_CLIP, TRANSFORMERS, backbone_file

FOLDER = CHECKOUT / "configs" / "backbones"
KEY = "MODEL.BACKBONE.NAME"
OPENAI = ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px")
LIBRARIES = (OPEN_CLIP, TRANSFORMERS)  # whose own names follow
OWN = r"(?:rn\d+(?:x\d+)?|vit_[blh]\d+(?:_\d+px)?)"  # that recipes' names begin with
EMBEDDED = "shapes"  # datasets that begin so come with a backbone of their own, so with recipes that begin so too

WHOLE_RECIPE = re.compile(rf"(^|_){OWN}(_|$)|._{EMBEDDED}(_|$)")  # behind the label of a model without a file


class BackboneError(ValueError):
    """A backbone that does not exist; the message says which."""


@dataclass(frozen=True)
class Backbone:
    """What recipes are run under in the place of their own backbone."""

    name: str  # as MODEL.BACKBONE.NAME takes it
    label: str  # in the names of folders
    title: str  # in tables
    file: Path | None = None  # of configs/backbones, where it has one

    @property
    def files(self) -> tuple[Path, ...]:
        """For train.py, behind those of a recipe."""
        return (self.file,) if self.file else ()

    @property
    def word(self) -> str:
        """How commands take it."""
        return self.label if self.file else self.name

    @property
    def pairs(self) -> tuple[str, str]:
        return KEY, self.name

    def renamed(self, recipe: str) -> str:
        """The name of a recipe under this backbone.

        So vit_b16_ep50 becomes rn101_ep50 or datacomp_b16_ep50, and, as my_clip.pt is known by its file's name alone,
        my_clip_vit_b16_ep50.
        """
        known = self.file is not None or self.name in OPENAI
        own = re.match(rf"{OWN}(?=_|$)", recipe) if known else None
        return self.label + recipe[own.end() :] if own else f"{self.label}_{recipe}"


def backbone_of(word: str) -> Backbone:
    """The backbone that a word means: a file of configs/backbones, the model that one names, or another model."""
    for backbone in listed():
        if word in (backbone.label, backbone.name):
            return backbone
    label = label_of(word)
    return Backbone(word, label, word if word in OPENAI or word.startswith(LIBRARIES) else label)


def find_backbone(word: str) -> Backbone:
    """The same; raises BackboneError where it is certain that there is no such backbone."""
    backbone = backbone_of(word)
    known = backbone.file is not None or word in OPENAI or word.startswith(LIBRARIES)
    if not (known or backbone_file(word)):
        raise BackboneError(unknown("backbone", word, [*(one.label for one in listed()), *OPENAI]))
    return backbone


def listed() -> tuple[Backbone, ...]:
    """Those of configs/backbones, by their files' names. Raises BackboneError for a file that says no name."""
    return read_folder(FOLDER)


@cache
def read_folder(folder: Path) -> tuple[Backbone, ...]:
    return tuple(map(read_backbone, sorted(folder.glob("*.yaml"))))


def read_backbone(file: Path) -> Backbone:
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))["MODEL"]["BACKBONE"]
        return Backbone(settings["NAME"], file.stem, settings.get("TITLE") or file.stem, file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise BackboneError(f"{file} is no backbone's file: it says no {KEY} ({type(error).__name__})") from error


def label_of(name: str) -> str:
    """How folders name a model that configs/backbones does not have: a file by its own name, whatever its folder."""
    if name in OPENAI:
        return in_folders(name.lower().replace("/", ""))
    if name.startswith(OPEN_CLIP):
        architecture, _, weights = name.removeprefix(OPEN_CLIP).partition("//")
        return in_folders("_".join(filter(None, (architecture.lower(), Path(weights).stem))))
    model = name.removeprefix(TRANSFORMERS)
    if model != name and not model.startswith(("/", ".", "~")):
        return in_folders(model.lower())
    return in_folders(Path(model).stem)


def in_folders(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def split_recipe(name: str) -> tuple[str, str]:
    """The backbone's label in a recipe's name, empty where that names none, and what is left of the name.

    So datacomp_b16_ep50, my_clip_vit_b16_ep50 and vit_b16_ep50 differ in the first alone.
    """
    labels = [backbone.label for backbone in (*listed(), *map(backbone_of, OPENAI))]
    for label in sorted(labels, key=len, reverse=True):
        known = re.fullmatch(rf"{re.escape(label)}(?:_(.*)|(?:/.*)?)", name)
        if known and not WHOLE_RECIPE.search(known[1] or ""):
            return label, name[len(label) :].removeprefix("_")
    behind = re.fullmatch(rf"(.+)_(?:{OWN}(?:_(.*))?|({EMBEDDED}(?:_.*)?))", name)
    return (behind[1], behind[2] or behind[3] or "") if behind else ("", name)

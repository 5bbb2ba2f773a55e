"""The methods as scripts know them: configs/methods.yaml, and SHIP on each of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from common.errors import unknown

from .backbones import EMBEDDED, Backbone

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FILE = CONFIGS / "methods.yaml"
SHIP = "ship"
FAMILIES = ("zero-shot", "prompts", "adapters", "linear", "closed_form")  # in the order of tables
ALL = "all"


class MethodError(ValueError):
    """A method or a recipe that does not exist; the message says which."""


@dataclass(frozen=True)
class Recipe:
    """What train.py is given of a method: files, the later ones on top, and pairs; `name` is that of folders."""

    name: str
    files: tuple[Path, ...]
    pairs: tuple[str, ...] = ()

    def under(self, backbone: Backbone | None) -> "Recipe":
        """The same with another backbone than the recipe's, if one is given, and named after that."""
        if backbone is None:
            return self
        return replace(self, name=backbone.renamed(self.name), files=(*self.files, *backbone.files))


@dataclass(frozen=True)
class Method:
    """An entry of configs/methods.yaml, where the fields are explained; `chosen`: the recipe that the user wants."""

    name: str
    trainer: str
    title: str
    recipes: Mapping = field(hash=False)
    family: str = ""
    year: int = 9999  # a method that does not say comes last in its family
    trains: bool = True
    new_classes: bool = True
    classifier: str = ""
    baseline: bool = False
    compared: bool = True
    chosen: str = ""

    @property
    def synthesizes(self) -> bool:
        return bool(self.classifier)

    @property
    def takes_two_recipes(self) -> bool:
        """Whether it is SHIP on a method that has no recipes with SHIP."""
        return self.synthesizes and not self.recipes

    def with_recipe(self, name: str) -> "Method":
        """The same with one recipe for all; of SHIP with two recipes, the second. Raises MethodError without such."""
        method = replace(self, chosen=name)
        if name and not method.path(name).is_file():
            raise MethodError(f"no recipe {method.path(name)}")
        return method

    def path(self, recipe: str) -> Path:
        trainer = METHODS[self.classifier].trainer if self.takes_two_recipes else self.trainer
        return CONFIGS / "trainers" / trainer / f"{recipe}.yaml"

    def recipe(self, protocol: str, dataset: str, shots: int) -> Recipe:
        """The chosen recipe, else that of the published figures. Raises MethodError where there is none."""
        if self.takes_two_recipes:
            below = METHODS[SHIP].recipe(protocol, dataset, shots)
            above = METHODS[self.classifier].with_recipe(self.chosen).recipe(protocol, dataset, shots)
            pairs = ("TRAINER.SHIP.CLASSIFIER", METHODS[self.classifier].trainer)
            return Recipe(f"{above.name}_{self.classifier}", below.files + above.files, pairs)
        name = self.chosen or self._published(protocol, dataset, shots)
        return Recipe(name, (self.path(name),))

    def _published(self, protocol: str, dataset: str, shots: int) -> str:
        if dataset.startswith(EMBEDDED):
            if EMBEDDED not in self.recipes:
                raise MethodError(f"{self.name} has no recipe for {dataset}; choose one by --recipe")
            return self.recipes[EMBEDDED]
        recipes = self.recipes.get(protocol, self.recipes)
        named = [recipes[key] for key in (dataset, shots, "default") if key in recipes]
        if not named:
            raise MethodError(f"{self.name} has no recipe for {dataset}; choose one by --recipe")
        return named[0]


def read_methods(path: Path = FILE) -> dict[str, Method]:
    """The entries of the file by name, by family and year, and SHIP last; before it what else has recipes."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = {name: Method(name, **entry) for name, entry in entries.items()}
    found = named | unnamed_methods({method.trainer for method in named.values()})

    def place(method: Method) -> tuple:
        known = FAMILIES.index(method.family) if method.family in FAMILIES else len(FAMILIES)
        return method.synthesizes, known, method.year

    return {method.name: method for method in sorted(found.values(), key=place)}


def unnamed_methods(trainers: Collection[str]) -> dict[str, Method]:
    """Methods by their folders of recipes, but for those of these trainers."""
    found = {}
    for folder in sorted((CONFIGS / "trainers").iterdir()):
        recipes = {EMBEDDED: "shapes", "default": "vit_b16"}
        there = {key: recipe for key, recipe in recipes.items() if (folder / f"{recipe}.yaml").is_file()}
        if there and folder.name not in trainers:
            name = folder.name.lower()
            found[name] = Method(name, folder.name, folder.name, there, compared=False)
    return found


METHODS = read_methods()
COMPARED = [name for name, method in METHODS.items() if method.compared]
BASELINES = [name for name, method in METHODS.items() if method.baseline]
TRAINERS = list(dict.fromkeys(method.trainer for method in METHODS.values()))  # in the order of tables


CLASSIFIERS = [name for name, method in METHODS.items() if method.trains and not method.synthesizes]
NAMES = list(dict.fromkeys([*METHODS, *(f"{SHIP}_{name}" for name in CLASSIFIERS)]))  # all that commands take
GROUPS = (*FAMILIES, ALL)


def find_method(name: str) -> Method:
    """The method of this name. Raises MethodError."""
    if name not in NAMES:
        raise MethodError(unknown("method", name, [*NAMES, *GROUPS]))
    if name in METHODS:
        return METHODS[name]
    classifier = name.removeprefix(f"{SHIP}_")
    same = (method for method in METHODS.values() if method.classifier == classifier)
    return next(same, Method(name, METHODS[SHIP].trainer, METHODS[SHIP].title, {}, classifier=classifier))


def expand(names: Iterable[str], datasets: Sequence[str] = (), recipe: str = "") -> list[Method]:
    """The methods of these names, where a family or `all` stands for its methods and SHIP on them.

    They have the recipe, where one is given. Of a group those are left out that have no recipe for one of the
    datasets. Raises MethodError.
    """
    found = {}
    for name in names:
        for member in members(name) or [name]:
            method = find_method(member).with_recipe(recipe) if member == name else usable(member, datasets, recipe)
            if method is not None:
                found[method.name] = method
    return list(found.values())


def members(group: str) -> list[str]:
    """The names of a group's methods: of a family, or of all; empty for what is no group."""
    return [name for name in NAMES if group in (ALL, family_of(find_method(name)))] if group in GROUPS else []


def usable(name: str, datasets: Sequence[str], recipe: str) -> Method | None:
    """The method with its recipe; None where that, or one for a dataset, is not there."""
    try:
        method = find_method(name).with_recipe(recipe)
        for dataset in datasets:
            method.recipe("", dataset, 0)
    except MethodError:
        return None
    return method


def family_of(method: Method) -> str:
    """Of SHIP that of the method that it is on."""
    return METHODS[method.classifier].family if method.synthesizes else method.family


def family_by_trainer(trainer: str) -> str:
    return next((method.family for method in METHODS.values() if method.trainer == trainer), "")


def title_of(trainer: str) -> str:
    """A trainer's name in plots."""
    return next((method.title for method in METHODS.values() if method.trainer == trainer), trainer)


def classifier_in(recipe: str) -> str:
    """The method that a recipe puts SHIP on, by its name's end."""
    name = recipe.removesuffix("_imagenet")
    named = [other for other in CLASSIFIERS if name.endswith(f"_{other}")]
    return max(named, key=len, default=METHODS[SHIP].classifier)

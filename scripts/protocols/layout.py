"""Where runs lie: CoOp's folders, to write to and to find. All knowledge of paths is here.

The training of base2new and gzsl, and their tests, by `part`:
    OUTPUT/base2new/{train_base, test_new, test_all}/DATASET/shots_N/TRAINER/RECIPE/seedS
fewshot, and the training on the source of xd and dg (upstream's CoOp has a folder nctx… before seedS):
    OUTPUT/DATASET/TRAINER/RECIPE_Nshots/seedS
longtail:
    OUTPUT/longtail/DATASET/shots_N/TRAINER/RECIPE/seedS
the tests of xd and dg on their targets (nctx… stands before TARGET):
    OUTPUT/evaluation/TRAINER/RECIPE_Nshots/TARGET/seedS
upstream's zero-shot CLIP, which has no seed:
    OUTPUT/TRAINER/RECIPE/DATASET
an ablation's variant, for each class split, which tables do not look into unless told to:
    OUTPUT/ablations/VARIANT/drawK, an OUTPUT of its own
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROTOCOLS = ("base2new", "gzsl", "xd", "dg", "fewshot", "longtail")
LONGTAIL = "longtail"
PARTS = {"base": "train_base", "new": "test_new", "all": "test_all"}
TEN = "caltech101 oxford_pets stanford_cars oxford_flowers food101 fgvc_aircraft sun397 dtd eurosat ucf101".split()
BENCHMARK = ("imagenet", *TEN)  # CoOp's eleven datasets, in its order
TARGETS = {  # by protocol and source
    "xd": {"imagenet": tuple(TEN), "shapes": ("shapes_other", "shapes_other_dark", "shapes_other_style")},
    "dg": {
        "imagenet": ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"),
        "shapes": ("shapes_style", "shapes_dark", "shapes_pixels"),
    },
}

RECORD, FAILURE, LOG = "results.json", "failed.txt", "log.txt"  # in a run's folder; failed.txt: why it failed
ABLATIONS = "ablations"


@dataclass(frozen=True)
class RunId:
    """One run. `part`: the classes it was tested on (base, new, all), or source, target for xd and dg."""

    dataset: str
    part: str
    shots: int  # -1: all images; 0: none, as upstream's zero-shot CLIP
    trainer: str
    recipe: str  # with upstream's nctx… folder, where there is one, after a slash
    seed: int | None  # None: upstream's zero-shot CLIP
    folder: Path

    @property
    def method(self) -> str:
        return f"{self.trainer} {self.recipe}"


def train_folder(output: Path, protocol: str, dataset: str, shots: int, trainer: str, recipe: str, seed: int) -> Path:
    """Where a protocol's training goes; of base2new, fewshot and longtail this is a test too."""
    if protocol in ("base2new", "gzsl"):
        return test_folder(output, "base", dataset, shots, trainer, recipe, seed)
    if protocol == LONGTAIL:
        return Path(output, LONGTAIL, dataset, f"shots_{shots}", trainer, recipe, f"seed{seed}")
    return Path(output, dataset, trainer, f"{recipe}_{shots}shots", f"seed{seed}")


def test_folder(output: Path, part: str, dataset: str, shots: int, trainer: str, recipe: str, seed: int) -> Path:
    """Where a test goes: part base, new (base2new), all (gzsl) or target (xd, dg)."""
    if part == "target":
        return Path(output, "evaluation", trainer, f"{recipe}_{shots}shots", dataset, f"seed{seed}")
    return Path(output, "base2new", PARTS[part], dataset, f"shots_{shots}", trainer, recipe, f"seed{seed}")


def ablation_output(output: Path, variant: str, split: int) -> Path:
    """The OUTPUT of an ablation's variant with a class split."""
    return Path(output) / ABLATIONS / re.sub(r"\W+", "_", variant) / f"draw{split}"


def source_named_in(path: str) -> str:
    """The dataset that a training's folder names, such as that whose model a test on a target took; else empty."""
    run = recognize(Path(path))
    return run.dataset if run and run.part == "training" else ""


def source_of(target: str) -> str:
    """The usual source of a target of xd or dg; itself for a source. Embedded datasets start with shapes."""
    for by_source in TARGETS.values():
        for source, targets in by_source.items():
            if target == source or target in targets:
                return source
    return "shapes" if target.startswith("shapes") else "imagenet"


def find_runs(output: Path, protocol: str) -> Iterator[RunId]:
    """The folders of a protocol's runs, complete or not, under `output`, which may lie deeper in such a tree."""
    for run in _walk(Path(output)):
        part = _part_in(protocol, run)
        if part:
            yield RunId(run.dataset, part, run.shots, run.trainer, run.recipe, run.seed, run.folder)


def _part_in(protocol: str, run: RunId) -> str | None:
    """The part that a run plays in a protocol; None: it belongs to others."""
    if protocol in ("base2new", "gzsl"):
        return run.part if run.part in (("base", "new") if protocol == "base2new" else ("all",)) else None
    if protocol == LONGTAIL:
        return "all" if run.part == LONGTAIL else None
    if protocol == "fewshot":
        return "all" if run.part in ("training", "zeroshot") else None
    if run.part == "training" or (run.part == "zeroshot" and run.dataset in TARGETS[protocol]):
        return "source"  # of which those count that a target's test names
    shifted = any(run.dataset in targets for targets in TARGETS["dg"].values())
    return "target" if run.part in ("target", "zeroshot") and shifted == (protocol == "dg") else None


def _walk(output: Path) -> Iterator[RunId]:
    for folder, below, _ in os.walk(output.absolute()):
        below[:] = sorted(name for name in below if name != ABLATIONS)
        run = recognize(Path(folder))
        if run:
            below.clear()
            yield run


def recognize(folder: Path) -> RunId | None:
    """What a folder's path says; `part` is base, new, all, longtail, training, target or zeroshot.

    The path alone: results.json does not name the recipe, and runs that failed have none. Upstream's runs have a
    folder more, the variant, and no seed where nothing is trained.
    """
    match folder.parts:
        case (*_, "base2new", part, dataset, shots, trainer, recipe, seed) if part in PARTS.values():
            names = {folder_name: name for name, folder_name in PARTS.items()}
            return _run(folder, names[part], dataset, trainer, f"{recipe}_{shots.removeprefix('shots_')}shots", seed)
        case (*_, "longtail", dataset, shots, trainer, recipe, seed) if shots.startswith("shots_"):
            return _run(folder, LONGTAIL, dataset, trainer, f"{recipe}_{shots.removeprefix('shots_')}shots", seed)
        case (*_, "evaluation", trainer, recipe, dataset, seed) if RECIPE.fullmatch(recipe):
            return _run(folder, "target", dataset, trainer, recipe, seed)
        case (*_, "evaluation", trainer, recipe, variant, dataset, seed) if RECIPE.fullmatch(recipe):
            return _run(folder, "target", dataset, trainer, recipe, seed, variant)
        case (*_, dataset, trainer, recipe, seed) if RECIPE.fullmatch(recipe):
            return _run(folder, "training", dataset, trainer, recipe, seed)
        case (*_, dataset, trainer, recipe, variant, seed) if RECIPE.fullmatch(recipe):
            return _run(folder, "training", dataset, trainer, recipe, seed, variant)
        case (*_, trainer, recipe, dataset) if trainer.startswith("Zeroshot") and not SEED.fullmatch(dataset):
            return RunId(dataset, "zeroshot", 0, trainer, recipe, None, folder)
    return None


def logs_of(folder: Path) -> list[Path]:
    """A run's logs, the newest first: each start leaves one, and from the second on the time is behind its name."""
    return sorted(folder.glob(f"{LOG}*"), reverse=True)


RECIPE, SEED = re.compile(r"(.+)_(-?\d+)shots"), re.compile(r"seed(\d+)")


def _run(
    folder: Path, part: str, dataset: str, trainer: str, recipe: str, seed: str, variant: str = ""
) -> RunId | None:
    """A run of a recipe as RECIPE_Nshots and of seedS; None where the folders are not named so."""
    found, number = RECIPE.fullmatch(recipe), SEED.fullmatch(seed)
    if not (found and number):
        return None
    name = f"{found[1]}/{variant}" if variant else found[1]
    return RunId(dataset, part, int(found[2]), trainer, name, int(number[1]), folder)

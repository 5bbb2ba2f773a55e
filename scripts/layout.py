"""Where runs lie: CoOp's folders, to write to and to find. All knowledge of paths is here.

The training of base2new and gzsl, and their tests, by `part`:
    OUTPUT/base2new/{train_base, test_new, test_all}/DATASET/shots_N/TRAINER/RECIPE/seedS
fewshot, and the training on the source of xd and dg (upstream's CoOp has a folder nctx… before seedS):
    OUTPUT/DATASET/TRAINER/RECIPE_Nshots/seedS
the tests of xd and dg on their targets (nctx… stands before TARGET):
    OUTPUT/evaluation/TRAINER/RECIPE_Nshots/TARGET/seedS
upstream's zero-shot CLIP, which has no seed:
    OUTPUT/TRAINER/RECIPE/DATASET
an ablation's variant, for each draw of the base classes, which tables do not look into unless told to:
    OUTPUT/ablations/VARIANT/drawK, an OUTPUT of its own
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROTOCOLS = ("base2new", "gzsl", "xd", "dg", "fewshot")
PART_FOLDERS = {"base": "train_base", "new": "test_new", "all": "test_all"}
TEN = "caltech101 oxford_pets stanford_cars oxford_flowers food101 fgvc_aircraft sun397 dtd eurosat ucf101".split()
BENCHMARK = ("imagenet", *TEN)  # CoOp's eleven datasets, in its order
TARGETS = {  # by protocol and source
    "xd": {"imagenet": tuple(TEN), "shapes": ("shapes_other", "shapes_other_dark", "shapes_other_style")},
    "dg": {
        "imagenet": ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"),
        "shapes": ("shapes_style", "shapes_dark", "shapes_pixels"),
    },
}

ABLATIONS = "ablations"
SPLIT_CLASSES = "base2new/{part}/{dataset}/shots_{shots}/{trainer}/{recipe}/seed{seed}"
TRAINING = "{dataset}/{trainer}/{recipe}_{shots}shots/seed{seed}"
EVALUATION = "evaluation/{trainer}/{recipe}_{shots}shots/{dataset}/seed{seed}"
TEMPLATES = (  # by kind of run; those that are not named above are written by upstream's scripts alone
    ("split", SPLIT_CLASSES),
    ("target", EVALUATION),
    ("target", "evaluation/{trainer}/{recipe}_{shots}shots/{variant}/{dataset}/seed{seed}"),
    ("training", TRAINING),
    ("training", "{dataset}/{trainer}/{recipe}_{shots}shots/{variant}/seed{seed}"),
    ("zeroshot", "{zeroshot}/{recipe}/{dataset}"),
)
FIELDS = {
    "part": "|".join(PART_FOLDERS.values()),
    "dataset": r"(?!(?:evaluation|base2new)/|seed\d+$)[^/]+",
    "shots": r"-?\d+",
    "seed": r"\d+",
    "zeroshot": r"Zeroshot[^/]*(?=/(?![^/]*_-?\d+shots/))",
}


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
    """Where a protocol's training goes; of base2new and fewshot this is a test too (base; all classes)."""
    template = SPLIT_CLASSES if protocol in ("base2new", "gzsl") else TRAINING
    return _fill(template, output, "base", dataset, shots, trainer, recipe, seed)


def test_folder(output: Path, part: str, dataset: str, shots: int, trainer: str, recipe: str, seed: int) -> Path:
    """Where a test goes that is not its training's: part new (base2new), all (gzsl) or target (xd, dg)."""
    template = EVALUATION if part == "target" else SPLIT_CLASSES
    return _fill(template, output, part, dataset, shots, trainer, recipe, seed)


def _fill(template: str, output: Path, part: str, *values: object) -> Path:
    named = dict(zip(("dataset", "shots", "trainer", "recipe", "seed"), values, strict=True))
    return Path(output, template.format(part=PART_FOLDERS.get(part), **named))


def ablation_output(output: Path, variant: str, draw: int) -> Path:
    """The OUTPUT of an ablation's variant with a draw of the base classes."""
    return Path(output) / ABLATIONS / re.sub(r"\W+", "_", variant) / f"draw{draw}"


def source_named_in(path: str) -> str:
    """The dataset that a training's folder names, such as that whose model a test on a target took; else empty."""
    run = _recognize(Path(path))
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
    if protocol == "fewshot":
        return "all" if run.part in ("training", "zeroshot") else None
    if run.part == "training" or (run.part == "zeroshot" and run.dataset in TARGETS[protocol]):
        return "source"  # of which those count that a target's test names
    shifted = any(run.dataset in targets for targets in TARGETS["dg"].values())
    return "target" if run.part in ("target", "zeroshot") and shifted == (protocol == "dg") else None


def _walk(output: Path) -> Iterator[RunId]:
    for folder, below, _ in os.walk(output.absolute()):
        below[:] = sorted(name for name in below if name != ABLATIONS)
        run = _recognize(Path(folder))
        if run:
            below.clear()
            yield run


def _recognize(folder: Path) -> RunId | None:
    """What a folder's path says; `part` is base, new, all, training, target or zeroshot."""
    for kind, pattern in PATTERNS:
        match = pattern.search(folder.as_posix())
        if match:
            found = match.groupdict()
            part = {name: part for part, name in PART_FOLDERS.items()}.get(found.get("part"), kind)
            recipe = "/".join(filter(None, (found["recipe"], found.get("variant"))))
            seed = int(found["seed"]) if "seed" in found else None
            trainer = found.get("trainer") or found["zeroshot"]
            return RunId(found["dataset"], part, int(found.get("shots", 0)), trainer, recipe, seed, folder)
    return None


def _compile(template: str) -> re.Pattern:
    pattern = re.sub(r"{(\w+)}", lambda name: f"(?P<{name[1]}>{FIELDS.get(name[1], '[^/]+')})", template)
    return re.compile(f"(?:^|/){pattern}$")


PATTERNS = [(kind, _compile(template)) for kind, template in TEMPLATES]

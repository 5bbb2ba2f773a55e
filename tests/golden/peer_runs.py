"""Runs of the peers' methods as their authors' code was recorded: peer_runs.json, which README.md explains.

`run` trains one here from the same random numbers: what its authors' code draws while it builds its model is drawn
too, and CLAP's family gets its pool of features as it is made there, by passes of the training loader.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from clip.model import build_model
from dassl.engine import build_trainer
from dassl.utils import set_random_seed
from torch import nn

import train

CHECKOUT = Path(__file__).resolve().parents[2]
RUNS: dict[str, dict] = json.loads(Path(__file__).with_name("peer_runs.json").read_text(encoding="utf-8"))["runs"]
COMMON = (
    *("OPTIM.MAX_EPOCH", 3, "DATALOADER.TRAIN_X.BATCH_SIZE", 4, "TRAIN.PRINT_FREQ", 1, "DATASET.NUM_SHOTS", 4),
    *("DATALOADER.NUM_WORKERS", 0),
)
FAMILY = {
    "ZS_none": "ZSLP",
    "ZS_l2": "CLAP",
    "TR_none": "ZSLP",
    "RANDOM_none": "ZSLP",
    "CrossModal_none": "CrossModal",
}
PASSES = 20  # that CLAP's pool of features comes from


class Step(NamedTuple):
    """What a step printed, its batch, the rate that it was taken with and the one after it.

    norm and gradient: 2-norms of what is learned after the step, and of the gradient that it used.
    """

    printed: dict[str, float]
    labels: list[int]
    lr_used: float
    lr: float
    norm: float
    gradient: float


def recorded(name: str) -> list[dict]:
    """The recorded steps of a run, by column."""
    return [dict(zip(RUNS[name]["columns"], step, strict=True)) for step in RUNS[name]["steps"]]


def trainer_of(name: str) -> str:
    """The trainer here of a recorded run."""
    method, kind, *_ = name.split("/")
    return FAMILY["_".join(kind.split("_")[-2:])] if method == "CLAP" else method


def pairs_of(name: str) -> Iterator[object]:
    """The recorded run's options, as keys and values of this project."""
    method, kind, *_ = name.split("/")
    node, recorded_run = trainer_of(name).upper(), RUNS[name]
    yield from (f"TRAINER.{node}.PREC", "fp32")
    for key in ("LR", "WEIGHT_DECAY"):
        yield from (f"OPTIM.{key}", recorded_run["optim"][key])
    words = recorded_run["options"].split()
    given = dict(zip(words[::2], words[1::2], strict=True))
    yield from ("DATASET.SUBSAMPLE_CLASSES", given["DATASET.SUBSAMPLE_CLASSES"])
    if method == "KgCoOp":
        yield from ("TRAINER.KGCOOP.WEIGHT", float(given["TRAINER.COOP.W"]))
        yield from ("TRAINER.KGCOOP.TEACHER_PREC", "fp32" if "fp32_teacher" in kind else "fp16")
    elif method == "ProGrad":
        yield from ("TRAINER.PROGRAD.LAMBDA", float(given["LOSS.LAMBDA"]))
        yield from ("TRAINER.PROGRAD.N_CTX", int(given["TRAINER.COOP.N_CTX"]))
        if "photo_of_a" in kind:
            yield from ("TRAINER.PROGRAD.CTX_INIT", "a photo of a")
        if "coop_teacher" in kind:
            yield from ("TRAINER.PROGRAD.TEACHER", "a photo of a {}, a type of pet.")
    elif method == "TaskRes":
        yield from ("TRAINER.TASKRES.ALPHA", float(given["TRAINER.TaskRes.RESIDUAL_SCALE"]))
    elif "TR" in kind.split("_"):
        yield from ("TRAINER.ZSLP.ALPHA", 0.5)
    elif "RANDOM" in kind:
        yield from ("TRAINER.ZSLP.INIT", "random")


def build(name: str, root: Path, backbone: Path, output: Path, *more: object, recipe: str = "vit_b16"):
    """The trainer of a recorded run, with the method's published recipe below the run's options."""
    method, seed = trainer_of(name), int(name.split("/seed")[1][0])
    words = [
        *("--root", root, "--seed", seed, "--trainer", method, "--output-dir", output, "--backbone", backbone),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml"),
        *("--config-file", CHECKOUT / f"configs/trainers/{method}/{recipe}.yaml", *COMMON),
        *("TRAINER.FEATURES.VIEWS", 0, *pairs_of(name), *more),
    ]
    cfg = train.setup_cfg(train.parse_args([str(word) for word in words]))
    set_random_seed(seed)
    return build_trainer(cfg)


def drawn_while_building(method: str, backbone: Path) -> list[Callable[[], object]]:
    """What an author's code draws between the data and training, in order; [] where it is what ours draws."""

    def clip() -> object:
        return build_model(torch.load(backbone, weights_only=True))

    unused = (lambda: nn.Linear(512, 512), *(lambda shape=s: nn.Linear(*shape, bias=False) for s in UNUSED))
    return {"KgCoOp": [clip, lambda: torch.randn(1, 512), clip, *unused], "ProGrad": [clip, clip]}.get(method, [])


UNUSED = ((512, 128), (128, 512))


def start(trainer, name: str, backbone: Path) -> None:
    """Leaves the random numbers where the recorded training began."""
    method, kind, seed, _ = name.split("/")
    seed = int(seed.removeprefix("seed"))
    if kind.startswith("reseeded"):
        set_random_seed(seed)
    elif draws := drawn_while_building(method, backbone):
        set_random_seed(seed)
        for draw in draws:
            draw()


def run(trainer, name: str, backbone: Path) -> list[Step]:
    """Trains; what each step came to."""
    steps: list[Step] = []
    forward_backward = trainer.forward_backward

    def note(batch) -> dict[str, float]:
        used = trainer.get_current_lr()
        printed = forward_backward(batch)
        (learned,) = trainer.classifier.learned.parameters()
        norms = learned.norm().item(), learned.grad.norm().item()
        steps.append(Step(printed, batch[1].tolist(), used, trainer.get_current_lr(), *norms))
        return printed

    trainer.forward_backward = note
    start(trainer, name, backbone)
    trainer.train()
    return steps


def pool(trainer) -> tuple[torch.Tensor, torch.Tensor]:
    """CLAP's pool, features (P, D) and labels (P,): a pass over the test set, then 20 over the training loader."""
    list(trainer.test_loader)
    parts = [part for _ in range(PASSES) for part in trainer.image_loader]
    features = [trainer.backbone.encode_image(part["img"]) for part in parts]
    return torch.cat(features), torch.cat([part["label"] for part in parts])

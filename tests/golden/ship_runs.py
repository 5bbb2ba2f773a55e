"""Whole runs of SHIP on each carrier, with the losses of every step of both stages kept in ship_runs.json.

    python -m tests.golden.ship_runs

writes that file anew. A change that moves these figures is a decision: say why in the commit that has the new file.

The inputs can tell: 13 classes, of which 7 are base; 5 shots, so 35 images, which no batch size here divides; three
views of each; more validation images a class than a few-shot run takes. All that decides the figures is given here.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import compat

compat.ensure()

from dassl.engine import build_trainer  # noqa: E402
from dassl.utils import set_random_seed  # noqa: E402

import train  # noqa: E402
from datasets import shapes  # noqa: E402

CHECKOUT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).with_name("ship_runs.json")
CLASSES = shapes.Shapes.names[:13]
PARTS = {"train": (1, 7), "val": (2, 6), "test": (3, 8)}  # as shapes.PARTS has them
RECIPES = {
    "CoOp": "shapes",
    "CoCoOp": "shapes_cocoop",
    "CLIPAdapter": "shapes_clip_adapter",
    "TipAdapterF": "shapes_tip_adapter_f",
}
SETTINGS = (
    *("DATASET.NUM_SHOTS", 5, "DATALOADER.NUM_WORKERS", 0, "DATALOADER.TRAIN_X.BATCH_SIZE", 8),
    *("TRAINER.FEATURES.VIEWS", 3, "TRAINER.FEATURES.AUGMENT", True, "INPUT.RRCROP_SCALE", (0.5, 1.0)),
    *("TRAINER.SHIP.PREC", "fp32", "TRAINER.SHIP.DROP_LAST", False, "TRAINER.SHIP.ROUND_FEATURES", True),
    *("TRAINER.SHIP.BATCH_SIZE", 16, "TRAINER.SHIP.ENCODER_DIM", 48, "TRAINER.SHIP.GENERATOR_DIM", 40),
    *("TRAINER.SHIP.KL_WEIGHT", 0.5, "TRAINER.SHIP.KL_ANNEAL", 4, "TRAINER.SHIP.FREE_BITS", 1e-3),
    *("TRAINER.SHIP.OPTIM.NAME", "adamw", "TRAINER.SHIP.OPTIM.LR", 3e-3, "TRAINER.SHIP.OPTIM.WEIGHT_DECAY", 0.01),
    *("TRAINER.SHIP.OPTIM.MAX_EPOCH", 12, "TRAINER.SHIP.OPTIM.LR_SCHEDULER", "cosine"),
    *("TRAINER.SHIP.SCHEDULE_PER_STEP", True, "OPTIM.LR_SCHEDULER", "cosine", "OPTIM.MAX_EPOCH", 8),
    *(
        "OPTIM.WARMUP_EPOCH",
        1,
        "OPTIM.WARMUP_TYPE",
        "constant",
        "OPTIM.WARMUP_CONS_LR",
        1e-4,
        "TRAIN.PRINT_FREQ",
        100,
    ),
)
SGD = ("OPTIM.NAME", "sgd", "OPTIM.LR", 0.02, "OPTIM.MOMENTUM", 0.9, "OPTIM.WEIGHT_DECAY", 5e-4)
ADAMW = ("OPTIM.NAME", "adamw", "OPTIM.LR", 2e-3, "OPTIM.WEIGHT_DECAY", 0.01, "TRAINER.SHIP.ADAM_EPS", 1e-4)
OPTIMIZERS = {"CoOp": SGD, "CoCoOp": SGD, "CLIPAdapter": (*SGD, "OPTIM.LR", 0.1), "TipAdapterF": ADAMW}


def build(carrier: str, root: Path, output: Path, classes: str = "base"):
    """The trainer of one of these runs; `smaller_shapes` has to be entered."""
    words = [
        *("--root", root, "--seed", 1, "--trainer", "SHIP", "--output-dir", output),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/shapes.yaml"),
        *("--config-file", CHECKOUT / f"configs/trainers/SHIP/{RECIPES[carrier]}.yaml", *SETTINGS),
        *(*OPTIMIZERS[carrier], "DATASET.SUBSAMPLE_CLASSES", classes),
    ]
    cfg = train.setup_cfg(train.parse_args([str(word) for word in words]))
    set_random_seed(1)
    return build_trainer(cfg)


@contextmanager
def smaller_shapes() -> Iterator[None]:
    """While it is entered, Shapes has fewer classes and pictures."""
    with mock.patch.object(shapes, "PARTS", PARTS), mock.patch.object(shapes.Shapes, "names", CLASSES):
        yield


def losses_of(trainer) -> dict[str, dict[str, list[float]]]:
    """Trains; what each step of each stage printed, by stage and name."""
    steps: dict[str, dict[str, list[float]]] = {}
    forward_backward = trainer.forward_backward

    def note(batch) -> dict[str, float]:
        printed = forward_backward(batch)
        for name, value in printed.items():
            steps.setdefault(trainer.stage.title, {}).setdefault(name, []).append(value)
        return printed

    trainer.forward_backward = note
    trainer.train()
    return steps


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, smaller_shapes():
        os.environ["SHIP_CACHE"] = f"{folder}/cache"
        found = {carrier: losses_of(build(carrier, Path(folder), Path(folder, carrier))) for carrier in RECIPES}
    kept = {
        carrier: {
            stage: {name: [float(f"{value:.7g}") for value in values] for name, values in printed.items()}
            for stage, printed in stages.items()
        }
        for carrier, stages in found.items()
    }
    RECORDED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Trains SHIP twice, with every fast path and on the plain path, and compares each step's loss and all predictions.

    python tests/fast_and_plain.py [--root data] [--fp32] [KEY VALUE …]

Fast: packed prompts in chunks that the backward pass recomputes, views encoded once, features synthesized for many
steps at once. Plain: CLIP's own text encoder over 77 positions, and images encoded anew for every step. By default
the whole run of SHIP on `shapes`, base classes, computed in fp64 and without ROUND_FEATURES: training makes much of
little, so that in fp32 (--fp32) the rounding of any two orders of summation grows over the steps, as would that of
features to fp16. Exit status: 0 if no loss differs by 1e-4 or more and no prediction does, else 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

import train  # noqa: E402 - of this checkout, and it makes clip importable
from scripts.bench.plain import make_plain, recorded_losses, reencode  # noqa: E402

import clip.model  # noqa: E402 isort: skip
import torch  # noqa: E402
from dassl.engine import build_trainer  # noqa: E402
from dassl.utils import set_random_seed  # noqa: E402
from torch import Tensor, nn  # noqa: E402

TOLERANCE = 1e-4
FAST = ("TRAINER.TEXT_CHUNK", "64", "TRAINER.SHIP.AHEAD", "1024")
BOTH = ("DATASET.NUM_SHOTS", "16", "DATASET.SUBSAMPLE_CLASSES", "base", "TRAINER.SHIP.ROUND_FEATURES", "False")
PLAIN = ("TRAINER.TEXT_CHUNK", "0", "TRAINER.SHIP.AHEAD", "0")


def compute_in_fp64() -> None:
    """From here on what asks for fp32 gets fp64, LayerNorm of CLIP included."""
    torch.set_default_dtype(torch.float64)
    Tensor.float = Tensor.double
    clip.model.LayerNorm.forward = nn.LayerNorm.forward
    nn.Module.float = nn.Module.double


def run(args: argparse.Namespace, name: str, folder: str) -> tuple[list[float], Tensor]:
    """The loss of each training step, in both stages, and the predicted class of each test image."""
    configs = CHECKOUT / "configs"
    pairs = (*BOTH, *(PLAIN if name == "plain" else FAST))
    given = [
        *("--root", args.root, "--seed", "1", "--trainer", "SHIP", "--output-dir", f"{folder}/{name}"),
        *("--dataset-config-file", str(configs / "datasets/shapes.yaml"), "--no-cache"),
        *("--config-file", str(configs / "trainers/SHIP/shapes.yaml"), *pairs, *args.pairs),
    ]
    cfg = train.setup_cfg(train.parse_args(given))
    set_random_seed(cfg.SEED)
    trainer = build_trainer(cfg)
    if name == "plain":
        make_plain(trainer.backbone)
        reencode(trainer)
    losses = recorded_losses(trainer)
    trainer.train()
    return losses, trainer.classifier.predict(trainer.evaluation_features("test")[0]).argmax(dim=-1)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="folder of the datasets (data)")
    parser.add_argument("--fp32", action="store_true", help="compute as runs do")
    parser.add_argument("pairs", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="pairs for train.py")
    args = parser.parse_args(argv)
    if not args.fp32:
        compute_in_fp64()
    with tempfile.TemporaryDirectory() as folder:
        losses, predictions = run(args, "fast", folder)
        plain_losses, plain_predictions = run(args, "plain", folder)
    apart = max(abs(one - other) for one, other in zip(losses, plain_losses, strict=True))
    changed = int((predictions != plain_predictions).sum())
    print(f"{len(losses)} steps: losses differ by at most {apart:.1e}")
    print(f"{len(predictions)} predictions: {changed} differ")
    sys.exit(1 if apart >= TOLERANCE or changed else 0)


if __name__ == "__main__":
    main()

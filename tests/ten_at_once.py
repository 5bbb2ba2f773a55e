"""Starts runs at once on the same DATA and cache folders, and compares their results with those of runs alone.

    python tests/ten_at_once.py [RUNS]

`shapes`, which the first run to get there renders, CoOp, five seeds; ten runs unless told otherwise.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SHORT = "OPTIM.MAX_EPOCH 5 TRAINER.FEATURES.VIEWS 1 DATASET.NUM_SHOTS 4 DATASET.SUBSAMPLE_CLASSES base".split()
SEEDS = 5


def command(data: Path, output: Path, seed: int, dataset: str, recipe: str, pairs: Sequence[object]) -> list[str]:
    words = [
        *(sys.executable, CHECKOUT / "train.py", "--root", data, "--output-dir", output, "--seed", seed),
        *("--trainer", "CoOp", "--config-file", CHECKOUT / f"configs/trainers/CoOp/{recipe}.yaml"),
        *("--dataset-config-file", CHECKOUT / f"configs/datasets/{dataset}.yaml", *SHORT, *pairs),
    ]
    return [str(word) for word in words]


def run_at_once(
    folder: Path, data: Path, seeds: Sequence[int], dataset: str, recipe: str, *pairs: object
) -> list[dict]:
    """Metrics of a run for each of the seeds, all started together; raises RuntimeError where one fails."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    outputs = [folder / f"run{index}" for index in range(len(seeds))]
    runs = [
        subprocess.Popen(
            command(data, output, seed, dataset, recipe, pairs),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for output, seed in zip(outputs, seeds, strict=True)
    ]
    errors = [run.communicate()[1] for run in runs]
    for run, error in zip(runs, errors, strict=True):
        if run.returncode:
            raise RuntimeError(f"status {run.returncode}: {error}")
    return [json.loads((output / "results.json").read_text(encoding="utf-8"))["metrics"] for output in outputs]


def main(count: int) -> None:
    seeds = [index % SEEDS + 1 for index in range(count)]
    with tempfile.TemporaryDirectory() as name:
        together = run_at_once(Path(name, "together"), Path(name, "data"), seeds, "shapes", "shapes")
        same = True
        for seed in sorted(set(seeds)):
            (alone,) = run_at_once(Path(name, f"alone{seed}"), Path(name, "data alone"), [seed], "shapes", "shapes")
            found = [metrics for metrics, other in zip(together, seeds, strict=True) if other == seed]
            same = same and all(metrics == alone for metrics in found)
            figures = ", ".join(f"{metrics['accuracy']:.2f}" for metrics in found)
            print(f"seed {seed}: alone {alone['accuracy']:.2f}, together {figures}")
    print(f"{count} runs at once: results {'as those of runs alone' if same else 'DIFFER'}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)

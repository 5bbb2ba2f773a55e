"""Kills a run of train.py again and again, and compares what it comes to with a run that nobody disturbed.

    python tests/fault_injection.py --kills 20 --output output/kills [--chance SEED] [ARGUMENTS OF train.py …]

Trains on base classes and evaluates on new ones; by default SHIP on `shapes`, a short setting. A process is killed
with SIGKILL, spread at random over both stages: at a step, a moment after one, or in the next writing of a state, a
checkpoint or results.json: half of the file written, all written and not yet renamed, just renamed. Metrics, accuracy
of each class, means of each stage and the last checkpoint have to be equal bit for bit. Exit status: 0 if they are,
else 1. Needs Linux. Each process is a fork of this one, which saves the seconds that importing takes.
"""

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

import scripts.protocols.imports  # noqa: E402, F401 - leaves CUDA closed, which does not outlive a fork
import train  # noqa: E402 - of this checkout
from tests.trainers.outcomes import outcome, unequal  # noqa: E402
from trainers.blocks.training.feature_trainer import FeatureTrainer  # noqa: E402

SHIP_ON_SHAPES = [
    *("--root", "data", "--seed", "1", "--trainer", "SHIP"),
    *("--dataset-config-file", str(CHECKOUT / "configs/datasets/shapes.yaml")),
    *("--config-file", str(CHECKOUT / "configs/trainers/SHIP/shapes.yaml"), "DATASET.NUM_SHOTS", "4"),
    *("TRAINER.FEATURES.VIEWS", "2", "TRAINER.SHIP.BATCH_SIZE", "25", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "14"),
    *("OPTIM.MAX_EPOCH", "14"),
]
IN_EVALUATION = 0.1  # of the kills


def die(report: Path, where: str) -> None:
    """Says where, and ends the process as a loss of power would."""
    report.write_text(where, encoding="utf-8")
    os.kill(os.getpid(), signal.SIGKILL)


def progress(trainer: FeatureTrainer) -> float:
    """The share of the run that is behind it: each of the two stages is half of it."""
    done = trainer.epoch * trainer.num_batches + trainer.batch_idx
    main = trainer.stage.title == trainer.cfg.TRAINER.NAME
    return (main + done / (trainer.stage.epochs * trainer.num_batches)) / 2


def when_reached(share: float, action: Callable[[str], None]) -> None:
    """Calls `action`, with where that is, at the first step that has so much of the run behind it."""
    forward_backward, waiting = FeatureTrainer.forward_backward, True

    def watched(trainer, batch):
        nonlocal waiting
        if waiting and progress(trainer) >= share:
            waiting = False
            action(f"{trainer.stage.title}, epoch {trainer.epoch + 1}, step {trainer.batch_idx + 1}")
        return forward_backward(trainer, batch)

    FeatureTrainer.forward_backward = watched


def kill_in_writing(moment: str, report: Path, where: str = "the end") -> None:
    """Ends the process in the next writing of a file."""
    fsync, replace, written = os.fsync, os.replace, False

    def flushed(handle: int) -> None:
        nonlocal written
        path = os.readlink(f"/proc/self/fd/{handle}")
        if os.path.isfile(path):
            written = True
            if moment == "half written":
                os.truncate(path, os.path.getsize(path) // 2)
            if moment != "renamed":
                die(report, f"{Path(path).name}, {moment}, after {where}")
        fsync(handle)

    def renamed(source: str, target: str) -> None:
        replace(source, target)
        if written:
            die(report, f"{Path(target).name}, {moment}, after {where}")

    os.fsync, os.replace = flushed, renamed


def kill_after(seconds: float, report: Path, where: str) -> None:
    timer = threading.Timer(seconds, die, (report, f"{1000 * seconds:.0f} ms after {where}"))
    timer.daemon = True
    timer.start()


def fault_in_training(chance: random.Random, share: float, report: Path) -> Callable[[], None]:
    """What to do in the process that is to be killed, at or soon after that share of the run."""
    moment = chance.choice(["half written", "not yet renamed", "renamed"])
    seconds = chance.uniform(0, 0.05)
    actions = [
        lambda where: die(report, where),
        lambda where: kill_in_writing(moment, report, where),
        lambda where: kill_after(seconds, report, where),
    ]
    action = chance.choices(actions, [5, 4, 1])[0]
    return lambda: when_reached(share, action)


def start(arguments: list[str], log: Path, before: Callable[[], object] = lambda: None) -> int:
    """Runs train.py in a process of its own; minus the signal's number, or the exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(log, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    before()
    status = 1
    try:
        train.main(arguments)
        status = 0
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def commands(words: list[str], folder: Path) -> list[list[str]]:
    """The arguments of training on base classes, and of evaluating on new ones."""
    pairs = next((i for i, word in enumerate(words) if "." in word and word.split(".")[0].isupper()), len(words))
    options, pairs = words[:pairs], words[pairs:]
    base, new = folder / "base", folder / "new"
    return [
        [*options, "--output-dir", str(base), *pairs, "DATASET.SUBSAMPLE_CLASSES", "base"],
        [
            *(*options, "--output-dir", str(new), "--eval-only", "--model-dir", str(base)),
            *(*pairs, "DATASET.SUBSAMPLE_CLASSES", "new"),
        ],
    ]


def undisturbed(words: list[str], folder: Path) -> None:
    for arguments in commands(words, folder):
        if start(arguments, folder / "console.txt"):
            sys.exit(f"The undisturbed run fails; see {folder}/console.txt")


def disturbed(words: list[str], folder: Path, kills: int, chance: random.Random) -> int:
    """Runs with so many kills, or fewer if it ends before; how many there were."""
    training, evaluation = commands(words, folder)
    report, log = folder / "killed_at.txt", folder / "console.txt"
    first = round(kills * (1 - IN_EVALUATION))
    faults = [fault_in_training(chance, (i + chance.random()) / first, report) for i in range(first)]
    survived = until_it_ends(training, faults, report, log, 0)
    # once its results.json has its name an evaluation is complete
    faults = [lambda: kill_in_writing("half written", report)] * (kills - survived)
    return until_it_ends(evaluation, faults, report, log, survived)


def until_it_ends(arguments: list[str], faults: Sequence[Callable], report: Path, log: Path, survived: int) -> int:
    """Starts the run again after each fault; how many kills there have been in all."""
    for fault in (*faults, lambda: None):
        status = start(arguments, log, fault)
        if status == 0:
            return survived
        if status != -signal.SIGKILL:
            sys.exit(f"A restarted run fails with status {status}; see {log}")
        survived += 1
        print(f"kill {survived}: {report.read_text(encoding='utf-8')}", flush=True)
    sys.exit(f"A run without faults was killed; see {log}")


def record(folder: Path) -> dict:
    """What evaluation on new classes found."""
    found = json.loads((folder / "new/results.json").read_text(encoding="utf-8"))
    return {name: found[name] for name in ("metrics", "per_class_accuracy", "correct", "config_hash")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--output", type=Path, required=True, help="folder for both runs; it must not be there")
    parser.add_argument("--chance", type=int, default=0, help="seed of where to kill")
    args, words = parser.parse_known_args()
    folders = [args.output / "undisturbed", args.output / "killed"]
    for folder in folders:
        folder.mkdir(parents=True)
    began = time.monotonic()
    undisturbed(words or SHIP_ON_SHAPES, folders[0])
    survived = disturbed(words or SHIP_ON_SHAPES, folders[1], args.kills, random.Random(args.chance))
    results = [(*outcome(folder / "base"), record(folder)) for folder in folders]
    different = unequal(*results)
    print(
        f"survived {survived} kills of {args.kills} in {time.monotonic() - began:.0f} s; metrics, accuracy of each "
        f"class and weights are {'equal bit for bit' if not different else f'NOT equal: {different}'}"
    )
    sys.exit(1 if different or survived < args.kills else 0)


if __name__ == "__main__":
    main()

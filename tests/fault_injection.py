"""Kills a run of train.py again and again, and compares what it comes to with a run that nobody disturbed.

    python tests/fault_injection.py --kills 20 --output output/kills [--chance SEED] [ARGUMENTS OF train.py …]

Trains on base classes and evaluates on new ones; by default SHIP on `shapes`, a short setting. A process is killed
with SIGKILL at a random step of either stage, at a random moment, or in a random place of writing a state, a
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
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

import train  # noqa: E402 - of this checkout
from tests.trainers.outcomes import outcome, unequal  # noqa: E402
from trainers.blocks.feature_trainer import FeatureTrainer  # noqa: E402

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


def kill_at_step(count: int, report: Path) -> str:
    forward_backward, taken = FeatureTrainer.forward_backward, 0

    def counted(trainer, batch):
        nonlocal taken
        if taken == count:
            position = f"epoch {trainer.epoch + 1}, step {trainer.batch_idx + 1}"
            die(report, f"{trainer.stage.title}, {position}")
        taken += 1
        return forward_backward(trainer, batch)

    FeatureTrainer.forward_backward = counted
    return f"at step {count}"


def kill_in_writing(count: int, moment: str, report: Path) -> str:
    fsync, replace, written = os.fsync, os.replace, 0

    def flushed(handle: int) -> None:
        nonlocal written
        path = os.readlink(f"/proc/self/fd/{handle}")
        if os.path.isfile(path):
            written += 1
            if written == count and moment == "half written":
                os.truncate(path, os.path.getsize(path) // 2)
            if written == count and moment != "renamed":
                die(report, f"{Path(path).name}, {moment}")
        fsync(handle)

    def renamed(source: str, target: str) -> None:
        replace(source, target)
        if written == count and moment == "renamed":
            die(report, f"{Path(target).name}, {moment}")

    os.fsync, os.replace = flushed, renamed
    return f"in writing file {count}"


def kill_after(seconds: float, report: Path) -> str:
    timer = threading.Timer(seconds, die, (report, f"after {seconds:.2f} s"))
    timer.daemon = True
    timer.start()
    return f"after {seconds:.2f} s"


def random_fault(chance: random.Random, training: bool, last: bool, report: Path) -> Callable[[], str]:
    """What to do in the process that is to be killed; once its results.json has its name a run is complete."""
    moment = chance.choice(["half written", "not yet renamed", "renamed"] if training or last else ["half written"])
    kind = chance.choices(["step", "writing", "time"], [5, 4, 1])[0] if training else "writing"
    if kind == "step":
        count = chance.randint(0, 9)
        return lambda: kill_at_step(count, report)
    if kind == "writing":
        count = chance.randint(1, 3) if training else 1
        return lambda: kill_in_writing(count, moment, report)
    seconds = chance.uniform(0.5, 4)
    return lambda: kill_after(seconds, report)


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
    finally:
        sys.stdout.flush()
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
    survived, report = 0, folder / "killed_at.txt"
    for stage, arguments in enumerate(commands(words, folder)):
        allowed = kills if stage else round(kills * (1 - IN_EVALUATION))
        while True:
            fault = random_fault(chance, stage == 0, survived + 1 == kills, report)
            status = start(arguments, folder / "console.txt", fault if survived < allowed else lambda: None)
            if status == 0:
                break
            if status != -signal.SIGKILL:
                sys.exit(f"A restarted run fails with status {status}; see {folder}/console.txt")
            survived += 1
            print(f"kill {survived}: {report.read_text(encoding='utf-8')}", flush=True)
    return survived


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

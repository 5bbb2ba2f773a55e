"""Stands in for train.py in tests of scripts: notes what it does, keeps its epochs, writes log.txt and results.json.

    python stub_train.py FOLDER [--fail TIMES] [--epochs N] [--signal-at EPOCH NUMBER PROCESS] [--wait-at EPOCH]

FOLDER/journal.txt gets a line at the start, with the threads and GPUs it may use, and one an epoch; SIGINT and
SIGTERM end it with status 130 and 143 after the epoch, from which it goes on when it starts again.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--force", action="store_true")
parser.add_argument("--fail", type=int, default=0)
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--signal-at", type=int, nargs=3, default=(0, 0, 0))
parser.add_argument("--ended-by", type=int, default=0, help="a signal that it gets right away")
parser.add_argument("--wait-at", type=int, default=0, help="until it is stopped, or FOLDER has a file `go on`")
args = parser.parse_args()

asked = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: asked.append(number))
args.folder.mkdir(parents=True, exist_ok=True)
(args.folder / "log.txt").touch()
results, journal = args.folder / "results.json", args.folder / "journal.txt"


def note(line: str) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


before = journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []
if args.force:
    results.unlink()
    before = []
started = sum(line.startswith("start") for line in before)
threads, gpus = (os.environ.get(name) for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"))
note(f"start threads={threads} gpus={gpus}{' over' if args.force else ''}")
if started < args.fail:
    print("made to fail", file=sys.stderr)
    sys.exit(3)
if args.ended_by:
    os.kill(os.getpid(), args.ended_by)
for epoch in range(1 + sum(line.startswith("epoch") for line in before), args.epochs + 1):
    note(f"epoch {epoch}")
    if epoch == args.signal_at[0] and not started:
        os.kill(args.signal_at[2], args.signal_at[1])
    while epoch == args.wait_at and not asked and not (args.folder / "go on").exists():
        time.sleep(0.05)
    if asked:
        note(f"stopped by {asked[0]}")
        print(f"Stopped by {signal.Signals(asked[0]).name}; the same command goes on after epoch {epoch}")
        sys.exit(128 + asked[0])
note("end")
results.write_text(json.dumps({"metrics": {"accuracy": 50.0}, "config": {}, "training": {}}), encoding="utf-8")

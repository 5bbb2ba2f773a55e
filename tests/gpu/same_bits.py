"""Trains two times at once, and once with a kill in the middle, and compares what the three runs come to.

    python tests/gpu/same_bits.py --output output/same --deterministic --trainer SHIP … (arguments of train.py)

Each run is a fork of this process, which imports once and does not touch CUDA. Metrics and the last checkpoint have
to be equal bit for bit. Exit status: 0 if they are, else 1. Needs Linux.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from tests.fault_injection import start, when_reached  # noqa: E402
from tests.trainers.outcomes import outcome, unequal  # noqa: E402

MIDDLE = 0.6  # of a run's steps: in its second stage


def arguments(words: list[str], folder: Path) -> list[str]:
    pairs = next((at for at, word in enumerate(words) if "." in word and word.split(".")[0].isupper()), len(words))
    return [*words[:pairs], "--output-dir", str(folder), *words[pairs:]]


def run(words: list[str], folder: Path) -> int:
    """To its end, with a cache of its own."""
    return start(arguments(words, folder), folder / "console.txt", lambda: own_cache(folder))


def own_cache(folder: Path) -> None:
    os.environ["SHIP_CACHE"] = str(folder / "cache")


def kill_in_the_middle(folder: Path) -> None:
    own_cache(folder)
    when_reached(MIDDLE, lambda where: os.kill(os.getpid(), signal.SIGKILL))


def said_last(folder: Path) -> str:
    text = (folder / "console.txt").read_text(encoding="utf-8", errors="replace")
    return f"{folder}/console.txt ends with:\n{text[-1500:]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the runs; it must not be there")
    args, words = parser.parse_known_args()
    one, other, killed = folders = [args.output / name for name in ("one", "other", "killed")]
    for folder in folders:
        folder.mkdir(parents=True)
    statuses: list[int] = []
    at_once = threading.Thread(target=lambda: statuses.append(run(words, other)))
    at_once.start()
    statuses.append(run(words, one))
    at_once.join()
    ended = start(arguments(words, killed), killed / "console.txt", lambda: kill_in_the_middle(killed))
    if ended != -signal.SIGKILL:
        sys.exit(f"The run that was to be killed ended with {ended}; {said_last(killed)}")
    statuses.append(run(words, killed))
    if any(statuses):
        sys.exit(f"A run failed; {' '.join(map(said_last, folders))}")
    expected = outcome(one)
    different = [name for name in ("other", "killed") if unequal(expected, outcome(args.output / name))]
    print(f"not equal: {', '.join(different)}" if different else "all three are equal bit for bit")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()

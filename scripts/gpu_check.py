"""Checks on this machine's GPU what only a GPU can show, and writes a report; see scripts/gpu_check.sh.

    bash scripts/gpu_check.sh [--quick] [--output output/gpu_check]

Exit status: 0 if all parts passed, or there is no GPU and the comparisons notice faults; 1 if not; 2 for bad input.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from common.arguments import OUTPUT, command_parser
from common.command import run_command

LIMITS = {False: (310, 150), True: (105, 50)}  # seconds of the tests and of the benchmark, by --quick


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    import compat

    compat.ensure()  # makes clip importable, so it comes before what follows
    from bench import machine
    from bench.agreement import self_test
    from gpu import report
    from gpu.parts import PASSED, planned, run

    faults = self_test()
    if faults:
        print(f"comparisons that do not notice faults: {'; '.join(faults)}")
    else:
        print("comparisons: each passes what is near enough, and notices what is not")
    if machine.device().type != "cuda":
        print("There is no GPU here: nothing else has been checked.")
        sys.exit(1 if faults else 0)
    parts = planned(args.quick, LIMITS[args.quick])
    for part in parts:
        print(f"{part.name}: {part.about}, at most {part.limit} s", flush=True)
        run(part)
    text, record = report.as_text(parts), json.dumps(report.as_json(parts, args.quick), indent=1)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "report.txt").write_text(text, encoding="utf-8")
    (args.output / "report.json").write_text(record, encoding="utf-8")
    print(f"\n{text}\nreport: {args.output}/report.txt and report.json")
    sys.exit(1 if faults or any(part.state != PASSED for part in parts) else 0)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("gpu_check.py", __doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases, one backbone; below 3 minutes")
    parser.add_argument("--output", type=Path, default=OUTPUT / "gpu_check", help="folder of the report")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)

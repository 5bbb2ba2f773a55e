"""Measures a step of SHIP's stage 2 (on CoOp, 256 real and 256 synthesized features), random weights.

    python scripts/benchmark.py growth [--backbone ViT-B/16] [--threads N] [--plot FOLDER] [--json]

Against the number of classes, the length of the context (of CoOp's prompts and of the PromptVAE's), and the length of
class names. Token passes are tokens through the text tower, forward and backward; prompts beyond the memory budget
are recomputed, which is another forward pass. With --plot also drawn, as growth.png and growth.pdf, which needs
matplotlib. Exit status: 0; 2 for bad input.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from common.arguments import positive
from report.saving import save

from bench import growth, machine
from bench.arguments import parser_of, prepared
from bench.growth import Series

CLASSES, CONTEXTS, NAME_TOKENS = (10, 30, 100, 300, 1000, 3000, 10000), (1, 2, 4, 8, 16), (1, 2, 5, 10, 15, 20)


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of("growth", __doc__)
    add = parser.add_argument
    add("--classes", metavar="N", type=positive, nargs="+", default=CLASSES, help="numbers of classes")
    add("--contexts", metavar="N", type=positive, nargs="+", default=CONTEXTS, help="numbers of context tokens")
    add(
        "--name-tokens",
        "--words",
        metavar="N",
        type=positive,
        nargs="+",
        default=NAME_TOKENS,
        help="tokens of a class name",
    )
    add("--plot", metavar="FOLDER", type=Path, help="draw to this folder, too")
    args = parser.parse_args(argv)
    draw = drawing(parser) if args.plot else None
    backbone = prepared(parser, args, images=False)
    series = growth.planned(args.classes, args.contexts, args.name_tokens)
    growth.measure(series, backbone, args.repeats)
    about = {"backbone": f"{args.backbone}'s text tower, random weights", "machine": machine.described()}
    about["prompts at once"] = growth.prompts_at_once(backbone)
    record = {**about, "series": [asdict(one) for one in series]}
    print(json.dumps(record, indent=4) if args.json else report(about, series))
    if draw:
        files = save(iter([("growth", draw(series))]), args.plot)
        print("\n".join(map(str, files)), file=sys.stderr)


def drawing(parser: argparse.ArgumentParser) -> Callable[[Sequence[Series]], object]:
    """What draws the series; ends the program with status 2 where there is no matplotlib."""
    try:
        from bench.drawing import growth_figure
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("matplotlib"):
            raise
        parser.error("plots need matplotlib: pip install matplotlib")
    return growth_figure


def report(about: dict, series: Sequence[Series]) -> str:
    title = f"{about['backbone']}; {machine.summary(about['machine'])}"
    room = f"Prompts of about {about['prompts at once']:,} classes with names as ImageNet's fit the memory budget."
    return "\n\n".join([title, *map(growth.table, series), room])

"""Measures a step of SHIP's stage 2 (on CoOp, 32 real and 32 synthesized features) on a text tower of random weights.

    python scripts/benchmark_growth.py [--backbone ViT-B/16] [--plot FOLDER] [--json]

Against the number of classes, the length of the context (of CoOp's prompts and of the PromptVAE's), and the length of
class names. Tokens are those that pass the text tower, forward; prompts that are recomputed in the backward pass
count twice. With --plot also as growth.png and growth.pdf, which needs matplotlib. Exit status: 0; 2 for bad input.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

import compat  # noqa: E402

compat.ensure()

from bench import growth, machine  # noqa: E402
from bench.architectures import SIZES, random_clip  # noqa: E402
from bench.growth import Series  # noqa: E402
from plots import fail, save  # noqa: E402

from trainers.blocks.chunks import AUTOMATIC, Chunks  # noqa: E402
from trainers.blocks.errors import InputError  # noqa: E402

CLASSES, CONTEXTS, WORDS = (10, 30, 100, 300, 1000, 3000, 10000), (1, 2, 4, 8, 16), (1, 2, 5, 10, 15, 20)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        draw = drawing() if args.plot else None
        backbone = random_clip(args.backbone, images=False, device=machine.device())
        backbone.text.chunks = Chunks.on(backbone.device, args.chunk)
        series = growth.planned(args.classes, args.contexts, args.words)
        growth.measure(series, backbone, args.repeats)
    except InputError as error:
        fail(error)
    about = {"backbone": f"{args.backbone}'s text tower, random weights", "machine": machine.described()}
    record = {**about, "series": [asdict(one) for one in series]}
    print(json.dumps(record, indent=4) if args.json else report(about, series))
    if args.plot:
        files = save(iter([("growth", draw(series))]), args.plot)
        print("\n".join(map(str, files)), file=sys.stderr)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="benchmark_growth.py"
    )
    add = parser.add_argument
    add("--backbone", default="ViT-B/16", help=f"sizes of its text tower: {', '.join(SIZES)}; (ViT-B/16)")
    add("--classes", metavar="N", type=int, nargs="+", default=CLASSES, help="numbers of classes")
    add("--contexts", metavar="N", type=int, nargs="+", default=CONTEXTS, help="numbers of context tokens")
    add("--words", metavar="N", type=int, nargs="+", default=WORDS, help="tokens of a class name")
    add("--chunk", type=int, default=AUTOMATIC, help="TRAINER.TEXT_CHUNK (-1: automatic)")
    add("--repeats", type=int, default=3, help="times whose median is given; of long steps one (3)")
    add("--plot", metavar="FOLDER", type=Path, help="draw to this folder, too")
    add("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def drawing() -> Callable[[Sequence[Series]], object]:
    """What draws the series; raises InputError where there is no matplotlib."""
    try:
        from bench.drawing import growth_figure
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("matplotlib"):
            raise
        raise InputError("plots need matplotlib: pip install matplotlib") from missing
    return growth_figure


def report(about: dict, series: Sequence[Series]) -> str:
    title = f"{about['backbone']}; {machine.in_words(about['machine'])}"
    return "\n\n".join([title, *map(growth.table, series)])


if __name__ == "__main__":
    main()

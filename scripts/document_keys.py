"""Writes docs/configuration.md, the reference of this project's keys, from their declarations.

    python scripts/document_keys.py           # after a key was added or changed
    python scripts/document_keys.py --check   # writes nothing

Exit status: 0; with --check 1 where the page is stale.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from common.arguments import CHECKOUT, command_parser
from common.command import run_command

sys.path.insert(0, str(CHECKOUT))

import compat  # noqa: E402

compat.ensure()

from trainers.blocks.keys import Keys  # noqa: E402
from trainers.blocks.methods import METHODS  # noqa: E402
from trainers.blocks.synthesis.ship_keys import STAGE_ONE_OPTIM  # noqa: E402
from trainers.blocks.training.keys import declared  # noqa: E402

PAGE = CHECKOUT / "docs/configuration.md"
HEAD = """# Configuration

After this page you know every key that this project adds to Dassl's, its default, and the values that it can have.
Keys are set as in CoOp: dataset file, recipe, arguments, then `KEY VALUE` pairs at the end of a command, later ones
over earlier ones. A misspelt key, or a value that breaks its rule, ends in a message before anything is written.

This page is written by `python scripts/document_keys.py` from the declarations; a test fails where it is stale.
"""
STAGE_ONE = """
`TRAINER.SHIP.OPTIM` has the keys of Dassl's `OPTIM`, for stage 1, with other defaults: {changed}.
"""


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_parser("document_keys.py", __doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, and compare")
    args = parser.parse_args(argv)
    text = page()
    if args.check and text != PAGE.read_text(encoding="utf-8"):
        sys.exit(f"error: {PAGE} is stale; write it anew: python scripts/document_keys.py")
    if not args.check:
        Path(PAGE).write_text(text, encoding="utf-8")
        print(f"Written: {PAGE}")


def page() -> str:
    parts = [HEAD]
    for section, keys in declared().items():
        parts += [f"\n## {section}\n\n", of_methods(section), table(keys)]
        if section == "TRAINER.SHIP":
            changed = ", ".join(f"`{name}` {value}" for name, value in STAGE_ONE_OPTIM.items())
            parts.append(STAGE_ONE.format(changed=changed))
    return "".join(parts)


def of_methods(section: str) -> str:
    names = [name for name, method in METHODS.items() if f"TRAINER.{method.node}" == section]
    return f"Of `--trainer {'` and `'.join(names)}`.\n\n" if names else ""


def table(keys: Keys) -> str:
    cells = ((f"`{name}`", f"`{key.default!r}`", key.meaning, key.rule.words) for name, key in keys.items())
    rows = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in cells]
    return "| key | default | meaning | values |\n| --- | --- | --- | --- |\n" + "".join(rows)


if __name__ == "__main__":
    run_command(main)

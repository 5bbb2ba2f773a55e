"""The report of the check of a GPU, as text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from bench import machine
from bench.commands.gpu import Row, report

from .parts import PASSED, Part, outcomes

LONGEST = 100  # of a line


def as_json(parts: Sequence[Part], quick: bool) -> dict:
    return {"machine": machine.described(), "quick": quick, "parts": [asdict(part) for part in parts]}


def as_text(parts: Sequence[Part]) -> str:
    lines = []
    for part in parts:
        lines += [f"{part.name} ({part.about}): {part.state}, {part.seconds:.0f} s"]
        lines += told_of_tests(part) if part.name == "tests" else told_of_speed(part)
        if part.state != PASSED:
            lines += [f"  | {line[:LONGEST]}" for line in part.said.splitlines()]
        lines.append("")
    return "\n".join(lines)


def told_of_tests(part: Part) -> list[str]:
    counts = outcomes(part)
    failed = [line for line in part.lines if line["outcome"] == "failed"]
    told = [f"  failed: {line['test']}: {next(iter(line['said'].splitlines()), '')}"[:LONGEST] for line in failed]
    return [", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "none was run", *told]


def told_of_speed(part: Part) -> list[str]:
    if not part.lines:
        return []
    about, *rows = part.lines
    return [report(about, [Row(**row) for row in rows])]

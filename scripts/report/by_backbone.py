"""Tables under other backbones: the blocks of each, and of several the methods against the backbones."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from protocols.backbones import Backbone, split_recipe

from trainers.blocks.errors import did_you_mean

from .blocks import Block, NoRuns, Row, build
from .results import RunResult
from .series import Cell

PAPERS = "vit_b16"  # the backbone of published figures
HEADLINE = {"base2new": "H", "gzsl": "H", "xd": "mean", "dg": "mean"}  # of other protocols, each column


def under(runs: Sequence[RunResult], backbones: Sequence[Backbone]) -> list[RunResult]:
    """Those under one of the backbones; without any named, all."""
    labels = [backbone.label for backbone in backbones]
    return [run for run in runs if not labels or split_recipe(run.id.recipe)[0] in labels]


def build_under(
    backbones: Sequence[Backbone],
    runs: Sequence[RunResult],
    protocol: str,
    datasets: Sequence[str] | None = None,
    published: Sequence[Path] = (),
    seeds: Sequence[int] | None = None,
) -> list[Block]:
    """The blocks of `build` under each backbone, then methods × backbones; without any named, `build` itself.

    Raises what `build` does, and NoRuns for a backbone without runs.
    """
    if not backbones:
        return build(runs, protocol, datasets, published, seeds)
    blocks = []
    for backbone in backbones:
        own = under(runs, [backbone])
        papers = published if backbone.label == PAPERS else ()
        try:
            found = build(own, protocol, datasets, papers, seeds)
        except NoRuns as missing:
            raise NoRuns(
                protocol, missing.dataset, backbone.word, "" if own else nearest(backbone, runs)
            ) from missing
        blocks += [replace(block, what=backbone.title) for block in found]
    return [*blocks, *across(blocks)]


def nearest(backbone: Backbone, runs: Sequence[RunResult]) -> str:
    return did_you_mean(backbone.label, {split_recipe(run.id.recipe)[0] for run in runs})


def across(blocks: Sequence[Block]) -> Iterator[Block]:
    """Methods × backbones, for each dataset that several backbones have blocks of."""
    groups = defaultdict(list)
    for block in blocks:
        groups[tuple(block.datasets), block.shots].append(block)
    for group in groups.values():
        columns = dict.fromkeys(column for block in group for column in block.columns)
        headline = HEADLINE.get(group[0].protocol)
        for column in [headline] if headline else columns:
            if len(group) > 1:
                yield compared(group, column)


def compared(blocks: Sequence[Block], column: str) -> Block:
    """One column of several backbones' blocks side by side; in few-shot the columns are numbers of shots."""
    first = blocks[0]
    counts_shots = first.shots is None
    rows: dict[tuple[str, str], list[Cell]] = defaultdict(lambda: [Cell(note="–")] * len(blocks))
    for place, block in enumerate(blocks):
        for row in block.rows if column in block.columns else ():
            if not row.source:
                rows[row.method, split_recipe(row.recipe)[1]][place] = row.cells[block.columns.index(column)]
    return replace(
        first,
        shots=int(column) if counts_shots else first.shots,
        columns=[block.what for block in blocks],
        rows=[Row(*name, cells) for name, cells in rows.items()],
        seeds=sorted({seed for block in blocks for seed in block.seeds}),
        methods=(),
        what=f"{'accuracy' if counts_shots else column} under each backbone",
        is_across=True,
    )

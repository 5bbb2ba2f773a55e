"""What tables and plots show: a block per dataset and its averages, with methods in rows, for each protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protocols.layout import BENCHMARK, TARGETS, source_of

from .published import Published, read_published
from .results import RunResult
from .rows import MethodRuns, in_order, methods_of
from .series import Cell, Series, average, deviation, harmonic_cell, series_of

PAIRS = {  # columns whose H is shown: title, part, metric
    "base2new": (("base", "base", "accuracy"), ("new", "new", "accuracy")),
    "gzsl": (("S", "all", "seen"), ("U", "all", "unseen")),
}
OVERALL = ("accuracy", "all", "accuracy")
FURTHER = {"base2new": (), "gzsl": (OVERALL,)}  # behind H
GROUPS = (*((name, "all", name) for name in ("many", "few", "none")), OVERALL)  # of longtail
REFERENCE, AVERAGE = "CoOp", "average"


class NoRuns(LookupError):
    """Nothing to show of a protocol, or of one dataset or backbone where it names one; `hint`: the nearest name."""

    def __init__(self, protocol: str, dataset: str = "", backbone: str = "", hint: str = "") -> None:
        named = (f" of {dataset}" if dataset else "") + (f" with the backbone {backbone}" if backbone else "")
        super().__init__(f"{protocol} runs{named}")
        self.dataset, self.backbone, self.hint = dataset, backbone, hint


@dataclass(frozen=True)
class Row:
    """A method's cells; `source` is the paper's for a published row, and empty for runs."""

    method: str
    recipe: str
    cells: Sequence[Cell]
    source: str = ""
    checked: bool = True


@dataclass(frozen=True)
class Block:
    """One table. `datasets` are those of its title: one, or several that are averaged; of xd and dg, the source.

    `what` tells it from others of its dataset: the backbone, or, where these are the columns, what is shown of them.
    """

    protocol: str
    datasets: Sequence[str]
    shots: int | None  # None: they are the columns
    columns: Sequence[str]
    rows: Sequence[Row]
    seeds: Sequence[int]
    methods: Sequence[MethodRuns] = field(default=(), repr=False)
    what: str = ""
    is_across: bool = False  # whether the columns are backbones

    @property
    def name(self) -> str:
        """The dataset, or average: there is one over the embedded datasets (shapes) and one over all others."""
        if len(self.datasets) == 1:
            return self.datasets[0]
        embedded = source_of(self.datasets[0]) == "shapes"
        return f"{AVERAGE} (shapes)" if embedded else AVERAGE

    @property
    def title(self) -> str:
        return self.name if len(self.datasets) == 1 else f"{self.name} over {len(self.datasets)} datasets"

    @property
    def reference(self) -> Row | None:
        """The row that the others are compared with: the first of CoOp."""
        return next((row for row in self.rows if row.method == REFERENCE and not row.source), None)

    def difference(self, row: Row, index: int) -> float | None:
        """To the reference, in points; None where one of the two lacks seeds, and for papers' rows."""
        if self.reference in (None, row) or row.source:
            return None
        mine, theirs = row.cells[index], self.reference.cells[index]
        return mine.mean - theirs.mean if mine.has_all_seeds and theirs.has_all_seeds else None

    def spread(self, row: Row, index: int) -> float | None:
        """The deviation of such a difference over the seeds that both have; None where there are not several."""
        mine, theirs = row.cells[index].values, self.reference.cells[index].values
        return deviation([mine[seed] - theirs[seed] for seed in mine.keys() & theirs.keys()])

    @property
    def compares(self) -> bool:
        """Whether there is a difference to show."""
        return any(self.difference(row, i) is not None for row in self.rows for i in range(len(self.columns)))

    def best(self, row: Row, index: int) -> bool:
        """Whether a cell of runs has all seeds and is, as printed, the highest of several in its column."""
        rivals = [round(r.cells[index].mean, 2) for r in self.rows if not r.source and r.cells[index].has_all_seeds]
        mine = row.cells[index]
        return not row.source and mine.has_all_seeds and len(rivals) > 1 and round(mine.mean, 2) == max(rivals)


def build(
    runs: Sequence[RunResult],
    protocol: str,
    datasets: Sequence[str] | None = None,
    published: Sequence[Path] = (),
    seeds: Sequence[int] | None = None,
) -> list[Block]:
    """The blocks of a protocol; raises NoRuns (also for one of `datasets`) and published.PublishedError."""
    runs = _chosen(runs, protocol, datasets)
    papers = read_published(published, protocol)
    if protocol == "fewshot":
        return list(_by_dataset(runs, protocol, None, seeds, papers))
    zeroshot = [run for run in runs if run.id.shots == 0]
    trained = sorted({run.id.shots for run in runs if run.id.part != "source"} - {0}) or [0]
    make = _transfer if protocol in TARGETS else _by_dataset
    blocks: list[Block] = []
    for shots in trained:
        group = [run for run in runs if run.id.shots == shots]
        there = {run.id.method for run in group}
        group += [run for run in zeroshot if run.id.method not in there]
        blocks += make(group, protocol, shots, seeds, papers)
    return blocks


def _chosen(runs: Sequence[RunResult], protocol: str, datasets: Sequence[str] | None) -> list[RunResult]:
    if protocol in TARGETS and not any(run.id.part == "target" for run in runs):
        raise NoRuns(protocol)
    for dataset in datasets or ():
        if not any(run.id.dataset == dataset for run in runs):
            raise NoRuns(protocol, dataset)
    sources = {run.id.dataset for run in runs if run.id.part == "source"}
    wanted = [dataset for dataset in datasets or () if dataset not in sources]  # a source stands for all its targets
    chosen = [run for run in runs if not wanted or run.id.dataset in wanted or run.id.part == "source"]
    if not chosen:
        raise NoRuns(protocol)
    return chosen


def _expected(runs: Sequence[RunResult], seeds: Sequence[int] | None) -> list[int]:
    return sorted(seeds or {run.id.seed for run in runs} - {None})


def _by_dataset(
    runs: Sequence[RunResult],
    protocol: str,
    shots: int | None,
    seeds: Sequence[int] | None,
    papers: Sequence[Published],
) -> Iterator[Block]:
    """Of all protocols without targets: a block per dataset, then the average over those that share a backbone."""
    methods, expected = methods_of(runs), _expected(runs, seeds)
    names = in_order(run.id.dataset for run in runs)
    columns = _columns(protocol, sorted({run.id.shots for run in runs}))
    worlds = [[name for name in names if source_of(name) == source] for source in ("imagenet", "shapes")]
    for chosen in [*([name] for name in names), *(world for world in worlds if len(world) > 1)]:
        rows = []
        for method in methods:
            parts = [_series(method, protocol, name, columns) for name in chosen]
            series = [average(column) if len(chosen) > 1 else column[0] for column in zip(*parts, strict=True)]
            label = method.label(chosen[0] if len(chosen) == 1 else None)
            rows.append(Row(method.trainer, label, _cells(series, protocol, _count(method, expected))))
        rows += _paper_rows(papers, protocol, chosen, columns, shots)
        yield Block(protocol, chosen, shots, columns, rows, expected, methods)


def _columns(protocol: str, shots: Sequence[int]) -> list[str]:
    if protocol == "fewshot":
        return [str(count) for count in shots]
    if protocol == "longtail":
        return [title for title, _, _ in GROUPS]
    return [*(title for title, _, _ in PAIRS[protocol]), "H", *(title for title, _, _ in FURTHER[protocol])]


def _series(method: MethodRuns, protocol: str, dataset: str, columns: Sequence[str]) -> list[Series]:
    """The columns' series, H left out."""
    if protocol == "fewshot":
        return [series_of(method.select(dataset=dataset, shots=int(shots)), "accuracy") for shots in columns]
    wanted = GROUPS if protocol == "longtail" else (*PAIRS[protocol], *FURTHER[protocol])
    return [series_of(method.select(dataset=dataset, part=part), metric) for _, part, metric in wanted]


def _cells(series: Sequence[Series], protocol: str, expected: int) -> list[Cell]:
    cells = [one.cell(expected) for one in series]
    return cells if protocol not in PAIRS else [*cells[:2], harmonic_cell(*series[:2], expected), *cells[2:]]


def _count(method: MethodRuns, expected: Sequence[int]) -> int:
    """How many figures a cell should have: one where runs have no seed."""
    return len(expected) if any(run.id.seed is not None for run in method.runs) else 1


def _transfer(
    runs: Sequence[RunResult], protocol: str, shots: int, seeds: Sequence[int] | None, papers: Sequence[Published]
) -> Iterator[Block]:
    """xd and dg: a block per source; columns are the source, the targets and the mean over these."""
    for source in in_order(_source(run) for run in runs if run.id.part == "target" and run.id.shots == shots):
        tests = [run for run in runs if run.id.part == "target" and _source(run) == source]
        tested, targets = {run.id.method for run in tests}, {run.id.dataset for run in tests}
        trainings = [run for run in runs if run.id.part == "source" and run.id.dataset == source]
        here = tests + [run for run in trainings if run.id.method in tested or run.outcome.status == "failed"]
        usual = TARGETS[protocol].get(source, BENCHMARK)
        names = sorted(targets, key=lambda name: (usual.index(name) if name in usual else len(usual), name))
        methods, expected, columns = methods_of(here), _expected(here, seeds), [source, *names, "mean"]
        rows = []
        for method in methods:
            series = [series_of(method.select(dataset=name), "accuracy") for name in (source, *names)]
            series.append(average(series[1:], "targets"))
            rows.append(Row(method.trainer, method.label(), [one.cell(_count(method, expected)) for one in series]))
        rows += _paper_rows(papers, protocol, [source], columns, shots)
        yield Block(protocol, [source], shots, columns, rows, expected, methods)


def _source(run: RunResult) -> str:
    return run.outcome.source or source_of(run.id.dataset)


def _paper_rows(
    papers: Sequence[Published], protocol: str, datasets: Sequence[str], columns: Sequence[str], shots: int | None
) -> list[Row]:
    """Papers' rows for the same number of shots."""
    rows = []
    for paper in papers:
        figures = paper.cells(protocol, datasets, columns) if shots in (None, paper.shots) else []
        if any(figure is not None for figure in figures):
            cells = [Cell(figure, note="" if figure is not None else "–") for figure in figures]
            rows.append(Row(paper.method, "published", cells, paper.source, paper.checked))
    return rows

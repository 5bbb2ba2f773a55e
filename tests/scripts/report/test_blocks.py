"""Which cells of a table are set in bold, and which rows are compared with CoOp's."""

import pytest
from report.blocks import Block, Row
from report.series import Cell


def row(method: str, mean: float | None, source: str = "", note: str = "") -> Row:
    return Row(method, "r", [Cell(mean, note=note)], source)


def bold(*rows: Row) -> list[str]:
    block = Block("base2new", ["dtd"], 16, ["base"], rows, [1])
    return [row.method for row in rows if block.best(row, 0)]


def test_best_run_is_bold_where_papers_say_more():
    papers = row("CoOp", 90.0, source="a paper"), row("SHIP", 99.0, source="another")
    assert bold(row("CoOp", 60.0), row("SHIP", 70.0), *papers) == ["SHIP"]
    assert bold(row("CoOp", 60.0), *papers) == []


def test_papers_figure_is_not_bold_where_it_equals_the_best_run():
    assert bold(row("CoOp", 60.0), row("SHIP", 70.0), row("Other", 70.0, source="a paper")) == ["SHIP"]


def test_equal_figures_as_printed_are_bold_together_and_incomplete_ones_never():
    assert bold(row("A", 60.001), row("B", 60.004), row("C", 59.9)) == ["A", "B"]
    assert bold(row("A", 60.0), row("B", 99.0, note="1 of 3"), row("C", 50.0), row("D", None, note="–")) == ["A"]


def test_differences_are_to_the_run_of_coop_and_not_to_its_papers_figure():
    runs = row("CoOp", 60.0), row("SHIP", 70.0)
    paper = row("CoOp", 82.0, source="a paper")
    block = Block("base2new", ["dtd"], 16, ["base"], [paper, *runs], [1])
    assert block.reference is runs[0]
    assert block.difference(runs[1], 0) == pytest.approx(10.0)
    assert block.difference(paper, 0) is block.difference(runs[0], 0) is None

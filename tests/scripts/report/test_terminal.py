"""Tables for a terminal: never wider than 100 columns, whatever is in them."""

import pytest
from report.terminal import WIDTH, cell, grids, wrap


def lines_of(columns: int, name: str = "vit_b16_c4_ep10_batch1_ctxv1") -> list[list[str]]:
    rows = [[wrap("CoCoOp [CoCoOp (CVPR 2022), Table 1]"), wrap(name), *[cell("77.00 ± 4.97")] * columns]]
    tables = grids(("method", "recipe"), [f"a_dataset_with_a_long_name_{i}" for i in range(columns)], rows)
    return [table.splitlines() for table in tables]


@pytest.mark.parametrize("columns", [1, 3, 5, 12])
def test_no_line_is_wider_than_the_terminal(columns):
    tables = lines_of(columns)
    assert max(len(line) for table in tables for line in table) <= WIDTH


def test_columns_that_do_not_fit_go_on_below_and_none_is_lost():
    tables = lines_of(12)
    assert len(tables) > 1
    heads = " ".join(line for table in tables for line in table)
    assert sorted(int(number) for number in heads.replace("name_", " ").split() if number.isdigit()) == list(
        range(12)
    )
    assert all(table[-1].strip() or table[-2].strip() for table in tables)


def test_names_break_behind_their_signs_and_lose_nothing():
    assert wrap("shapes_tip_adapter_f") == "shapes_tip_\nadapter_f"
    assert wrap("shapes_other_style", 10) == "shapes_\nother_\nstyle"
    assert wrap("a" * 30, 14).replace("\n", "") == "a" * 30
    assert wrap("CoOp") == "CoOp"


def test_a_cell_has_its_note_and_its_difference_below_the_figure():
    assert cell("50.00 ± 0.00", "(1 of 2, failed)", "+1.00") == "50.00 ± 0.00\n(1 of 2, failed)\n+1.00"
    assert cell("50.00") == "50.00"

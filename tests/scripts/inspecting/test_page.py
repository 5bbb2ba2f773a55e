"""Numbers as the page writes them, and figures as parts of it."""

import pytest
from inspecting.drawing import accuracy_by_class, as_bytes, as_svg, draw_differences, extremes
from inspecting.page import duration, fixed, short, signed


def test_numbers_are_written_with_a_minus_and_gaps_with_a_dash():
    assert (fixed(-1.26, 1), fixed(None), short(-2.52563e-6), short(None)) == ("−1.3", "–", "−2.526e−06", "–")
    assert (signed(1.26), signed(-0.04), signed(-3.0), signed(None)) == ("+1.3", "0.0", "−3.0", "–")
    assert (duration(3.21), duration(61), duration(7260)) == ("3.2 s", "1 min 1 s", "2 h 1 min")


def test_class_names_are_text_in_figures():
    rows = [{"class": name, "accuracy": value} for name, value in (("<script>x</script>", 1.0), ("a$b$ & _c", 2.0))]
    drawing = as_svg(accuracy_by_class(rows))
    assert drawing.startswith("<svg")
    assert "<text" in drawing
    assert "<script" not in drawing
    assert "&lt;script&gt;x&lt;/script&gt;" in drawing
    assert "a$b$ &amp; _c" in drawing


def test_the_same_figure_has_the_same_bytes_and_takes_the_pages_ink():
    (first,), (second,) = (
        draw_differences([{"by_class": [{"class": "cat", "difference": -1.0}]}]).values() for _ in range(2)
    )
    assert as_svg(first) == as_svg(second)
    assert "currentColor" in as_svg(first)
    assert (as_bytes(first, "png")[:4], as_bytes(first, "pdf")[:4]) == (b"\x89PNG", b"%PDF")


@pytest.mark.parametrize(("count", "shown"), [(30, 30), (31, 30)])
def test_of_many_classes_the_highest_and_the_lowest_are_drawn(count, shown):
    rows = extremes([{"value": float(value)} for value in range(count)], "value")
    assert len(rows) == shown
    assert (rows[0]["value"], rows[-1]["value"]) == (count - 1, 0)

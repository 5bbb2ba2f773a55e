"""Tables put into pages, between marks."""

import pytest
from report.pages import publish, with_section

PAGE = "# Results\n\n<!-- begin gzsl -->\nold\n<!-- end gzsl -->\n\nBelow.\n"


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "results.md"
    path.write_text(PAGE)
    return path


def test_a_table_takes_the_place_of_the_old_one_and_nothing_else_changes(page):
    publish("new\ntable", page, "gzsl")
    assert page.read_text() == PAGE.replace("old", "```\nnew\ntable\n```")
    publish("newer", page, "gzsl", fenced=False)
    assert page.read_text() == PAGE.replace("old", "newer")


def test_without_a_page_the_table_is_printed(capsys):
    publish("a table", None, "gzsl")
    assert capsys.readouterr().out == "a table\n"


@pytest.mark.parametrize("text", ["nothing", "<!-- begin xd -->", "<!-- end xd --> <!-- begin xd -->"])
def test_a_page_without_the_marks_stays_and_says_what_to_put_there(text, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(SystemExit) as caught:
        publish("table", page, "xd")
    assert caught.value.code == 2
    assert "put a line <!-- begin xd -->" in capsys.readouterr().err
    assert page.read_text() == text


def test_a_page_that_is_not_there_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        publish("table", tmp_path / "absent.md", "xd")
    assert "absent.md cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "absent.md").exists()


def test_sections_of_a_page_do_not_touch_each_other(page):
    page.write_text(PAGE + PAGE.replace("gzsl", "xd"))
    text = with_section(page, "xd", "x")
    assert text.count("old") == 1
    assert "<!-- begin xd -->\nx\n<!-- end xd -->" in text

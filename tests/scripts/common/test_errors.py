"""Messages about bad input."""

import pytest
from common.errors import fail, unknown


def test_an_unknown_name_is_told_with_those_that_there_are():
    assert (
        unknown("method", "shipp", ["coop", "ship"]) == "no method 'shipp'; there are coop, ship. Did you mean ship?"
    )


def test_failing_is_a_line_on_stderr_and_status_2(capsys):
    with pytest.raises(SystemExit) as ended:
        fail("no such thing")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: no such thing\n"

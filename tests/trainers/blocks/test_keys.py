"""Rules for the values of keys, at their limits."""

import math

import pytest

from trainers.blocks.errors import InputError
from trainers.blocks.keys import NOT_NEGATIVE, POSITIVE, SHARE, Rule, check_value, number, one_of, several, whole


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (whole(1, 3), (1, 3), (0, 4, 1.0, True, "1")),
        (whole(-1), (-1, 10**9), (-2, None)),
        (SHARE, (0, 0.5, 1, 1.0), (-0.1, 1.1, True, "0")),
        (NOT_NEGATIVE, (0, 1e9), (-1e-9, math.inf, math.nan)),
        (POSITIVE, (1e-9, 5), (0, 0.0, -1, math.inf)),
        (number(2, 3, above=True), (2.1, 3), (2, 3.1)),
        (one_of("a", "b"), ("a", "b"), ("c", "", "ab")),
        (several(2, whole(1), "two"), ((1, 2), [3, 4]), ((1,), (1, 2, 3), (0, 1), 1)),
        (several(None, one_of("a"), "some"), ((), ("a", "a")), (("b",), "a")),
    ],
)
def test_rule_holds_up_to_its_limits_and_not_beyond(rule: Rule, good: tuple, bad: tuple):
    assert [value for value in good if not rule.holds(value)] == []
    assert [value for value in bad if rule.holds(value)] == []


def test_message_names_key_value_and_rule_and_the_nearest_choice():
    with pytest.raises(InputError, match=r"A\.B is 5; it should be a whole number from 1 to 3\.$"):
        check_value("A.B", 5, whole(1, 3))
    with pytest.raises(InputError, match=r"cosin.*one of cosine, linear\..*cosine"):
        check_value("A.B", "cosin", one_of("cosine", "linear"))
    check_value("A.B", "linear", one_of("cosine", "linear"))

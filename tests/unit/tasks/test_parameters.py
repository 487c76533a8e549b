"""Parameters are parsed by a table; a message names task, parameter and value."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.tasks.parameters import BadParameter, Parameter, parse_parameters
from lfr.values.checks import TEXT, whole_number

TABLE = (
    Parameter("url", TEXT, "where to", is_needed=True),
    Parameter("retries", whole_number(0, 10), "how often", default=2),
    Parameter("note", TEXT, "if any"),
)


def test_a_missing_or_null_parameter_has_its_default() -> None:
    expected = {"url": "u", "retries": 2, "note": None}
    assert parse_parameters("t:a", TABLE, {"url": "u"}) == expected
    assert parse_parameters("t:a", TABLE, {"url": "u", "retries": None, "more": 1}) == expected


def test_a_member_of_the_input_comes_first_where_caller_and_table_say_so() -> None:
    table = (
        Parameter("url", TEXT, "where to", is_needed=True, from_input=True),
        Parameter("to", TEXT, "who"),
    )
    input, names = {"url": "mine", "to": "mine"}, ("url", "to")
    assert parse_parameters("t:a", table, {"url": "u", "to": "t"}, input, names) == {"url": "mine", "to": "t"}
    assert parse_parameters("t:a", table, None, input, names) == {"url": "mine", "to": None}
    assert parse_parameters("t:a", table, {"url": "u"}, {"url": None}, names) == {"url": "u", "to": None}
    with pytest.raises(BadParameter, match="t:a: url in the input is 5, but must be a text"):
        parse_parameters("t:a", table, {"url": "u"}, {"url": 5}, names)
    assert parse_parameters("t:a", table, {"url": "u"}, {"url": 5}) == {"url": "u", "to": None}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "t:a needs the parameter url, a text"),
        (None, "t:a needs the parameter url, a text"),
        ({"url": None}, "t:a needs the parameter url, a text"),
        ({"url": 5}, "t:a: url is 5, but must be a text"),
        ({"url": "u", "retries": "é"}, 't:a: retries is "é", but must be a whole number from 0 to 10'),
        ([1], "t:a: the parameters are [1], but must be an object"),
        ({"url": ["x" * 100]}, f't:a: url is ["{"x" * 37}…, but must be a text'),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value(parameters: Any, reason: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_parameters("t:a", TABLE, parameters)
    assert str(caught.value) == reason

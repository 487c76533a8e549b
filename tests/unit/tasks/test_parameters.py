"""Parameters are read by the catalogue's table; what is wrong is told by task, parameter and value."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.tasks.parameters import (
    FLAG,
    TEXT,
    TEXTS_BY_NAME,
    WORDS,
    BadParameter,
    Kind,
    Parameter,
    duration,
    one_of,
    parse_parameters,
    some_of,
    whole,
)

TABLE = (
    Parameter("url", TEXT, "where to", is_needed=True),
    Parameter("retries", whole(0, 10), "how often", default=2),
    Parameter("note", TEXT, "if any"),
)


def test_what_is_not_given_or_null_has_its_default() -> None:
    found = {"url": "u", "retries": 2, "note": None}
    assert parse_parameters("t:a", TABLE, {"url": "u"}) == found
    assert parse_parameters("t:a", TABLE, {"url": "u", "retries": None, "more": 1}) == found


def test_a_member_of_the_input_comes_first_where_that_is_so() -> None:
    table = (
        Parameter("url", TEXT, "where to", is_needed=True, input_first=True),
        Parameter("to", TEXT, "who"),
    )
    input = {"url": "mine", "to": "mine"}
    assert parse_parameters("t:a", table, {"url": "u", "to": "t"}, input) == {"url": "mine", "to": "t"}
    assert parse_parameters("t:a", table, None, input) == {"url": "mine", "to": None}
    assert parse_parameters("t:a", table, {"url": "u"}, {"url": None}) == {"url": "u", "to": None}
    with pytest.raises(BadParameter, match="t:a: url in the input is 5, but must be a text"):
        parse_parameters("t:a", table, {"url": "u"}, {"url": 5})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "t:a needs the parameter url, a text"),
        (None, "t:a needs the parameter url, a text"),
        ({"url": None}, "t:a needs the parameter url, a text"),
        ({"url": 5}, "t:a: url is 5, but must be a text"),
        ({"url": "u", "retries": "é"}, 't:a: retries is "é", but must be a whole number from 0 to 10'),
        ([1], "t:a: the parameters are [1], but must be an object"),
        ({"url": ["x" * 100]}, f't:a: url is ["{"x" * 38}…, but must be a text'),
    ],
)
def test_what_is_wrong_is_named(given: Any, reason: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_parameters("t:a", TABLE, given)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (TEXT, ["", "a"], [1, True, [], {}]),
        (FLAG, [True, False], [0, 1, "true", []]),
        (whole(1, 3), [1, 3], [0, 4, 2.0, "2", True, []]),
        (duration(1, 60), [1, 60.0], [0.5, "2m", 61, "soon", True, None, []]),
        (one_of("a", "b"), ["a", "b"], ["c", "", 1, [], ["a"]]),
        (TEXTS_BY_NAME, [{}, {"a": "b"}], [{"a": 1}, [], "a"]),
        (WORDS, [[], ["a", "b"]], ["a", [None], [["a"]], [{}], [True]]),
        (some_of("a", "b"), [["a"], ["b", "a"], []], ["c", ["a", "c"], [["a"]], {}, 1]),
    ],
    ids=lambda each: each.words if isinstance(each, Kind) else "",
)
def test_what_each_kind_takes(kind: Kind, right: list[Any], wrong: list[Any]) -> None:
    assert [kind.read(value) for value in right] == right
    assert [value for value in wrong if kind.read(value) is not None] == []


def test_numbers_among_words_are_told_as_json_and_a_single_text_is_a_list_of_one() -> None:
    assert WORDS.read(["a", 1, 1.5]) == ["a", "1", "1.5"]
    assert some_of("a", "b").read("b") == ["b"]

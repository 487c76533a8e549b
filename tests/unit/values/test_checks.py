"""Each check reads the values that fit, and only those."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.values.checks import (
    FLAG,
    LIST,
    NUMBER_TEXT,
    OBJECT,
    TEXT,
    TEXTS,
    TEXTS_BY_NAME,
    TIME,
    WHOLE_NUMBER_TEXT,
    WORDS,
    Check,
    digits,
    duration,
    mismatch,
    number,
    one_of,
    some_of,
    suggestion,
    whole_number,
)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (TEXT, ["", "a"], [1, True, [], {}]),
        (FLAG, [True, False], [0, 1, "true", []]),
        (whole_number(1, 3), [1, 3, 2.0, 1e0], [0, 4, 2.5, "2", True, float("inf"), float("nan"), []]),
        (number(1, 3), [1.0, 2.5, 3.0], [0.9, 4, "2", True, float("nan"), []]),
        (WHOLE_NUMBER_TEXT, [1, -2], [1.0, "1.5", "x", True, [], "9" * 5000]),
        (NUMBER_TEXT, [1.0, -2.5], ["inf", "nan", float("inf"), "x", True, []]),
        (duration(1, 60), [1, 60.0], [0.5, "2m", 61, "soon", True, None, []]),
        (duration(0.001), [0.001, 86400.0 * 365], [0, 1e12, "soon", True, None, []]),
        (one_of("a", "b"), ["a", "b"], ["c", "", 1, [], ["a"]]),
        (OBJECT, [{}, {"a": 1}], [[], "a", None, 1]),
        (LIST, [[], [1]], [{}, "a", None, 1]),
        (TEXTS_BY_NAME, [{}, {"a": "b"}], [{"a": 1}, [], "a"]),
        (WORDS, [[], ["a", "b"]], ["a", [None], [["a"]], [{}], [True]]),
        (some_of("a", "b"), [["a"], ["b", "a"], []], ["c", ["a", "c"], [["a"]], {}, 1]),
    ],
    ids=lambda each: each.words if isinstance(each, Check) else "",
)
def test_what_each_kind_takes(check: Check, right: list[Any], wrong: list[Any]) -> None:
    assert [check.read(value) for value in right] == right
    assert [value for value in wrong if check.read(value) is not None] == []


def test_numbers_among_words_are_told_as_json_and_a_single_text_is_a_list_of_one() -> None:
    assert WORDS.read(["a", 1, 1.5]) == ["a", "1", "1.5"]
    assert some_of("a", "b").read("b") == ["b"]


def test_a_single_text_is_read_as_one_of_several() -> None:
    assert TEXTS.read("a") == ("a",)
    assert TEXTS.read(["a", "b"]) == ("a", "b")
    assert [value for value in ("x", [""], [1], {}, 1) if TEXTS.read(value) is None] == [[""], [1], {}, 1]


def test_digits_are_read_as_a_number_within_bounds() -> None:
    assert digits(1, 300).read("042") == 42
    texts = ("0", "301", "-1", "1.5", "٣", "", "9" * 20)
    assert [text for text in texts if digits(1, 300).read(text) is not None] == []


def test_the_text_of_a_number_is_read_as_a_number() -> None:
    assert (WHOLE_NUMBER_TEXT.read("-7"), NUMBER_TEXT.read("1.5")) == (-7, 1.5)
    for text in ("9" * 400, "9" * 5000, "1e999", "nan"):
        assert (WHOLE_NUMBER_TEXT.read(text), NUMBER_TEXT.read(text)) == (None, None)
    assert (WHOLE_NUMBER_TEXT.read(10**400), NUMBER_TEXT.read(10**400)) == (None, None)


def test_a_time_is_read_as_milliseconds() -> None:
    assert TIME.read("1970-01-01T00:00:01Z") == 1000
    assert TIME.read("tomorrow") is None


def test_a_message_names_the_value_and_what_it_must_be() -> None:
    assert mismatch("size", ["x" * 100], "a text") == f'size is ["{"x" * 37}…, but must be a text'
    assert mismatch("the parameters", 1, "an object") == "the parameters are 1, but must be an object"


def test_the_nearest_name_is_suggested() -> None:
    assert suggestion("timeuot", ("timeout", "retry")) == "did you mean timeout?"
    assert suggestion("x", ("timeout", "retry")) == ""

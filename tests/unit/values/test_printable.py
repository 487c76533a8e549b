"""Texts from outside that would control a terminal or forge a line."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lfr.values.printable import printable_json, printable_json_lines, printable_lines

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
)


@given(VALUES, st.booleans())
def test_json_stays_the_same_value_in_one_printable_line(value: object, is_indented: bool) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2 if is_indented else None)
    assert printable_json(text).isprintable()
    assert json.loads(printable_json(text)) == value


def test_what_is_not_printable_in_json() -> None:
    assert printable_json('{"\x9b":\r\n"\u202e\U000e0001"}') == r'{"\u009b":  "\u202e\udb40\udc01"}'


@given(st.text())
def test_lines_are_printable_and_indented(text: str) -> None:
    first, *others = printable_lines(text).split("\n")
    assert first.isprintable()
    assert all(line.isprintable() and line.startswith("  ") for line in others)


@given(st.lists(st.recursive(st.text(), st.lists)), st.sampled_from([None, 1]), st.booleans())
def test_json_lines_are_lines_that_mean_the_same(
    values: list[object], indent: int | None, is_ascii: bool
) -> None:
    text = printable_json_lines([json.dumps(each, indent=indent, ensure_ascii=is_ascii) for each in values])
    lines = text.split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == values
    assert all(line.isprintable() for line in lines)

"""Texts from outside that would control a terminal or forge a line."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lfr.values.printable import printable_json, printable_lines

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

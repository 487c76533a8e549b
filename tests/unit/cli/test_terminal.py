"""Widths, truncation, escapes, tables, durations."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.cli.ui.format_values import format_duration, seconds_between
from lfr.cli.ui.table import Cell, Column, format_table
from lfr.cli.ui.terminal import Terminal, display_width, pad, truncate
from lfr.values.printable import printable
from tests.support.screens import terminal


@given(st.text(), st.integers(0, 30))
def test_a_truncated_text_fits_and_is_the_beginning(text: str, width: int) -> None:
    truncated = truncate(printable(text), width)
    assert display_width(truncated) <= width
    assert printable(text).startswith(truncated.removesuffix("…"))


@given(st.text(max_size=20), st.integers(1, 30), st.booleans())
def test_a_padded_text_has_exactly_the_width(text: str, width: int, right: bool) -> None:
    assert display_width(pad(printable(text), width, align_right=right)) == width


@given(st.text())
def test_printable_text_cannot_control_the_terminal(text: str) -> None:
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


def test_control_characters_are_shown_escaped() -> None:
    assert printable("a\x1b[31mb\nc\x9b") == r"a\x1b[31mb\nc\x9b"


def test_wide_and_combining_letters_are_counted_in_columns() -> None:
    assert [display_width(text) for text in ("abc", "日本", "e\N{COMBINING ACUTE ACCENT}")] == [3, 4, 1]
    assert truncate("日本語", 4) == "日…"


def test_a_table_aligns_and_cuts_its_last_column() -> None:
    rows = [
        ["7", "resize", "x" * 50],
        ["10", "日本", ""],
    ]
    headings = [Column("#", align_right=True), Column("step"), Column("output")]
    assert format_table(terminal(), headings, rows, width=30) == [
        " #  step    output",
        " 7  resize  " + "x" * 17 + "…",
        "10  日本",
    ]


def test_a_column_is_no_wider_than_its_maximum() -> None:
    lines = format_table(terminal(), [Column("a", max_width=4), Column("b")], [["abcdefgh", "z"]])
    assert lines == ["a     b", "abc…  z"]


def test_colours_only_where_they_are_shown() -> None:
    row = [[Cell("FAILED", "red")]]
    live = {"TERM": "xterm"}
    assert "\x1b[31mFAILED" in format_table(terminal(live, live=True), [Column("s")], row)[1]
    for plain in (
        terminal(live),
        terminal({**live, "NO_COLOR": "1"}, live=True),
        terminal({"TERM": "dumb"}, live=True),
    ):
        assert format_table(plain, [Column("s")], row)[1] == "FAILED"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.34, "340 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (60, "1 m 00 s"),
        (185.4, "3 m 05 s"),
        (3599.7, "1 h 00 m"),
        (7620, "2 h 07 m"),
        (86400 * 4 + 3600 * 3, "4 d 03 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


def test_seconds_between_two_times() -> None:
    start, end = "2026-01-31T23:59:59.500Z", "2026-02-01T01:00:00.250+01:00"
    assert seconds_between(start, end) == 0.75
    assert seconds_between(None, end) is None
    assert seconds_between(end, start) == 0  # two clocks: nothing takes less than no time


def test_what_is_not_escaped_controls_the_terminal_no_more_than_by_colours() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out, err, io.BytesIO())
    hostile = "\x1b[31ma\x1b[0m\t\x1b[2J\x1b]0;title\x07\x9b31m\r\u202eb"
    terminal.print(hostile)
    terminal.print_lines([hostile])
    terminal.print_err(hostile)
    line = "\x1b[31ma\x1b[0m\t\\x1b[2J\\x1b]0;title\\x07\\x9b31m\\r\\u202eb\n"
    assert (out.getvalue(), err.getvalue()) == (2 * line, line)

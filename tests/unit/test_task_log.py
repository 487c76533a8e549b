"""Task-log events: whatever a stranger sends becomes lines that are bounded, or is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.event_fields import Malformed
from lfr.store.workflows.task_logs import LogChanges, LogLimits
from lfr.task_log import (
    MAX_LINE,
    Line,
    LogLine,
    TaskLog,
    clean_text,
    count_lines,
    parse_lines,
    parse_task_log,
    skip_lines,
)
from lfr.values.json import Json, decode_json, encode_json

ID = "workflow:x"
ATTEMPT = {b"workflow": ID, b"index": 3, b"attempt": 2}

LINES = st.lists(
    st.one_of(st.integers(1, 50), st.text(max_size=80).map(lambda text: LogLine(0, "stdout", text))),
    max_size=30,
)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a"], [(7, "stdout", "a")]),
        (["a\nb\n", "c\r\n"], [(7, "stdout", "a"), (7, "stdout", "b"), (7, "stdout", "c")]),
        (["10%\r20%\r"], [(7, "stdout", "20%")]),
        ([""], [(7, "stdout", "")]),
        ([[9, "stderr", "a"], 12, [9.0, "info", "b"]], [(9, "stderr", "a"), 12, (9, "info", "b")]),
        (["\x1b[1;31mred\x1b[0m \x1b]0;title\x07"], [(7, "stdout", "red \x1b]0;title\x07")]),
        (["\ud800"], [(7, "stdout", "\\ud800")]),
    ],
)
def test_lines_are_texts_or_lists_or_counts(lines: Json, expected: list[Line]) -> None:
    assert parse_task_log({**ATTEMPT, b"lines": lines}, 7).lines == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({b"lines": "a"}, "its field lines is not a list"),
        ({b"lines": [None]}, "one of its lines is no text"),
        ({b"lines": [0]}, "one of its lines is no text"),
        ({b"lines": [True]}, "one of its lines is no text"),
        ({b"lines": [[1, "screen", "a"]]}, "one of its lines is no text"),
        ({b"lines": [[1e300, "stdout", "a"]]}, "one of its lines is no text"),
        ({b"first": 0}, "its field first is not a whole number"),
        ({b"delivery": "2"}, "its field delivery is not a whole number"),
        ({b"host": "x" * 256}, "its field host is not a text of up to 255 characters"),
        ({b"cpu_seconds": -1}, "its field cpu_seconds is not a number"),
        ({b"workflow": "other"}, "no workflow's id"),
        ({b"index": -1}, "its index is not a step"),
    ],
)
def test_anything_else_is_refused_by_name(values: dict[bytes, Json], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        parse_task_log({**ATTEMPT, **values}, 7)


@given(st.text(st.characters(), max_size=200), st.integers(0, 100))
def test_any_text_becomes_one_that_can_be_stored(text: str, times: int) -> None:
    cleaned = clean_text(text * times)
    assert len(cleaned) <= MAX_LINE and cleaned.encode().decode() == cleaned


@given(LINES, st.integers(0, 200))
def test_skipped_lines_are_counted(lines: list[Line], count: int) -> None:
    remaining = skip_lines(lines, count)
    assert count_lines(remaining) == max(0, count_lines(lines) - count)


@given(st.lists(st.tuples(LINES, st.integers(1, 3), st.none() | st.integers(1, 40)), max_size=30))
def test_an_attempt_keeps_its_first_and_last_lines_within_its_limit(
    batches: list[tuple[list[Line], int, int | None]],
) -> None:
    limits = LogLimits(4000, 100_000)
    changes = LogChanges(ID)
    for lines, delivery, first in batches:
        changes.append(TaskLog(ID, 1, 1, "", lines, first, delivery), limits, 0)
    for attempt in changes.attempts.values():
        assert attempt.chunks or not attempt.lines
        assert sum(size for _, size in attempt.chunks) <= limits.attempt or len(attempt.chunks) == 1
        numbers = [number for number, _ in attempt.chunks]
        assert numbers == sorted(numbers)
        chunks = [decode_json(changes._new[number][1].encode()) for number in numbers]
        end = 0
        for _, _, first_line, lines in chunks:
            assert first_line > end
            end = (
                first_line
                - 1
                + count_lines(line if isinstance(line, int) else LogLine(*line) for line in lines)
            )
        assert end == attempt.lines
    assert changes.total == sum(size for each in changes.attempts.values() for _, size in each.chunks)


def test_lines_that_are_sent_again_count_once() -> None:
    changes, limits = LogChanges(ID), LogLimits(60_000, 100_000)

    def send(texts: str, first: int, delivery: int = 1) -> None:
        lines = [LogLine(5, "stdout", text) for text in texts]
        changes.append(TaskLog(ID, 1, 1, "", lines, first, delivery), limits, 9)

    send("ab", 1)
    send("bcd", 2)  # the sender does not know that b has come
    send("abcd", 1)
    send("X", 1, delivery=2)
    send("late", 5)  # of the process that has lost the task
    send("Z", 4, delivery=2)
    chunks = [decode_json(text.encode()) for _, text in changes._new.values()]
    texts = [line if isinstance(line, int) else line[2] for chunk in chunks for line in chunk[3]]
    assert texts == ["a", "b", "c", "d", "handed out again: delivery 2", "X", 2, "Z"]


def test_lines_survive_their_encoding() -> None:
    lines = [LogLine(1, "stdout", "\x00 \x1b \u202e 🙂"), 4, LogLine(2, "traceback", "")]
    assert parse_lines(decode_json(encode_json(lines).encode()), 0) == lines

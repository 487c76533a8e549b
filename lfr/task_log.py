"""What a task has written while it ran: the lines of an attempt, and which process has run it.

A worker sends it as `task-log` events, see docs/workers.md; a lifecycle stores it with the workflow. Foreign
workers may send anything: so `parse_task_log` checks every value, and cuts what is too long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from lfr import events
from lfr.event_fields import Malformed, Values
from lfr.flow import MAX_ATTEMPT
from lfr.values.checks import TEXT, Check, number, whole_number
from lfr.values.json import Json
from lfr.values.texts import cut
from lfr.values.times import MAX_TIME_MS

SOURCES: Final = (
    *("stdout", "stderr", "traceback"),
    *("debug", "info", "warning", "error", "critical"),
    "lfr",
)
"""Where a line comes from: what the task has printed, the traceback of its exception, a record of a log by
its level, or lfr itself."""

MAX_LINE: Final = 4096
"""Characters of a line; the rest is cut."""

MAX_EVENT_BYTES: Final = 2**16
"""Bytes of the lines in one event, as JSON: of more, a lifecycle reads none."""

_COLOURS: Final = re.compile(r"\x1b\[[0-9;:]*m")
"""SGR, the control sequences of a terminal for colours and fonts (ECMA-48, 8.3.117)."""

MAX_COUNT: Final = 10**12
"""The most lines that a number can say were left out."""

_TIME: Final = whole_number(0, MAX_TIME_MS)
_COUNT: Final = whole_number(1, MAX_COUNT)

_SHORT_TEXT: Final = Check(
    "a text of up to 255 characters",
    lambda value: value if TEXT.read(value) is not None and len(value) <= 255 else None,
)

EVIDENCE: Final[Mapping[str, Check]] = {
    "host": _SHORT_TEXT,
    "process": whole_number(0, 2**53),
    "version": _SHORT_TEXT,
    "started": _TIME,
    "ended": _TIME,
    "cpu_seconds": number(0, 1e9),
    "peak_bytes": whole_number(0, 2**53),
}
"""What a worker may say of the process that has run an attempt: the name of its host, its id, the version of
the worker, when it began and ended the attempt (milliseconds since the epoch), how many seconds of processor
time the attempt took, and the most memory that the process has had."""


class LogLine(NamedTuple):
    """A line: when it was written, in milliseconds since the epoch; its source, one of SOURCES; its text."""

    at_ms: int
    source: str
    text: str


Line: TypeAlias = LogLine | int
"""A line, or how many lines were left out in this place."""


@dataclass(frozen=True, slots=True)
class TaskLog:
    """Lines that an attempt has written.

    first     the number of the first line, counted from 1 for each delivery, with those left out; None: the
              worker does not count, so that all lines are new
    delivery  how often the attempt was handed out to the worker that has sent this
    evidence  values of EVIDENCE, by name
    """

    workflow: str
    index: int
    attempt: int
    run: str
    lines: Sequence[Line]
    first: int | None = None
    delivery: int = 1
    evidence: Mapping[str, Json] = field(default_factory=dict)


def clean_text(text: str) -> str:
    """Return the text of one line as it is stored: without the sequences that colour a terminal, in at most
    MAX_LINE characters, and such that UTF-8 can encode it. Who shows it escapes what is not printable."""
    text = _COLOURS.sub("", text[: 4 * MAX_LINE])
    text = text.encode("utf-8", "backslashreplace").decode()
    return cut(text, MAX_LINE)


def split_lines(at_ms: int, source: str, text: str) -> Iterator[LogLine]:
    """Yield the lines of a text, of which each ends with a line break; a carriage return goes back to the
    beginning of its line, as on a terminal."""
    for line in text.removesuffix("\n").split("\n"):
        yield LogLine(at_ms, source, clean_text(line.removesuffix("\r").rpartition("\r")[2]))


def parse_task_log(values: Values, now_ms: int) -> TaskLog:
    """Parse a task-log event; `now_ms` is the time of lines that have none. Raises Malformed."""
    attempt = events.parse_cancel_task(values)
    if not 1 <= attempt.attempt <= MAX_ATTEMPT:
        raise Malformed(f"its attempt is not from 1 to {MAX_ATTEMPT}")
    evidence = {
        name: _read(values, name, check) for name, check in EVIDENCE.items() if name.encode() in values
    }
    return TaskLog(
        *(attempt.workflow, attempt.index, attempt.attempt, attempt.run),
        lines=parse_lines(values.get(b"lines", []), now_ms),
        first=_read(values, "first", _COUNT) if b"first" in values else None,
        delivery=_read(values, "delivery", _COUNT) if b"delivery" in values else 1,
        evidence=evidence,
    )


def parse_lines(value: Json, now_ms: int) -> list[Line]:
    """Parse lines: each a text, `[TIME, SOURCE, TEXT]`, or how many were left out. Raises Malformed."""
    if not isinstance(value, list):
        raise Malformed("its field lines is not a list")
    return [line for item in value for line in _parse_line(item, now_ms)]


def _parse_line(item: Json, now_ms: int) -> Iterable[Line]:
    match item:
        case str(text):
            return split_lines(now_ms, "stdout", text)
        case [time, str(source), str(text)] if source in SOURCES and _TIME.read(time) is not None:
            return split_lines(_TIME.read(time), source, text)
        case _ if _COUNT.read(item) is not None:
            return [int(item)]
    raise Malformed("one of its lines is no text, no [TIME, SOURCE, TEXT] and no count")


def _read(values: Values, name: str, check: Check) -> Json:
    value = check.read(values[name.encode()])
    if value is None:
        raise Malformed(f"its field {name} is not {check.words}")
    return value


def count_lines(lines: Iterable[Line]) -> int:
    """Return how many lines there are, with those that were left out."""
    return sum(line if isinstance(line, int) else 1 for line in lines)


def skip_lines(lines: Sequence[Line], count: int) -> Sequence[Line]:
    """Return the lines without the first `count`."""
    for position, line in enumerate(lines):
        if count <= 0:
            return lines[position:]
        size = line if isinstance(line, int) else 1
        if size > count:
            return [size - count, *lines[position + 1 :]]
        count -= size
    return []

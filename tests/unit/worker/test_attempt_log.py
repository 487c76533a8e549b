"""What a worker keeps of the lines of an attempt until Redis has them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from lfr.events import StartTask
from lfr.store.redis.connection import Command
from lfr.task_log import MAX_EVENT_BYTES, MAX_LINE
from lfr.values.json import decode_json
from lfr.worker.attempt_log import AttemptLog

TASK = StartTask("workflow:x", "A", "A", 3, {}, {}, attempt=2, run="1234", delivery=2)


def values_of(commands: Sequence[Command]) -> list[dict[str, Any]]:
    """Return the events that these commands append."""
    events = []
    for command in commands:
        fields = [part if isinstance(part, str) else str(part) for part in command[3:]]
        pairs = zip(fields[::2], fields[1::2], strict=True)
        events.append({name: decode_json(value.encode()) for name, value in pairs})
    return events


def texts_of(commands: Sequence[Command]) -> list[Any]:
    lines = [line for event in values_of(commands) for line in event["lines"]]
    return [line if isinstance(line, int) else line[2] for line in lines]


def test_a_short_attempt_that_writes_nothing_costs_nothing() -> None:
    log = AttemptLog(TASK, 10_000, os.getpid())
    assert log.end() == []


def test_a_failed_attempt_has_evidence_and_traceback() -> None:
    log = AttemptLog(TASK, 10_000, os.getpid())
    log.fail("Traceback\n  line\n")
    [event] = values_of(log.end())
    assert [line[1:] for line in event["lines"]] == [["traceback", "Traceback"], ["traceback", "  line"]]
    identity = [event[name] for name in ("kind", "workflow", "index", "attempt", "run", "delivery", "first")]
    assert identity == ["task-log", "workflow:x", 3, 2, "1234", 2, 1]
    assert event["process"] == os.getpid() and event["ended"] >= event["started"] and event["peak_bytes"] > 0


def test_parts_of_lines_become_lines() -> None:
    log = AttemptLog(TASK, 10_000, os.getpid())
    assert not log.write("stdout", "a")
    assert not log.write("stderr", "\r10%")
    assert log.write("stdout", "b\nc\nd")
    assert not log.write("stderr", "\r20%")
    assert not log.write("stdout", "e\r")
    assert log.write("stdout", "\n")
    assert texts_of(log.end()) == ["ab", "c", "de", "20%"]


def test_a_line_without_end_is_bounded() -> None:
    log = AttemptLog(TASK, 100_000, os.getpid())
    for _ in range(100):
        log.write("stdout", "x" * 1000)
    assert max(map(len, texts_of(log.end()))) <= MAX_LINE


def test_what_is_under_way_goes_with_the_end_again() -> None:
    log = AttemptLog(TASK, 10_000, os.getpid())
    log.add("stdout", "a\nb")
    number, commands = log.unsent()
    log.add("stdout", "c")
    assert (texts_of(commands), texts_of(log.end())) == (["a", "b"], ["a", "b", "c"])
    log.confirm(number)
    [event] = values_of(log.end())
    assert (event["first"], event["lines"][0][2]) == (3, "c")


def test_of_a_flood_the_first_and_the_latest_lines_are_kept() -> None:
    log = AttemptLog(TASK, 20_000, os.getpid())
    sent: list[Any] = []
    for number in range(100_000):
        log.add("stdout", f"line {number}")
        if number == 50_000:
            count, commands = log.unsent()
            sent += texts_of(commands)
            log.confirm(count)
    sent += texts_of(log.end())
    omitted = sum(each for each in sent if isinstance(each, int))
    assert (sent[0], sent[-1], omitted + sum(isinstance(each, str) for each in sent)) == (
        *("line 0", "line 99999"),
        100_000,
    )
    assert len(sent) < 2000


def test_events_are_small_enough_for_a_lifecycle() -> None:
    log = AttemptLog(TASK, 2**20, os.getpid())
    for _ in range(400):
        log.add("stdout", "\x1b" * 1000)  # six characters each in JSON
    events = log.end()
    assert len(events) > 1
    assert all(len(str(part)) <= MAX_EVENT_BYTES for event in events for part in event)
    assert texts_of(events).count("\x1b" * 1000) > 100

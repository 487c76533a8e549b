"""The checks of pauses, bulk operations, schedules, notices, lines and retention find what is wrong."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.bulk import Bulk
from tests.faults.generate import Plan
from tests.faults.histories import Entry, parse_element
from tests.faults.journal import Hit, Journal
from tests.faults.oracle import expect
from tests.faults.outside import Sink, check_lines
from tests.faults.pauses import Window, find_starts
from tests.faults.retention import Sampler, check_archive, read_archives
from tests.faults.scheduled import Schedules
from tests.faults.syntax import Call, Program, Scope, Statement, Step, number_steps

ID = "workflow:f7"


@pytest.fixture
def plan() -> Plan:
    """`one:mark -> * many:pair`, with the input [1]."""
    steps = [Step([Call("one:mark")]), Step([Call("many:pair")], prefix="* ")]
    program = Program(Scope([Statement(steps)]), ["@flow ordinary"])
    number_steps(program)
    return Plan(7, program, [1], expect(program, [1]))


@pytest.mark.parametrize(
    ("window", "is_found"),
    [
        (Window("all", "", 90, 110), True),
        (Window("workflow", ID, 90, 110), True),
        (Window("workflow", "workflow:f8", 90, 110), False),
        (Window("flow", "ordinary", 90, 110), True),
        (Window("flow", "inner_flow", 90, 110), False),
        (Window("task", "one:*", 90, 110), True),
        (Window("task", "many:*", 90, 110), False),
        (Window("all", "", 101, 110), False),
        (Window("all", "", 90, 99), False),
    ],
)
def test_a_start_in_a_pause_is_found(plan: Plan, window: Window, is_found: bool) -> None:
    history = [parse_element("80 =0"), parse_element("100 +1\tann\twhy"), parse_element("105 +2")]
    found = find_starts(plan, ID, history, [window], [plan.flow_name])
    assert len(found) == is_found  # an iterated step starts: its items are held


def test_a_start_of_an_item_in_a_pause_is_found(plan: Plan) -> None:
    window = Window("all", "", 90, 110)
    assert find_starts(plan, f"{ID}/2.0", [parse_element("100 +2")], [window], [])


def test_what_a_bulk_operation_must_not_change_is_found() -> None:
    bulk = object.__new__(Bulk)
    bulk.groups, bulk.changed = {"bulk-terminate-0": "g1"}, {"bulk-terminate-0": 1}
    history = {ID: [Entry(1, ("terminated",), "bulk-terminate-0")]}
    assert list(bulk.check(history, {ID: "g1"})) == []
    assert [kind for kind, _ in bulk.check(history, {ID: "g2"})] == ["invented"]
    assert [kind for kind, _ in bulk.check({ID: []}, {ID: "g1"})] == ["lost"]


def outcome(kind: str, second: int, count: int = 1) -> tuple[tuple[str, str], dict[str, Any]]:
    first, last = (datetime.fromtimestamp(each, UTC).isoformat() for each in (second, second + 3 * count - 3))
    return (kind, first), {"outcome": kind, "time": first, "until": last if count > 1 else None}


@pytest.mark.parametrize(
    ("name", "outcomes", "kinds"),
    [
        ("every_allow", [("started", 3), ("caught-up", 6), ("started", 9)], []),
        ("every_allow", [("started", 3), ("started", 9), ("started", 12)], ["lost"]),
        ("every_allow", [("started", 3), ("caught-up", 3), ("started", 6)], ["doubled"]),
        ("every_allow", [("started", 3), ("skipped", 6), ("started", 9)], ["lost"]),
        ("every_allow", [("started", 3), ("refused", 6), ("started", 9)], ["lost"]),
        ("every_skip", [("started", 3), ("skipped", 6, 2), ("started", 12)], []),
        ("every_skip", [("started", 3), ("missed", 6), ("started", 9)], ["lost"]),
        ("every_queue", [("queued", 3), ("started", 3), ("skipped", 6), ("started", 9)], []),
        ("every_queue", [("queued", 3), ("started", 6), ("started", 9)], ["lost"]),
    ],
)
def test_a_time_that_is_lost_or_started_twice_is_found(
    name: str, outcomes: list[tuple[Any, ...]], kinds: list[str]
) -> None:
    schedules = Schedules(None, Journal(), Random(1))  # type: ignore[arg-type]
    schedules.outcomes[name] = dict(outcome(*each) for each in outcomes)
    assert [kind for kind, _ in schedules.check_times(name, None)] == kinds


def test_a_notice_that_is_missing_or_has_no_failure_is_found() -> None:
    sink = Sink()
    for id in ("a:1", "a:1", "a:2"):
        sink.take(json.dumps({"id": id, "workflow": ID}).encode())
    failure = Entry(1, ("!1", "failed"), "")
    assert list(sink.check({ID: [failure, failure]})) == []
    assert [kind for kind, _ in sink.check({ID: [failure] * 3})] == ["lost"]
    assert [kind for kind, _ in sink.check({ID: [failure]})] == ["invented"]
    assert [kind for kind, _ in sink.check({})] == ["invented"]
    assert list(sink.check({ID: [failure]}, earlier={ID})) == []
    assert [kind for kind, _ in sink.check({ID: [failure] * 3}, earlier={ID})] == ["lost"]


def test_lines_that_are_lost_doubled_or_invented_are_found() -> None:
    def check(texts: list[str], *hits: Hit) -> list[str]:
        journal = Journal()
        for hit in hits:
            journal.hits[hit.slot].append(hit)
        origin = {"index": 1, "attempt": 1}
        lines = [{**origin, "number": 0, "omitted": 1}, *({**origin, "text": text} for text in texts)]
        execution = {"workflow": ID, "index": 1, "attempt": 1, "token": "token a", "at": 5.0, "slot": "one.1"}
        return [kind for kind, _ in check_lines(ID, lines, [execution], journal)]

    assert check(["token a"]) == []
    assert check([]) == ["lost"]
    assert check([], Hit("kill", "one.1", 6.0, 7.0)) == []
    assert check(["token a", "token a"]) == ["doubled"]
    assert check(["token a", "token b"]) == ["invented"]


@pytest.mark.parametrize(
    ("state", "seconds", "kinds"),
    [
        ("FINISHED", 21, []),
        ("FINISHED", 19, ["invented"]),
        ("FAILED", 21, ["invented"]),
        ("FAILED", 61, []),
        ("TERMINATED", 1000, ["invented"]),
        ("RUNNING", 1000, ["invented"]),
    ],
)
def test_what_retention_must_not_remove_is_found(
    tmp_path: Path, state: str, seconds: int, kinds: list[str]
) -> None:
    record = {"state": state, "ended": round(1000 * (time.time() - seconds))}
    (tmp_path / "f7.json").write_text(json.dumps({"id": ID, "record": record}))
    (archive,) = read_archives(tmp_path)
    assert [kind for kind, _ in check_archive(*archive)] == kinds


def test_an_archive_that_is_cut_off_is_found(tmp_path: Path) -> None:
    (tmp_path / "f7.json").write_text('{"id": ')
    (archive,) = read_archives(tmp_path)
    assert [kind for kind, _ in check_archive(*archive)] == ["lost"]


@pytest.mark.parametrize(
    ("replies", "count"),
    [
        ([1, 5.0, None, 5.0, None, None], 0),
        ([0, None, None, None, None, None], 0),
        ([0, 5.0, None, None, None, None], 1),
        ([0, None, None, 5.0, None, None], 1),
        ([1, None, None, 5.0, None, None], 1),
        ([1, 5.0, 5.0, 5.0, None, None], 1),
    ],
)
def test_an_id_that_stays_in_a_list_is_found(replies: list[object], count: int) -> None:
    class Client:
        """Answers each pipeline with the replies."""

        def pipeline(self, **_: object) -> Client:
            return self

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def exists(self, _: str) -> None:
            pass

        def zscore(self, *_: str) -> None:
            pass

        def execute(self) -> list[object]:
            return replies

    sampler = Sampler(Client(), Random(1))  # type: ignore[arg-type]
    sampler.look([ID])
    assert len(sampler.violations) == count

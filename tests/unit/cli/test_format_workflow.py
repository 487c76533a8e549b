"""The output of `inspect` and `list` for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lfr.cli.ui.format_workflow import STATE_COLOURS, format_history, format_list, format_workflow
from lfr.cli.ui.terminal import Terminal, display_width
from lfr.states import StepState, WorkflowState
from tests.support.screens import terminal


def step(index: int, kind: str = "task", **facts: Any) -> dict[str, Any]:
    blank = {"name": "", "base": "", "state": "PENDING", "attempt": 0}
    nothing = dict.fromkeys(("started", "ended", "input", "output", "reason"))
    more = {"tries": facts.get("attempt", 0), "simulated": False, "of_items": False}
    return {"index": index, "kind": kind, **blank, **nothing, **more, **facts}


def workflow() -> dict[str, Any]:
    times = {"started": "2026-01-31T12:00:00.000Z", "ended": "2026-01-31T12:00:02.500Z"}
    steps = [
        step(0, "start", state="DONE", attempt=1, output={}, **times),
        step(1, name="big", base="resize", state="DONE", attempt=2, output={"é": "\x1b"}, **times),
        step(2, name="B", base="B", state="SKIPPED", output={}, **times),
        step(3, name="C", base="C", state="FAILED", attempt=1, reason="no\nway", **times),
        step(4, "end"),
    ]
    history = [
        {"at": times["started"], "index": 1, "item": None, "event": "started", "reason": None},
        {"at": times["ended"], "index": 3, "item": None, "event": "failed", "reason": "no\nway"},
        {"at": times["ended"], "index": None, "item": None, "event": "failed", "reason": None},
    ]
    return {
        "id": "workflow:x",
        "name": "x",
        "version": 2,
        "state": "FAILED",
        "parent": None,
        **times,
        "deadline": None,
        "warning": None,
        "labels": {"tenant": "7", "team": "red"},
        "paused": None,
        "by_hand": [],
        "removed": None,
        "input": {"long": "z" * 500},
        "output": None,
        "reason": "step 3 (C) failed",
        "counts": {"DONE": 2, "SKIPPED": 1, "FAILED": 1, "PENDING": 1},
        "steps": steps,
        "history": [{**fact, "simulated": False, "actor": None} for fact in history],
    }


def test_a_workflow_is_shown_with_each_step_and_escaped() -> None:
    lines = list(format_workflow(terminal(), workflow()))
    assert lines[0] == "workflow:x  FAILED"
    assert all(display_width(line) <= 100 and line.isprintable() for line in lines)
    assert "  reason   step 3 (C) failed" in lines
    assert "  labels   tenant=7 team=red" in lines
    assert "  steps    5: 2 DONE, 1 SKIPPED, 1 FAILED, 1 PENDING" in lines
    assert any(line.endswith("(2.5 s)") for line in lines)
    table = lines[lines.index("") + 1 :]
    assert table[2].split()[:4] == ["1", "big", "(resize)", "DONE"]
    assert table[2].endswith(r'  2.5 s    2  {"é": "\u001b"}')
    assert table[3].endswith("its guard said no")
    assert table[4].endswith(r"no\nway")
    assert table[5].split() == ["4", "(end)", "PENDING"]


def test_a_resource_is_titled_by_its_operation_and_its_last_part() -> None:
    steps = [
        step(1, "resource", uri="file:///srv/my%20flows/order.yaml", sink=False, state="DONE", attempt=1),
        step(2, "resource", uri="https://shop.example/v1/rates/?day=1", sink=True),
        step(3, "resource", uri="https://shop.example/my%20rates", sink=False),
        step(4, "resource", uri="/", sink=True),
    ]
    *_, one, two, three, four = format_workflow(terminal(), {**workflow(), "steps": steps})
    assert one.split()[:5] == ["1", "load", "order.yaml", "DONE", "1"]
    assert two.split()[:3] == ["2", "store", "rates"]
    assert three.split()[:4] == ["3", "load", "my", "rates"]
    assert four.split()[:3] == ["4", "store", "/"]


def test_some_of_many_items_are_shown() -> None:
    opened = [{"id": f"workflow:x/1.{n}", "state": "RUNNING" if n else "FAILED"} for n in range(100)]
    items = {"total": 5000, "done": 3000, "running": 999, "failed": 1, "latest": [], "open": opened}
    steps = [
        step(1, name="a", base="a", state="RUNNING", attempt=1, items=items),
        step(2, name="b", base="b"),
    ]
    lines = list(format_workflow(terminal(), {**workflow(), "steps": steps}))
    assert lines[-12].startswith("\nitems that have begun and are not done")
    assert lines[-11] == "  FAILED  workflow:x/1.0"
    assert lines[-1] == "  ... 2,000 of 5,000 are not done"
    items["open"] = opened[:10]
    assert list(format_workflow(terminal(), {**workflow(), "steps": steps}))[-1].endswith("/1.9")


def test_a_step_that_waits_says_for_what() -> None:
    waits = [
        {"until": None, "event": "paid", "match": {"order": 7}},
        {"until": "2026-01-31T12:00:00.000+00:00", "event": "paid\n", "match": {}},
        {"until": None, "latch": "house"},
        {"until": "2026-01-31T12:00:00.000+00:00"},
    ]
    steps = [
        step(n, name="w", base="wait:x", state="RUNNING", waits_for=wait) for n, wait in enumerate(waits)
    ]
    lines = format_workflow(terminal(), {**workflow(), "steps": steps})
    event, timed, latch, delay = filter(None, (line.partition("waits ")[2] for line in lines))
    assert event == 'for the event paid with {"order": 7}'
    assert timed.startswith(r"for the event paid\n, until 2026-01-")
    assert latch == "for the latch house to be zero"
    assert delay.startswith("until 2026-01-")


def test_a_step_that_no_worker_does_says_so() -> None:
    since = (datetime.now(UTC) - timedelta(minutes=12, seconds=5)).isoformat()
    items = {"total": 7, "done": 2, "running": 5, "failed": 0, "latest": [], "open": []}

    def waiting(index: int, task: str, **facts: Any) -> dict[str, Any]:
        wait = {"until": None, "worker": task, "message": f"no live worker does {task}", "hint": "start\none"}
        waits_for = {**wait, "since": since}
        return step(index, name=task, base=task, state="RUNNING", waits_for=waits_for, **facts)

    steps = [
        waiting(1, "a", reason="503"),
        waiting(2, "a"),
        waiting(3, "b", items=items),
        *(waiting(4 + number, f"c{number}") for number in range(7)),
    ]
    lines = list(format_workflow(terminal(), {**workflow(), "steps": steps}))
    table, missing = lines[-18:-7], lines[-6:]
    assert table[1].endswith("no live worker does a")
    assert table[3].endswith("2 of 7 items done, 5 running; no live worker does b")
    assert missing[:2] == [
        r"step 1: no live worker does a, since 12 min (start\none)",
        r"step 3: no live worker does b, since 12 min (start\none)",
    ]
    assert missing[5] == "... and 4 more tasks that no live worker does"


def test_a_history_without_its_oldest_entries_says_so() -> None:
    times = {"since": "2026-11-28T10:00:00.000+00:00", "until": "2026-11-29T10:00:00.000+00:00"}
    removed = {"entries": 12_000, **times}
    lines = list(format_workflow(terminal(), {**workflow(), "removed": removed}))
    assert "  history  12,000 entries up to 2026-11-29 10:00:00.000 UTC were removed" in lines


def test_a_step_that_is_skipped_by_hand_or_retried_says_so() -> None:
    steps = [
        step(0, name="a", state="SKIPPED", reason="skipped by hand", output={"by": "me"}),
        step(1, name="b", state="RUNNING", reason="no way", waits_for={"until": "2026-01-31T12:00:00.000Z"}),
    ]
    skipped, again = list(format_workflow(terminal(), {**workflow(), "steps": steps}))[-2:]
    assert skipped.endswith('skipped by hand: {"by": "me"}')
    assert again.endswith("again at 12:00:00.000: no way")


def test_a_history_names_the_steps() -> None:
    lines = format_history(terminal(), workflow())
    assert [line.split()[1:] for line in lines[1:]] == [
        ["1", "big", "(resize)", "started"],
        ["3", "C", "failed", r"no\nway"],
        ["failed"],
    ]


def test_a_list_never_cuts_an_id() -> None:
    id = "workflow:" + "x" * 240
    _, line, reason = format_list(terminal(), [{**workflow(), "id": id}])
    assert line.endswith(id)
    assert line.startswith("FAILED  ")
    assert reason == "    step 3 (C) failed"


def test_the_tables_fit_into_60_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Terminal, "_size", lambda _: (60, 24))
    uuid = "5f0c8f3e-6e0e-4f3c-9a49-0f4c3f2b6d11"
    workflows = [{**workflow(), "id": f"workflow:nightly-{uuid}", "reason": "x" * 100}, workflow()]
    screen = terminal({"NO_COLOR": "1"}, live=True)
    lines = [*format_list(screen, workflows), *format_workflow(screen, workflow())]
    lines += format_history(screen, workflow())
    assert max(map(display_width, lines)) <= 60
    assert lines[1].split() == ["FAILED", f"nightly-{uuid}"]
    piped = list(format_list(terminal(), workflows))
    assert piped[1].split()[-2:] == ["x", f"workflow:nightly-{uuid}"]
    assert piped[2] == "    " + "x" * 100


def test_every_state_has_a_colour() -> None:
    assert {*WorkflowState, *StepState} == STATE_COLOURS.keys()


def test_simulated_steps_are_marked() -> None:
    shown = workflow()
    shown["steps"][1]["simulated"] = shown["steps"][3]["simulated"] = True
    lines = list(format_workflow(terminal(), shown))
    counts = "2 DONE, 1 SKIPPED, 1 FAILED, 1 PENDING"
    assert f"  steps    5: {counts} (2 simulated: no worker has done them)" in lines
    marks = [line.partition("  simulated: ")[2] for line in lines if "  simulated: " in line]
    assert [mark[:4] for mark in marks] == ['{"é"', "no\\n"]
    fact = {"at": "2026-01-31T12:00:00.000Z", "index": 1, "item": None, "event": "ended", "reason": None}
    table = format_history(terminal(), {**shown, "history": [{**fact, "simulated": True, "actor": None}]})
    assert "ended (simulated)" in table[1]

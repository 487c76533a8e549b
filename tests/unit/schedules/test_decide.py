"""What is decided at the times of a schedule: on given times, with given states of its workflows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfr.schedules.decide import (
    MAX_COUNTED,
    STARTS,
    Decision,
    Outcome,
    OutcomeKind,
    ScheduleState,
    decide,
    is_due,
    pass_over,
    refuse,
)
from lfr.schedules.spec import parse_schedule
from lfr.schedules.start_ids import schedule_of_id, start_id
from lfr.states import WorkflowState

MIN = 60_000
NAME = "nightly"


def id_of(ms: int) -> str:
    return start_id(NAME, ms)


def decided(
    spec: Mapping[str, Any], state: ScheduleState, now: int, **states: WorkflowState | None
) -> Decision:
    """Decide a schedule of every minute; all workflows run of which `states` says nothing."""
    schedule = parse_schedule({"every": "1m", **spec})
    by_id = {id: states.get(id.rpartition("-")[2], WorkflowState.RUNNING) for id in state.running}
    return decide(NAME, schedule, state, by_id, now)


def kinds(decision: Decision) -> list[str]:
    return [outcome.kind.value for outcome in decision.outcomes]


def test_a_time_that_has_come_starts_its_workflow() -> None:
    decision = decided({}, ScheduleState(0), MIN + 7)
    assert decision.start_ms == MIN
    assert decision.state == ScheduleState(MIN, running=(id_of(MIN),))
    assert decision.outcomes == (Outcome(OutcomeKind.STARTED, MIN, MIN, 1, MIN + 7, id_of(MIN)),)
    assert decision.due_ms == MIN + 7  # there may be more


def test_one_decision_looks_at_few_times() -> None:
    state = ScheduleState(0, running=(id_of(0),))
    decision = decided({"catch_up": "30d", "overlap": "skip"}, state, 2000 * MIN)
    assert decision.state.cursor_ms == 500 * MIN and decision.due_ms == 2000 * MIN


def test_nothing_is_done_before_its_time() -> None:
    assert decided({}, ScheduleState(MIN), 2 * MIN - 1) == Decision(ScheduleState(MIN), due_ms=2 * MIN)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [("skip", "skipped"), ("queue", "queued"), ("allow", "started"), ("terminate", "started")],
)
def test_each_overlap_while_the_last_one_runs(overlap: str, expected: str) -> None:
    state = ScheduleState(MIN, running=(id_of(MIN),))
    decision = decided({"overlap": overlap}, state, 2 * MIN)
    assert kinds(decision) == [expected]
    assert (decision.start_ms is not None) == (expected == "started")
    assert decision.terminate == ((id_of(MIN),) if overlap == "terminate" else ())
    if expected != "started":
        assert decision.outcomes[0].workflow == id_of(MIN)
    running = {"allow": (id_of(MIN), id_of(2 * MIN)), "terminate": (id_of(2 * MIN),)}
    assert decision.state.running == running.get(overlap, state.running)


def test_one_start_is_queued_and_the_next_is_skipped() -> None:
    spec = {"overlap": "queue"}
    waiting = decided(spec, ScheduleState(MIN, running=(id_of(MIN),)), 2 * MIN)
    assert waiting.state.queued_ms == 2 * MIN
    again = decided(spec, waiting.state, 3 * MIN)
    assert kinds(again) == ["skipped"] and again.state.queued_ms == 2 * MIN
    done = decided(spec, again.state, 3 * MIN + 5, **{"19700101T000100Z": WorkflowState.FINISHED})
    assert (done.start_ms, kinds(done), done.outcomes[0].reason) == (2 * MIN, ["started"], "it was queued")
    assert done.state == ScheduleState(3 * MIN, running=(id_of(2 * MIN),))


def test_what_nobody_decided_in_time_is_caught_up_or_missed() -> None:
    decision = decided({"catch_up": "2m"}, ScheduleState(0), 10 * MIN)
    missed, caught_up = decision.outcomes
    assert (missed.kind, missed.first_ms, missed.last_ms, missed.count) == ("missed", MIN, 7 * MIN, 7)
    assert "no lifecycle could start it" in missed.reason and "2m" in missed.reason
    assert (caught_up.kind, caught_up.first_ms) == ("caught-up", 8 * MIN)


def test_a_long_absence_is_decided_in_parts() -> None:
    state, counted = ScheduleState(0), 0
    now = 30 * 24 * 60 * MIN
    cron = {"cron": "* * * * *", "every": None}
    while True:
        schedule = parse_schedule({key: value for key, value in cron.items() if value})
        decision = decide(NAME, schedule, state, dict.fromkeys(state.running), now)
        counted += sum(outcome.count for outcome in decision.outcomes)
        state = decision.state
        if decision.due_ms is None or decision.due_ms > now:
            break
    assert counted == 30 * 24 * 60 and state.cursor_ms == now


def test_it_pauses_after_so_many_failures_in_a_row() -> None:
    spec = {"pause_after": 2}
    failed, finished = WorkflowState.FAILED, WorkflowState.FINISHED
    first = decided(spec, ScheduleState(MIN, running=(id_of(MIN),)), 2 * MIN, **{"19700101T000100Z": failed})
    assert (first.state.failures, first.state.paused, first.start_ms) == (1, "", 2 * MIN)
    second = decided(spec, first.state, 2 * MIN + 9, **{"19700101T000200Z": failed})
    assert kinds(second) == ["paused"] and second.due_ms is None and second.start_ms is None
    assert second.state.paused == f"2 workflows in a row have failed; the last one was {id_of(2 * MIN)}"
    assert decided(spec, second.state, 9 * MIN) == Decision(second.state)
    other = decided(spec, first.state, 2 * MIN + 9, **{"19700101T000200Z": finished})
    assert (other.state.failures, other.state.paused) == (0, "")
    gone = decided(spec, first.state, 2 * MIN + 9, **{"19700101T000200Z": None})
    assert (gone.state.failures, gone.state.running) == (1, ())


def test_a_refused_start_counts_as_a_failure() -> None:
    schedule = parse_schedule({"every": "1m", "pause_after": 1})
    decision = refuse(decide(NAME, schedule, ScheduleState(0), {}, MIN), schedule, "no flow f")
    assert kinds(decision) == ["refused", "paused"]
    assert decision.start_ms is None and decision.due_ms is None and decision.state.running == ()
    assert decision.outcomes[0].reason == "no flow f" and decision.outcomes[0].workflow == ""


def test_a_schedule_without_further_times_still_starts_what_is_queued() -> None:
    schedule = parse_schedule({"at": ["1970-01-01T00:01", "1970-01-01T00:02"], "overlap": "queue"})
    state = ScheduleState(MIN, running=(id_of(MIN),))
    waiting = decide(NAME, schedule, state, {id_of(MIN): WorkflowState.RUNNING}, 2 * MIN)
    assert waiting.due_ms is not None
    assert decide(NAME, schedule, waiting.state, {}, waiting.due_ms).start_ms == 2 * MIN
    assert decide(NAME, schedule, replace(waiting.state, queued_ms=None), {}, 9 * MIN).due_ms is None


def test_a_time_is_due_once_it_has_come_and_its_jitter_is_over() -> None:
    schedule = parse_schedule({"every": "1m"})
    assert [is_due(NAME, schedule, ScheduleState(MIN), now) for now in (2 * MIN - 1, 2 * MIN)] == [
        False,
        True,
    ]
    assert not is_due(NAME, schedule, ScheduleState(MIN, paused="by hand"), 2 * MIN)
    assert not is_due(NAME, parse_schedule({"at": "1970-01-01T00:00Z"}), ScheduleState(0), MIN)
    late = parse_schedule({"every": "1m", "jitter": "1h"})
    due_ms = late.due_ms(NAME, 2 * MIN)
    assert [is_due(NAME, late, ScheduleState(MIN), now) for now in (due_ms - 1, due_ms)] == [False, True]


def test_times_that_pass_while_it_is_paused_are_counted() -> None:
    schedule = parse_schedule({"every": "1m"})
    state, outcomes = pass_over(schedule, ScheduleState(MIN, queued_ms=MIN), 4 * MIN, "it was paused")
    assert state == ScheduleState(4 * MIN, queued_ms=MIN)
    assert outcomes == [Outcome(OutcomeKind.MISSED, 2 * MIN, 4 * MIN, 3, 4 * MIN, reason="it was paused")]
    assert pass_over(schedule, state, 4 * MIN, "") == (state, [])
    _, (outcome,) = pass_over(parse_schedule({"cron": "* * * * *"}), ScheduleState(0), 10**12, "paused")
    assert outcome.count == MAX_COUNTED and "not counted" in outcome.reason


def test_jitter_is_fixed_for_each_time_and_bounded() -> None:
    schedule = parse_schedule({"every": "1m", "jitter": "30s"})
    delays = [schedule.due_ms(NAME, n * MIN) - n * MIN for n in range(200)]
    assert delays == [schedule.due_ms(NAME, n * MIN) - n * MIN for n in range(200)]
    assert 0 <= min(delays) < 3_000 and 27_000 < max(delays) <= 30_000
    assert delays != [schedule.due_ms("other", n * MIN) - n * MIN for n in range(200)]
    due = schedule.due_ms(NAME, MIN)
    assert decide(NAME, schedule, ScheduleState(0), {}, due - 1).due_ms == due
    assert decide(NAME, schedule, ScheduleState(0), {}, due).start_ms == MIN


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_:-]{0,20}", fullmatch=True), st.integers(0, 4 * 10**12))
def test_the_id_of_a_start_names_its_schedule(name: str, ms: int) -> None:
    id = start_id(name, ms)
    assert schedule_of_id(id) == name
    assert ":" not in id.removeprefix("workflow:")


def test_other_ids_name_no_schedule() -> None:
    for id in ("a", "a-20261130", "20261130T010203Z", "a-20261130T010203Z/1.0"):
        assert schedule_of_id(f"workflow:{id}") is None


SPECS = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["skip", "allow", "queue", "terminate"]),
        "catch_up": st.sampled_from(["10s", "3m", "1h"]),
        "jitter": st.sampled_from(["0s", "20s", "3m"]),
    },
    optional={"pause_after": st.just(3)},
)
EVENTS = st.lists(
    st.tuples(st.integers(0, 20 * MIN), st.sampled_from(["FINISHED", "FAILED", "TERMINATED", ""])),
    max_size=30,
)


@settings(max_examples=200)
@given(SPECS, EVENTS)
def test_each_time_is_decided_once(spec: dict[str, Any], events: list[tuple[int, str]]) -> None:
    schedule = parse_schedule({"every": "1m", **spec})
    state, now = ScheduleState(0), 0
    states: dict[str, WorkflowState | None] = {}
    outcomes: list[Outcome] = []
    for wait, end in events:
        now += wait
        for id in states:
            if states[id] is WorkflowState.RUNNING and end:
                states[id] = WorkflowState(end)
        for _ in range(1000):
            decision = decide(NAME, schedule, state, states, now)
            for id in decision.terminate:
                states[id] = WorkflowState.TERMINATED
            if decision.start_ms is not None:
                id = id_of(decision.start_ms)
                assert id not in states  # nothing is started twice
                states[id] = WorkflowState.RUNNING
                late = now - schedule.due_ms(NAME, decision.start_ms)
                assert 0 <= late <= schedule.catch_up_ms or decision.outcomes[-1].reason == "it was queued"
            state = decision.state
            outcomes += decision.outcomes
            if state.paused or decision.due_ms is None or decision.due_ms > now:
                break
        else:
            raise AssertionError("it never comes to an end")
    times: list[int] = []
    for outcome in outcomes:
        if outcome.kind is OutcomeKind.PAUSED or outcome.reason == "it was queued":
            continue
        span = range(outcome.first_ms, outcome.last_ms + 1, MIN)
        assert len(span) == outcome.count
        times += span
    expected = takewhile(lambda time: time <= state.cursor_ms, schedule.timing.after(0))
    assert times == list(expected)
    started = [outcome.workflow for outcome in outcomes if outcome.kind in STARTS]
    assert sorted(started) == sorted(states)
    if not state.paused:
        assert schedule.due_ms(NAME, state.cursor_ms + MIN) > now

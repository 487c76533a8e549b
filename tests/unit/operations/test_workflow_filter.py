"""The filter of workflows: its grammar, the place of each mistake, and what matches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.errors import BadInput
from lfr.language import FlowError
from lfr.operations.failures.failure import failure_of
from lfr.operations.workflow_filter import MAX_CHARACTERS, WorkflowFilter, parse_filter
from lfr.states import WorkflowState
from lfr.store.workflows.record import FailedStep, Record

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def record(**fields: object) -> Record:
    return replace(
        Record(
            id="workflow:order-5f0c",
            reference="",
            state=WorkflowState.FAILED,
            started_ms=NOW_MS - HOUR_MS,
            active=0,
            done=0,
            skipped=0,
            failed=1,
            name="order",
            ended_ms=NOW_MS - HOUR_MS // 2,
            total=3,
            simulated=0,
            reason="HTTP 503: Timeout of upstream",
            labels={"tenant": "7"},
        ),
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flow=order", WorkflowFilter(flow="order")),
        ('flow=""', WorkflowFilter(flow="")),
        ("state=failed", WorkflowFilter((WorkflowState.FAILED,))),
        (
            "state=FAILED,terminated",
            WorkflowFilter((WorkflowState.FAILED, WorkflowState.TERMINATED)),
        ),
        (
            "since=1h  until=2026-01-31T18:00:00Z",
            WorkflowFilter(since_ms=NOW_MS - HOUR_MS, until_ms=1769882400000),
        ),
        ("older=30m", WorkflowFilter(ended_by_ms=NOW_MS - HOUR_MS // 2)),
        (
            "ended=1h failure=0123456789ab",
            WorkflowFilter(ended_since_ms=NOW_MS - HOUR_MS, failure="0123456789ab"),
        ),
        ("label.tenant=7 label.a.b=c=d", WorkflowFilter(labels={"tenant": "7", "a.b": "c=d"})),
        (r'reason~"say \"no\" \\ now" text~5f', WorkflowFilter(reason='say "no" \\ now', text="5f")),
    ],
)
def test_a_filter_is_read(text: str, expected: WorkflowFilter) -> None:
    assert parse_filter(text, NOW_MS) == expected


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "a filter must have a condition", 1),
        ("   ", "a filter must have a condition", 1),
        ("stat=FAILED", "there is no condition on stat (did you mean state?)", 1),
        ("flow=a state=LOST", "there is no state LOST", 14),
        ("flow=a flow=b", "a second condition on flow", 8),
        ("flow", "after flow there must be =", 5),
        ("flow~a", "flow goes with =, which compares the whole text", 5),
        ("reason=a", "reason goes with ~, which finds a part of it", 7),
        ("flow= state=FAILED", "after flow= there must be a value", 6),
        ('reason~"a', 'this " has no end', 8),
        ('reason~"a"flow=b', "between two conditions there must be a space", 11),
        ('flow=a text~""', "text~ needs a text", 13),  # where a shell's variable is empty
        ('reason~""', "reason~ needs a text", 8),
        ("since=yesterday", 'since is "yesterday", but must be an age', 7),
        ("ended=never", 'ended is "never", but must be an age', 7),
        ("failure=ab12", 'failure is "ab12", but must be the id of a group', 9),
        ("older=2026-01-31", 'older is "2026-01-31", but must be', 7),
        ("label.1=a", 'a label\'s name is "1"', 1),
        ("=a", "here must be a name", 1),
    ],
)
def test_a_mistake_has_its_place(text: str, message: str, column: int) -> None:
    with pytest.raises(FlowError) as error:
        parse_filter(text, NOW_MS)
    (diagnostic,) = error.value.errors
    assert message in diagnostic.headline
    assert diagnostic.place == f"--where:1:{column}"


def test_a_long_filter_is_refused() -> None:
    with pytest.raises(BadInput, match="more than 2,000 characters"):
        parse_filter(f"flow={'a' * MAX_CHARACTERS}", NOW_MS)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    try:
        parse_filter(text, NOW_MS)
    except BadInput as error:
        assert str(error)


@given(st.text(min_size=1, max_size=30))
def test_a_quoted_value_comes_back(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_filter(f'reason~"{quoted}"', NOW_MS).reason == value


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("flow=order state=FAILED since=2h until=30m label.tenant=7 reason~timeout text~5F0", True),
        ("flow=orde", False),
        ("state=RUNNING", False),
        ("since=30m", False),
        ("until=2h", False),
        ("older=30m", True),
        ("older=31m", False),
        ("ended=30m", True),
        ("ended=29m", False),
        (f"failure={failure_of(record()).id}", True),
        ("failure=000000000000", False),
        ("label.tenant=8", False),
        ("label.other=7", False),
        ("reason~time-out", False),
        ("text~ORDER", True),
        ("text~invoice", False),
    ],
)
def test_what_matches(text: str, matches: bool) -> None:
    assert parse_filter(text, NOW_MS).matches(record()) is matches


def test_what_has_changed_since_does_not_match() -> None:
    then = WorkflowFilter(as_of_ms=NOW_MS)
    assert then.matches(record())
    assert not then.matches(record(started_ms=NOW_MS + 1))
    assert not then.matches(record(ended_ms=NOW_MS + 1))
    assert then.matches(record(state=WorkflowState.RUNNING, ended_ms=0))


def test_a_failure_is_that_of_failed_workflows_with_one_flow_step_and_pattern() -> None:
    same = WorkflowFilter(failure=failure_of(record()).id)
    assert same.matches(record(id="workflow:other", reason="HTTP 503: Timeout of upstream  "))
    for other in (
        record(name="invoice"),
        record(reason="HTTP 504: Timeout of upstream"),
        record(failed_step=FailedStep(1, "pay")),
        record(state=WorkflowState.TERMINATED),
    ):
        assert not same.matches(other)


def test_what_still_runs_is_not_older() -> None:
    older = parse_filter("older=0s", NOW_MS)
    assert not older.matches(record(state=WorkflowState.RUNNING, ended_ms=0))
    assert not older.matches(record(active=1))
    assert not parse_filter("ended=1h", NOW_MS).matches(record(state=WorkflowState.RUNNING, ended_ms=0))

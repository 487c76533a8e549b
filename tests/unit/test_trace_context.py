"""The traceparent of callers, and the ids of traces and spans."""

from __future__ import annotations

import pytest

from lfr import events
from lfr.trace_context import parse_traceparent, trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (VALID, VALID),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"00-{TRACE}-{PARENT}-ff", f"00-{TRACE}-{PARENT}-03"),  # unknown flags are not sent on
        (f"cc-{TRACE}-{PARENT}-01", VALID),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be", VALID),
        (f"cc-{TRACE}-{PARENT}-01.what", ""),
        (f"00-{TRACE}-{PARENT}-01-more", ""),
        (f"00-{TRACE}-{PARENT}-01-", ""),
        (f"ff-{TRACE}-{PARENT}-01", ""),
        (f"00-{'0' * 32}-{PARENT}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE.upper()}-{PARENT}-01", ""),
        (f"00-{TRACE}-{PARENT}-1", ""),
        (f"00-{TRACE}-{PARENT}-01\n", ""),
        (f"{VALID},{VALID}", ""),
        ("00-٠bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""),
        ("", ""),
    ],
)
def test_a_traceparent_is_as_the_grammar_has_it(text: str, expected: str) -> None:
    assert str(parse_traceparent(text) or "") == expected


def test_a_workflow_has_the_trace_of_its_caller_or_one_of_its_own() -> None:
    called = trace_of("workflow:a", "r", f"00-{TRACE}-{PARENT}-00")
    assert (called.trace_id, called.parent_id, called.is_sampled) == (TRACE, PARENT, False)
    own = trace_of("workflow:a", "r")
    assert own.trace_id == trace_of("workflow:a/3.0", "r").trace_id  # children share it
    assert (
        len({own.trace_id, trace_of("workflow:a", "s").trace_id, trace_of("workflow:b", "r").trace_id}) == 3
    )
    assert (len(own.trace_id), own.parent_id, own.is_sampled) == (32, "", True)


def test_each_span_has_an_id_of_its_own() -> None:
    """They stay: what was exported yesterday, and what workers were told, must fit together."""
    trace = trace_of("workflow:a", "r")
    ids = {
        trace.workflow_span_id(),
        trace.workflow_span_id(1),
        trace.step_span_id(1, 1),
        trace.step_span_id(1, 2),
        trace.step_span_id(2, 1),
        trace.step_span_id(1, 1, part=1),
        trace.of_child("workflow:a/1.0").workflow_span_id(),
        trace.of_child("workflow:a/1.0").step_span_id(1, 1),
        trace_of("workflow:b", "r", VALID).step_span_id(1, 1),
        trace_of("workflow:a", "r", VALID).step_span_id(1, 1),
    }
    assert len(ids) == 10
    assert trace.trace_id == "0f93e5540247ec15b0ab49730d3cc9af"
    assert trace.traceparent_of(1, 2) == f"00-{trace.trace_id}-b82e7e502a42bd2d-01"


@pytest.mark.parametrize(
    ("value", "expected"), [(VALID, VALID), ("word", ""), (7, ""), (None, ""), ([VALID], "")]
)
def test_a_task_has_only_a_valid_traceparent(value: object, expected: str) -> None:
    values = {b"workflow": "workflow:a", b"name": "A", b"index": 1, b"traceparent": value}
    assert events.parse_start_task(values).traceparent == expected

"""Events: encoded, decoded, and refused if malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rqse.client import decode_dictionary, encode_dictionary
from rqse.messaging import message, receipt_for

from lfr import event_fields, events
from lfr.event_fields import Malformed
from lfr.values.json import Json
from lfr.values.times import format_timestamp

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)
AT = "2026-01-02T03:04:05.678+00:00"


def fields(flat: list[str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in zip(flat[::2], flat[1::2], strict=True)}


def raw(**values: Json) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in encode_dictionary(values).items()}


@given(
    st.dictionaries(st.text(min_size=1).filter(lambda name: name not in ("kind", "apiVersion", "at")), JSON)
)
def test_rqse_decodes_our_events(values: dict[str, Json]) -> None:
    entry = fields(event_fields.encode("my-kind", AT, values))
    assert decode_dictionary(entry) == {"kind": "my-kind", "apiVersion": "v1", "at": AT, **values}


@given(st.lists(st.dictionaries(st.text(min_size=1), JSON, max_size=5), max_size=6))
def test_we_decode_events_of_rqse_all_at_once_as_one_by_one(messages: list[dict[str, Json]]) -> None:
    entries = [raw(**message(dict(values), kind="k")) for values in messages]
    assert event_fields.decode_all(entries) == [event_fields.decode(entry) for entry in entries]
    for values, entry in zip(messages, entries, strict=True):
        decoded = event_fields.decode_event(entry)
        assert {name: decoded[name] for name in values} == values


def test_one_bad_entry_does_not_touch_its_neighbours() -> None:
    good = raw(kind="k", n=1)
    for bad in (b"1,2", b"[1", b"", b"1]", b"NaN", b"\xff", b"1],[2"):
        first, broken, last = event_fields.decode_all([good, {b"kind": b'"k"', b"n": bad}, good])
        assert first == last == {b"kind": "k", b"n": 1}
        assert isinstance(broken, Malformed)
        assert "n is not JSON" in str(broken)


def test_values_that_only_together_are_json_are_refused() -> None:
    decoded = event_fields.decode_all([{b"kind": b'"k"', b"a": b"[1"}, {b"b": b"2]", b"c": b"3,4"}])
    assert all(isinstance(each, Malformed) for each in decoded)


@pytest.mark.parametrize("value", [b"1e999", b"[-1e999]", b'{"a":[0.5,1' + b"0" * 400 + b".0]}"])
def test_a_number_that_nobody_could_write_again_is_refused(value: bytes) -> None:
    with pytest.raises(Malformed, match="a number that is too big"):
        event_fields.decode({b"kind": b'"end-task"', b"output": value})


def test_a_value_nested_too_deeply_is_refused_and_a_wide_one_is_not() -> None:
    deep, wide = b"[" * 300 + b"]" * 300, b"[" + b",".join([b"{}"] * 1000) + b"]"
    assert isinstance(event_fields.decode_all([{b"a": deep}])[0], Malformed)
    assert event_fields.decode_all([{b"a": wide}]) == [{b"a": [{}] * 1000}]


def test_start_task() -> None:
    values = {
        "workflow": "workflow:x",
        "name": "X",
        "base": "A",
        "index": 3,
        "input": [1],
        "parameters": {"p": 1},
    }
    entry = fields(event_fields.encode(events.START_TASK, AT, values | {"attempt": 2}))
    task = events.StartTask("workflow:x", "X", "A", 3, [1], {"p": 1}, attempt=2, tries=2)
    assert events.parse_start_task(event_fields.decode(entry)) == task
    entry = fields(event_fields.encode(events.START_TASK, AT, values | {"attempt": 2, "tries": 1}))
    assert events.parse_start_task(event_fields.decode(entry)).tries == 1


def test_an_end_task_of_littleflow_redis() -> None:
    task = events.parse_end_task(event_fields.decode(raw(kind="end-task", workflow="workflow:x", index=2)))
    assert (task.status, task.has_output, task.attempt) == (events.Status.SUCCESS, False, None)


@pytest.mark.parametrize("reason", ["R" * 5_000_000, ["R"] * 100_000], ids=["text", "list"])
def test_a_long_reason_is_cut(reason: Json) -> None:
    """A worker may send one of 10 MB for each attempt, and whoever follows the workflow reads them all."""
    values: dict[str, Json] = {"workflow": "workflow:x", "index": 2, "status": "FAILURE", "reason": reason}
    task = events.parse_end_task(event_fields.decode(raw(kind="end-task", **values)))
    assert len(task.reason) == events.MAX_REASON and task.reason.endswith(
        "R…" if isinstance(reason, str) else "…"
    )


def test_our_end_tasks_are_parsed_again() -> None:
    task = events.StartTask("workflow:x", "X", "A", 3, {}, {}, 2)
    done = events.parse_end_task(
        event_fields.decode(
            fields(event_fields.encode(events.END_TASK, AT, events.end_task_values(task, output={"o": 1})))
        )
    )
    assert (done.workflow, done.index, done.attempt, done.output) == ("workflow:x", 3, 2, {"o": 1})
    failed = events.parse_end_task(
        event_fields.decode(
            fields(event_fields.encode(events.END_TASK, AT, events.end_task_values(task, failure="no")))
        )
    )
    assert (failed.status, failed.reason) == (events.Status.FAILURE, "no")


@pytest.mark.parametrize("targets", [["1-1", 2], ["1-1,2-2"], ["1-1", "2"], ["1-1\n"], "1-1", None])
def test_a_receipt_for_many_names_entry_ids(targets: Json) -> None:
    values = {"kind": "receipt", "stream": "workflows:ends"}
    receipt = events.parse_joined_receipt(event_fields.decode(raw(**values, **{"for": ["1-1", "2-2"]})))
    assert receipt.targets == ("1-1", "2-2")
    with pytest.raises(Malformed):
        events.parse_joined_receipt(event_fields.decode(raw(**values, **{"for": targets})))


def test_a_receipt_of_rqse_is_one_of_ours() -> None:
    assert events.parse_receipt(event_fields.decode(raw(**receipt_for("1-2")))) == events.Receipt(
        "1-2", "processed"
    )


def test_whole_numbers_may_be_written_in_any_form_of_json() -> None:
    fields = {**raw(kind="end-task", workflow="workflow:x"), b"index": b"3.0", b"attempt": b"2e0"}
    task = events.parse_end_task(event_fields.decode(fields))
    assert (task.index, task.attempt) == (3, 2)
    assert (type(task.index), type(task.attempt)) == (int, int)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"workflow": "workflow:x"}, "index is missing"),
        ({"workflow": "workflow:x", "index": 1.5}, "index is not a step"),
        ({"workflow": "workflow:x", "index": 1, "attempt": 1.5}, "attempt"),
        ({"workflow": "workflow:x", "index": -1}, "index is not a step"),
        ({"workflow": "workflow:x", "index": True}, "index is not a step"),
        ({"workflow": "workflow:x", "index": "1"}, "index is not a step"),
        ({"workflow": "x", "index": 1}, "no workflow's id"),
        ({"workflow": 5, "index": 1}, "workflow is not a string"),
        ({"index": 1}, "workflow is missing"),
        ({"workflow": "workflow:x", "index": 1, "status": "MAYBE"}, "MAYBE"),
        ({"workflow": "workflow:x", "index": 1, "attempt": "1"}, "attempt"),
    ],
)
def test_a_malformed_end_task_says_why(values: dict[str, Json], reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        events.parse_end_task(event_fields.decode(raw(kind="end-task", **values)))


def test_the_kind_of_an_event() -> None:
    assert event_fields.peek_kind(raw(kind="receipt")) == "receipt"
    assert event_fields.peek_kind(raw(kind="receipts")) != "receipt"
    assert event_fields.peek_kind({}) != "receipt"


def test_timestamps_are_utc_to_the_millisecond() -> None:
    assert format_timestamp(0.0015) == "1970-01-01T00:00:00.001+00:00"


def test_a_cancel_task_says_which_attempt_is_over() -> None:
    values = {b"workflow": "workflow:a", b"index": 3}
    assert events.parse_cancel_task({**values, b"attempt": 2}) == events.CancelTask("workflow:a", 3, 2)
    assert events.parse_cancel_task(values).attempt == 1
    for bad in ({b"index": 3}, {b"workflow": "workflow:a"}, {**values, b"attempt": "2"}):
        with pytest.raises(Malformed):
            events.parse_cancel_task(bad)


def test_the_kind_is_decoded_without_the_rest() -> None:
    assert event_fields.peek_kind({b"kind": b'"approved"', b"broken": b"{"}) == "approved"
    for entry in ({}, {b"kind": b"7"}, {b"kind": b"approved"}):
        assert event_fields.peek_kind(entry) is None

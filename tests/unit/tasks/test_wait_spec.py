"""The `wait:` tasks are parsed into waits and latch requests; wrong parameters are named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.events import StartTask
from lfr.tasks.catalogue import ACQUIRE, COUNTDOWN, DELAY, EVENT, RELEASE
from lfr.tasks.parameters import BadParameter
from lfr.tasks.wait_spec import EventPattern, LatchRequest, Wait, decode_wait, encode_wait, parse_wait
from lfr.values.json import Json

INPUT = {"id": 7, "short": 4e-05, "wait": "1m", "at": "2026-01-31", "deep": {"er": [1, {"x": None}]}}


def parse(base: str, parameters: Json, input: Json = INPUT) -> Any:
    """Return the wait or latch request of a task that started one second after the epoch."""
    wait = parse_wait("1000-0", StartTask("workflow:a", "name", base, 1, input, parameters, 2))
    return wait.begun(now_ms=2000) if isinstance(wait, Wait) else wait


@pytest.mark.parametrize(
    ("parameters", "due_ms"),
    [
        ({"duration": 0}, 1000),
        ({"duration": 1.5}, 2500),
        ({"duration": "90s"}, 91_000),
        ({"duration": "1h30m"}, 5_401_000),
        ({"duration": "{input[wait]}"}, 61_000),
        ({"duration": "{input[id]}"}, 8000),
        ({"duration": 1, "until": None}, 2000),
        ({"until": "1970-01-01T00:00:05Z"}, 5000),
        ({"until": "1970-01-01T00:00:00+01:00"}, -3_600_000),
        ({"until": "{input[at]}"}, 1_769_817_600_000),
        ({"duration": "{input[short]}"}, 1000),
        ({"duration": "4E+1"}, 41_000),
    ],
)
def test_when_a_delay_ends(parameters: Json, due_ms: int) -> None:
    assert parse(DELAY, parameters).due_ms == due_ms


@pytest.mark.parametrize(
    ("parameters", "input", "match"),
    [
        ({}, INPUT, {}),
        ({"match": None}, INPUT, {}),
        ({"match": "input"}, {"a": 1}, {"a": 1}),
        ({"match": "input"}, [{"a": 1}, 5], {"a": 1}),
        ({"match": {"a": "{input[id]}", "b": "n{input[id]}"}}, INPUT, {"a": 7, "b": "n7"}),
        ({"match": {"a": ["{input[deep][er]}", 1.5], "b": {"c": "{{}}"}}}, INPUT, ...),
        ({"match": {"a": "{parameters[x]}"}, "x": [True]}, INPUT, {"a": [True]}),
    ],
)
def test_the_fields_that_must_be_equal(parameters: dict[str, Json], input: Json, match: Any) -> None:
    if match is ...:
        match = {"a": [[1, {"x": None}], 1.5], "b": {"c": "{}"}}
    assert parse(EVENT, {"event": "ok", **parameters}, input).pattern.match == match


@pytest.mark.parametrize(("base", "name"), [(DELAY, "duration"), (EVENT, "timeout")])
def test_a_duration_counts_from_now_if_the_id_of_the_start_task_is_ahead_of_the_clock(
    base: str, name: str
) -> None:
    task = StartTask(
        "workflow:a", "name", base, 1, {}, {"event": "ok", name: 5} if base == EVENT else {name: 5}, 1
    )
    wait = parse_wait("1000-0", task)
    assert isinstance(wait, Wait)
    assert wait.begun(now_ms=400).due_ms == 5400
    assert wait.begun(now_ms=400).begun(now_ms=100).due_ms == 5400


def test_an_event_with_a_timeout() -> None:
    wait = parse(EVENT, {"event": "ok", "timeout": "2s"})
    assert (wait.due_ms, wait.failure) == (3000, "wait:event: no event ok has come within 2 s")
    wait = parse(EVENT, {"event": "ok", "timeout": 2, "on_timeout": "continue", "receipt": False})
    assert (wait.due_ms, wait.failure, wait.pattern.is_receipted) == (3000, None, False)
    assert parse(EVENT, {"event": "ok"}).due_ms is None


@pytest.mark.parametrize(
    ("name", "latch"),
    [
        ("my-{input[id]}", "my-7"),
        ('my-{input["id"]}', "my-7"),
        ("my-{input['id']}", "my-7"),
        ("{parameters[x]}", "why"),
        ("{input[deep][er][1][x]}", "null"),
        ("{{{input[id]}}}", "{7}"),
        ("plain", "plain"),
    ],
)
@pytest.mark.parametrize("task", [ACQUIRE, RELEASE, COUNTDOWN])
def test_the_name_of_a_latch(task: str, name: str, latch: str) -> None:
    request = parse(task, {"name": name, "x": "why"})
    assert isinstance(request, LatchRequest)
    assert (request.latch, request.entry_id) == (latch, "1000-0")


DURATION = "a number of seconds, or a text such as 90s, 5m, 1h30m or 2d; from 0s to 36600d"
ISO = "a time in ISO 8601 of the years 1 to 9999, in UTC unless it names its zone"


@pytest.mark.parametrize(
    ("task", "parameters", "reason"),
    [
        (DELAY, None, "wait:delay needs one of the parameters duration and until"),
        (
            DELAY,
            {"duration": 1, "until": "2026-01-31"},
            'wait:delay: duration is 1 and until is "2026-01-31", but only one of them can be given',
        ),
        (DELAY, [5], "wait:delay: the parameters are [5], but must be an object"),
        (DELAY, {"duration": "soon"}, f'wait:delay: duration is "soon", but must be {DURATION}'),
        (DELAY, {"duration": -1}, f"wait:delay: duration is -1, but must be {DURATION}"),
        (DELAY, {"duration": True}, "wait:delay: duration is true, but must be"),
        (DELAY, {"duration": 1e12}, "wait:delay: duration is 1000000000000.0, but must be"),
        (DELAY, {"duration": "{input[at]}"}, f'wait:delay: duration is "2026-01-31", but must be {DURATION}'),
        (DELAY, {"duration": "{input[no]}"}, 'wait:delay: duration: {input[no]}: the input has no "no"'),
        (DELAY, {"duration": "{input"}, 'wait:delay: duration: "{" is not closed'),
        (DELAY, {"until": 5}, f"wait:delay: until is 5, but must be {ISO}"),
        (DELAY, {"until": "tomorrow"}, f'wait:delay: until is "tomorrow", but must be {ISO}'),
        (DELAY, {"until": "{input[wait]}"}, f'wait:delay: until is "1m", but must be {ISO}'),
        (EVENT, {}, "wait:event needs the parameter event"),
        (EVENT, {"event": 5}, "wait:event: event is 5, but must be a template"),
        (EVENT, {"event": ""}, 'wait:event: event is "", but must be the kind of an event'),
        (EVENT, {"event": "\ud800"}, "wait:event: event is"),
        (EVENT, {"event": "end-task"}, "wait:event: event is end-task, which is one of lfr's own events"),
        (EVENT, {"event": "{input[no]}"}, 'wait:event: event: {input[no]}: the input has no "no"'),
        (EVENT, {"event": "ok", "match": "output"}, 'wait:event: match is "output", but must be input, or'),
        (EVENT, {"event": "ok", "match": [1]}, "wait:event: match is [1], but must be"),
        (EVENT, {"event": "ok", "match": {"a": "{input[no]}"}}, "wait:event: match: {input[no]}: the input"),
        (EVENT, {"event": "ok", "receipt": "yes"}, 'wait:event: receipt is "yes", but must be true or false'),
        (EVENT, {"event": "ok", "timeout": "soon"}, f'wait:event: timeout is "soon", but must be {DURATION}'),
        (
            EVENT,
            {"event": "ok", "on_timeout": "stop"},
            'wait:event: on_timeout is "stop", but must be one of',
        ),
        (ACQUIRE, {}, "wait:acquire needs the parameter name, a template"),
        (RELEASE, {"name": 5}, "wait:release: name is 5, but must be a template"),
        (COUNTDOWN, {"name": ""}, 'wait:countdown: name is "", but must be a text of 1 to 1000 printable'),
        (ACQUIRE, {"name": "x" * 1001}, 'wait:acquire: name is "xxxxx'),
        (ACQUIRE, {"name": "{input.id}"}, "wait:acquire: name: a template only looks items up"),
        (RELEASE, {"name": "{input[no]}"}, 'wait:release: name: {input[no]}: the input has no "no"'),
        (COUNTDOWN, {"name": "}"}, 'wait:countdown: name: a single "}"'),
        ("wait:forever", {}, "there is no task wait:forever in lfr"),
    ],
)
def test_a_wrong_parameter_is_named_with_task_and_value(task: str, parameters: Json, reason: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse(task, parameters)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("input", "subject"), [([], "first item of the input"), ([1], "first item"), (5, "input")]
)
def test_an_input_that_has_no_fields_cannot_be_matched(input: Json, subject: str) -> None:
    with pytest.raises(BadParameter, match=f"match is input, but the {subject}.* is no object"):
        parse(EVENT, {"event": "ok", "match": "input"}, input)


def test_a_match_that_would_be_nested_too_deeply_is_refused() -> None:
    deep: Json = []
    for _ in range(198):
        deep = [deep]
    with pytest.raises(BadParameter, match=r"wait:event: match: it is nested more than 200 levels deep"):
        parse(EVENT, {"event": "ok", "match": {"a": ["{input[deep]}"]}}, {"deep": deep})
    wait = parse(EVENT, {"event": "ok", "match": "input"}, {"deep": deep})
    assert decode_wait(encode_wait(wait).encode()).pattern == wait.pattern


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
MATCHES = st.dictionaries(st.text(), JSON, max_size=3)


@given(
    st.text(),
    JSON,
    st.none() | st.integers(),
    st.none() | st.text(),
    st.none() | st.builds(EventPattern, st.text(), MATCHES, st.booleans()),
    st.none() | st.text(),
)
def test_an_encoded_wait_is_decoded_unchanged(
    name: str,
    input: Json,
    due_ms: int | None,
    failure: str | None,
    pattern: EventPattern | None,
    latch: str | None,
) -> None:
    task = StartTask("workflow:a", name, "wait:event", 3, input, None, 2)
    wait = Wait(task, "5-1", due_ms, failure, pattern, latch)
    assert decode_wait(encode_wait(wait).encode()) == wait


@pytest.mark.parametrize("template", ["{input}", "x{input}", "{input}{input}"])
def test_the_templates_of_a_match_make_a_bounded_text(template: str) -> None:
    """150 of them on an input of a megabyte made hundreds of megabytes, for each of the waits of a batch."""
    match = {f"field{number}": template for number in range(150)}
    parse(EVENT, {"event": "ok", "match": match}, "x" * 800)
    with pytest.raises(
        BadParameter, match="wait:event: match: what the templates make is longer than 262144"
    ):
        parse(EVENT, {"event": "ok", "match": match}, "x" * 1_000_000)
    with pytest.raises(BadParameter, match="longer than 262144 characters"):
        parse(EVENT, {"event": "ok", "match": {"list": [template] * 150}}, ["x"] * 1000)

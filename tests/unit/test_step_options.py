"""The options of a step: parsed, checked, hidden from the worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.language import FlowError, compile_flow
from lfr.step_options import (
    NO_OPTIONS,
    BadStepOptions,
    Retry,
    StepOptions,
    is_retryable,
    parse_step_options,
    retry_delay,
)
from lfr.values.json import Json


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ({}, StepOptions()),
        ({"timeout": "5m"}, StepOptions(timeout=300)),
        ({"limit": 3}, StepOptions(limit=3)),
        ({"retry": 4}, StepOptions(retry=Retry(4))),
        (
            {"retry": {"times": 1, "delay": "1s", "backoff": 3, "longest": "1h", "jitter": 0.5, "on": "x"}},
            StepOptions(retry=Retry(1, 1.0, 3.0, 3600.0, 0.5, ("x",))),
        ),
    ],
)
def test_options(value: Json, options: StepOptions) -> None:
    assert parse_step_options({"lfr": value, "own": 1}) == options
    assert parse_step_options({"own": 1}) is NO_OPTIONS
    assert parse_step_options([1]) is NO_OPTIONS


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (3, "lfr is 3, but must be an object with some of timeout, retry, limit"),
        ({"retries": 3}, "lfr knows timeout, retry, limit, but not retries; did you mean retry?"),
        ({"timeout": 0}, "lfr.timeout is 0, but must be a number of seconds"),
        ({"timeout": "soon"}, 'lfr.timeout is "soon", but must be'),
        ({"limit": True}, "lfr.limit is true, but must be a whole number from 1 to"),
        ({"retry": "often"}, 'lfr.retry is "often", but must be an object'),
        ({"retry": True}, "lfr.retry is true"),
        ({"retry": {}}, "lfr.retry.times is missing: a whole number"),
        ({"retry": {"times": 1, "jitter": 2}}, "lfr.retry.jitter is 2, but must be a number from 0 to 1"),
        ({"retry": {"times": 1, "backoff": 0.5}}, "lfr.retry.backoff is 0.5, but must be a number from 1 to"),
        ({"retry": {"times": 1, "on": [""]}}, 'lfr.retry.on is [""], but must be a text or a list of texts'),
    ],
)
def test_wrong_options_are_named(value: Json, reason: str) -> None:
    with pytest.raises(BadStepOptions) as caught:
        parse_step_options({"lfr": value})
    assert str(caught.value).startswith(reason)


def test_the_compiler_finds_the_location_of_a_wrong_option() -> None:
    with pytest.raises(FlowError) as caught:
        compile_flow("@task S { x }\na -> b (- lfr: {limit: 0} -) -> S (- lfr: {timeout: 3} -)")
    places = [(error.line, error.column) for error in caught.value.errors]
    assert places == [(2, 8), (2, 35)]


@given(
    st.integers(1, 10_000),
    st.floats(0, 100),
    st.floats(1, 1000),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_delays_grow_to_their_bound_and_vary_by_the_jitter(
    number: int, delay: float, backoff: float, jitter: float, chance: float
) -> None:
    retry = Retry(9, delay, backoff, longest=60.0, jitter=jitter)
    expected = delay
    for _ in range(number - 1):
        expected = min(expected * backoff, 60.0)
    expected = min(expected, 60.0)
    actual = retry_delay(retry, number, chance)
    assert expected * (1 - jitter) - 1e-6 <= actual <= 60.0 * (1 + jitter) + 1e-6
    steady = retry_delay(Retry(9, delay, backoff, 60.0), number, chance)
    assert steady == pytest.approx(expected, rel=1e-6)


def test_which_failures_are_retried() -> None:
    assert is_retryable(Retry(1), "anything")
    assert is_retryable(Retry(1, on=("gone", "timeout")), "timeout: it has not ended within 3 s")
    assert not is_retryable(Retry(1, on=("gone",)), "no such file")


def test_a_worker_gets_only_the_parameters_of_its_task() -> None:
    flow = compile_flow(
        'a (- {lfr: {timeout: 3}, size: 1} -) -> b (- lfr: {retry: 1} -) -> <f.json> ({"lfr": {}})'
    )
    assert [step.invocation().parameters for step in flow.steps[1:4]] == [
        {"size": 1},
        {},
        {"uri": "f.json"},
    ]

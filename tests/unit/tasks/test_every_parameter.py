"""Every parameter of every built-in task, with wrong values: the reason names task, parameter and value.

The parameters come from the catalogue, so a new one without a row here fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lfr.events import StartTask
from lfr.step_options import BadStepOptions, parse_step_options
from lfr.tasks.catalogue import CALL_PARAMETERS, CATALOGUE, BuiltInTask
from lfr.tasks.parameters import BadParameter, Parameter, parse_parameters
from lfr.tasks.redis_command import CommandPolicy, allowed_commands, parse_command
from lfr.tasks.request import build_request, parse_request_parameters
from lfr.tasks.resource import parse_load, parse_store
from lfr.tasks.wait_spec import parse_wait
from lfr.values.json import Json

NO_TEXTS = [5, 1.5, True, [], ["a"], {}, {"a": 1}]
NO_FLAGS = ["yes", "true", 0, 1, [], {}]
NO_DURATIONS = ["", "soon", "1w", "-1s", "30m1h", "1e3s", "٣s", -1, -0.001, True, [], {}, 1e300, "36601d"]
NO_TIMES = ["", "soon", "2026-13-01", "2026-01-31T25:00", "31.1.2026", 1769817600, 0, True, [], {}]

WRONG: Mapping[tuple[str, str], list[Json]] = {
    ("wait:delay", "duration"): NO_DURATIONS,
    ("wait:delay", "until"): NO_TIMES,
    ("wait:event", "event"): ["", *NO_TEXTS],
    ("wait:event", "match"): ["output", "", 5, True, [], ["input"]],
    ("wait:event", "receipt"): NO_FLAGS,
    ("wait:event", "timeout"): NO_DURATIONS,
    ("wait:event", "on_timeout"): ["stop", "", "Fail", 1, True, [], {}],
    ("wait:", "name"): ["", "x" * 1001, "\ud800", ".", "..", "a\nb", "a\x1b", *NO_TEXTS],
    ("request:", "url"): NO_TEXTS,
    ("request:", "sync"): NO_FLAGS,
    ("request:", "environ"): ["a:b", *NO_TEXTS],
    ("request:", "template"): NO_TEXTS,
    ("request:", "content_type"): NO_TEXTS,
    ("request:", "use_context_parameters"): NO_FLAGS,
    ("request:", "output_mode"): ["all", "", 5, True, {}, ["status", "all"], [1]],
    ("request:", "error_on_status"): NO_FLAGS,
    ("request:", "category"): ["a:b", *NO_TEXTS],
    ("request:", "from_input"): ["category", "", 5, True, {}, ["url", "all"], [1]],
    ("request:", "headers"): ["a: b", 5, True, [], {"a": 5}, {"a": None}, {"a": ["b"]}],
    ("request:", "timeout"): [0, "0s", 3601, "2h", *NO_DURATIONS],
    ("request:", "retries"): [-1, 11, 1.5, "1", True, [], {}],
    ("redis:", "args"): ["a", 5, True, {}, [True], [None], [[]], [{}]],
    ("redis:", "format"): NO_FLAGS,
    ("redis:", "key"): NO_TEXTS,
    ("redis:", "type"): ["float", "", "INT", 1, True, [], {}],
    ("flow:", "version"): [0, -1, 1.5, "1", "latest", True, [], {}, 10**9],
    ("resource:load", "method"): ["POST", "get", "", 1, True, [], {}],
    ("resource:store", "method"): ["GET", "put", "", 1, True, [], {}],
    ("resource:", "content-type"): ["csv", "image/png", "", 1, True, [], {}],
}
"""Wrong values, by the task or the prefix of its name, and by the parameter."""

NEEDED: Mapping[str, dict[str, Json]] = {
    "wait:delay": {},
    "wait:event": {"event": "paid"},
    "wait:": {"name": "house"},
    "request:": {"url": "http://127.0.0.1/"},
    "redis:": {"args": ["a"]},
    "resource:": {"uri": "file:///a.json"},
    "flow:": {},
}
"""The other parameters that a task needs, by the task or the prefix of its name."""


def row(table: Mapping[Any, Any], task: str, *more: str) -> Any:
    """Return the row of a task, else that of its prefix."""
    prefix = task.partition(":")[0] + ":"
    for name in (task, prefix):
        key = (name, *more) if more else name
        if key in table:
            return table[key]
    pytest.fail(f"there is no row for {task} {' '.join(more)}")


def cases(predicate: Callable[[Parameter], bool] = lambda parameter: True) -> list[Any]:
    """Return the parameters that the predicate holds for, each with its task."""
    return [
        pytest.param(task, parameter, id=f"{task.name} {parameter.name}")
        for task in CATALOGUE
        for parameter in task.parameters
        if predicate(parameter)
    ]


def reason(task: str, parameters: Json, input: Json = None) -> str:
    """Return the reason why a role refuses a task."""
    started = StartTask("workflow:w", task, task, 1, input or {}, parameters, 1)
    policy = CommandPolicy(allowed_commands(["usual"]), lambda key: False)
    parsers: Mapping[str, Callable[[], object]] = {
        "wait": lambda: parse_wait("1000-0", started),
        "request": lambda: build_request(parse_request_parameters(started), ""),
        "flow": lambda: parse_parameters(task, CALL_PARAMETERS, parameters),
        "redis": lambda: parse_command(started, policy),
        "resource": lambda: (parse_load if task.endswith("load") else parse_store)(parameters),
    }
    with pytest.raises(BadParameter) as caught:
        parsers[task.partition(":")[0]]()
    return str(caught.value)


def abbreviated(value: Json) -> str:
    """Return the beginning of a value, as in a reason."""
    return json.dumps(value, ensure_ascii=False)[:40]


@pytest.mark.parametrize(("task", "parameter"), cases())
def test_a_wrong_value_is_named(task: BuiltInTask, parameter: Parameter) -> None:
    name = task.name.replace("COMMAND", "get")
    for value in row(WRONG, task.name, parameter.name):
        message = reason(name, {**row(NEEDED, task.name), parameter.name: value})
        assert message.startswith(f"{name}: {parameter.name} is {abbreviated(value)}"), value
        assert ", but must be " in message


@pytest.mark.parametrize(("task", "parameter"), cases(lambda parameter: parameter.from_input))
def test_a_wrong_value_in_the_input_is_named(task: BuiltInTask, parameter: Parameter) -> None:
    needed = {**row(NEEDED, task.name), "from_input": [parameter.name]}
    for value in row(WRONG, task.name, parameter.name):
        message = reason(task.name, needed, {parameter.name: value})
        beginning = f"{task.name}: {parameter.name} in the input is {abbreviated(value)}"
        assert message.startswith(beginning), value


@pytest.mark.parametrize(("task", "parameter"), cases(lambda parameter: parameter.is_needed))
def test_a_missing_parameter_is_named(task: BuiltInTask, parameter: Parameter) -> None:
    for parameters in ({}, None, {parameter.name: None}):
        message = reason(task.name, parameters)
        assert message == f"{task.name} needs the parameter {parameter.name}, {parameter.check.words}"


@pytest.mark.parametrize("task", CATALOGUE, ids=lambda task: task.name)
@pytest.mark.parametrize("parameters", [5, "a", True, [], [{}]])
def test_parameters_that_are_no_object_are_named(task: BuiltInTask, parameters: Json) -> None:
    name = task.name.replace("COMMAND", "get")
    message = reason(name, parameters)
    assert message == f"{name}: the parameters are {abbreviated(parameters)}, but must be an object"


STEP_OPTIONS: Mapping[str, list[Json]] = {
    "timeout": [0, *NO_DURATIONS],
    "limit": [0, -1, 1_000_001, 1.5, "1", True, [], {}],
    "retry": [-1, 1_000_001, 1.5, "1", True, []],
    "retry.times": [-1, 1_000_001, 1.5, "1", True, [], {}],
    "retry.delay": NO_DURATIONS,
    "retry.backoff": [0, 0.5, 1001, "2", True, [], {}],
    "retry.longest": NO_DURATIONS,
    "retry.jitter": [-0.1, 1.1, "0", True, [], {}],
    "retry.on": [5, True, {}, [""], [1], [[]]],
}
"""The step options, with wrong values."""


@pytest.mark.parametrize("name", STEP_OPTIONS)
def test_a_wrong_step_option_is_named(name: str) -> None:
    outer, _, inner = name.partition(".")
    for value in STEP_OPTIONS[name]:
        options = {outer: {"times": 1, inner: value} if inner else value}
        with pytest.raises(BadStepOptions) as caught:
            parse_step_options({"lfr": options})
        assert str(caught.value).startswith(f"lfr.{name} is {abbreviated(value)}, but must be "), value

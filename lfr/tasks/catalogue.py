"""The built-in tasks: their names, the roles that run them, their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from lfr.step_options import CALL_PREFIX, LOAD, STORE
from lfr.tasks.content import CONTENT_TYPE
from lfr.tasks.parameters import MATCH, TEMPLATE, Parameter, or_template
from lfr.values.checks import (
    FLAG,
    NAME,
    TEXT,
    TEXTS_BY_NAME,
    TIME,
    WORDS,
    duration,
    one_of,
    some_of,
    whole_number,
)
from lfr.values.times import MAX_DURATION_SECONDS

RESERVED_PREFIXES = ("lfr:", "wait:", "request:", "redis:", "resource:", CALL_PREFIX)
"""The prefixes of built-in tasks, including future ones: no other worker runs such tasks."""


@dataclass(frozen=True, slots=True)
class BuiltInTask:
    """A built-in task: its name, the role that runs it, a line of help, its parameters.

    A name that ends in capitals, such as `redis:COMMAND`, stands for all tasks with that prefix.
    """

    name: str
    role: str
    help: str
    parameters: tuple[Parameter, ...]


DELAY, EVENT = "wait:delay", "wait:event"
ACQUIRE, RELEASE, COUNTDOWN = "wait:acquire", "wait:release", "wait:countdown"

WAIT_PREFIX, REQUEST_PREFIX, REDIS_PREFIX = "wait:", "request:", "redis:"
"""The prefixes of the tasks that wait, send an HTTP request, or send a command to Redis."""

STATUS, RESPONSE_TEXT, RESPONSE_JSON = "status", "response_text", "response_json"
"""The output modes of a request: what of the response goes into the output."""

_or_input = partial(Parameter, from_input=True)
"""A parameter that a member of the input may override, if the flow says so."""

_FROM_INPUT: Final = (
    *("url", "sync", "environ", "template", "content_type"),
    *("use_context_parameters", "output_mode", "error_on_status"),
)

_REQUEST_PARAMETERS: Final = (
    _or_input("url", TEXT, "the URL, a template; relative to the base URL, if there is one", is_needed=True),
    _or_input("sync", FLAG, "`true`: the response completes the task; `false`: a later end-task does", True),
    _or_input("environ", NAME, "the environment whose base URL is used", "global"),
    _or_input("template", TEXT, "the template of the body, in place of the input as JSON"),
    _or_input("content_type", TEXT, "the media type of the body, a template", "application/json"),
    _or_input("use_context_parameters", FLAG, "with `sync: false`: whether the query names the task", True),
    _or_input(
        "output_mode",
        some_of(STATUS, RESPONSE_TEXT, RESPONSE_JSON),
        "what of the response goes into the output, as `request_status` and `response`",
        [],
    ),
    _or_input("error_on_status", FLAG, "whether a response other than 2xx fails the task", True),
    Parameter("category", NAME, "which of the environment's base URLs is used", "base"),
    Parameter(
        "from_input",
        some_of(*_FROM_INPUT),
        "the parameters that members of the input override; by default `url`, if the flow does not give it",
    ),
    Parameter("headers", TEXTS_BY_NAME, "header fields; their values are templates", {}),
    Parameter(
        "timeout", duration(0.001, 3600), "how long one try may take, to the last byte of the response", 30
    ),
    Parameter(
        "retries",
        whole_number(0, 10),
        "how often to retry if there is no response, or 429, 502, 503 or 504",
        0,
    ),
)

_DURATION: Final = or_template(duration(0, MAX_DURATION_SECONDS))

_DELAY_PARAMETERS: Final = (
    Parameter("duration", _DURATION, "how long it waits", instead="until"),
    Parameter("until", or_template(TIME), "the time at which it ends; a past time ends it at once"),
)

_EVENT_PARAMETERS: Final = (
    Parameter("event", TEMPLATE, "the kind of the event", is_needed=True),
    Parameter(
        "match",
        MATCH,
        "the fields that must be equal in the event; without it, any event of that kind matches",
    ),
    Parameter("receipt", FLAG, "whether an event that completes the wait gets a receipt", True),
    Parameter("timeout", _DURATION, "how long it waits, at most"),
    Parameter("on_timeout", one_of("fail", "continue"), "what the task does then", "fail"),
)

_LATCH_PARAMETERS: Final = (Parameter("name", TEMPLATE, "the name of the latch", is_needed=True),)

_REDIS_PARAMETERS: Final = (
    Parameter("args", WORDS, "the arguments of the command, templates", []),
    Parameter("format", FLAG, "whether the arguments are templates", True),
    Parameter("key", TEXT, "the name of the reply in the output; by default the first argument"),
    Parameter("type", one_of("string", "int"), "how texts in the reply are read", "string"),
)

CALL_PARAMETERS: Final = (
    Parameter(
        "version",
        whole_number(1, 999_999_999),
        "the version of the flow; without it, the latest when the step starts",
    ),
)

_CONTENT_TYPE: Final = Parameter(
    "content-type", CONTENT_TYPE, "the media type, instead of what the extension or the server says"
)

_LOAD_PARAMETERS: Final = (Parameter("method", one_of("GET"), "the HTTP method", "GET"), _CONTENT_TYPE)

_STORE_PARAMETERS: Final = (
    Parameter(
        "method", one_of("POST", "PUT", "PATCH"), "the HTTP method; by default PUT for a file, POST for a URL"
    ),
    _CONTENT_TYPE,
)

CATALOGUE: Final = tuple(
    BuiltInTask(name, role, help, parameters)
    for name, role, help, parameters in (
        (DELAY, "wait", "waits for a duration or until a time; its output is its input", _DELAY_PARAMETERS),
        (EVENT, "wait", "waits for an event", _EVENT_PARAMETERS),
        (ACQUIRE, "wait", "adds one to a latch; its output is its input", _LATCH_PARAMETERS),
        (RELEASE, "wait", "takes one off a latch; its output is its input", _LATCH_PARAMETERS),
        (COUNTDOWN, "wait", "waits until a latch is zero; its output is its input", _LATCH_PARAMETERS),
        ("request:get", "request", "requests a URL", _REQUEST_PARAMETERS),
        ("request:post", "request", "sends a body to a URL by POST", _REQUEST_PARAMETERS),
        ("request:put", "request", "sends a body to a URL by PUT", _REQUEST_PARAMETERS),
        ("request:patch", "request", "sends a body to a URL by PATCH", _REQUEST_PARAMETERS),
        ("request:delete", "request", "deletes the resource at a URL", _REQUEST_PARAMETERS),
        (
            "redis:COMMAND",
            "redis",
            "sends a command to Redis and puts the reply into the output",
            _REDIS_PARAMETERS,
        ),
        (
            f"{CALL_PREFIX}NAME",
            "lifecycle",
            "runs a stored flow as a child; its output is that of the flow",
            CALL_PARAMETERS,
        ),
        (LOAD, "resource", "loads a file or a URL; its output is the content", _LOAD_PARAMETERS),
        (STORE, "resource", "stores its input in a file or at a URL; its output is {}", _STORE_PARAMETERS),
    )
)


def find_built_in(task: str) -> BuiltInTask | None:
    """Return the built-in task of this name (for `redis:GET` that is `redis:COMMAND`), or None."""
    for each in CATALOGUE:
        prefix = each.name.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if task == each.name or (prefix != each.name and task.startswith(prefix) and task != prefix):
            return each
    return None


def is_reserved(task: str) -> bool:
    """Return whether a name has a prefix of the built-in tasks, even if there is no task of this name."""
    return task.startswith(RESERVED_PREFIXES)

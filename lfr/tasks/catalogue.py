"""The built-in tasks: their names, the roles that run them, their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lfr.step_options import LOAD, STORE
from lfr.tasks.content import CONTENT_TYPE
from lfr.tasks.parameters import MATCH, TEMPLATE, Parameter, or_template
from lfr.values.checks import FLAG, TEXT, TEXTS_BY_NAME, TIME, WORDS, duration, one_of, some_of, whole_number
from lfr.values.times import MAX_DURATION_SECONDS

RESERVED_PREFIXES = ("lfr:", "wait:", "request:", "redis:", "resource:")
"""Prefixes that are reserved for built-in tasks, including future ones: no other worker runs such tasks."""


@dataclass(frozen=True, slots=True)
class BuiltInTask:
    """A built-in task: its name, the role that runs it, a line of help, its parameters.

    A name that ends in capitals, such as `redis:COMMAND`, stands for all tasks with that prefix.
    """

    name: str
    role: str
    help: str
    parameters: tuple[Parameter, ...]


DELAY = "wait:delay"
EVENT = "wait:event"
ACQUIRE, RELEASE, COUNTDOWN = "wait:acquire", "wait:release", "wait:countdown"

WAIT_PREFIX = "wait:"
"""The prefix of the tasks that wait."""

REDIS_PREFIX = "redis:"
"""The prefix of the tasks that send a command to Redis."""

_CONTENT_TYPE = Parameter(
    "content-type", CONTENT_TYPE, "the media type, instead of what the extension or the server says"
)

REQUEST_PREFIX = "request:"
"""The prefix of the tasks that send an HTTP request."""

STATUS, RESPONSE_TEXT, RESPONSE_JSON = "status", "response_text", "response_json"
"""The output modes of a request: what of the response goes into the output."""

_REQUEST_PARAMETERS: Final = (
    Parameter(
        "url",
        TEXT,
        "the URL, a template; relative to the base URL, if there is one",
        is_needed=True,
        input_first=True,
    ),
    Parameter(
        "sync",
        FLAG,
        "`false`: not the response but a later end-task completes the task",
        default=True,
        input_first=True,
    ),
    Parameter("environ", TEXT, "the environment whose base URL is used", default="global", input_first=True),
    Parameter(
        "template",
        TEXT,
        "the template of the body; without it, `post`, `put` and `patch` send the input as JSON",
        input_first=True,
    ),
    Parameter(
        "content_type",
        TEXT,
        "the media type of the body, a template",
        default="application/json",
        input_first=True,
    ),
    Parameter(
        "use_context_parameters",
        FLAG,
        "with `sync: false`: whether the query tells the server which task to complete",
        default=True,
        input_first=True,
    ),
    Parameter(
        "output_mode",
        some_of(STATUS, RESPONSE_TEXT, RESPONSE_JSON),
        "what of the response goes into the output, as `request_status` and `response`",
        default=[],
        input_first=True,
    ),
    Parameter(
        "error_on_status",
        FLAG,
        "whether a response other than 2xx fails the task",
        default=True,
        input_first=True,
    ),
    Parameter("category", TEXT, "which of the environment's base URLs is used", default="base"),
    Parameter("headers", TEXTS_BY_NAME, "header fields; their values are templates", default={}),
    Parameter("timeout", duration(0.001, 3600), "how long one try may take", default=30),
    Parameter(
        "retries",
        whole_number(0, 10),
        "how often to retry if there is no response, or 429, 502, 503 or 504",
        default=0,
    ),
)

_REQUESTS: Final = {
    "get": "requests a URL",
    "post": "sends a body to a URL by POST",
    "put": "sends a body to a URL by PUT",
    "patch": "sends a body to a URL by PATCH",
    "delete": "deletes the resource at a URL",
}

_LATCH: Final = Parameter("name", TEMPLATE, "the name of the latch", is_needed=True)

CATALOGUE: Final = (
    BuiltInTask(
        DELAY,
        role="wait",
        help="waits for a duration or until a time; its output is its input",
        parameters=(
            Parameter(
                "duration",
                or_template(duration(0, MAX_DURATION_SECONDS)),
                "how long it waits",
                instead="until",
            ),
            Parameter("until", or_template(TIME), "the time at which it ends; a past time ends it at once"),
        ),
    ),
    BuiltInTask(
        EVENT,
        role="wait",
        help="waits for an event",
        parameters=(
            Parameter("event", TEMPLATE, "the kind of the event", is_needed=True),
            Parameter(
                "match",
                MATCH,
                "the fields that must be equal in the event; without it, any event of that kind matches",
            ),
            Parameter(
                "receipt", FLAG, "whether an event that completes the wait gets a receipt", default=True
            ),
            Parameter(
                "timeout", or_template(duration(0, MAX_DURATION_SECONDS)), "how long it waits, at most"
            ),
            Parameter("on_timeout", one_of("fail", "continue"), "what the task does then", default="fail"),
        ),
    ),
    *(
        BuiltInTask(task, role="wait", help=help, parameters=(_LATCH,))
        for task, help in (
            (ACQUIRE, "adds one to a latch; its output is its input"),
            (RELEASE, "takes one off a latch; its output is its input"),
            (COUNTDOWN, "waits until a latch is zero; its output is its input"),
        )
    ),
    *(
        BuiltInTask(REQUEST_PREFIX + method, role="request", help=help, parameters=_REQUEST_PARAMETERS)
        for method, help in _REQUESTS.items()
    ),
    BuiltInTask(
        f"{REDIS_PREFIX}COMMAND",
        role="redis",
        help="sends a command to Redis and puts the reply into the output",
        parameters=(
            Parameter("args", WORDS, "the arguments of the command, templates", default=[]),
            Parameter("format", FLAG, "whether the arguments are templates", default=True),
            Parameter("key", TEXT, "the name of the reply in the output; by default the first argument"),
            Parameter("type", one_of("string", "int"), "how texts in the reply are read", default="string"),
        ),
    ),
    BuiltInTask(
        LOAD,
        role="resource",
        help="loads a file or a URL; its output is the content",
        parameters=(Parameter("method", one_of("GET"), "the HTTP method", "GET"), _CONTENT_TYPE),
    ),
    BuiltInTask(
        STORE,
        role="resource",
        help="stores its input in a file or at a URL; its output is {}",
        parameters=(
            Parameter(
                "method",
                one_of("POST", "PUT", "PATCH"),
                "the HTTP method; by default PUT for a file, POST for a URL",
            ),
            _CONTENT_TYPE,
        ),
    ),
)


def find_built_in(task: str) -> BuiltInTask | None:
    """Return the built-in task of this name, or None."""
    for each in CATALOGUE:
        prefix = each.name.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if task == each.name or (prefix != each.name and task.startswith(prefix) and task != prefix):
            return each
    return None


def is_reserved(task: str) -> bool:
    """Return whether a name has a prefix of the built-in tasks."""
    return task.startswith(RESERVED_PREFIXES)

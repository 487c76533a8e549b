"""The built-in tasks: which there are, what they do, which role does them, with which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lfr.tasks.content import CONTENT_TYPE
from lfr.tasks.parameters import MATCH, TEMPLATE, Parameter, or_template
from lfr.values.checks import FLAG, TEXT, TEXTS_BY_NAME, TIME, WORDS, duration, one_of, some_of, whole_number
from lfr.values.times import MAX_DURATION_SECONDS

RESERVED_PREFIXES = ("lfr:", "wait:", "request:", "redis:", "resource:")
"""How the names of built-in tasks begin, also of those to come: no other worker answers them."""


@dataclass(frozen=True, slots=True)
class BuiltInTask:
    """One built-in task: its name, the role that does it, a line of help, its parameters.

    A name that ends in capitals, `redis:COMMAND`, stands for all that begin so.
    """

    name: str
    role: str
    help: str
    parameters: tuple[Parameter, ...]


EACH = "lfr:each"
"""What a step that is iterated asks for. The lifecycle does it: one workflow for each item."""

LOAD, STORE = "resource:load", "resource:store"
"""What a resource asks for, as a source and as a target."""

DELAY = "wait:delay"
EVENT = "wait:event"
ACQUIRE, RELEASE, COUNTDOWN = "wait:acquire", "wait:release", "wait:countdown"

WAIT_PREFIX = "wait:"
"""How the names of the tasks begin that wait."""

REDIS_PREFIX = "redis:"
"""How the names of the tasks begin that send a command to Redis."""

_CONTENT_TYPE = Parameter(
    "content-type", CONTENT_TYPE, "how it is written, whatever its ending or the server says"
)

REQUEST_PREFIX = "request:"
"""How the names of the tasks begin that send an HTTP request."""

STATUS, RESPONSE_TEXT, RESPONSE_JSON = "status", "response_text", "response_json"
"""What of an answer goes into the output of a request."""

_REQUEST_PARAMETERS: Final = (
    Parameter(
        "url",
        TEXT,
        "where to, a template; relative to the base URL, if there is one",
        is_needed=True,
        input_first=True,
    ),
    Parameter(
        "sync",
        FLAG,
        "`false`: the task ends when an end-task comes for it from elsewhere",
        default=True,
        input_first=True,
    ),
    Parameter("environ", TEXT, "the environment whose base URL is taken", default="global", input_first=True),
    Parameter(
        "template",
        TEXT,
        "the body, a template; without one, `post`, `put` and `patch` send the input as JSON",
        input_first=True,
    ),
    Parameter(
        "content_type",
        TEXT,
        "what the body is, a template",
        default="application/json",
        input_first=True,
    ),
    Parameter(
        "use_context_parameters",
        FLAG,
        "with `sync: false`: tell the far side, in the query, which task it is to end",
        default=True,
        input_first=True,
    ),
    Parameter(
        "output_mode",
        some_of(STATUS, RESPONSE_TEXT, RESPONSE_JSON),
        "what of the answer is put into the output: as `request_status`, as `response`",
        default=[],
        input_first=True,
    ),
    Parameter(
        "error_on_status",
        FLAG,
        "whether an answer other than 2xx fails the task",
        default=True,
        input_first=True,
    ),
    Parameter("category", TEXT, "which of the environment's base URLs is taken", default="base"),
    Parameter("headers", TEXTS_BY_NAME, "header fields; their values are templates", default={}),
    Parameter("timeout", duration(0.001, 3600), "how long a try may take", default=30),
    Parameter(
        "retries",
        whole_number(0, 10),
        "tries after the first, if nobody answers, or 429, 502, 503 or 504",
        default=0,
    ),
)

_REQUESTS: Final = {
    "get": "asks for a URL",
    "post": "sends something to a URL by POST",
    "put": "sends something to a URL by PUT",
    "patch": "sends something to a URL by PATCH",
    "delete": "deletes what is at a URL",
}

_LATCH: Final = Parameter("name", TEMPLATE, "the latch's name", is_needed=True)

CATALOGUE: Final = (
    BuiltInTask(
        DELAY,
        role="wait",
        help="ends after a while, or at a time; its output is its input",
        parameters=(
            Parameter(
                "duration", or_template(duration(0, MAX_DURATION_SECONDS)), "how long", instead="until"
            ),
            Parameter("until", or_template(TIME), "until when, if not how long; a time that is past is now"),
        ),
    ),
    BuiltInTask(
        EVENT,
        role="wait",
        help="ends when an event comes",
        parameters=(
            Parameter("event", TEMPLATE, "the event's kind", is_needed=True),
            Parameter("match", MATCH, "what must be equal in the event; if not given, any event does"),
            Parameter("receipt", FLAG, "whether the event gets a receipt when it ends a wait", default=True),
            Parameter("timeout", or_template(duration(0, MAX_DURATION_SECONDS)), "how long, at most"),
            Parameter("on_timeout", one_of("fail", "continue"), "whether it then fails", default="fail"),
        ),
    ),
    *(
        BuiltInTask(task, role="wait", help=help, parameters=(_LATCH,))
        for task, help in (
            (ACQUIRE, "adds one to a latch; its output is its input"),
            (RELEASE, "takes one off a latch; its output is its input"),
            (COUNTDOWN, "ends when a latch is at zero; its output is its input"),
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
            Parameter("args", WORDS, "the command's arguments, templates", default=[]),
            Parameter("format", FLAG, "whether the arguments are templates", default=True),
            Parameter("key", TEXT, "the reply's name in the output; if not given, the first argument"),
            Parameter("type", one_of("string", "int"), "how the reply is read", default="string"),
        ),
    ),
    BuiltInTask(
        LOAD,
        role="resource",
        help="loads a file or what a URL leads to; its output is what stands there",
        parameters=(Parameter("method", one_of("GET"), "how a server is asked", "GET"), _CONTENT_TYPE),
    ),
    BuiltInTask(
        STORE,
        role="resource",
        help="stores its input in a file or at a URL; its output is {}",
        parameters=(
            Parameter(
                "method", one_of("POST", "PUT", "PATCH"), "how: if not given, PUT for a file, POST for a URL"
            ),
            _CONTENT_TYPE,
        ),
    ),
)


def find_built_in(task: str) -> BuiltInTask | None:
    """The built-in task of this name, or None."""
    for each in CATALOGUE:
        beginning = each.name.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if task == each.name or (beginning != each.name and task.startswith(beginning) and task != beginning):
            return each
    return None


def is_reserved(task: str) -> bool:
    """Whether a task is one of ours to do, by its name."""
    return task.startswith(RESERVED_PREFIXES)

"""Routes that list dead letters, put their events back on the stream, and dismiss them."""

from __future__ import annotations

from functools import partial
from typing import Final

from lfr.errors import BadInput
from lfr.operations.dead_letters import (
    MAX_NAMED,
    DeadLetterAction,
    describe_dead_letter,
    handle_dead_letters,
    list_dead_letters,
)
from lfr.operations.events import MAX_LIST_SIZE
from lfr.values.checks import mismatch
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import Parameter, get, post
from lfr.web.routes.schemas import (
    BOOLEAN,
    INTEGER,
    JSON,
    NULLABLE_TEXT,
    TEXT,
    array,
    integer,
    object_schema,
    ok,
)


def _list(request: Request) -> Response:
    query = request.query
    letters = list_dead_letters(
        request.store,
        size=request.number("size", 50),
        pattern=query.get("pattern"),
        dismissed=request.flag("dismissed", False),
    )
    return json_response(letters)


def _get(request: Request) -> Response:
    dismissed = request.flag("dismissed", False)
    return json_response(describe_dead_letter(request.store, request.path["id"], dismissed=dismissed))


def _handle(action: DeadLetterAction, request: Request) -> Response:
    body = request.fields()
    ids, pattern, dismissed = body.get("ids"), body.get("pattern"), body.get("dismissed", False)
    if ids is not None and (not isinstance(ids, list) or not all(isinstance(id, str) for id in ids)):
        raise BadInput(mismatch("ids", ids, "a list of ids"))
    if pattern is not None and not isinstance(pattern, str):
        raise BadInput(mismatch("pattern", pattern, "a text"))
    if (ids is None) == (pattern is None) and body.get("all") is not True:
        raise BadInput("the body has ids, or a pattern, or all: true")
    if body.get("all", False) not in (True, False) or dismissed not in (True, False):
        raise BadInput("all and dismissed are true or false")
    if body.get("all") and (ids is not None or pattern is not None):
        raise BadInput("all goes without ids and pattern")
    result = handle_dead_letters(request.store, action, ids, pattern=pattern, dismissed=dismissed)
    return json_response(result)


_DISMISSAL: Final = {
    **object_schema({"at": TEXT, "by": NULLABLE_TEXT, "reason": NULLABLE_TEXT}),
    "type": ["object", "null"],
}
_LETTER: Final = object_schema(
    {
        "id": TEXT,
        "entry_id": TEXT,
        "at": TEXT,
        "reason": TEXT,
        "pattern": TEXT,
        "fields": {"type": "object", "additionalProperties": TEXT},
        "dismissed": _DISMISSAL,
    }
)
_BODY: Final = object_schema(
    {},
    {
        "ids": {**array(TEXT), "type": ["array", "null"], "minItems": 1, "maxItems": MAX_NAMED},
        "pattern": NULLABLE_TEXT,
        "all": BOOLEAN,
        "dismissed": BOOLEAN,
    },
)
_RESULT: Final = object_schema(
    {"changed": INTEGER, "problems": {"type": "object", "additionalProperties": TEXT}}
)
_DISMISSED: Final = Parameter("dismissed", BOOLEAN, "of those that were dismissed; default: false")

ROUTES: Final = (
    get(
        "/dead-letters",
        taking_turns(_list, lambda request: "pattern" in request.query),
        "List events that could not be understood, newest first.",
        query=(
            Parameter("size", integer(1, MAX_LIST_SIZE), "the maximum number; default: 50"),
            Parameter("pattern", TEXT, "only those with this reason, whatever numbers and ids stand in it"),
            _DISMISSED,
        ),
        responses=ok(array(_LETTER)),
        problems=(400,),
    ),
    get(
        "/dead-letters/{id}",
        _get,
        "Get an event that could not be understood, whole.",
        query=(_DISMISSED,),
        responses=ok(_LETTER),
        problems=(400, 404),
    ),
    post(
        "/dead-letters/retry",
        taking_turns(partial(_handle, DeadLetterAction.RETRY)),
        "Put events back on their stream, as they were: those with `ids`, those whose reason has this "
        "`pattern`, or `all`; with `dismissed` of those that were dismissed.",
        body={JSON: _BODY},
        responses=ok(_RESULT),
        problems=(400, 404, 409),
    ),
    post(
        "/dead-letters/dismiss",
        taking_turns(partial(_handle, DeadLetterAction.DISMISS)),
        "Dismiss events that could not be understood. The latest 1,000 are kept, and can be put back.",
        body={JSON: _BODY},
        responses=ok(_RESULT),
        problems=(400, 404, 409),
    ),
)

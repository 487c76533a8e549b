"""Routes that list the rules and recipients of notices, and test a rule."""

from __future__ import annotations

from typing import Final

from lfr.operations.notices import list_notices, send_test
from lfr.web.http import Request, Response, json_response
from lfr.web.route import get, post
from lfr.web.routes.schemas import BOOLEAN, JSON, NULLABLE_TEXT, OBJECT, TEXT, array, object_schema, ok
from lfr.web.sse import held_slot

_WAIT_SECONDS: Final = 40.0
"""How long a test waits: shorter than clients and proxies wait for a response. It holds a thread as long as a
stream does, so it takes the slot of one."""


def _list_notices(request: Request) -> Response:
    return json_response(list_notices(request.store))


def _test(request: Request) -> Response:
    rule = request.text("rule")
    with held_slot(request):
        return json_response(send_test(request.store, rule, wait_seconds=_WAIT_SECONDS))


ROUTES: Final = (
    get(
        "/notices",
        _list_notices,
        "List the rules and recipients of notices, and notices that were given up.",
        responses=ok(
            object_schema(
                {
                    "is_alive": BOOLEAN,
                    "rules": array(OBJECT),
                    "recipients": array(OBJECT),
                    "lost": array(OBJECT),
                }
            )
        ),
    ),
    post(
        "/notices/test",
        _test,
        "Send a specimen to the recipients of a rule, and wait up to 40 s for what they answer.",
        body={JSON: object_schema({"rule": TEXT})},
        responses=ok(array(object_schema({"recipient": TEXT, "problem": NULLABLE_TEXT}))),
        problems=(400, 404, 409),
    ),
)

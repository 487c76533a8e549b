"""The route that lists who waits."""

from __future__ import annotations

from typing import Final

from lfr.operations.list_workflows import make_filter
from lfr.operations.waits.list_waits import MAX_PAGE_SIZE, list_waits
from lfr.operations.waits.wait_groups import WaitKind
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import Parameter, get
from lfr.web.routes.schemas import (
    BOOLEAN,
    INTEGER,
    NULLABLE_INTEGER,
    NULLABLE_TEXT,
    OBJECT,
    TEXT,
    TIME,
    array,
    enum,
    integer,
    object_schema,
    ok,
)


def _list(request: Request) -> Response:
    query = request.query
    page = list_waits(
        request.store,
        kind=query.get("kind"),
        name=query.get("name"),
        filter=make_filter(request.store, name=query.get("flow"), where=query.get("where")),
        size=request.number("size", 50),
        after=query.get("next"),
    )
    return json_response({"waits": page.waits, "next": page.next, "groups": page.groups})


_KIND: Final = enum(*WaitKind)

_WAIT: Final = object_schema(
    {
        "workflow": TEXT,
        "index": NULLABLE_INTEGER,
        "flow": TEXT,
        "step": TEXT,
        "task": TEXT,
        "kind": _KIND,
        "event": NULLABLE_TEXT,
        "match": {**OBJECT, "type": ["object", "null"]},
        "latch": NULLABLE_TEXT,
        "since": TIME,
        "until": TIME,
        "fails": BOOLEAN,
    }
)

_GROUP: Final = object_schema({"kind": _KIND, "name": TEXT, "count": INTEGER, "since": TIME, "until": TIME})

ROUTES: Final = (
    get(
        "/waits",
        taking_turns(_list, lambda request: "where" in request.query),
        "List who waits, for what, since when and until when; count them by what they wait for.",
        query=(
            Parameter("kind", _KIND, "only waits of this kind; default: all but deadlines"),
            Parameter("name", TEXT, "only those for the event or the latch of this name"),
            Parameter("flow", TEXT, "only workflows of the flow with this name"),
            Parameter("where", TEXT, "only workflows that match, as `label.tenant=7 since=1d`"),
            Parameter("size", integer(1, MAX_PAGE_SIZE), "the maximum number; default: 50"),
            Parameter("next", TEXT, "the start of the page: `next` of the page before"),
        ),
        responses=ok(object_schema({"waits": array(_WAIT), "next": NULLABLE_TEXT, "groups": array(_GROUP)})),
        problems=(400,),
    ),
)

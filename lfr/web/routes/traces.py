"""Routes that return the spans of a workflow, and test the receiver of spans."""

from __future__ import annotations

from typing import Final

from lfr.operations.traces.load import describe_trace
from lfr.operations.traces.receiver import send_test
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.large_responses import alone
from lfr.web.route import get, post
from lfr.web.routes.schemas import NULLABLE_TEXT, OBJECT, array, object_schema, ok
from lfr.web.sse import held_slot


def _get(request: Request) -> Response:
    return json_response(describe_trace(request.store, request.path["id"]))


def _test(request: Request) -> Response:
    with held_slot(request):  # it holds a thread as long as a stream does
        return json_response(send_test(request.store))


ROUTES: Final = (
    get(
        "/workflows/{id}/trace",
        taking_turns(alone(_get)),
        "Get the spans of a workflow, as an export request of OTLP/HTTP.",
        responses=ok(object_schema({"resourceSpans": array(OBJECT)})),
        problems=(400, 404, 503),
    ),
    post(
        "/traces/test",
        _test,
        "Export a specimen of a span, and wait up to 40 s for what the receiver answers.",
        responses=ok(object_schema({"trace_id": NULLABLE_TEXT, "problem": NULLABLE_TEXT})),
        problems=(409,),
    ),
)

"""Routes that list and store flows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final
from urllib.parse import urlencode

from lfr.errors import BadInput
from lfr.operations.access import Access
from lfr.operations.stored_flows import MAX_FLOWS, Change, FlowSource, apply_flows, describe_flow, list_flows
from lfr.values.checks import mismatch
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import Parameter, get, post
from lfr.web.routes.schemas import (
    BOOLEAN,
    FLOW_TEXT,
    INTEGER,
    JSON,
    NULLABLE_INTEGER,
    OBJECT,
    TEXT,
    TIME,
    array,
    enum,
    integer,
    object_schema,
    ok,
)


def _list_flows(request: Request) -> Response:
    query = request.query
    size = request.number("size", 100)
    after = query.get("next", "")
    flows = list_flows(request.store, prefix=query.get("prefix", ""), after=after, size=size)
    headers = {}
    if len(flows) == size:
        link = f"{request.root}/flows?{urlencode({**query, 'next': flows[-1]['name']})}"
        headers["Link"] = f'<{link}>; rel="next"'
    return json_response(flows, headers=headers)


def _describe_flow(request: Request) -> Response:
    return json_response(describe_flow(request.store, request.path["name"]))


def _apply(request: Request) -> Response:
    """Store flows; return the plan. Messages call the texts `text 1` and so on."""
    is_text = request.media == "text/plain"
    texts = [request.body] if is_text else request.fields().get("flows")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadInput(mismatch("flows", texts, "a list of flow texts"))
    plan = apply_flows(
        request.store,
        [FlowSource(text, f"text {number}") for number, text in enumerate(texts, 1)],
        prune=not is_text and request.is_true("prune"),
        dry_run=not is_text and request.is_true("dry_run"),
    )
    return json_response([{**asdict(change), "diff": list(change.diff)} for change in plan])


_CHANGE: Final = object_schema(
    {
        "name": TEXT,
        "change": enum(*Change),
        "version": INTEGER,
        "previous": NULLABLE_INTEGER,
        "source": TEXT,
        "diff": array(TEXT),
        "schedule": TEXT,
    }
)
_VERSION: Final = {"version": INTEGER, "applied": TIME, "steps": INTEGER, "doc": TEXT, "digest": TEXT}

ROUTES: Final = (
    get(
        "/flows",
        _list_flows,
        "List stored flows by name, each with its latest version. The header Link has the address of the "
        "next page.",
        query=(
            Parameter("prefix", TEXT, "only those whose names begin with this"),
            Parameter("size", integer(1, MAX_FLOWS), "the maximum number; default: 100"),
            Parameter("next", TEXT, "the name before the first of the page, from Link"),
        ),
        responses=ok(array(object_schema({"name": TEXT, "versions": INTEGER, **_VERSION}))),
        problems=(400,),
    ),
    post(
        "/flows",
        taking_turns(_apply),
        "Store each flow under the name in its `@flow`, all or none; with `prune`, remove all others. With "
        "`dry_run`, nothing changes. The response is the plan.",
        access=Access.ADMIN,  # a text may have a schedule, and others run what it changes
        body={
            JSON: object_schema({"flows": array(FLOW_TEXT)}, {"prune": BOOLEAN, "dry_run": BOOLEAN}),
            "text/plain": FLOW_TEXT,
        },
        responses=ok(array(_CHANGE)),
        problems=(400, 409),
    ),
    get(
        "/flows/{name}",
        _describe_flow,
        "Get a stored flow, NAME or NAME@VERSION, with its text, all of its versions, and in what it differs "
        "from the version before.",
        responses=ok(
            object_schema(
                {
                    "name": TEXT,
                    "text": TEXT,
                    "inputs": OBJECT,
                    "changes": {"type": ["array", "null"], "items": TEXT},
                    "versions": array(object_schema(_VERSION)),
                    **_VERSION,
                }
            )
        ),
        problems=(400, 404),
    ),
)

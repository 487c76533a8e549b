"""Builds a WSGI application (PEP 3333) from the routes, with bottle."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import bottle

from lfr.actor import make_actor
from lfr.errors import LfrError
from lfr.operations.access import Access
from lfr.store.redis.connection import Store
from lfr.web.auth import AccessPolicy, authorize, is_still_permitted
from lfr.web.compression import compressed
from lfr.web.http import Request, Response, json_response, with_confirmations
from lfr.web.large_responses import reserved
from lfr.web.openapi import openapi_document
from lfr.web.problems import SECURITY_HEADERS, HttpError, error_response, problem_response
from lfr.web.request_parser import body_bytes, close_body, parse_request, request_headers
from lfr.web.route import Route, get
from lfr.web.routes import (
    archives,
    bulk,
    dead_letters,
    doctor,
    events,
    failures,
    flows,
    latches,
    littleflow_console,
    live,
    notices,
    pauses,
    runs,
    schedules,
    start,
    status,
    steps,
    tasks,
    tokens,
    traces,
    waits,
    workflow_list,
    workflows,
)
from lfr.web.server import StreamSlots

LOGGER = logging.getLogger(__name__)

_RESOURCES = (
    status,
    doctor,
    workflow_list,
    bulk,
    failures,
    start,
    flows,
    runs,
    archives,
    workflows,
    steps,
    live,
    events,
    dead_letters,
    latches,
    waits,
    tasks,
    pauses,
    notices,
    traces,
    schedules,
    tokens,
)

_ID: Final = r"[\w.:-]{1,300}(?:/\d{1,7}\.\d{1,9}(?:\.\d{1,9})?){0,100}"

_PATTERNS: Final = {
    "id": f"<id:re:{_ID}>",
    "other": f"<other:re:{_ID}>",
    "index": r"<index:re:[^/]+>",
    "name": r"<name:re:[\s\S]+>",
    "kind": r"<kind:re:[^/]+>",
}
"""bottle's patterns of the variable parts. An item's id has slashes: `/1.0` is a part of it, `/state` not."""


def all_routes(*, with_littleflow: bool = False) -> tuple[Route, ...]:
    """Return every route of the API, `/openapi.json` and its alias `/apispec.json` included; and those of
    littleflow_redis, if `with_littleflow`."""
    resources = (*_RESOURCES, littleflow_console) if with_littleflow else _RESOURCES
    routes = tuple(route for resource in resources for route in resource.ROUTES)

    def openapi(request: Request) -> Response:
        return json_response(openapi_document((*routes, own, alias), request.root))

    responses = {200: {"application/json": {"type": "object"}}}
    own = get("/openapi.json", openapi, "Get this OpenAPI document.", access=Access.NONE, responses=responses)
    alias = replace(own, path="/apispec.json", summary="Get this OpenAPI document, as in littleflow_redis.")
    return (*routes, own, alias)


def make_app(
    store: Store, policy: AccessPolicy, *, max_body: int, root: str = "", streams: StreamSlots | None = None
) -> bottle.Bottle:
    """Return the API as a WSGI application.

    max_body  bytes that a request's body may have; a longer one gets status 413
    root      the path at which the application is mounted, without a slash at its end
    streams   the slots for open streams; the caller closes them when the server stops; None: new ones
    """
    app = bottle.Bottle(catchall=True)
    base = Request(store, {}, {}, root=root, streams=streams or StreamSlots())
    routes = all_routes(with_littleflow=store.settings.api_littleflow == "true")
    for path, methods in _methods_by_fixed_path(routes).items():
        for method in _METHODS - methods:
            app.route(path, method, _refuse_method(methods))
    for route in sorted(routes, key=lambda route: "{" in route.path):
        path = _bottle_path(route.path, [other.path for other in routes])
        app.route(path, route.method, _bottle_handler(route, base, policy, max_body))
    app.add_hook("before_request", _strip_trailing_slash)
    app.default_error_handler = _unrouted_problem
    return app


_METHODS: Final = frozenset({"GET", "POST", "DELETE", "ANY"})
"""The methods of our routes; ANY is bottle's word for all others."""


def _bottle_path(path: str, others: Iterable[str]) -> str:
    """Return a path with bottle's patterns of its variable parts. If other paths go on behind it, its last
    part has no slash: `/schedules/a/pause` is none of `/schedules/{name}`."""
    if path.endswith("/{name}") and any(other.startswith(f"{path}/") for other in others):
        path = path.removesuffix("{name}") + _NAME_WITHOUT_SLASH
    return re.sub(r"\{(\w+)\}", lambda part: _PATTERNS[part[1]], path)


_NAME_WITHOUT_SLASH: Final = "<name:re:[^/]+>"


def _methods_by_fixed_path(routes: Iterable[Route]) -> dict[str, set[str]]:
    """Return the methods of each path without variable parts, so that no such path matches as an id."""
    methods: dict[str, set[str]] = {}
    for route in routes:
        if "{" not in route.path:
            methods.setdefault(route.path, set()).add(route.method)
    return methods


def _refuse_method(allowed: Iterable[str]) -> Callable[[], bottle.HTTPResponse]:
    def refuse() -> bottle.HTTPResponse:
        raise bottle.HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, Allow=", ".join(sorted(allowed)))

    return refuse


def _strip_trailing_slash() -> None:
    environ = bottle.request.environ
    try:
        environ["bottle.raw_path"].encode("latin-1").decode()
    except UnicodeDecodeError:  # bottle drops bytes that are no UTF-8, which makes another path
        raise bottle.HTTPError(HTTPStatus.NOT_FOUND) from None
    environ["PATH_INFO"] = environ["PATH_INFO"].rstrip("/") or "/"


def _bottle_handler(
    route: Route, base: Request, policy: AccessPolicy, max_body: int
) -> Callable[..., bottle.HTTPResponse]:
    def handle(**path: str) -> bottle.HTTPResponse:
        try:
            environ = bottle.request.environ
            client, protocol = (str(environ.get(name, "")) for name in ("REMOTE_ADDR", "SERVER_PROTOCOL"))
            headers = request_headers()
            caller = authorize(policy, route.method, route.access, headers, client, protocol)
            refusal = "too many large bodies are being read; try again"
            with reserved(base.memory, body_bytes(route), refusal):
                request = replace(
                    parse_request(base, route, path, max_body),
                    caller=caller,
                    is_permitted=partial(is_still_permitted, policy, headers, caller),
                )
                return _respond(route, request)
        except (LfrError, HttpError) as error:
            return _bottle_response(error_response(error))
        except Exception:  # the details of a defect are not for clients
            LOGGER.exception("a defect in lfr at %s %s; please report it", route.method, route.path)
            detail = "a defect in lfr; see the log of the server"
            return _bottle_response(problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
        finally:
            close_body()

    return handle


def _respond(route: Route, request: Request) -> bottle.HTTPResponse:
    if not route.changes:
        return _bottle_response(route.handler(request))
    acting = request.store.acting(make_actor(request.caller.name, route.reason_of(request)))
    if not acting.settings.redis_replicas:
        return _bottle_response(route.handler(replace(request, store=acting)))
    store, confirmations = acting.confirming()
    response = route.handler(replace(request, store=store))
    return _bottle_response(with_confirmations(response, confirmations.problem))


def _bottle_response(response: Response) -> bottle.HTTPResponse:
    response = compressed(response, request_headers().get("accept-encoding", ""))
    headers = {**SECURITY_HEADERS, **response.headers}
    if response.content_type:
        headers["Content-Type"] = response.content_type
    content: bytes | Iterator[bytes] | Iterable[Any] = response.content
    return bottle.HTTPResponse(content, int(response.status), headers)


_DETAILS: Final = {
    HTTPStatus.NOT_FOUND: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED: "the path does not support this method; see the header Allow",
}


def _unrouted_problem(error: bottle.HTTPError) -> bytes:
    """Return the body for an error that bottle raises itself: unknown path, wrong method."""
    status = HTTPStatus(error.status_code)
    response = problem_response(status, _DETAILS.get(status, status.description or status.phrase))
    for name, value in {**SECURITY_HEADERS, "Content-Type": response.content_type}.items():
        bottle.response.set_header(name, value)
    assert isinstance(response.content, bytes)
    return response.content

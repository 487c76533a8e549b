"""Routes -> a WSGI application (PEP 3333) with bottle: access checked, bodies read, errors told."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import bottle

from lfr.errors import LfrError
from lfr.store.redis.connection import Store
from lfr.web.auth import Rules, check
from lfr.web.http import Access, Answer, Request, Route, Streams, json_answer
from lfr.web.openapi import describe
from lfr.web.problems import SAFE_HEADERS, HttpError, problem, problem_of
from lfr.web.request_parser import read_headers, read_request
from lfr.web.routes import (
    about,
    archives,
    events,
    flows,
    latches,
    listing,
    live,
    metrics,
    starting,
    steps,
    workflows,
)

LOGGER = logging.getLogger(__name__)

_SUBJECTS = (about, listing, starting, archives, workflows, steps, live, flows, events, latches, metrics)

_PATTERNS: Final = {
    "id": r"<id:re:[\w.:-]{1,300}(?:/\d{1,7}\.\d{1,9}(?:\.\d{1,9})?){0,100}>",
    "index": r"<index:re:[^/]+>",
    "name": r"<name:re:.+>",
}
"""What stands for a part of a path. An item's id has slashes in it, but `/1.0`, not `/state`."""


def all_routes() -> tuple[Route, ...]:
    """Every route of the API, its own description among them."""
    routes = tuple(route for subject in _SUBJECTS for route in subject.ROUTES)

    def openapi(request: Request) -> Answer:
        return json_answer(describe((*routes, own, alias), request.root))

    answers = {200: {"application/json": {"type": "object"}}}
    own = Route("GET", "/openapi.json", openapi, Access.NONE, "This description.", answers=answers)
    alias = replace(own, path="/apispec.json", summary="This description, where littleflow_redis has it.")
    return (*routes, own, alias)


def make_app(
    store: Store, rules: Rules, *, most_bytes: int, root: str = "", streams: Streams | None = None
) -> bottle.Bottle:
    """The API as a WSGI application. A body may have `most_bytes`; `root` is where it is mounted; whoever
    serves it closes `streams` when it stops."""
    app = bottle.Bottle(catchall=True)
    base = Request(store, {}, {}, root=root, streams=streams or Streams())
    routes = all_routes()
    for path, allowed in _methods_of_words(routes).items():
        for method in _METHODS - allowed:
            app.route(path, method, _refusal(allowed))
    for route in sorted(routes, key=lambda route: "{" in route.path):
        path = re.sub(r"\{(\w+)\}", lambda part: _PATTERNS[part[1]], route.path)
        app.route(path, route.method, _handler(route, base, rules, most_bytes))
    app.add_hook("before_request", _without_last_slash)
    app.default_error_handler = _not_routed
    return app


_METHODS: Final = frozenset({"GET", "POST", "DELETE", "ANY"})
"""Those of our routes, and bottle's word for all others."""


def _methods_of_words(routes: Iterable[Route]) -> dict[str, set[str]]:
    """The methods of each path without parts in braces. None of these is ever taken for an id."""
    found: dict[str, set[str]] = {}
    for route in routes:
        if "{" not in route.path:
            found.setdefault(route.path, set()).add(route.method)
    return found


def _refusal(allowed: Iterable[str]) -> Callable[[], bottle.HTTPResponse]:
    def refuse() -> bottle.HTTPResponse:
        raise bottle.HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, Allow=", ".join(sorted(allowed)))

    return refuse


def _without_last_slash() -> None:
    environ = bottle.request.environ
    try:
        environ["bottle.raw_path"].encode("latin-1").decode()
    except UnicodeDecodeError:  # bottle leaves out what it cannot read: another path would be left
        raise bottle.HTTPError(HTTPStatus.NOT_FOUND) from None
    environ["PATH_INFO"] = environ["PATH_INFO"].rstrip("/") or "/"


def _handler(
    route: Route, base: Request, rules: Rules, most_bytes: int
) -> Callable[..., bottle.HTTPResponse]:
    def handle(**path: str) -> bottle.HTTPResponse:
        try:
            check(rules, route.method, route.access, read_headers())
            return _response(route.handler(read_request(base, route, path, most_bytes)))
        except (LfrError, HttpError) as error:
            return _response(problem_of(error))
        except Exception:  # a defect must not show itself to strangers
            LOGGER.exception("a defect in lfr at %s %s; please report it", route.method, route.path)
            return _response(problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect in lfr; its log tells more"))

    return handle


def _response(answer: Answer) -> bottle.HTTPResponse:
    headers = {**SAFE_HEADERS, **answer.headers}
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    content: bytes | Iterator[bytes] | Iterable[Any] = answer.content
    return bottle.HTTPResponse(content, int(answer.status), headers)


_TOLD: Final = {
    HTTPStatus.NOT_FOUND: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED: "this cannot be done here; the header Allow tells what can",
}


def _not_routed(error: bottle.HTTPError) -> bytes:
    """What bottle answers by itself: no such path, another method."""
    status = HTTPStatus(error.status_code)
    told = _TOLD.get(status, status.description or status.phrase)
    answer = problem(status, told)
    for name, value in {**SAFE_HEADERS, "Content-Type": answer.content_type}.items():
        bottle.response.set_header(name, value)
    assert isinstance(answer.content, bytes)
    return answer.content

"""Builds the OpenAPI 3.1 document of the API from its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from lfr import __version__
from lfr.operations.access import Access
from lfr.web.problems import PROBLEM_MEDIA_TYPE
from lfr.web.route import Route
from lfr.web.routes.schemas import PROBLEM, TEXT

_ALWAYS = (400, 421, 500, 503)
_WITH_TOKEN = (401, 403)
_WITH_BODY = (411, 413, 415)

_TAGS: Final = {
    "": "server",
    "health": "server",
    "system": "server",
    "metrics": "server",
    "openapi.json": "server",
    "apispec.json": "server",
    "whoami": "tokens",
    "inprogress": "workflows",
    "live": "workflows",
    "queues": "events",
    "dead-letters": "events",
}
"""The group of routes to which a path belongs, by its first word; that of any other word is the word."""


def openapi_document(routes: Iterable[Route], root: str = "") -> dict[str, Any]:
    """Return the document that `/openapi.json` serves. `root` is the path at which the API is mounted."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "lfr", "version": __version__},
        "servers": [{"url": root or "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    path_words = re.findall(r"[a-z]+", route.path)
    path_names = re.findall(r"\{(\w+)\}", route.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in path_names]
    for each in route.query:
        parameters.append({"name": each.name, "in": "query", "description": each.help, "schema": each.schema})
    for each in route.headers:
        parameters.append(
            {"name": each.name, "in": "header", "description": each.help, "schema": each.schema}
        )
    operation: dict[str, Any] = {
        "operationId": "-".join([route.method.lower(), *path_words]),
        "tags": [_tag(route.path)],
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            str(status): _response(schemas, "success" if status < 400 else HTTPStatus(status).phrase)
            for status, schemas in route.responses.items()
        },
    }
    if route.changes:
        unconfirmed = _response(next(iter(route.responses.values()), {}))
        description = "done, but not confirmed by the replicas of redis.replicas: see the header Lfr-Replicas"
        operation["responses"].setdefault("202", {**unconfirmed, "description": description})
    for status in _problems(route):
        other = route.responses.get(status, {})
        problem = {PROBLEM_MEDIA_TYPE: {"$ref": "#/components/schemas/Problem"}}
        operation["responses"][str(status)] = _response({**other, **problem}, HTTPStatus(status).phrase)
    if route.body:
        content = {media: {"schema": _closed(schema)} for media, schema in route.body.items()}
        operation["requestBody"] = {"required": route.needs_body, "content": content}
    if route.access is not Access.NONE:
        operation["security"] = [{"token": [route.access.value]}]
    return operation


def _tag(path: str) -> str:
    if path.startswith("/workflows/{id}/steps/"):
        return "steps"
    if path.startswith("/workflows/{id}"):
        return "one workflow"
    word = path.split("/")[1]
    return _TAGS.get(word, word)


def _closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a body: an object with properties has no others."""
    return {**schema, "additionalProperties": False} if "properties" in schema else schema


def _problems(route: Route) -> list[int]:
    with_token = _WITH_TOKEN if route.access is not Access.NONE else ()
    with_body = _WITH_BODY if route.method == "POST" else ()
    return sorted({*_ALWAYS, *route.problems, *with_token, *with_body})


def _response(schemas: Mapping[str, Any], description: str = "success") -> dict[str, Any]:
    content = {media: {"schema": schema} for media, schema in schemas.items()}
    return {"description": description, **({"content": content} if content else {})}

"""Routes -> their description (OpenAPI 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lfr import __version__
from lfr.web.http import Access, Route
from lfr.web.problems import MEDIA_TYPE, SCHEMA

_ALWAYS = (400, 421, 500, 503)
_WITH_TOKEN = (401, 403)
_WITH_BODY = (411, 413, 415)


def describe(routes: Iterable[Route], root: str = "") -> dict[str, Any]:
    """The description of these routes, as `/openapi.json` gives it; `root` stands before their paths."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "lfr", "version": __version__},
        "servers": [{"url": root or "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    words = re.findall(r"[a-z]+", route.path)
    told: dict[str, Any] = {
        "operationId": "-".join([route.method.lower(), *words]),
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {str(status): _response(answer) for status, answer in route.answers.items()},
    }
    for status in (*_problems(route),):
        told["responses"][str(status)] = {
            "description": "what was wrong",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    if route.body:
        content = {media: {"schema": schema} for media, schema in route.body.items()}
        told["requestBody"] = {"required": route.needs_body, "content": content}
    if route.access is not Access.NONE:
        told["security"] = [{"token": []}]
    return told


def _problems(route: Route) -> list[int]:
    statuses = {*_ALWAYS, *route.problems, *(_WITH_TOKEN if route.access is not Access.NONE else ())}
    if route.method == "POST":
        statuses |= {*_WITH_BODY}
    return sorted(statuses)


def _response(answer: Mapping[str, Any]) -> dict[str, Any]:
    content = {media: {"schema": schema} for media, schema in answer.items()}
    return {"description": "done", **({"content": content} if content else {})}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "in": "query", "description": each.help, "schema": each.schema}
        for each in route.query
    ]

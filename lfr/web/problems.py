"""Turns errors into responses with a problem document (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from lfr.errors import (
    BadInput,
    BadSettings,
    CannotWrite,
    Conflict,
    LfrError,
    NoMemory,
    NotFound,
    Refused,
    Unreachable,
)
from lfr.flow_inputs import UnfitInput
from lfr.language import FlowError
from lfr.values.json import Json, encode_json
from lfr.web.http import Response

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every response of the API."""

_STATUS: Final[tuple[tuple[type[LfrError], HTTPStatus], ...]] = (
    (BadInput, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (Refused, HTTPStatus.BAD_GATEWAY),
    (CannotWrite, HTTPStatus.INSUFFICIENT_STORAGE),
    (NoMemory, HTTPStatus.INSUFFICIENT_STORAGE),
    (BadSettings, HTTPStatus.INTERNAL_SERVER_ERROR),
)


class HttpError(Exception):
    """A request that the HTTP layer refuses: the status, detail and headers of the response."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def problem_response(
    status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None, **more: Json
) -> Response:
    """Return a problem document as a response. `more`: further fields of the document."""
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        **more,
    }
    return Response(encode_json(document).encode(), status, PROBLEM_MEDIA_TYPE, headers or {})


def error_response(error: LfrError | HttpError) -> Response:
    """Return the problem document of an error. Status: an HttpError's own; else by `_STATUS`; else 409."""
    if isinstance(error, HttpError):
        return problem_response(error.status, error.detail, error.headers)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.CONFLICT)
    more: dict[str, Any] = {}
    if error.hint:
        more["hint"] = error.hint
    if isinstance(error, FlowError):
        more["errors"] = [
            {"line": each.line, "column": each.column, "message": each.message, "hint": each.hint}
            for each in error.errors
        ]
    if isinstance(error, UnfitInput):
        more["inputs"] = [{"name": each.name, "message": each.message} for each in error.members]
    return problem_response(status, error.message, **more)

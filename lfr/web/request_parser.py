"""Parses bottle's request into a Request. Refuses what does not match the route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Final

import bottle

from lfr.errors import BadInput
from lfr.trace_context import parse_traceparent
from lfr.values.checks import suggestion
from lfr.values.json import MAX_DOCUMENT_DEPTH, InvalidJson, Json, decode_json
from lfr.web.http import Request
from lfr.web.problems import HttpError
from lfr.web.route import Route


def parse_request(base: Request, route: Route, path: Mapping[str, str], max_body: int) -> Request:
    """Return `base` with the fields of bottle's current request; `path` has the variable parts of its path.

    Raises BadInput for a parameter of the query, or a field of the body, that the route does not have or that
    does not match it; and HttpError for a body that is missing, longer than `max_body` bytes, of another
    media type, or malformed.
    """
    headers = request_headers()
    query = _parse_query(route)
    media, body = _parse_body(route, max_body)
    if isinstance(body, dict) and (properties := route.body[media].get("properties")):
        _refuse_unknown("the body has no field", body, list(properties))
    return replace(
        base,
        path=path,
        query=query,
        body=body,
        media=media,
        idempotency_key=headers.get("idempotency-key", ""),
        traceparent=str(parse_traceparent(headers.get("traceparent", "").strip()) or ""),
        last_event_id=headers.get("last-event-id", ""),
        is_disconnected=bottle.request.environ.get("waitress.client_disconnected", base.is_disconnected),
    )


def close_body() -> None:
    """Close the body of bottle's current request, and the parts of a form. bottle keeps large ones in files,
    which would stay open, and on the disk, until the thread serves another request."""
    environ = bottle.request.environ
    uploads = [part for _, part in environ.get("bottle.request.post", bottle.FormsDict()).allitems()]
    for upload in uploads:
        if isinstance(upload, bottle.FileUpload):
            upload.file.close()
    if body := environ.get("bottle.request.body"):
        body.close()


def body_bytes(route: Route) -> int:
    """Return about how many bytes of memory the body of bottle's current request takes once it is parsed,
    beyond its own: a list of one number, `[0]`, takes 96."""
    return PARSED_FACTOR * max(0, bottle.request.content_length) if route.body else 0


PARSED_FACTOR: Final = 4
"""How many bytes of memory a byte of JSON counts as. Several times as much is possible, but not usual."""


def request_headers() -> dict[str, str]:
    """Return the headers of bottle's current request, with names in lower case."""
    headers = bottle.request.headers
    return {name.lower(): _decode(headers.raw(name)) for name in headers}


def _decode(header: str | None) -> str:
    """Return a header that WSGI gives as ISO 8859-1 (PEP 3333), and that is UTF-8; other bytes are replaced:
    bottle raises an error for them, before anybody has looked at the token."""
    return (header or "").encode("latin-1").decode(errors="replace")


def _parse_query(route: Route) -> dict[str, str]:
    try:
        query: dict[str, str] = dict(bottle.request.query.decode())
    except UnicodeDecodeError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the query is not UTF-8") from None
    _refuse_unknown("the query has no parameter", query, [parameter.name for parameter in route.query])
    for parameter in route.query:
        if parameter.name in query:
            parameter.check(query[parameter.name])
    return {name: value for name, value in query.items() if value}


def _refuse_unknown(message: str, names: Iterable[str], declared_names: Sequence[str]) -> None:
    """Raise BadInput for the first name that is not one of these."""
    for name in names:
        if name not in declared_names:
            hint = suggestion(name, declared_names) or (
                f"it has {', '.join(declared_names)}" if declared_names else "it has none"
            )
            raise BadInput(f"{message} {name[:40]!r}", hint=hint)


def _parse_body(route: Route, max_body: int) -> tuple[str, Json]:
    request = bottle.request
    length = request.content_length
    max_body = max_body if route.max_body is None else min(max_body, route.max_body)
    if length > max_body:
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {max_body:,} bytes")
    if not route.body or length <= 0:
        if route.body and route.needs_body:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"the body is missing: {' or '.join(route.body)}")
        return "", None
    raw = request.body.read(max_body + 1)
    request.body.seek(0)
    media = (request.content_type or "").partition(";")[0].strip().lower()
    if media not in route.body:
        kinds = " or ".join(route.body)
        detail = f"the body must be {kinds}, not {media or 'without a media type'}"
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    try:
        if media == "multipart/form-data":
            return media, _parse_form()
        return media, raw.decode("utf-8-sig") if media == "text/plain" else decode_json(
            raw, MAX_DOCUMENT_DEPTH
        )
    except UnicodeDecodeError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from None
    except InvalidJson as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    except (bottle.HTTPError, ValueError, LookupError) as error:  # bottle's parser raises all of these
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the form cannot be parsed: {error}") from None


def _parse_form() -> dict[str, str]:
    """Return the fields of the form as text, the contents of files included. (RFC 7578)"""
    files = {name: upload.file.read().decode("utf-8-sig") for name, upload in bottle.request.files.items()}
    fields = {name: bottle.request.forms.getunicode(name, "") for name in bottle.request.forms}
    return fields | files

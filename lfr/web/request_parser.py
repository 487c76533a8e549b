"""A request as bottle has it -> one as handlers know it. What does not fit its route is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import bottle

from lfr.values.json import InvalidJson, Json, decode_json
from lfr.web.http import Request, Route
from lfr.web.problems import HttpError


def read_request(base: Request, route: Route, path: Mapping[str, str], most_bytes: int) -> Request:
    """`base` with what the request says, whose body may have `most_bytes`. Raises HttpError and BadInput."""
    media, body = _body(route, most_bytes)
    return replace(
        base,
        path=path,
        query=_query(route),
        body=body,
        media=media,
        after=bottle.request.get_header("Last-Event-ID", ""),
        is_gone=bottle.request.environ.get("waitress.client_disconnected", base.is_gone),
    )


def read_headers() -> dict[str, str]:
    """The headers of the request, by their names in small letters."""
    return {name.lower(): value for name, value in bottle.request.headers.items() if value is not None}


def _query(route: Route) -> dict[str, str]:
    """The parameters of the query; empty texts count as left out. Raises BadInput."""
    try:
        given: dict[str, str] = dict(bottle.request.query.decode())
    except UnicodeDecodeError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the query is not UTF-8") from None
    for parameter in route.query:
        if parameter.name in given:
            parameter.check(given[parameter.name])
    return {name: value for name, value in given.items() if value}


def _body(route: Route, most_bytes: int) -> tuple[str, Json]:
    """The media type of the body, and the body as a value, if this route takes one. Raises HttpError."""
    request = bottle.request
    length = request.content_length
    if length > most_bytes:
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {most_bytes:,} bytes")
    if not route.body or length <= 0:
        if route.body and route.needs_body:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"a body is missing: {' or '.join(route.body)}")
        return "", None
    raw = request.body.read(most_bytes + 1)
    request.body.seek(0)
    media = (request.content_type or "").partition(";")[0].strip().lower()
    if media not in route.body:
        kinds = " or ".join(route.body)
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body must be {kinds}, not {media or 'unnamed'}"
        )
    try:
        if media == "multipart/form-data":
            return media, _form()
        return media, raw.decode("utf-8-sig") if media == "text/plain" else decode_json(raw)
    except UnicodeDecodeError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from None
    except InvalidJson as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    except (bottle.HTTPError, ValueError, LookupError) as error:  # bottle's parser lets all of these out
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the form cannot be read: {error}") from None


def _form() -> dict[str, str]:
    """The fields of a form, files among them, as text. (RFC 7578)"""
    files = {name: upload.file.read().decode("utf-8-sig") for name, upload in bottle.request.files.items()}
    fields = {name: bottle.request.forms.getunicode(name, "") for name in bottle.request.forms}
    return fields | files

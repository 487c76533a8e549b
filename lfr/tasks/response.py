"""What follows from the response to a `request:` task: a redirect, a retry, a failure, or an output."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from lfr.tasks.catalogue import RESPONSE_JSON, RESPONSE_TEXT, STATUS
from lfr.tasks.http import excerpt, redirect_target
from lfr.tasks.request import Request
from lfr.tasks.uri_policy import BadLocation, WebLocation
from lfr.values.json import InvalidJson, Json, decode_json

MAX_DELAY_SECONDS: Final = 60.0

_MAX_SHOWN: Final = 200
_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_BODY_HEADERS: Final = ("content-type", "idempotency-key")
_RETRYABLE: Final = (429, 502, 503, 504)


class BadResponse(Exception):
    """A response that cannot be put into the output as the task asks; the text says why."""


def redirected_request(request: Request, code: int, header: str) -> Request | None:
    """Return the request that a response redirects to, or None: no redirect, or one that is not followed.

    `header` is the response's header Location. A redirect of another method than GET is followed with GET
    for 303, with the same method for 307 and 308, and not for 301 and 302. Only a GET goes to another
    server, without the headers of the flow, and never from https to http. (RFC 9110, 15.4)
    """
    try:
        target = redirect_target(request.location, code, header)
    except BadLocation:
        return None
    if not isinstance(target, WebLocation) or (request.method != "GET" and code in (301, 302)):
        return None
    if code == 303 and request.method != "GET":
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _BODY_HEADERS}
        request = replace(request, method="GET", content=None, headers=headers)
    if target.origin == request.location.origin:
        return replace(request, location=target)
    if request.method != "GET" or (request.location.scheme, target.scheme) == ("https", "http"):
        return None
    headers = {name: text for name, text in request.headers.items() if name == "Accept"}
    return replace(request, location=target, headers=headers, content=None)


def retry_delay(number: int, retry_after: str = "") -> float:
    """Return the seconds before the `number`-th retry: 1, 2, 4 ..., or those of the header Retry-After.

    At most a minute. A Retry-After that is a date is ignored. (RFC 9110, 10.2.3)
    """
    if _SECONDS.fullmatch(retry_after):
        return min(float(retry_after), MAX_DELAY_SECONDS)
    return min(2.0 ** min(number - 1, 10), MAX_DELAY_SECONDS)


def is_retryable(code: int) -> bool:
    """Return whether a retry may get another response than one of this status: 429, 502, 503 or 504."""
    return code in _RETRYABLE


def failure_message(request: Request, status: str, header: str, content: bytes) -> str:
    """Return why a response other than 2xx fails the task: status, Location (`header`), start of the body."""
    body = excerpt(content)
    redirect = f" and leads to {header[:_MAX_SHOWN]}, which is not followed" if header else ""
    return f"{describe_request(request)} answers {status}{redirect}{f': {body}' if body else ''}"


def describe_request(request: Request) -> str:
    """Return the task and its URL for messages and logs, without the query, which may hold secrets."""
    return f"{request.task.base}: {describe_location(request)}"


def describe_location(request: Request) -> str:
    """Return the URL of a request without its query."""
    return str(replace(request.location, query=""))


def response_output(request: Request, code: int, content_type: str, content: bytes, *, is_cut: bool) -> Json:
    """Return the input with what `output_mode` asks for; an input that is no object is then replaced.

    `is_cut`: the content is not all of the body. Raises BadResponse if the body is asked for and is cut, or
    is not the JSON that is asked for.
    """
    input = request.task.input
    if not request.output_modes:
        return input
    output = dict(input) if isinstance(input, dict) else {}
    for mode in request.output_modes:
        if mode == STATUS:
            output["request_status"] = code
            continue
        if is_cut:
            raise BadResponse(f"{describe_request(request)} answers more than request.size allows")
        if mode == RESPONSE_TEXT:
            output["response"] = _text(content_type, content)
        elif mode == RESPONSE_JSON:
            output["response"] = _json(request, content)
    return output


def _text(content_type: str, content: bytes) -> str:
    """Return the body, decoded by its charset or as UTF-8; wrong bytes are replaced."""
    match = _CHARSET.search(content_type)
    try:
        return content.decode(match[1] if match else "utf-8", errors="replace")
    except (LookupError, ValueError):  # no such charset, or none for text
        return content.decode(errors="replace")


def _json(request: Request, content: bytes) -> Json:
    try:
        return decode_json(content)
    except InvalidJson as error:
        raise BadResponse(f"{describe_request(request)} answers what is not JSON: {error}") from None

"""What becomes of an answer to a request: another request, another try, a failure, or an output."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final
from urllib.parse import urljoin

from lfr.tasks.catalogue import RESPONSE_JSON, RESPONSE_TEXT, STATUS
from lfr.tasks.request import Request
from lfr.tasks.uri_policy import WebLocation, parse_location
from lfr.values.json import InvalidJson, Json, decode_json

MOST_REDIRECTS: Final = 5

LONGEST_DELAY_SECONDS: Final = 60.0

_MOST_SHOWN: Final = 200
_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_ABOUT_CONTENT: Final = ("content-type", "idempotency-key")
_WORTH_ANOTHER_TRY: Final = (429, 502, 503, 504)


class BadResponse(Exception):
    """An answer that cannot be put into the output as it was asked for; the text says why."""


def redirected_request(request: Request, code: int, location: str) -> Request | None:
    """The request that an answer leads to, or None if it leads nowhere, or is not followed.

    A GET is followed. What is not a GET becomes one by 303, is repeated by 307 and 308, and is not
    followed by 301 and 302. To another server goes only a GET, without the headers that the flow gave;
    from https none goes to http. (RFC 9110, 15.4)
    """
    target = _target(request.place, location) if code in (301, 302, 303, 307, 308) else None
    if target is None or (request.method != "GET" and code in (301, 302)):
        return None
    if code == 303 and request.method != "GET":
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _ABOUT_CONTENT}
        request = replace(request, method="GET", content=None, headers=headers)
    if target.origin == request.place.origin:
        return replace(request, place=target)
    if request.method != "GET" or (request.place.scheme, target.scheme) == ("https", "http"):
        return None
    kept = {name: text for name, text in request.headers.items() if name == "Accept"}
    return replace(request, place=target, headers=kept, content=None)


def retry_delay(number: int, retry_after: str = "") -> float:
    """The seconds to wait before the `number`-th retry, from 1: twice as long each time, or as the answer
    says, up to a minute. (RFC 9110, 10.2.3)"""
    if _SECONDS.fullmatch(retry_after):
        return min(float(retry_after), LONGEST_DELAY_SECONDS)
    return min(2.0 ** min(number - 1, 10), LONGEST_DELAY_SECONDS)


def is_retryable(code: int) -> bool:
    """Whether an answer of this status may be another one later."""
    return code in _WORTH_ANOTHER_TRY


def failure_message(request: Request, status: str, location: str, content: bytes) -> str:
    """Why an answer other than 2xx fails the task: with its status, where it leads, how its body begins."""
    said = " ".join(content[: 4 * _MOST_SHOWN].decode(errors="replace").split())[:_MOST_SHOWN]
    leads = f" and leads to {location[:_MOST_SHOWN]}, which is not followed" if location else ""
    return f"{describe_request(request)} answers {status}{leads}{f': {said}' if said else ''}"


def describe_request(request: Request) -> str:
    """What was asked, for reasons and logs: without the query, which may hold secrets."""
    return f"{request.task.base}: {replace(request.place, query='')}"


def response_output(request: Request, code: int, content_type: str, content: bytes, *, is_cut: bool) -> Json:
    """The input, with what `output_mode` asks for: an input that is no object gives way to that.

    Raises BadResponse.
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


def _target(place: WebLocation, location: str) -> WebLocation | None:
    if not location:
        return None
    try:
        target = parse_location(urljoin(str(place), location))
    except ValueError:  # BadLocation, and what `urljoin` cannot read
        return None
    return target if isinstance(target, WebLocation) else None


def _text(content_type: str, content: bytes) -> str:
    """The body by its charset, else as UTF-8; what cannot be read is replaced."""
    found = _CHARSET.search(content_type)
    try:
        return content.decode(found[1] if found else "utf-8", errors="replace")
    except (LookupError, ValueError):  # no such charset, or none for text
        return content.decode(errors="replace")


def _json(request: Request, content: bytes) -> Json:
    try:
        return decode_json(content)
    except InvalidJson as error:
        raise BadResponse(f"{describe_request(request)} answers what is not JSON: {error}") from None

"""Posts spans to a receiver of OpenTelemetry: OTLP over HTTP, in JSON, compressed.
(https://opentelemetry.io/docs/specs/otlp/#otlphttp)"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.outbound.http_client import HttpClient, HttpResponse, NoResponse
from lfr.outbound.timed_socket import AddressDenied
from lfr.tasks.allow_list import AllowList, parse_allow_list
from lfr.tasks.http import excerpt
from lfr.tasks.response import is_retryable, retry_delay
from lfr.tasks.uri_policy import BadLocation, WebLocation, parse_location
from lfr.values.json import InvalidJson, Json, decode_json

_TIMEOUT_SECONDS: Final = 15.0
"""How long one post takes, at most."""

_MAX_RESPONSE: Final = 65_536
_PATH: Final = "/v1/traces"
"""The path of a receiver for spans, if the setting has none."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]+")
"""A header's name and value. (RFC 9110, 5.1 and 5.5)"""

_OWN_HEADERS: Final = ("content-type", "content-encoding", "content-length", "host", "connection")


class SpansRefused(Exception):
    """The receiver does not take these spans, now or later; the text says why."""


class SpanReceiver:
    """The receiver of the settings. Thread-safe. Raises BadSettings when it is made."""

    def __init__(self, settings: Settings) -> None:
        self._location = _parse_endpoint(settings.traces_endpoint)
        self._headers = _parse_headers(settings.traces_headers)
        allowed = _allow_list(settings.traces_allow).extended([self._location])
        self._client = HttpClient(_MAX_RESPONSE, allowed.address_denial)

    def post(self, request: bytes) -> tuple[int, str]:
        """Post an export request as JSON. Return how many of its spans the receiver has rejected, and why.

        No redirect is followed. Raises DeliveryFailed if the same may succeed later, and SpansRefused.
        """
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", **self._headers}
        content = gzip.compress(request, compresslevel=5, mtime=0)
        try:
            response = self._client.request(
                "POST", self._location, headers, content, timeout_seconds=_TIMEOUT_SECONDS
            )
        except (NoResponse, AddressDenied) as error:
            raise DeliveryFailed(str(error)) from None
        if response.is_ok:
            return _rejected(response)
        beginning = excerpt(response.content)
        reason = f"it answers {response.status}{f': {beginning}' if beginning else ''}"
        if not is_retryable(response.code):
            raise SpansRefused(reason)
        retry_after = response.headers.get("Retry-After", "")
        raise DeliveryFailed(reason, retry_delay(1, retry_after) if retry_after else 0.0)


def _rejected(response: HttpResponse) -> tuple[int, str]:
    """Return what a response says of spans that were not taken; an unreadable one says nothing."""
    try:
        body: Json = decode_json(response.content) if response.content else {}
    except InvalidJson:
        return 0, ""
    partial = body.get("partialSuccess") if isinstance(body, dict) else None
    if not isinstance(partial, dict):
        return 0, ""
    count, message = partial.get("rejectedSpans", 0), partial.get("errorMessage", "")
    number = int(count) if re.fullmatch(r"\d{1,9}", str(count)) else 0
    return number, message[:200] if isinstance(message, str) else ""


def _parse_endpoint(url: str) -> WebLocation:
    try:
        location = parse_location(url)
    except BadLocation:
        location = None
    if not isinstance(location, WebLocation):
        raise BadSettings("it is no URL with http or https", place="traces.endpoint")
    return replace(location, path=_PATH) if location.path in ("", "/") else location


def _parse_headers(values: Mapping[str, str]) -> dict[str, str]:
    """Return the headers. The messages do not show the values: they are secrets."""
    for name, value in values.items():
        place = f"traces.headers.{name}"
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise BadSettings("this is no header that can be set", place=place)
        if not _HEADER_VALUE.fullmatch(value):
            raise BadSettings("the value of a header has no line breaks, and is not empty", place=place)
    return dict(values)


def _allow_list(entries: tuple[str, ...]) -> AllowList:
    try:
        allowed = parse_allow_list(entries, "traces.allow", "traces")
    except BadLocation as error:
        raise BadSettings(str(error)) from None
    if allowed.locations:
        raise BadSettings("here stand addresses and networks", place="traces.allow")
    return allowed

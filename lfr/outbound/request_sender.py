"""Sends the requests of `request:` tasks: with redirects, retries, and a token for trusted servers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound.credentials import TokenSource
from lfr.outbound.http_client import HttpClient, HttpResponse, NoResponse
from lfr.outbound.timed_socket import AddressDenied
from lfr.tasks.allow_list import AllowList, parse_allow_list
from lfr.tasks.http import MAX_REDIRECTS
from lfr.tasks.request import Request, parse_base_url
from lfr.tasks.response import (
    BadResponse,
    describe_location,
    describe_request,
    failure_message,
    is_retryable,
    redirected_request,
    response_output,
    retry_delay,
)
from lfr.tasks.uri_policy import BadLocation, FileLocation, WebLocation
from lfr.values.json import Json

LOGGER = logging.getLogger(__name__)


class RequestFailed(Exception):
    """A request has failed; the text says which one and why."""


class RequestSender:
    """Sends requests. Thread-safe. Raises BadSettings when it is made."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = _allow_list(settings)
        self._client = HttpClient(settings.request_size, self._allowed.address_denial)
        self._tokens = TokenSource(settings)
        self._trusted = frozenset(
            _origins("request.token_for", settings.request_token_for)
            + _origins("request.urls", settings.request_urls.values())
        )

    def send(self, request: Request, base: str = "", is_current: Callable[[], bool] = lambda: True) -> Json:
        """Send a request, follow its redirects, and return the output of its task. Raises RequestFailed.

        Retries up to `request.retries` times, with a sleep before each, while the attempt `is_current`. The
        servers of `request.urls` and of `request.token_for` get the token. `base` is a base URL, or empty: it
        allows what `request.urls` would allow with it, if that is on the public Internet.
        """
        allowed = self._allowed.extended([_folder(parse_base_url(base))] if base else [])
        outcome = self._try(request, allowed)
        for number in range(1, request.retries + 1):
            if isinstance(outcome, NoResponse):
                reason, delay = str(outcome), retry_delay(number)
            elif is_retryable(outcome.code):
                reason = outcome.status
                delay = retry_delay(number, outcome.headers.get("Retry-After", ""))
            else:
                break
            LOGGER.warning("%s: %s; trying again in %g s", describe_request(request), reason, delay)
            time.sleep(delay)
            if not is_current():
                break
            outcome = self._try(request, allowed)
        if isinstance(outcome, NoResponse):
            raise RequestFailed(f"{describe_request(request)}: {outcome}")
        return _output(request, outcome)

    def _try(self, request: Request, allowed: AllowList) -> HttpResponse | NoResponse:
        """Send a request once, follow its redirects, and return the last response. Raises RequestFailed for
        a location or an address that is not allowed."""
        first = request
        for number in range(MAX_REDIRECTS + 1):
            try:
                if not allowed.allows(request.location):
                    raise AddressDenied(allowed.denial_reason(request.location))
                response = self._send_once(request)
            except AddressDenied as error:
                subject = f"it leads to {describe_location(request)}, which is" if number else "it is"
                raise RequestFailed(f"{describe_request(first)}: {subject} {error}") from None
            if isinstance(response, NoResponse) or number == MAX_REDIRECTS:
                break
            following = redirected_request(request, response.code, response.headers.get("Location", ""))
            if following is None:
                break
            request = following
        return response

    def _send_once(self, request: Request) -> HttpResponse | NoResponse:
        headers = dict(request.headers)
        token = self._tokens.authorization() if request.location.origin in self._trusted else ""
        if token and "authorization" not in {name.lower() for name in headers}:
            headers["Authorization"] = token
        try:
            return self._client.request(
                request.method,
                request.location,
                headers,
                request.content,
                timeout_seconds=request.timeout,
            )
        except NoResponse as error:
            return error


def _output(request: Request, response: HttpResponse) -> Json:
    if request.error_on_status and not response.is_ok:
        header = response.headers.get("Location", "")
        raise RequestFailed(failure_message(request, response.status, header, response.content))
    content_type = response.headers.get("Content-Type", "")
    try:
        return response_output(request, response.code, content_type, response.content, is_cut=response.is_cut)
    except BadResponse as error:
        raise RequestFailed(str(error)) from None


def _allow_list(settings: Settings) -> AllowList:
    """Return what `request.allow` allows, and the folders of the base URLs. Raises BadSettings."""
    folders = [
        _folder(location) for location in _base_locations("request.urls", settings.request_urls.values())
    ]
    try:
        allowed = parse_allow_list(settings.request_allow, "request.allow", "request")
    except BadLocation as error:
        raise BadSettings(str(error), hint="lfr config says where it is set") from None
    for location in allowed.locations:
        if isinstance(location, FileLocation):
            raise BadSettings(f"{location} is no URL, and no address or network", place="request.allow")
    return allowed.extended(folders)


def _folder(base: WebLocation) -> WebLocation:
    """Return what holds everything that is relative to a base URL."""
    return replace(base, path=base.path.rpartition("/")[0] + "/", query="")


def _origins(setting: str, urls: Iterable[str]) -> list[str]:
    return [location.origin for location in _base_locations(setting, urls)]


def _base_locations(setting: str, urls: Iterable[str]) -> list[WebLocation]:
    try:
        return [parse_base_url(url) for url in urls]
    except BadLocation as error:
        raise BadSettings(str(error), place=setting) from None

"""Sends the requests of workflows: follows redirects, tries again, and gives its token to few."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Set

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound.credentials import TokenSource
from lfr.outbound.http_client import HttpClient, HttpResponse, NoResponse
from lfr.tasks.request import Request, parse_base_url
from lfr.tasks.request_answer import (
    MOST_REDIRECTS,
    BadResponse,
    describe_request,
    failure_message,
    is_retryable,
    redirected_request,
    response_output,
    retry_delay,
)
from lfr.tasks.uri_policy import BadLocation
from lfr.values.json import Json

LOGGER = logging.getLogger(__name__)


class RequestFailed(Exception):
    """A request has failed; the text says which one and why."""


class RequestSender:
    """What sends requests. Any number of threads may use it. Raises BadSettings."""

    def __init__(self, settings: Settings) -> None:
        self._web = HttpClient(settings.request_size)
        self._tokens = TokenSource(settings)
        self._trusted = frozenset(_origins("request.token_for", settings.request_token_for))
        _origins("request.urls", settings.request_urls.values())

    def send(self, request: Request, base: str, is_wanted: Callable[[], bool] = lambda: True) -> Json:
        """Send a request, again if it is worth it and still wanted; the output of its task. Raises
        RequestFailed.

        The server of the base URL gets the token, as do those that the settings name.
        """
        trusted = self._trusted | ({parse_base_url(base).origin} if base else frozenset())
        outcome = self._try(request, trusted)
        for number in range(1, request.retries + 1):
            retry_after = outcome.headers.get("Retry-After", "") if isinstance(outcome, HttpResponse) else ""
            if isinstance(outcome, HttpResponse) and not is_retryable(outcome.code):
                break
            delay = retry_delay(number, retry_after)
            LOGGER.warning("%s: %s; trying again in %g s", describe_request(request), _told(outcome), delay)
            time.sleep(delay)
            if not is_wanted():
                break
            outcome = self._try(request, trusted)
        if isinstance(outcome, NoResponse):
            raise RequestFailed(f"{describe_request(request)}: {outcome}")
        return _output(request, outcome)

    def _try(self, request: Request, trusted: Set[str]) -> HttpResponse | NoResponse:
        """The answer, or that to the last request that it leads to."""
        asked = request
        for _ in range(MOST_REDIRECTS):
            answer = self._ask(asked, trusted)
            if isinstance(answer, NoResponse):
                return answer
            following = redirected_request(asked, answer.code, answer.headers.get("Location", ""))
            if following is None:
                return answer
            asked = following
        return self._ask(asked, trusted)

    def _ask(self, request: Request, trusted: Set[str]) -> HttpResponse | NoResponse:
        headers = dict(request.headers)
        token = self._tokens.authorization() if request.place.origin in trusted else ""
        if token and "authorization" not in {name.lower() for name in headers}:
            headers["Authorization"] = token
        try:
            return self._web.ask(
                request.method,
                str(request.place),
                headers,
                request.content,
                timeout_seconds=request.timeout,
            )
        except NoResponse as error:
            return error


def _output(request: Request, answer: HttpResponse) -> Json:
    """What the task's output is, for the last answer. Raises RequestFailed."""
    if request.error_on_status and not answer.is_ok:
        location = answer.headers.get("Location", "")
        raise RequestFailed(failure_message(request, answer.status, location, answer.content))
    content_type = answer.headers.get("Content-Type", "")
    try:
        return response_output(request, answer.code, content_type, answer.content, is_cut=answer.is_cut)
    except BadResponse as error:
        raise RequestFailed(str(error)) from None


def _told(outcome: HttpResponse | NoResponse) -> str:
    return outcome.status if isinstance(outcome, HttpResponse) else str(outcome)


def _origins(setting: str, urls: Iterable[str]) -> list[str]:
    """Scheme, host and port of these URLs. Raises BadSettings."""
    try:
        return [parse_base_url(url).origin for url in urls]
    except BadLocation as error:
        raise BadSettings(str(error), place=setting) from None

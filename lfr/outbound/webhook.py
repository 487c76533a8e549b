"""Posts notices to webhooks, with a signature; and gets the URL of the dead man's switch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.notices.notice import Notice, message_body
from lfr.notices.signature import SIGNING_KEY, signature_headers
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.outbound.http_client import HttpClient, HttpResponse, NoResponse
from lfr.outbound.timed_socket import AddressDenied
from lfr.tasks.allow_list import AllowList, parse_allow_list
from lfr.tasks.http import excerpt
from lfr.tasks.response import retry_delay
from lfr.tasks.uri_policy import BadLocation, FileLocation, WebLocation, parse_location
from lfr.values.json import encode_json

TIMEOUT_SECONDS: Final = 15.0
"""How long the exchange with a webhook takes, at most."""

_MAX_RESPONSE: Final = 10_000
"""Bytes of a response that are read: only its beginning is shown, if it is a refusal."""


class Webhooks:
    """The webhooks of the settings. Thread-safe. Raises BadSettings when it is made."""

    def __init__(self, settings: Settings) -> None:
        urls = settings.notify_webhooks
        self._locations = {name: _parse_url("notify.webhooks", name, url) for name, url in urls.items()}
        self._keys = _parse_keys(settings.notify_signing_keys, self._locations)
        self._alive = None
        if settings.notify_alive_url:
            self._alive = _parse_url("notify.alive_url", "", settings.notify_alive_url)
        allowed = _allow_list(settings).extended([*self._locations.values(), *filter(None, [self._alive])])
        self._client = HttpClient(_MAX_RESPONSE, allowed.address_denial)

    def has(self, name: str) -> bool:
        """Return whether the settings have a webhook with this name."""
        return name in self._locations

    def post(self, name: str, notice: Notice, at: str) -> None:
        """Post a notice, signed with the keys of the webhook. `at` is its time in ISO 8601. No redirect is
        followed: it would send the notice to somebody else. Raises DeliveryFailed."""
        body = encode_json(message_body(notice, at)).encode()
        headers = {"Content-Type": "application/json"}
        headers |= signature_headers(self._keys.get(name, []), notice.id, int(time.time()), body)
        _check(self._exchange("POST", self._locations[name], headers, body))

    def call_alive_url(self) -> None:
        """Get the URL of the dead man's switch. Raises DeliveryFailed."""
        if self._alive is not None:
            _check(self._exchange("GET", self._alive, {}, None))

    def _exchange(
        self, method: str, location: WebLocation, headers: Mapping[str, str], body: bytes | None
    ) -> HttpResponse:
        try:
            return self._client.request(method, location, headers, body, timeout_seconds=TIMEOUT_SECONDS)
        except (NoResponse, AddressDenied) as error:
            raise DeliveryFailed(str(error)) from None


def _check(response: HttpResponse) -> None:
    if response.is_ok:
        return
    if 300 <= response.code < 400:
        raise DeliveryFailed(f"it answers {response.status}, but no redirect is followed: set the new URL")
    beginning = excerpt(response.content)
    retry_after = response.headers.get("Retry-After", "")
    wait_seconds = retry_delay(1, retry_after) if retry_after else 0.0
    raise DeliveryFailed(f"it answers {response.status}{f': {beginning}' if beginning else ''}", wait_seconds)


def _parse_url(setting: str, name: str, url: str) -> WebLocation:
    """Return the location of a URL. The message does not show it: it may hold a secret."""
    place = f"{setting}.{name}" if name else setting
    try:
        location = parse_location(url)
    except BadLocation:
        location = None
    if not isinstance(location, WebLocation):
        raise BadSettings("it is no URL with http or https", place=place)
    return location


def _parse_keys(texts: Mapping[str, str], names: Mapping[str, WebLocation]) -> dict[str, list[bytes]]:
    """Return the keys by webhook: of `chat` those named `chat`, and `chat.` with a word behind it."""
    keys: dict[str, list[bytes]] = {}
    for name, text in texts.items():
        place = f"notify.signing_keys.{name}"
        webhook = name if name in names else name.rpartition(".")[0]
        if webhook not in names:
            raise BadSettings("notify.webhooks has no webhook with this name", place=place)
        key = SIGNING_KEY.read(text)
        if key is None:
            hint = 'echo "whsec_$(openssl rand -base64 32)" makes one'
            raise BadSettings(f"it must be {SIGNING_KEY.words}", place=place, hint=hint)
        keys.setdefault(webhook, []).append(key)
    return keys


def _allow_list(settings: Settings) -> AllowList:
    try:
        allowed = parse_allow_list(settings.notify_allow, "notify.allow", "notify")
    except BadLocation as error:
        raise BadSettings(str(error)) from None
    for location in allowed.locations:
        words = "is a file" if isinstance(location, FileLocation) else "is a URL"
        raise BadSettings(f"{location} {words}, but here stand addresses and networks", place="notify.allow")
    return allowed

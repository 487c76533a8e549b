"""Who may ask for what: tokens, and where a browser's request comes from."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from lfr.web.http import Access
from lfr.web.problems import HttpError

_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LOCAL_NAMES: Final = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of a request.

    operate, read  tokens; with neither, no token is asked for
    hosts          names under which this server is known, in lower case; IP addresses always are
    """

    operate: str = ""
    read: str = ""
    hosts: frozenset[str] = frozenset()

    @property
    def ask_for_a_token(self) -> bool:
        """Whether anybody without a token is refused."""
        return bool(self.operate or self.read)


def check(rules: Rules, method: str, needed: Access, headers: Mapping[str, str]) -> None:
    """Raise HttpError if this request may not be served. `headers` by their names in lower case.

    A page of another site can make a browser send requests here. `Host` is checked so that it cannot
    do that under a name of its own, and `Origin` so that it can change nothing.
    """
    host = headers.get("host", "")
    if not _is_known(host, rules.hosts):
        raise HttpError(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"this server is not known as {host[:80]!r}; the setting api.hosts lists its names",
        )
    if method in _CHANGES and not _is_same_origin(headers, host):
        raise HttpError(HTTPStatus.FORBIDDEN, "a page of another origin may change nothing here")
    if needed is not Access.NONE and rules.ask_for_a_token:
        _check_token(rules, needed, headers.get("authorization", ""))


def _check_token(rules: Rules, needed: Access, authorization: str) -> None:
    scheme, _, token = authorization.partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else ""
    may_operate = _is_token(given, rules.operate)
    if may_operate or (needed is Access.READ and _is_token(given, rules.read)):
        return
    if _is_token(given, rules.read):
        raise HttpError(HTTPStatus.FORBIDDEN, "this token is for reading only")
    challenge = {"WWW-Authenticate": 'Bearer realm="lfr"'}
    what = "this token is not known" if given else "a token is asked for: Authorization: Bearer TOKEN"
    raise HttpError(HTTPStatus.UNAUTHORIZED, what, challenge)


def _is_token(given: str, known: str) -> bool:
    return bool(known) and hmac.compare_digest(given.encode(), known.encode())


def _is_known(host: str, names: frozenset[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names or name in _LOCAL_NAMES
    return True


def _is_same_origin(headers: Mapping[str, str], host: str) -> bool:
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False

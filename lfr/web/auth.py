"""Authorizes requests: tokens, host names, and the origin of a browser's request."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from lfr.web.problems import HttpError
from lfr.web.route import Access

_UNSAFE_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The tokens and host names that a server accepts.

    operate, read  tokens for everything and for reading only; if both are empty, no token is required
    hosts          names of this server, in lower case; localhost and every IP address are accepted besides
    """

    operate: str = ""
    read: str = ""
    hosts: frozenset[str] = frozenset()

    @property
    def requires_token(self) -> bool:
        """Whether requests without a token are refused."""
        return bool(self.operate or self.read)


def authorize(policy: AccessPolicy, method: str, access: Access, headers: Mapping[str, str]) -> None:
    """Raise HttpError (401, 403, 421) if the request is not permitted. `headers` has names in lower case.

    A page of another site can make a browser send requests to this server. The check of `Host` prevents
    DNS rebinding; the check of `Origin`, for methods that change something, prevents changes.
    """
    host = headers.get("host", "")
    if not _is_accepted_host(host, policy.hosts):
        raise HttpError(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"{host[:80]!r} is no name of this server; the setting api.hosts lists its names",
        )
    if method in _UNSAFE_METHODS and not _is_same_origin(headers, host):
        raise HttpError(HTTPStatus.FORBIDDEN, "a page of another origin may change nothing here")
    if access is not Access.NONE and policy.requires_token:
        _check_token(policy, access, headers.get("authorization", ""))


def _check_token(policy: AccessPolicy, access: Access, authorization: str) -> None:
    scheme, _, credentials = authorization.partition(" ")
    token = credentials.strip() if scheme.lower() == "bearer" else ""
    may_operate = _equals(token, policy.operate)
    may_read = may_operate or _equals(token, policy.read)
    if may_operate or (access is Access.READ and may_read):
        return
    if may_read:
        raise HttpError(HTTPStatus.FORBIDDEN, "this token is for reading only")
    challenge = {"WWW-Authenticate": 'Bearer realm="lfr"'}
    detail = "the token is wrong" if token else "a token is required: Authorization: Bearer TOKEN"
    raise HttpError(HTTPStatus.UNAUTHORIZED, detail, challenge)


def _equals(token: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(token.encode(), secret.encode())


def _is_accepted_host(host: str, names: frozenset[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name in names
    return True


def _is_same_origin(headers: Mapping[str, str], host: str) -> bool:
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False

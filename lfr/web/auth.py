"""Authorizes requests: tokens, host names, and the origin of a browser's request."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from lfr.operations.access import Access
from lfr.web.http import WITHOUT_TOKEN, Caller
from lfr.web.named_tokens import NamedTokens
from lfr.web.problems import HttpError
from lfr.web.refusals import Refusals

_UNSAFE_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_FORWARDING_HEADERS: Final = (
    *("forwarded", "via", "x-forwarded", "x-real-ip", "x-original-", "x-client-ip", "x-cluster-client-ip"),
    *("true-client-ip", "cf-", "cdn-", "fastly-", "x-envoy-", "x-amz", "x-azure-", "x-appengine-"),
)
"""How the names of headers begin that proxies add: with one of them, a request on loopback may come from
anywhere."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The tokens and host names that a server accepts.

    admin, read    tokens for everything and for reading only; a token that is empty fits nothing
    named          the named tokens
    hosts          names of this server, in lower case; localhost and every IP address are accepted besides
    is_open        whether requests that no proxy has forwarded need no token: for loopback
    refusals       counts the wrong tokens of each client
    """

    admin: str = ""
    read: str = ""
    hosts: frozenset[str] = frozenset()
    is_open: bool = False
    refusals: Refusals = field(default_factory=Refusals)
    named: NamedTokens = field(default_factory=NamedTokens)

    def requires_token(self, headers: Mapping[str, str], protocol: str) -> bool:
        """Return whether a request with these headers, and of this version of HTTP, needs a token. `headers`
        has names in lower case."""
        return not self.is_open or _may_be_forwarded(headers, protocol)


def authorize(
    policy: AccessPolicy,
    method: str,
    access: Access,
    headers: Mapping[str, str],
    client: str = "",
    protocol: str = "HTTP/1.1",
) -> Caller:
    """Return who sends the request. Raise HttpError (401, 403, 421, 429) if the
    request is not permitted.

    `headers` has names in lower case; `client` is the address that the request comes from.

    A page of another site can make a browser send requests to this server. The check of `Host` prevents
    DNS rebinding. That of `Sec-Fetch-Site`, which no page can forge, refuses all other requests of other
    sites, but for a link that somebody follows to what is for everybody; that of `Origin` changes from
    browsers without it.
    """
    host = headers.get("host", "")
    if not _is_accepted_host(host, policy.hosts):
        raise HttpError(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"{host[:80]!r} is no name of this server; the setting api.hosts lists its names",
        )
    site = headers.get("sec-fetch-site")
    is_from_here = site in (None, "same-origin", "none")
    if not is_from_here and not (access is Access.NONE and _is_followed_link(method, headers)):
        raise HttpError(HTTPStatus.FORBIDDEN, "a page of another site may send no requests to this server")
    if site is None and method in _UNSAFE_METHODS and not _has_same_origin(headers, host):
        raise HttpError(HTTPStatus.FORBIDDEN, "a page of another origin may change nothing here")
    if access is not Access.NONE and policy.requires_token(headers, protocol):
        return _check_token(policy, access, headers, client)
    return WITHOUT_TOKEN


def may_send_body(policy: AccessPolicy, headers: Mapping[str, str], client: str, protocol: str) -> bool:
    """Return whether the body of a request is to be read, if it is longer than that of a login: its token
    must be right. `headers`, `client` and `protocol` as for `authorize`."""
    try:
        if policy.requires_token(headers, protocol):
            _check_token(policy, Access.READ, headers, client)
    except HttpError:
        return False
    return True


def is_still_permitted(policy: AccessPolicy, headers: Mapping[str, str], caller: Caller) -> bool:
    """Return whether the token of a request that lasts still is that of its caller. `headers` as for
    `authorize`."""
    return caller == WITHOUT_TOKEN or _find_caller(policy, _token_in(headers)) == caller


def _token_in(headers: Mapping[str, str]) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _check_token(policy: AccessPolicy, access: Access, headers: Mapping[str, str], client: str) -> Caller:
    token = _token_in(headers)
    caller = _find_caller(policy, token)
    policy.refusals.check(client, is_right=caller is not None, length=len(token))
    if token:
        policy.refusals.note(client, is_right=caller is not None)
    if caller is None:
        challenge = {"WWW-Authenticate": 'Bearer realm="lfr"'}
        detail = "the token is wrong" if token else "a token is required: Authorization: Bearer TOKEN"
        raise HttpError(HTTPStatus.UNAUTHORIZED, detail, challenge)
    require(caller, access)
    return caller


def require(caller: Caller, access: Access) -> None:
    """Raise HttpError (403) if what somebody requests needs a permission that his token does not give."""
    if not caller.access.includes(access):
        role = "for reading only" if caller.access is Access.READ else f"for the role {caller.access}"
        raise HttpError(HTTPStatus.FORBIDDEN, f"this token is {role}; this needs the role {access}")


def _find_caller(policy: AccessPolicy, token: str) -> Caller | None:
    if _equals(token, policy.admin):
        return Caller("api.token", Access.ADMIN)
    if _equals(token, policy.read):
        return Caller("api.read_token", Access.READ)
    return policy.named.find(token)


def _equals(token: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(token.encode(), secret.encode())


def _may_be_forwarded(headers: Mapping[str, str], protocol: str) -> bool:
    """Return whether a request on loopback looks as if a proxy had brought it: by a header that proxies add;
    by a name or an address that is not of this machine alone, which a proxy has passed on; or by HTTP/1.0,
    which nginx before 1.29.7 speaks with servers unless it is told otherwise."""
    urls = [headers[name] for name in ("origin", "referer") if name in headers]
    return (
        protocol == "HTTP/1.0"
        or any(name.startswith(_FORWARDING_HEADERS) for name in headers)
        or not all(map(_is_of_loopback, (f"//{headers.get('host', '')}", *urls)))
    )


def _is_of_loopback(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_followed_link(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether somebody has followed a link to this server. The page with the link sees no answer, but
    whether it is a file for the disk: the window that it has opened stays empty then."""
    return (
        method in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


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


def _has_same_origin(headers: Mapping[str, str], host: str) -> bool:
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False

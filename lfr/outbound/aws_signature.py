"""Signs requests to S3 (AWS Signature Version 4, `AWS4-HMAC-SHA256`).

The server makes the same canonical text of the request that it gets, and the same signature of it with the
secret key, which never travels. (Amazon S3, API Reference, "Authenticating Requests")
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lfr.tasks.uri_policy import WebLocation

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys of an account; `session_token` belongs to keys that expire, and is empty without one."""

    access_key: str
    secret_key: str
    session_token: str = ""


def signed_headers(
    credentials: Credentials,
    region: str,
    method: str,
    location: WebLocation,
    headers: Mapping[str, str],
    content: bytes,
    now: datetime,
) -> dict[str, str]:
    """Return `headers` with those that authenticate the request: Authorization, and the X-Amz ones that it
    signs.

    The request has to be sent with exactly these headers, the Host of the location and this content. `now` is
    in UTC: a server takes it for some minutes. The path of the location is encoded as S3 does it: each octet
    but letters, digits and `-_.~/`; its query is sorted, with a `=` for each name.
    """
    time = now.strftime("%Y%m%dT%H%M%SZ")
    content_digest = hashlib.sha256(content).hexdigest()
    sent = {**headers, "X-Amz-Date": time, "X-Amz-Content-Sha256": content_digest}
    if credentials.session_token:
        sent["X-Amz-Security-Token"] = credentials.session_token
    signed = sorted(
        {"host": location.origin.partition("://")[2]}.items()
        | {name.lower(): " ".join(value.split()) for name, value in sent.items()}.items()
    )
    names = ";".join(name for name, _ in signed)
    lines = (f"{name}:{value}\n" for name, value in signed)
    request = "\n".join((method, location.path, location.query, "".join(lines), names, content_digest))
    scope = f"{time[:8]}/{region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, time, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, text).hex()
    credential = f"Credential={credentials.access_key}/{scope}"
    authorization = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**sent, "Authorization": authorization}


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")

"""What requests and resources share about HTTP: idempotency keys, redirects, excerpts for messages."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote, urljoin

from lfr.tasks.uri_policy import BadLocation, Location, WebLocation, parse_location
from lfr.values.json import Json, encode_json

MAX_REDIRECTS: Final = 5

NOT_IDEMPOTENT: Final = ("POST", "PATCH")
"""The methods whose effect may double if they are sent twice. (RFC 9110, 9.2.2)"""

_MAX_SHOWN: Final = 200
_REDIRECTS: Final = (301, 302, 303, 307, 308)  # RFC 9110, 15.4


def idempotency_key(workflow: str, index: int, value: Json) -> str:
    """Return the header Idempotency-Key of a step: the same if it sends `value` again. Raises InvalidJson."""
    digest = hashlib.sha256(encode_json(value).encode()).hexdigest()
    return f"{quote(workflow, safe=':/.')}/{index}/{digest[:16]}"


def redirect_target(location: WebLocation, status: int, header: str) -> Location | None:
    """Return the target of a redirect by its header Location; None if it is none. Raises BadLocation."""
    if status not in _REDIRECTS or not header:
        return None
    try:
        return parse_location(urljoin(str(location), header))
    except ValueError as error:  # also that of a URI that `urljoin` cannot read
        raise BadLocation(str(error)) from None


def excerpt(content: bytes) -> str:
    """Return the first 200 characters of a response's body, in one line."""
    return " ".join(content[: 4 * _MAX_SHOWN].decode(errors="replace").split())[:_MAX_SHOWN]

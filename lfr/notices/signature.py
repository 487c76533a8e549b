"""The signature of a webhook, as Standard Webhooks 1.0 defines it: HMAC-SHA256 over id, time and body.

    webhook-id: orders:0f3a...
    webhook-timestamp: 1796013322
    webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

Receivers in many languages have a library for it (standardwebhooks.com). A key is `whsec_` and the base64 of
24 to 64 random bytes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

from lfr.values.checks import Check

_KEY_PREFIX: Final = "whsec_"


def _read_key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text.removeprefix(_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if text.startswith(_KEY_PREFIX) and 24 <= len(key) <= 64 else None


SIGNING_KEY: Final = Check(f"{_KEY_PREFIX} and the base64 of 24 to 64 bytes", _read_key)


def signature_headers(keys: Sequence[bytes], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook with this id at this time, in seconds since the epoch. Several keys
    give several signatures, so that a receiver may change from one to the next; none: no signature."""
    headers = {"webhook-id": id, "webhook-timestamp": str(timestamp)}
    content = f"{id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    if keys:
        headers["webhook-signature"] = " ".join(f"v1,{signature}" for signature in signatures)
    return headers

"""What names something that is to be done once, although a server may be asked for it twice."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from lfr.values.json import Json, encode_json


def idempotency_key(workflow: str, index: int, value: Json) -> str:
    """The value of a header Idempotency-Key, in ASCII, for what a step sends.

    The same when a role has died, or a step is tried again: workflow, step and a digest of the value.
    """
    digest = hashlib.sha256(encode_json(value).encode()).hexdigest()
    return f"{quote(workflow, safe=':/.')}/{index}/{digest[:16]}"

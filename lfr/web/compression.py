"""Compresses responses with gzip (RFC 1952) for clients that accept it."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lfr.web.http import Response

_LEAST_BYTES: Final = 1024
"""Shorter content fits into a packet as it is."""

_FAST: Final = 1
"""The level for content that is sent once: a higher one takes three times as long for a tenth less."""


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the header Accept-Encoding permits gzip. (RFC 9110, section 12.5.3)"""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        try:
            weights[coding.strip()] = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
    return weights.get("gzip", weights.get("*", 0)) > 0


def is_worth_it(content: bytes, content_type: str) -> bool:
    """Return whether content is long enough, and of a type that becomes shorter."""
    return len(content) >= _LEAST_BYTES and (
        content_type.startswith("text/") or "json" in content_type or "xml" in content_type
    )


def compressed(response: Response, accept_encoding: str) -> Response:
    """Return the response with its content compressed, if the client accepts that and it is worth it. A
    response that is sent piece by piece stays as it is."""
    content = response.content
    if not isinstance(content, bytes) or not is_worth_it(content, response.content_type):
        return response
    headers: Mapping[str, str] = {**response.headers, "Vary": "Accept-Encoding"}
    if not accepts_gzip(accept_encoding):
        return replace(response, headers=headers)
    return replace(
        response,
        content=gzip.compress(content, _FAST, mtime=0),
        headers={**headers, "Content-Encoding": "gzip"},
    )

"""The body of a request from its template: what is filled in is written as the kind of body wants it.

In JSON, what stands inside a text, between double quotes, is escaped; in a form, everything is
percent-encoded. So a value can never end the text or the field into which it is filled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote_plus

from lfr.tasks.template import pieces
from lfr.values.json import Json

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = re.compile(r"application/json|[^;\s]+\+json")
_QUOTE: Final = re.compile(r'\\.|"', re.DOTALL)


def fill_body(template: str, content_type: str, names: Mapping[str, Json]) -> str:
    """The body that a template makes, to be sent as this type. Raises as `template.fill`."""
    media_type = content_type.partition(";")[0].strip().lower()
    if _JSON.fullmatch(media_type):
        return "".join(_json_pieces(template, names))
    escape = quote_plus if media_type == _FORM else str
    return "".join(
        escape(piece.text) if piece.is_filled_in else piece.text for piece in pieces(template, names)
    )


def _json_pieces(template: str, names: Mapping[str, Json]) -> Iterator[str]:
    is_in_text = False
    for piece in pieces(template, names):
        if not piece.is_filled_in:
            is_in_text ^= sum(found[0] == '"' for found in _QUOTE.finditer(piece.text)) % 2 == 1
            yield piece.text
        else:
            yield json.dumps(piece.text, ensure_ascii=False)[1:-1] if is_in_text else piece.text

"""The fields of an event on a stream: names and JSON texts, and the values that they stand for.

An entry is a set of fields, each a JSON text, as rqse 0.5.3 writes them. `lfr.events` knows what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TypeAlias

from lfr.values.json import InvalidJson, Json, decode_json, decode_json_lists, encode_json

Fields: TypeAlias = Mapping[bytes, bytes]
"""The fields of an entry as Redis returns them: name -> JSON text, both in UTF-8."""

Values: TypeAlias = Mapping[bytes, Json]
"""The fields of an entry with decoded values, as `decode` returns them."""

_LARGE = 2**16


class Malformed(ValueError):
    """An event that cannot be understood; the text is the reason."""


def decode_all(entries: Sequence[Fields]) -> list[Values | Malformed]:
    """Return for each entry its values or, without raising it, a Malformed that says why it has none.

    All texts are decoded at once, which is faster; if that fails, one by one.
    """
    try:
        lists = decode_json_lists([fields.values() for fields in entries])
    except InvalidJson:
        return [_decode_one(fields) for fields in entries]
    return [dict(zip(fields, values, strict=True)) for fields, values in zip(entries, lists, strict=True)]


def decode(fields: Fields) -> Values:
    """Return the values of one event. Raises Malformed."""
    values = decode_all([fields])[0]
    if isinstance(values, Malformed):
        raise values
    return values


def decode_event(fields: Fields) -> dict[str, Json]:
    """Return all values of an event by name, as `decode` but with names as text. Raises Malformed."""
    try:
        return {name.decode(): value for name, value in decode(fields).items()}
    except UnicodeDecodeError:
        raise Malformed("a field's name is not UTF-8") from None


def _decode_one(fields: Fields) -> Values | Malformed:
    values: dict[bytes, Json] = {}
    for name, encoded in fields.items():
        try:
            values[name] = decode_json(encoded)
        except InvalidJson as error:
            field = name[:40].decode(errors="backslashreplace")
            return Malformed(f"its field {field} is not JSON: {error}")
    return values


def peek_kind(fields: Fields) -> str | None:
    """Return the kind of an event without decoding its other fields; None if it has no readable kind."""
    return _decode_name(fields.get(b"kind", b"null"))


def peek_base(fields: Fields) -> str | None:
    """Return the task behind a start-task event without decoding its other fields; None if it names none."""
    return _decode_name(fields.get(b"base", b"null")) or _decode_name(fields.get(b"name", b"null"))


def peek_workflow(fields: Fields) -> str | None:
    """Return the workflow of an event without decoding its other fields; None if it names none."""
    return _decode_name(fields.get(b"workflow", b"null"))


@lru_cache(maxsize=1024)
def _decode_name(encoded: bytes) -> str | None:
    with suppress(InvalidJson):
        name = decode_json(encoded)
        return name if isinstance(name, str) else None
    return None


def without_large_values(fields: Fields) -> Fields:
    """Return the fields of an event without values that whom they do not concern need not decode: those of
    more than 64 KiB."""
    if max(map(len, fields.values()), default=0) <= _LARGE:
        return fields
    return {name: value for name, value in fields.items() if len(value) <= _LARGE}


def encode(kind: str, at: str, values: Mapping[str, Json]) -> list[str]:
    """Return a new event's fields as name, JSON, name, JSON. `at` as by `format_timestamp`. Raises
    InvalidJson."""
    flat = ["kind", encode_json(kind), "apiVersion", '"v1"', "at", f'"{at}"']
    for name, value in values.items():
        flat += (name, encode_json(value))
    return flat

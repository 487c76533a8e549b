"""Computes the match keys by which an event finds the waits that it completes.

A match key is a digest of the kind and of the fields that a wait asks for; waits that ask for the same share
it. For an event, one key is computed for each field set that waits of its kind ask for, however many waits
there are. Values are equal as in JSON: 1 equals 1.0 but not "1" or true; members may have any order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from lfr.values.json import Json

FieldSet: TypeAlias = str
"""Names of fields, as a JSON list in alphabetic order."""


def field_set(match: Mapping[str, Json]) -> FieldSet:
    """Return the names of the fields in a match, as one text."""
    return json.dumps(sorted(match))


def match_key(kind: str, match: Mapping[str, Json]) -> str:
    """Return the key of the waits that ask for this kind and these fields: 32 hexadecimal digits."""
    text = json.dumps([kind, _canonical(dict(match))], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def match_keys(kind: str, event_fields: Mapping[str, Json], field_sets: Iterable[FieldSet]) -> list[str]:
    """Return the match keys of an event: one for each field set of which the event has all fields."""
    return [
        match_key(kind, {name: event_fields[name] for name in names})
        for names in map(json.loads, field_sets)
        if all(name in event_fields for name in names)
    ]


def _canonical(value: Json) -> Json:
    """Return the value with whole floats as integers: 1.0 and 1 are one number in JSON."""
    if isinstance(value, dict):
        return {key: _canonical(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

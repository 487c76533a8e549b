"""Which waits an event may end: those of its kind of which every field that is asked for is equal in it.

All waits that ask for the same kind and the same values stand in the same *place*, which is a digest of
both. So an event finds them by as many digests as there are sets of fields that waits of its kind ask for,
however many waits there are. Values are equal as JSON is: 1 is 1.0 but not "1" nor true, and the members of
an object have no order.
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
    """The names of the fields that a wait asks for."""
    return json.dumps(sorted(match))


def place(kind: str, match: Mapping[str, Json]) -> str:
    """Where the waits stand that ask for this kind and these values: 32 hexadecimal digits."""
    told = json.dumps([kind, _canonical(dict(match))], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def places(kind: str, event: Mapping[str, Json], asked: Iterable[FieldSet]) -> dict[FieldSet, str]:
    """The places where waits stand that this event may end, by the fields they ask for.

    `asked` is every set of fields that waits of its kind ask for.
    """
    found: dict[FieldSet, str] = {}
    for names in asked:
        wanted: list[str] = json.loads(names)
        if all(name in event for name in wanted):
            found[names] = place(kind, {name: event[name] for name in wanted})
    return found


def _canonical(value: Json) -> Json:
    """The value with whole numbers as integers: 1.0 and 1 are one number in JSON."""
    if isinstance(value, dict):
        return {key: _canonical(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

"""Pointers to large values: where an event has a value if not in itself."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lfr.values.json import Json

LARGE_SUFFIX: Final = ":large"
"""What follows the id of a workflow in the key of its large values."""

_NAME: Final = re.compile(r"\d{1,12}\.\d{1,9}\.\d{1,18}\.[0-9a-f]{32}")
_SIZE: Final = re.compile(rb'\["[^"]*","(\d{1,12})\.')


class Pointer(NamedTuple):
    """Where a large value is, as JSON: in the hash with this key, under this name; it begins with the
    size of the value, see `lfr.store.workflows.large_values`."""

    key: str
    name: str

    @property
    def size(self) -> int:
        """The size of the value in bytes."""
        return int(self.name.partition(".")[0])


def parse_pointer(value: Json, workflow: str) -> Pointer | None:
    """Return the pointer that a field of an event holds; None if it holds none to a value of this workflow:
    a task can refer to no other."""
    match value:
        case [key, str(name)] if key == workflow + LARGE_SUFFIX and _NAME.fullmatch(name):
            return Pointer(key, name)
    return None


def pointed_bytes(encoded: bytes) -> int:
    """Return the size of the value that a pointer, as JSON, refers to; 0 if it is none."""
    size = _SIZE.match(encoded)
    return int(size[1]) if size else 0

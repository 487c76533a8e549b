"""Finds where two JSON values differ, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from lfr.values.json import ABSENT, Json


class Difference(NamedTuple):
    """A place where two values differ: its path, as `$.orders[2].id`, and what each has there (ABSENT:
    nothing)."""

    path: str
    first: Json
    second: Json


def find_differences(first: Json, second: Json, path: str = "$") -> Iterator[Difference]:
    """Yield the innermost places where two values differ, those of the first value first in each object.

    Members are compared by name, elements of lists by position. A number equals another of the same value,
    also if one of them is written with a fraction; true is no number.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys((*first, *second)):
            member = f".{name}" if name.isidentifier() else f"[{json.dumps(name, ensure_ascii=False)}]"
            yield from find_differences(first.get(name, ABSENT), second.get(name, ABSENT), path + member)
    elif isinstance(first, list) and isinstance(second, list):
        for position in range(max(len(first), len(second))):
            yield from find_differences(
                first[position] if position < len(first) else ABSENT,
                second[position] if position < len(second) else ABSENT,
                f"{path}[{position}]",
            )
    elif isinstance(first, bool) is not isinstance(second, bool) or first != second:
        yield Difference(path, first, second)

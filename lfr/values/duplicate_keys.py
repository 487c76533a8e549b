"""Keys that stand more than once in an object of a literal, of which the last counts.

Only texts that have been read as literals come here, so nothing is checked again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]', re.DOTALL)


class Repeated(NamedTuple):
    """A key that has stood before in the same object; `at` is the index of its place in the flow's text."""

    key: str
    at: int


def repeated_keys(text: str, at: int) -> Iterator[Repeated]:
    """Those of the literal whose opening sign, `(` or `<`, is at this index."""
    if text.startswith(("{", "["), at + 1):
        yield from _in_json(text, at + 1)
    elif text.startswith("-", at + 1):
        closing = "-)" if text[at] == "(" else "->"
        yield from _in_yaml(text, at + 2, text.index(closing, at + 2))


def _in_json(text: str, at: int) -> Iterator[Repeated]:
    is_clean = True

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal is_clean
        is_clean &= len(dict(pairs)) == len(pairs)

    json.JSONDecoder(object_pairs_hook=look).raw_decode(text, at)
    if is_clean:
        return
    objects: list[set[str] | None] = []  # the keys of those that are open; None: a list
    is_key = False
    for token in _TOKEN.finditer(text, at):
        sign = token[0]
        if sign in "{[":
            objects.append(set() if sign == "{" else None)
        elif sign in "}]":
            objects.pop()
        elif is_key and sign not in ":,":
            key, keys = json.loads(sign), objects[-1]
            if keys is not None:
                if key in keys:
                    yield Repeated(key, token.start())
                keys.add(key)
        is_key = sign == "{" or (sign == "," and objects[-1] is not None)
        if not objects:
            return


def _in_yaml(text: str, start: int, end: int) -> Iterator[Repeated]:
    from lfr.values.yaml import mappings  # here: most flows have no YAML

    for keys in mappings(text, start, end):
        seen: set[str] = set()
        for key, at in keys:
            if key in seen:
                yield Repeated(key, at)
            seen.add(key)

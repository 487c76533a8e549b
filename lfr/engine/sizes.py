"""How deep and how big is what steps are given.

An input is made of outputs, and an output may be an input: where several meet again and again and nobody
does anything, what is handed on doubles at each step, or gets deeper. A few lines of text must not make a
value that nobody can write, or read again.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lfr.flow import Json
from lfr.json_text import DEEPEST

MOST_VALUES: Final = 10_000_000
"""How many values the lists may hold, in all, that one transition makes of outputs."""


class TooBig(ValueError):
    """A value that is too big or too deep; the text says so of it."""


class _Size(NamedTuple):
    """How deeply a value is nested, and how many values it is, itself among them."""

    depth: int
    values: int


class Sizes:
    """Measures what one transition makes, each value once: what is in it twice, is the same one."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Json, _Size]] = {}  # with the value: while it lives, its id is its own
        self._left = MOST_VALUES

    def check(self, made: Json) -> None:
        """A list has been made of outputs. Raises TooBig if it is too much."""
        size = self._size(made)
        self._left -= size.values
        if self._left < 0:
            raise TooBig(f"is too big: more than {MOST_VALUES:,} values at once")
        if size.depth > DEEPEST:
            raise TooBig(f"is nested more than {DEEPEST} levels deep")

    def _size(self, value: Json) -> _Size:
        depth = values = 0
        deepest = 0
        level = [value]
        while level and values <= MOST_VALUES:
            inner: list[Json] = []
            for item in level:
                values += 1
                if not isinstance(item, dict | list):
                    continue
                known = self._known.get(id(item))
                if known is None:
                    deepest = max(deepest, depth + 1)
                    inner.extend(item.values() if isinstance(item, dict) else item)
                else:
                    deepest = max(deepest, depth + known[1].depth)
                    values += known[1].values - 1
            level = inner
            depth += 1
        self._known[id(value)] = (value, _Size(deepest, values))
        return self._known[id(value)][1]

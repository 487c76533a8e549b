"""How deep and how big is what steps are given.

An input is made of outputs, and an output may be an input: where several meet again and again and nobody
does anything, what is handed on doubles at each step, or gets deeper. A few lines of text must not make a
value that nobody can write, or read again.

And each step that starts is given a copy: a big output before a wide fan would be more than a transaction can
hold. (Redis hangs up on a client that has sent it more than 1 GiB of one.)
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lfr.values.json import MAX_DEPTH, Json

MOST_VALUES: Final = 10_000_000
"""How many values the lists may hold, in all, that one transition makes of outputs."""


MOST_BYTES: Final = 2**28
"""How many bytes of JSON, about, one transition may hand on to steps."""

_PUNCTUATION: Final = 8
"""About how many bytes of JSON a value has besides its letters: quotes, a comma, the digits of a number."""

_ESCAPE: Final = 6
"""Bytes of JSON for a letter that is not ASCII, at most."""


class TooBig(ValueError):
    """A value that is too big or too deep; the text says so of it."""


class _Size(NamedTuple):
    """How deeply a value is nested; how many values it is, itself too; about how many bytes of JSON."""

    depth: int
    values: int
    bytes: int


class PayloadMeter:
    """Measures what one transition makes, each value once: what is in it twice, is the same one.

    handed_on  how many bytes of JSON `hand_on` has been told of, about
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Json, _Size]] = {}  # with the value: while it lives, its id is its own
        self._left = MOST_VALUES
        self.input_bytes = 0

    def check(self, made: Json) -> None:
        """A list has been made of outputs. Raises TooBig if it is too much."""
        size = self._size(made)
        self._left -= size.values
        if self._left < 0:
            raise TooBig(f"is too big: more than {MOST_VALUES:,} values at once")
        if size.depth > MAX_DEPTH:
            raise TooBig(f"is nested more than {MAX_DEPTH} levels deep")

    def hand_on(self, given: Json) -> None:
        """A step is given this. Raises TooBig if that is too much with all that others have been given."""
        known = self._known.get(id(given))
        self.input_bytes += (known[1] if known else self._size(given)).bytes
        if self.input_bytes > MOST_BYTES:
            most = f"{MOST_BYTES / 2**20:.0f} MiB"
            raise TooBig(f"is too big: more than {most} for the steps that start at once")

    def _size(self, value: Json) -> _Size:
        depth = values = letters = 0
        deepest = 0
        level = [value]
        while level and values <= MOST_VALUES:
            inner: list[Json] = []
            for item in level:
                values += 1
                if not isinstance(item, dict | list):
                    if type(item) is str:
                        letters += _letters(item)
                    continue
                known = self._known.get(id(item))
                if known is None:
                    deepest = max(deepest, depth + 1)
                    if isinstance(item, dict):
                        letters += sum(map(_letters, item))
                        inner.extend(item.values())
                    else:
                        inner.extend(item)
                else:
                    deepest = max(deepest, depth + known[1].depth)
                    values += known[1].values - 1
                    letters += known[1].bytes - _PUNCTUATION * known[1].values
            level = inner
            depth += 1
        self._known[id(value)] = (value, _Size(deepest, values, letters + _PUNCTUATION * values))
        return self._known[id(value)][1]


def _letters(text: str) -> int:
    return len(text) if text.isascii() else _ESCAPE * len(text)

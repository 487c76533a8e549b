"""The syntax tree of a guard, and the error of a guard that has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lfr.values.json import Json


class GuardError(ValueError):
    """A guard that cannot be parsed, or whose evaluation is too much work for its input.

    `message` says what is wrong; `offset` is the location in the guard's text, from 0 (0 for too much work).
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message}, at character {offset + 1} of the guard")
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Every:
    """`*`: selects all members of an object or a list."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`?(...)`: selects the value itself if the test holds for it."""

    test: Test


@dataclass(frozen=True, slots=True)
class Length:
    """`.length()`: the number of items of a list or of characters of a text; nothing for other values."""


Selector: TypeAlias = str | int | slice | Every | Filter | Length
"""A member by name, an item by index, items by a slice, or one of the three above."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a path. With `descends` it also applies to everything inside the values."""

    selectors: tuple[Selector, ...]
    descends: bool


@dataclass(frozen=True, eq=False, slots=True)
class Path:
    """Leads from the whole input (`is_absolute`), or from the value that a filter tests, to other values.

    Paths are compared by identity, because an evaluation caches the values of a path by the path itself.
    """

    is_absolute: bool
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is written in the guard."""

    value: Json


Value: TypeAlias = Path | Constant


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison; it holds if at least one pair of values of both sides satisfies it."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Not:
    """Holds if the test does not."""

    test: Test


@dataclass(frozen=True, slots=True)
class Join:
    """Holds if all tests do (`and`), or if at least one of them does (`or`)."""

    needs_all: bool
    tests: tuple[Test, ...]


Test: TypeAlias = Value | Compare | Not | Join
"""A path alone holds if it leads anywhere, a constant alone if Python takes it for true."""

"""What a guard consists of, once it has been read; and the error of one that cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lfr.values.json import Json


class GuardError(ValueError):
    """A guard that cannot be read, or that is too much work for its input.

    `message` says what is wrong; `offset` is the place in the guard's text, from 0.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message}, at character {offset + 1} of the guard")
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Every:
    """`*`: all members of an object or a list."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`?(...)`: the value itself, if the test holds for it."""

    test: Test


@dataclass(frozen=True, slots=True)
class Length:
    """`.length()`: how many items a list has, or characters a text. Of anything else: nothing."""


Selector: TypeAlias = str | int | slice | Every | Filter | Length
"""A member by name, an item by number, items by a slice, or one of the three above."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a path. With `descends` it is asked of all that is inside, too."""

    selectors: tuple[Selector, ...]
    descends: bool


@dataclass(frozen=True, eq=False, slots=True)
class Path:
    """From the whole input (`is_absolute`) or from the tested value, to any number of values.

    Compared by identity: a path is looked up, once a guard is asked, by what it is and not by its text.
    """

    is_absolute: bool
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the guard."""

    value: Json


Value: TypeAlias = Path | Constant


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of two values, or of any two that paths lead to."""

    sign: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Not:
    """True if the test is not."""

    test: Test


@dataclass(frozen=True, slots=True)
class Join:
    """Several tests: all of them (`and`), or any (`or`)."""

    needs_all: bool
    tests: tuple[Test, ...]


Test: TypeAlias = Value | Compare | Not | Join
"""A path alone is true if it leads anywhere, a constant alone by what it is."""

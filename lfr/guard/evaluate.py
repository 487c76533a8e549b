"""A guard's path and a value -> whether it leads anywhere."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeAlias

from lfr.guard.ast import (
    Compare,
    Constant,
    Every,
    Filter,
    GuardError,
    Join,
    Length,
    Not,
    Path,
    Selector,
    Test,
    Value,
)
from lfr.values.json import Json

MAX_VALUES: Final = 5_000_000
"""How many values a guard may look at, in all: some seconds of work."""

Form: TypeAlias = Json | object
"""Two values are equal if their forms are: a scalar is its own form, and equal objects or lists have the
same mark. `true` equals 1, as it does in littleflow."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: all its values, and the least and the greatest number among them.

    Without a number these two are NaN, with which every comparison is false.
    """

    forms: frozenset[Form]
    low: float
    high: float


def _make_side(forms: frozenset[Form]) -> Side:
    numbers = [form for form in forms if isinstance(form, int | float)]
    return Side(forms, min(numbers, default=math.nan), max(numbers, default=math.nan))


def _compares(sign: str, left: Side, right: Side) -> bool:
    """Whether the comparison holds for any pair of values: without looking at the pairs."""
    match sign:
        case "=":
            return not left.forms.isdisjoint(right.forms)
        case "!=":
            return bool(left.forms and right.forms) and (len(left.forms) > 1 or left.forms != right.forms)
        case "<":
            return left.low < right.high
        case "<=":
            return left.low <= right.high
        case ">":
            return left.high > right.low
    return left.high >= right.low


def _members(value: Json) -> Collection[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class Evaluation:
    """One guard asked of one input: the input, what has been found out so far, and the work left.

    Values are told apart by `id`: they belong to the input, which lives as long as the question does.
    """

    def __init__(self, root: Json) -> None:
        self._root = root
        self._work_left = MAX_VALUES
        self._found: dict[Path, list[Json]] = {}
        self._sides: dict[Path, Side] = {}
        self._forms: dict[int, Form] = {}
        self._marks: dict[object, object] = {}

    def values(self, path: Path, current: Json) -> list[Json]:
        """All values that a path leads to, in no order."""
        if not path.is_absolute:
            return self._follow(path, current)
        if path not in self._found:
            self._found[path] = self._follow(path, self._root)
        return self._found[path]

    def _follow(self, path: Path, start: Json) -> list[Json]:
        values = [start]
        for segment in path.segments:
            if segment.descends:
                values = self._inside(values)
            values = [
                found
                for value in values
                for selector in segment.selectors
                for found in self._select(selector, value)
            ]
            self._count(len(values))
            if segment.descends or len(segment.selectors) > 1:
                values = list({id(value): value for value in values}.values())
        return values

    def _count(self, looked_at: int) -> None:
        self._work_left -= looked_at + 1
        if self._work_left < 0:
            raise GuardError(
                f"the guard would have to look at more than {MAX_VALUES:,} values of its input", 0
            )

    def _inside(self, values: list[Json]) -> list[Json]:
        """The values, and all that is in them, each once."""
        seen: dict[int, Json] = {}
        stack = list(values)
        while stack:
            value = stack.pop()
            if id(value) not in seen:
                seen[id(value)] = value
                stack.extend(_members(value))
        self._count(len(seen))
        return list(seen.values())

    def _select(self, selector: Selector, value: Json) -> Collection[Json]:
        match selector:
            case Every():
                return _members(value)
            case Length():
                return (len(value),) if isinstance(value, list | str) else ()
            case Filter(test):
                return (value,) if self.holds(test, value) else ()
            case str():
                return (value[selector],) if isinstance(value, dict) and selector in value else ()
            case int():
                is_there = isinstance(value, list) and -len(value) <= selector < len(value)
                return (value[selector],) if is_there else ()
            case slice():
                return value[selector] if isinstance(value, list) else ()

    def holds(self, test: Test, current: Json) -> bool:
        """Whether a test is true of a value."""
        self._count(0)
        match test:
            case Path():
                return bool(self.values(test, current))
            case Constant(value):
                return bool(value)
            case Compare(sign, left, right):
                return _compares(sign, self._side(left, current), self._side(right, current))
            case Not(inner):
                return not self.holds(inner, current)
            case Join(needs_all, tests):
                outcomes = (self.holds(part, current) for part in tests)
                return all(outcomes) if needs_all else any(outcomes)

    def _side(self, value: Value, current: Json) -> Side:
        if isinstance(value, Constant):
            return _make_side(frozenset((value.value,)))
        if not value.is_absolute:
            return _make_side(frozenset(map(self._form, self.values(value, current))))
        if value not in self._sides:
            self._sides[value] = _make_side(frozenset(map(self._form, self.values(value, current))))
        return self._sides[value]

    def _form(self, value: Json) -> Form:
        """Not by `==`: that recurses, and takes as long as the product of what it compares."""
        stack = [value] if isinstance(value, dict | list) else []
        while stack:
            top = stack[-1]
            inner = [
                part
                for part in _members(top)
                if isinstance(part, dict | list) and id(part) not in self._forms
            ]
            if inner:
                stack.extend(inner)
                continue
            stack.pop()
            self._count(len(top))
            forms = [self._forms.get(id(part), part) for part in _members(top)]
            key = frozenset(zip(top, forms, strict=True)) if isinstance(top, dict) else tuple(forms)
            self._forms[id(top)] = self._marks.setdefault(key, object())
        return self._forms.get(id(value), value)

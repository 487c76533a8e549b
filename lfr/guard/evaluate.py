"""Evaluates a guard's path: on one input, or on all lists at once."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from lfr.guard import ast
from lfr.guard.ast import GuardError
from lfr.values.json import Json
from lfr.values.work import LookBudget, TooMuchWork

Form: TypeAlias = Json | object
"""What stands for a value in comparisons: a scalar itself, or one marker that equal objects or lists share.
`true` equals 1, as in littleflow."""


@dataclass(frozen=True, slots=True)
class Side:
    """The values of one side of a comparison, with the least and the greatest number among them.

    Without a number, these two are NaN, for which every comparison is false.
    """

    forms: frozenset[Form]
    low: float
    high: float


def _make_side(forms: frozenset[Form]) -> Side:
    numbers = [form for form in forms if isinstance(form, int | float)]
    return Side(forms, min(numbers, default=math.nan), max(numbers, default=math.nan))


def _compare(operator: str, left: Side, right: Side) -> bool:
    """Return whether the comparison holds for a pair of values, without visiting all."""
    match operator:
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
    """The evaluation of one guard on one input: the input, cached results, and the budget.

    Each member that a selector yields is a look, and so is each try of a selector that yields nothing.
    Values are identified by `id`: they belong to the input, which lives as long as the evaluation.
    """

    def __init__(self, input: Json, budget: LookBudget) -> None:
        self._input = input
        self._budget = budget
        self._values: dict[ast.Path, list[Json]] = {}
        self._sides: dict[ast.Path, Side] = {}
        self._forms: dict[int, Form] = {}
        self._markers: dict[object, object] = {}

    def values(self, path: ast.Path, current: Json) -> list[Json]:
        """Return all values to which a path leads, in any order; `@` is `current`. Raises GuardError."""
        if not path.is_absolute:
            return self._follow(path, current)
        if path not in self._values:
            self._values[path] = self._follow(path, self._input)
        return self._values[path]

    def _follow(self, path: ast.Path, start: Json) -> list[Json]:
        values = [start]
        for segment in path.segments:
            if segment.descends:
                values = self._descend(values)
            members: list[Json] = []
            for value in values:
                for selector in segment.selectors:
                    members += self._select(selector, value)
            values = members
            if segment.descends or len(segment.selectors) > 1:
                values = list({id(value): value for value in values}.values())
        return values

    def _spend(self, count: int) -> None:
        try:
            self._budget.spend(count + 1)
        except TooMuchWork as error:
            raise GuardError(f"its guard would take {error}", 0) from None

    def _descend(self, values: list[Json]) -> list[Json]:
        """Return the values and everything inside them, each once."""
        visited: dict[int, Json] = {}
        stack = list(values)
        while stack:
            value = stack.pop()
            if id(value) not in visited:
                visited[id(value)] = value
                members = _members(value)
                self._spend(len(members))
                stack.extend(members)
        return list(visited.values())

    def _select(self, selector: ast.Selector, value: Json) -> Collection[Json]:
        if isinstance(selector, ast.Every):
            members = _members(value)
            self._spend(len(members))
            return members
        if isinstance(selector, slice) and isinstance(value, list):
            self._spend(len(range(*selector.indices(len(value)))))
            return value[selector]
        self._spend(0)
        match selector:
            case ast.Length():
                return (len(value),) if isinstance(value, list | str) else ()
            case ast.Filter(test):
                return (value,) if self.holds(test, value) else ()
            case str():
                return (value[selector],) if isinstance(value, dict) and selector in value else ()
            case int():
                exists = isinstance(value, list) and -len(value) <= selector < len(value)
                return (value[selector],) if exists else ()
            case _:
                return ()

    def holds(self, test: ast.Test, current: Json) -> bool:
        """Return whether a filter's test holds for a value of the input. Raises GuardError."""
        self._spend(0)
        match test:
            case ast.Path():
                return bool(self.values(test, current))
            case ast.Constant(value):
                return bool(value)
            case ast.Compare(operator, left_value, right_value):
                left, right = self._side(left_value, current), self._side(right_value, current)
                self._spend(min(len(left.forms), len(right.forms)))
                return _compare(operator, left, right)
            case ast.Not(inner):
                return not self.holds(inner, current)
            case ast.Join(needs_all, tests):
                results = (self.holds(part, current) for part in tests)
                return all(results) if needs_all else any(results)

    def _side(self, value: ast.Value, current: Json) -> Side:
        if isinstance(value, ast.Constant):
            return _make_side(frozenset((value.value,)))
        if not value.is_absolute:
            return _make_side(frozenset(map(self._form, self.values(value, current))))
        if value not in self._sides:
            self._sides[value] = _make_side(frozenset(map(self._form, self.values(value, current))))
        return self._sides[value]

    def _form(self, value: Json) -> Form:
        """Return the form of a value: `==` would recurse, for every pair of values."""
        stack = [value] if isinstance(value, dict | list) else []
        while stack:
            top = stack[-1]
            inner = [
                member
                for member in _members(top)
                if isinstance(member, dict | list) and id(member) not in self._forms
            ]
            if inner:
                stack.extend(inner)
                continue
            stack.pop()
            self._spend(len(top))
            forms = [self._forms.get(id(member), member) for member in _members(top)]
            key = frozenset(zip(top, forms, strict=True)) if isinstance(top, dict) else tuple(forms)
            self._forms[id(top)] = self._markers.setdefault(key, object())
        return self._forms.get(id(value), value)


def result_on_lists(test: ast.Test) -> bool | None:
    """Return the result that a path or a test has for every list, or None if it depends on the list.

    A list has no members with names, so a path such as `$.name` never leads anywhere in it.
    """
    match test:
        case ast.Path():
            return _leads_from_lists(test)
        case ast.Constant(value):
            return bool(value)
        case ast.Compare(_, left, right):
            sides = [side for side in (left, right) if isinstance(side, ast.Path)]
            return False if any(_leads_from_lists(side) is False for side in sides) else None
        case ast.Not(inner):
            result = result_on_lists(inner)
            return None if result is None else not result
        case ast.Join(needs_all, tests):
            results = {result_on_lists(part) for part in tests}
            if (not needs_all) in results:
                return not needs_all
            return None if None in results else needs_all


def _leads_from_lists(path: ast.Path) -> bool | None:
    """Return whether a path leads anywhere from every list; None: from some lists."""
    for segment in path.segments:
        if segment.descends:
            return None
        results = {_selects_from_lists(selector) for selector in segment.selectors}
        if results != {True}:  # otherwise the segment selects the list itself
            return False if results == {False} else None
    return True


def _selects_from_lists(selector: ast.Selector) -> bool | None:
    """Return True: it selects every list itself; False: nothing from any; None: else."""
    if isinstance(selector, ast.Filter):
        return result_on_lists(selector.test)
    return False if isinstance(selector, str) else None

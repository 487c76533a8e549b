"""Visits all states of a model, breadth first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

StateT = TypeVar("StateT", bound=Hashable)


@dataclass(slots=True)
class Search:
    """What a search has found: how many states and transitions; what was wrong, with the way to it."""

    states: int = 0
    transitions: int = 0
    wrong: str = ""
    way: list[str] = field(default_factory=list)


def explore(
    first: StateT,
    successors: Callable[[StateT], Iterator[tuple[str, StateT]]],
    find_wrong: Callable[[StateT], str],
    is_end: Callable[[StateT], bool],
    stuck: str,
) -> Search:
    """Visit every state that can be reached from the first. Stop at the first that is wrong. `stuck` says
    what is wrong with a state from which no end can be reached."""
    numbers: dict[StateT, int] = {first: 0}
    came_from: list[tuple[int, str]] = [(-1, "")]
    before: list[list[int]] = [[]]
    ends: list[int] = []
    result = Search()
    queue = deque([(first, 0)])
    while queue:
        state, number = queue.popleft()
        if wrong := find_wrong(state):
            result.states, result.wrong, result.way = len(numbers), wrong, _way(came_from, number)
            return result
        if is_end(state):
            ends.append(number)
        for name, following in successors(state):
            result.transitions += 1
            other = numbers.get(following)
            if other is None:
                other = numbers[following] = len(numbers)
                came_from.append((number, name))
                before.append([])
                queue.append((following, other))
            before[other].append(number)
    result.states = len(numbers)
    first_stuck = _find_stuck(before, ends)
    if first_stuck is not None:
        result.wrong, result.way = stuck, _way(came_from, first_stuck)
    return result


def _find_stuck(before: list[list[int]], ends: list[int]) -> int | None:
    """Return the first state from which no end can be reached, or None."""
    can_end = bytearray(len(before))
    stack = list(ends)
    while stack:
        number = stack.pop()
        if not can_end[number]:
            can_end[number] = 1
            stack += before[number]
    position = can_end.find(0)
    return None if position < 0 else position


def _way(came_from: list[tuple[int, str]], number: int) -> list[str]:
    names: list[str] = []
    while number > 0:
        number, name = came_from[number]
        names.append(name)
    return names[::-1]

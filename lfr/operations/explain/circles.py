"""Finds workflows that wait for each other's latches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

MAX_WORKFLOWS: Final = 50
"""How many workflows are visited in search of a circle."""


def find_circle(
    own: str, latch: str, holders: Callable[[str], Iterable[str]], waits: Callable[[str], Iterable[str]]
) -> Sequence[tuple[str, str]]:
    """Return the shortest circle of waits that begins with the workflow `own`, which waits for `latch`: each
    workflow with the latch that it waits for, held by the next one; the last is held by `own`. Empty: none.

    `holders` returns who holds a latch; `waits` the latches that a workflow waits for, if it can do nothing
    else meanwhile: without steps that run on, it cannot release what it holds.
    """
    paths: list[list[tuple[str, str]]] = [[(own, latch)]]
    visited: set[str] = set()
    while paths and len(visited) < MAX_WORKFLOWS:
        path = paths.pop(0)
        for holder in holders(path[-1][1]):
            if holder == own:
                return path
            if holder not in visited and len(visited) < MAX_WORKFLOWS:
                visited.add(holder)
                paths += [[*path, (holder, awaited)] for awaited in waits(holder)]
    return ()
